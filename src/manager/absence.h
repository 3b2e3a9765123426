/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Servers that do not run any more. Their snapshots stay on disk, because nobody but the server writes there; what they say is forgotten when the server's unit has
 * not run for ForgetServersSec=. A server that starts writes its snapshot anew, and is known again. */

#include "domain/snapshot.h"
#include "manager/manager.h"

int absence_new(Manager *m, Absence **ret);
Absence *absence_free(Absence *a);

/* Asks systemd about all servers. What changes is acted on when it answers. */
void absence_look(Absence *a);

/* Whether what this snapshot says does not count. */
bool absence_is_forgotten(const Absence *a, const Snapshot *snapshot);
