/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of snapshots share among themselves. */

#include <stddef.h>

/* Makes room for one more item behind 'n'; the room doubles, so that many are added in linear time. */
int snapshot_grow(void *items, size_t n, size_t size);
