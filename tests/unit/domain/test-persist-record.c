/* SPDX-License-Identifier: Apache-2.0 */

#include "domain/persist-record.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

#define NAME "_validation-persist.example.org"
#define VALUE "ca.example; accounturi=https://ca.example/1"

static PersistRecords make(void) {
        PersistRecords records = {};

        CHECK_INT(persist_records_keep(&records, NAME, VALUE), 0);
        CHECK_INT(persist_records_keep(&records, "_validation-persist.example.net", VALUE), 0);
        return records;
}

TEST(what_was_seen) {
        PersistRecords records = make();

        CHECK_UINT(persist_records_find(&records, NAME)->until_usec, 0);
        CHECK(persist_records_note(&records, NAME, 77));
        CHECK(!persist_records_note(&records, "_validation-persist.other", 77));
        CHECK_INT(persist_records_keep(&records, NAME, VALUE), 0);
        CHECK_UINT(persist_records_find(&records, NAME)->until_usec, 77);

        /* It must be something else now: what was seen is not that. */
        CHECK_INT(persist_records_keep(&records, NAME, VALUE "; policy=wildcard"), 0);
        CHECK_UINT(persist_records_find(&records, NAME)->until_usec, 0);
        CHECK_UINT(records.n, 2);

        persist_records_forget(&records, NAME);
        persist_records_forget(&records, NAME);
        CHECK_UINT(records.n, 1);
        CHECK(!persist_records_find(&records, NAME));
        CHECK(persist_records_find(&records, "_validation-persist.example.net"));
        persist_records_done(&records);
}

TEST(ceiling) {
        PersistRecords records = {};

        for (unsigned i = 0; i < PERSIST_RECORDS_MAX; i++) {
                _auto_free_ char *name = str_printf("n%u", i);

                REQUIRE(name && persist_records_keep(&records, name, VALUE) == 0);
        }
        CHECK_INT(persist_records_keep(&records, "one more", VALUE), -ENOBUFS);
        CHECK_INT(persist_records_keep(&records, "n0", "x"), 0);
        CHECK_UINT(records.n, PERSIST_RECORDS_MAX);
        persist_records_done(&records);
}

TEST(first_to_end) {
        PersistRecords records = make();

        CHECK(!persist_records_ending(&records, UINT64_MAX));
        persist_records_note(&records, NAME, 200);
        persist_records_note(&records, "_validation-persist.example.net", 100);
        CHECK(!persist_records_ending(&records, 100));
        CHECK_STR(persist_records_ending(&records, 101)->name, "_validation-persist.example.net");
        CHECK_STR(persist_records_ending(&records, UINT64_MAX)->name, "_validation-persist.example.net");
        persist_records_note(&records, "_validation-persist.example.net", UINT64_MAX);
        CHECK_STR(persist_records_ending(&records, UINT64_MAX)->name, NAME);
        persist_records_done(&records);
}

TEST(json_and_back) {
        static const uint64_t times[] = { 0, UINT64_C(1800000000) * USEC_PER_SEC, UINT64_MAX };

        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                _auto_json_ JsonObject *o = json_object_new_object();
                PersistRecords records = make(), back = {};

                persist_records_note(&records, NAME, times[i]);
                CHECK_INT(persist_records_to_json(&records, o), 0);
                CHECK_INT(persist_records_from_json(o, &back), 0);
                CHECK_UINT(back.n, 2);
                REQUIRE(persist_records_find(&back, NAME));
                CHECK_STR(persist_records_find(&back, NAME)->value, VALUE);
                CHECK_UINT(persist_records_find(&back, NAME)->until_usec, times[i]);
                persist_records_done(&records);
                persist_records_done(&back);
        }
}

TEST(hostile_json) {
        static const char *const texts[] = {
                "{}",
                "{\"persist-records\": {}}",
                "{\"persist-records\": [1, null, [], {}]}",
                "{\"persist-records\": [{\"name\": \"" NAME "\"}]}",
                "{\"persist-records\": [{\"name\": \"\", \"value\": \"x\"}]}",
                "{\"persist-records\": [{\"name\": \"" NAME "\", \"value\": \"a\\nb\"}]}",
                "{\"persist-records\": [{\"name\": \"" NAME "\", \"value\": \"say \\\"x\\\"\"}]}",
                "{\"persist-records\": [{\"name\": \"" NAME "\", \"value\": 7}]}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _auto_json_ JsonObject *o = NULL;
                PersistRecords records = {};

                test_case("%s", texts[i]);
                REQUIRE(json_parse(texts[i], strlen(texts[i]), &o, NULL) == JSON_DONE);
                CHECK_INT(persist_records_from_json(o, &records), 0);
                CHECK_UINT(records.n, 0);
                persist_records_done(&records);
        }
}
