/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* MDomain, its section, and its members. Parse functions as call.h says. */

#include "call.h"

const char *parse_domain(Call *call, char **words, int n);
const char *parse_domain_section(Call *call, char **words, int n);
const char *parse_members(Call *call, char **words, int n);
