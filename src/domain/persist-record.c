/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/persist-record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"

enum { NAME_MAX_BYTES = 512 };

static void record_done(PersistRecord *record) {
        free(record->name);
        free(record->value);
}

void persist_records_done(PersistRecords *records) {
        for (size_t i = 0; i < records->n; i++)
                record_done(&records->items[i]);
        free(records->items);
        *records = (PersistRecords){};
}

static PersistRecord *find(const PersistRecords *records, const char *name) {
        for (size_t i = 0; i < records->n; i++)
                if (str_equal(records->items[i].name, name))
                        return &records->items[i];
        return NULL;
}

const PersistRecord *persist_records_find(const PersistRecords *records, const char *name) {
        return find(records, name);
}

static int add(PersistRecords *records, const char *name, const char *value) {
        PersistRecord record = {}, *items;

        if (records->n >= PERSIST_RECORDS_MAX)
                return -ENOBUFS;
        items = reallocarray(records->items, records->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        records->items = items;
        if (str_replace(&record.name, name) < 0 || str_replace(&record.value, value) < 0) {
                record_done(&record);
                return -ENOMEM;
        }
        items[records->n++] = record;
        return 0;
}

int persist_records_keep(PersistRecords *records, const char *name, const char *value) {
        PersistRecord *record = find(records, name);
        int r;

        if (!record)
                return add(records, name, value);
        if (str_equal(record->value, value))
                return 0;
        r = str_replace(&record->value, value);
        if (r == 0)
                record->until_usec = 0;
        return r;
}

bool persist_records_note(PersistRecords *records, const char *name, uint64_t until_usec) {
        PersistRecord *record = find(records, name);

        if (record)
                record->until_usec = until_usec;
        return record;
}

void persist_records_forget(PersistRecords *records, const char *name) {
        PersistRecord *record = find(records, name);

        if (!record)
                return;
        record_done(record);
        *record = records->items[--records->n];
}

const PersistRecord *persist_records_ending(const PersistRecords *records, uint64_t before_usec) {
        const PersistRecord *first = NULL;

        for (size_t i = 0; i < records->n; i++) {
                const PersistRecord *record = &records->items[i];

                if (record->until_usec > 0 && record->until_usec < before_usec && (!first || record->until_usec < first->until_usec))
                        first = record;
        }
        return first;
}

/* JSON */

static int record_to_json(const PersistRecord *record, JsonObject *list) {
        _auto_json_ JsonObject *o = json_object_new_object();
        bool ends = record->until_usec > 0 && record->until_usec < UINT64_MAX;

        if (!o || json_add_string(o, "name", record->name) < 0 || json_add_string(o, "value", record->value) < 0 ||
            (record->until_usec > 0 && json_add_bool(o, "seen", true) < 0) || (ends && json_add_time(o, "until", record->until_usec) < 0) ||
            json_object_array_add(list, o) < 0)
                return -ENOMEM;
        (void) take_ptr(o);
        return 0;
}

int persist_records_to_json(const PersistRecords *records, JsonObject *o) {
        _auto_json_ JsonObject *list = NULL;

        if (records->n == 0)
                return 0;
        list = json_object_new_array();
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < records->n; i++)
                if (record_to_json(&records->items[i], list) < 0)
                        return -ENOMEM;
        return json_add_object(o, "persist-records", take_ptr(list));
}

static bool is_plausible(const char *s, size_t max) {
        if (str_is_empty(s) || strnlen(s, max + 1) > max)
                return false;
        for (; *s; s++)
                if (*s < ' ' || *s >= 0x7f || *s == '"' || *s == '\\')
                        return false;
        return true;
}

static int record_from_json(JsonObject *o, PersistRecords *records) {
        const char *name = json_get_string(o, "name"), *value = json_get_string(o, "value");
        int r;

        if (!is_plausible(name, NAME_MAX_BYTES) || !is_plausible(value, PERSIST_RECORD_VALUE_MAX))
                return 0;
        r = persist_records_keep(records, name, value);
        if (r == 0 && json_get_bool(o, "seen", false))
                (void) persist_records_note(records, name, json_has(o, "until") ? json_get_time(o, "until") : UINT64_MAX);
        return r == -ENOBUFS ? 0 : r;
}

int persist_records_from_json(JsonObject *o, PersistRecords *ret) {
        JsonObject *list = json_get_array(o, "persist-records");
        size_t n = list ? json_object_array_length(list) : 0;

        for (size_t i = 0; i < n; i++) {
                int r = record_from_json(json_object_array_get_idx(list, i), ret);

                if (r < 0)
                        return r;
        }
        return 0;
}
