/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the journal of this machine has of us. Anybody may write any field into it: only entries of our units, and of systemd about them, are taken. */

#include "base/json.h"

typedef struct JournalQuery {
        const char *domain;     /* MD_NAME=; NULL: any */
        const char *unit;       /* of the process; NULL: any of ours */
        const char *const *ids; /* message ids, up to NULL; NULL: any, also none */
        size_t lines;           /* the newest so many */
} JournalQuery;

enum {
        JOURNAL_DONE,
        JOURNAL_E_CLOSED, /* this user may not read it */
};

/* A list, the oldest first: WhenUSec, Priority, Text, and where there are any Domain, Event, MessageId, Problem, Unit, Identifier. The text is printable, and has no
 * "DOMAIN: " in front. */
int journal_read(const JournalQuery *q, JsonObject **ret);
