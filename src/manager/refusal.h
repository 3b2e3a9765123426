/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Domains that the server's configuration disabled, and why: told once, by whichever manager, and again when it was mended meanwhile. */

#include "manager/domain.h"

void refusal_update(Domain *d);
