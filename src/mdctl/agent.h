/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where no desktop asks for the password that polkit wants, a small program on the terminal does. */

#include "mdctl/mdctl.h"

/* Starts it, when there is a terminal and somebody to be asked. That there is none, or that it does not start, is no failure: polkit says no then. */
void agent_open(const Mdctl *c);
void agent_close(void);
