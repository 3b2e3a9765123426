/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Problems as bus errors and back: one place. */

#include <systemd/sd-bus.h>

#include "base/problem.h"

/* Sets 'error' to 'name' with the problem's detail as message. Returns the negative errno that sd-bus wants returned. */
int bus_error_from_problem(sd_bus_error *error, const char *name, const Problem *p);

/* A Problem of PROBLEM_TYPE_INTERNAL (or of 'type') from a bus error: "WHAT: message". */
Problem *problem_from_bus_error(const sd_bus_error *error, const char *type, const char *what);

/* What the error says, to stand inside a sentence: without the full stop that systemd puts at the end. "no reason given" when it says nothing. NULL: out of memory. */
char *bus_error_reason(const sd_bus_error *error);

/* The whole problem through a string argument: JSON text of problem_to_json(), "" for NULL. */
char *problem_to_argument(const Problem *p);
int problem_from_argument(const char *s, Problem **ret); /* -EBADMSG */
