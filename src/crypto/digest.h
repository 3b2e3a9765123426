/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Hashes. */

#include "base/macro.h"

#define DIGEST_SHA256_SIZE 32
int digest_sha256(const void *data, size_t size, uint8_t ret[static DIGEST_SHA256_SIZE]);
/* In lower case; the caller frees *ret. */
int digest_sha256_hex(const void *data, size_t size, char **ret);
