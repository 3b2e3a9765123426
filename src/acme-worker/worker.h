/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Jobs of the manager, from Open() to Close(). */

#include <stdbool.h>

/* One job; with 'batch' one after the other over the same connections, until there is none left.
 *
 * Returns the program's exit status: 0 when the job is done (or nothing is to be done), 1 when the manager was told of a failure, EX_TEMPFAIL when
 * there is no manager any more that could be told. What becomes of the jobs of a batch is their own affair: it ends with 0 after the last. */
int worker_run(bool batch);
