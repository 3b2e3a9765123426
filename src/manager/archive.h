/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Earlier sets that are kept for too long leave the archive: theirs are keys that nobody needs any more. */

#include "manager/manager.h"

/* Removes what came to the archive longer than ArchiveMaxAgeSec= ago, of all domains, also those that nobody manages any more; beside the loop. */
void archive_prune(Manager *m);
