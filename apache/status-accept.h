/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/macro.h"

/* Whether a request's Accept field (RFC 9110 section 12.5.1; NULL: there is none) names text/html, at least as much wanted as
 * application/json. What takes anything is a program: it gets JSON. */
bool accept_prefers_html(const char *field) _pure_;
