/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The last problem of a domain, for people: what the CA said, what was tried, what its subproblems are. */

#include "base/json.h"

/* LastProblem as it comes over the bus, with names for its parts and the subproblems as JSON. NULL: there is none, or out of memory. */
JsonObject *problem_text_decode(JsonObject *last);

/* Lines that begin with a label of 'indent' columns. */
void problem_text_print(JsonObject *problem, int indent);
