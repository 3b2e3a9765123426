/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* base64url without padding (RFC 4648 section 5, as RFC 7515 section 2 uses it), base64 for PEM-like text, and hex. */

#include "base/macro.h"

char *base64url_encode(const void *data, size_t size); /* NULL: out of memory */

/* Strict: no padding, no white space, no left-over bits. -EBADMSG: not base64url. */
int base64url_decode(const char *s, size_t length, void **ret_data, size_t *ret_size);

bool base64url_is_valid(const char *s) _pure_; /* only letters of the alphabet, not empty */

char *hex_encode(const void *data, size_t size); /* lower case; NULL: out of memory */
int hex_decode(const char *s, void **ret_data, size_t *ret_size); /* -EBADMSG */
