/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The URLs that we sign for. */

#include "base/macro.h"

/* https, a host, no user, no fragment, printable ASCII, at most 2048 characters. */
bool sign_url_is_valid(const char *url) _pure_;
/* Scheme, host and port are the same; both are valid. False for NULL: what is not there is nowhere. */
bool sign_same_origin(const char *a, const char *b) _pure_;
