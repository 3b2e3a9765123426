/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records that prove a name again and again (dns-persist-01): the administrator publishes them, we only know what they must be and what was seen of them. */

#include "base/json.h"

enum {
        PERSIST_RECORDS_MAX = 1000,
        PERSIST_RECORD_VALUE_MAX = 1024,
};

typedef struct PersistRecord {
        char *name;          /* of the record, without a dot at the end */
        char *value;         /* that does */
        uint64_t until_usec; /* when the one that was seen last ends; UINT64_MAX: never, 0: none was seen */
} PersistRecord;

typedef struct PersistRecords {
        PersistRecord *items;
        size_t n;
} PersistRecords;

void persist_records_done(PersistRecords *records);

const PersistRecord *persist_records_find(const PersistRecords *records, const char *name) _pure_;

/* What it must be now. What was seen counts no more when that is something else. -ENOBUFS: too many. */
int persist_records_keep(PersistRecords *records, const char *name, const char *value);
/* False: none of this name is kept. */
bool persist_records_note(PersistRecords *records, const char *name, uint64_t until_usec);
void persist_records_forget(PersistRecords *records, const char *name);

/* The one whose end comes first, when it comes before then; NULL: there is none. */
const PersistRecord *persist_records_ending(const PersistRecords *records, uint64_t before_usec) _pure_;

/* Member "persist-records". */
int persist_records_to_json(const PersistRecords *records, JsonObject *o);
/* Lenient: what cannot be believed is left out. Fills an empty *ret. */
int persist_records_from_json(JsonObject *o, PersistRecords *ret);
