/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One lock between Apache's parent, which reads a certificate and then its key, and the activation, which exchanges them: servers/lock, flock(2).
 *
 * The server holds it shared from the first certificate it looks at until the TLS module has loaded all; activation holds it exclusively for the renames
 * only (about a millisecond). Nobody blocks: the manager asks again from a timer, the server tries for at most 200 ms (the
 * one bounded wait in Apache, hardly ever more than one step of 5 ms) and then goes on without. */

#include "store/store.h"

enum {
        STORE_LOCK_DONE,
        STORE_LOCK_E_BUSY,
};

/* Role SERVER. Makes the file when it is missing; closing the descriptor releases the lock. Without servers/ there is nothing to lock: done with *ret_fd = -1. */
int store_lock_shared(Store *s, int *ret_fd);

/* Role MANAGER. Never waits; a missing file means that no server runs: done with *ret_fd = -1. */
int store_lock_exclusive(Store *s, int *ret_fd);
