/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What mdctl ends with when something was refused. */

#include <systemd/sd-bus.h>

#include "mdctl/mdctl.h"

/* What the manager finds makes no sense is wrong usage as what mdctl sees itself; what does not exist, or cannot be done as things are, is a failure. */
int exit_code_of_error(const sd_bus_error *error);
