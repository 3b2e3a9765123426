/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One job of the manager, from Open() to Close(). */

/* Returns the program's exit status: 0 when the certificate is delivered (or nothing is to be done), 1 when the manager was told of a failure,
 * EX_TEMPFAIL when there is no manager any more that could be told. */
int worker_run(void);
