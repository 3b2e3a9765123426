/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Asks the manager what is to be fetched, fetches it and hands it over, until nothing is due. Returns the program's exit status. */
int worker_run(void);
