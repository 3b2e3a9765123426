/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Asks the manager what is to be looked at, looks, and tells what was seen, until there is nothing more. Returns the program's exit status. */
int worker_run(void);
