/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Long output on a terminal goes through $SYSTEMD_PAGER, $PAGER or less. */

/* From here on, stdout is the pager's input. Does nothing when stdout is no terminal or no pager is wanted. */
void pager_open(void);
/* Waits until the user has left it. */
void pager_close(void);
