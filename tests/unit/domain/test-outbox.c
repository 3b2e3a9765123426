/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/outbox.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

#define T0 (UINT64_C(1700000000) * USEC_PER_SEC)

static char *const fields[] = { (char *) "MD_DETAIL", (char *) "something", (char *) "MD_DOMAINS", (char *) "a.example b.example", NULL };

static void add(Outbox *o, EventKind kind, const char *subject, uint64_t now) {
        CHECK_INT(outbox_add(o, kind, subject, NULL, fields, now), OUTBOX_DONE);
}

/* The events that wait, as one line. */
static char *describe(const Outbox *o) {
        _auto_strv_ char **words = NULL;
        char *text;

        for (size_t i = 0; i < o->n_entries; i++)
                (void) strv_consume(&words, str_printf("%s%s", event_kind_to_string(o->entries[i]->kind), o->entries[i]->flying ? "!" : ""));
        text = strv_join(words, " ");
        return text;
}

static void check_waiting(const Outbox *o, const char *expected) {
        _auto_free_ char *text = describe(o);

        CHECK_STR(text, expected);
}

TEST(limits) {
        static const struct {
                const char *what;
                EventKind kind;
                const char *before, *subject;
                uint64_t after;
                bool limited;
        } cases[] = {
                { "an error a moment ago", EVENT_ERRORED, NULL, NULL, USEC_PER_SEC, true },
                { "an error, the hour is not over", EVENT_ERRORED, NULL, NULL, USEC_PER_HOUR - 1, true },
                { "an error, the hour is over", EVENT_ERRORED, NULL, NULL, USEC_PER_HOUR, false },
                { "an expiry within the day", EVENT_EXPIRING, NULL, NULL, USEC_PER_DAY - 1, true },
                { "an expiry a day later", EVENT_EXPIRING, NULL, NULL, USEC_PER_DAY, false },
                { "the same certificate", EVENT_RENEWED, "a", "a", USEC_PER_HOUR, true },
                { "another certificate is news", EVENT_RENEWED, "a", "b", USEC_PER_SEC, false },
                { "another certificate, installed", EVENT_INSTALLED, "a", "b", USEC_PER_SEC, false },
                { "asking before a quick retry", EVENT_RENEWING, NULL, NULL, 10 * USEC_PER_MINUTE, true },
                { "what has no interval", EVENT_RENEWAL_INFO, NULL, NULL, 1, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");

                test_case("%s", cases[i].what);
                REQUIRE(o);
                CHECK(!outbox_is_limited(o, cases[i].kind, cases[i].subject, T0));
                CHECK_INT(outbox_note_told(o, cases[i].kind, cases[i].before, T0), 0);
                CHECK_INT(outbox_is_limited(o, cases[i].kind, cases[i].subject, T0 + cases[i].after), cases[i].limited);
                CHECK_INT(outbox_add(o, cases[i].kind, cases[i].subject, NULL, fields, T0 + cases[i].after), cases[i].limited ? OUTBOX_E_LIMITED : OUTBOX_DONE);
                test_case("%s, but the clock was put back", cases[i].what);
                CHECK(!outbox_is_limited(o, cases[i].kind, cases[i].subject, T0 - 1));
        }
}

TEST(a_storm_is_one_message) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");

        REQUIRE(o);
        for (unsigned i = 0; i < 1000; i++) {
                add(o, EVENT_RELOAD_FAILED, NULL, T0);
                add(o, EVENT_ERRORED, NULL, T0);
        }
        check_waiting(o, "reload-failed errored");
        outbox_next(o, T0)->flying = true;
        add(o, EVENT_RELOAD_FAILED, NULL, T0);
        add(o, EVENT_RELOAD_FAILED, NULL, T0);
        check_waiting(o, "reload-failed! errored reload-failed");

        test_case("all at once");
        for (unsigned round = 0; round < 3; round++) {
                for (size_t i = 0; i < _EVENT_KIND_MAX; i++)
                        (void) outbox_add(o, (EventKind) i, NULL, NULL, fields, T0);
                for (OutboxEntry *e; (e = outbox_next(o, T0));)
                        e->flying = true;
        }
        CHECK(o->n_entries > _EVENT_KIND_MAX && o->n_entries <= OUTBOX_ENTRIES_MAX);
}

TEST(what_is_being_told_is_not_told_again) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");

        REQUIRE(o);
        add(o, EVENT_RENEWED, "a", T0);
        outbox_next(o, T0)->flying = true;
        CHECK_INT(outbox_add(o, EVENT_RENEWED, "a", NULL, fields, T0), OUTBOX_E_LIMITED);
        add(o, EVENT_RENEWED, "b", T0);
        check_waiting(o, "renewed! renewed");
}

TEST(a_renewal_ends_warnings) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");

        REQUIRE(o);
        add(o, EVENT_EXPIRING, NULL, T0);
        add(o, EVENT_ERRORED, NULL, T0);
        add(o, EVENT_RENEWED, "a", T0);
        check_waiting(o, "errored renewed");
}

TEST(order) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");
        OutboxEntry *renewed, *installed;

        REQUIRE(o);
        CHECK(!outbox_next(o, T0));
        CHECK_UINT(outbox_wake_usec(o, T0), 0);
        add(o, EVENT_RENEWED, "a", T0);
        add(o, EVENT_INSTALLED, "a", T0);
        renewed = outbox_next(o, T0);
        REQUIRE(renewed && renewed->kind == EVENT_RENEWED);

        test_case("the way to the hook is not free");
        renewed->next_usec = T0 + 5;
        CHECK(!outbox_next(o, T0));
        CHECK_UINT(outbox_wake_usec(o, T0), T0 + 5);
        CHECK(outbox_next(o, T0 + 5) == renewed);

        test_case("a hook that runs for long holds nobody up");
        renewed->flying = true;
        renewed->since_usec = T0 - OUTBOX_PATIENCE_USEC + 1;
        CHECK(!outbox_next(o, T0));
        CHECK_UINT(outbox_wake_usec(o, T0), T0 + 1);
        renewed->since_usec--;
        installed = outbox_next(o, T0);
        REQUIRE(installed && installed->kind == EVENT_INSTALLED);
        CHECK_UINT(outbox_wake_usec(o, T0), 0);

        test_case("but the next one of its own");
        installed->flying = true;
        add(o, EVENT_RENEWED, "b", T0);
        add(o, EVENT_ERRORED, NULL, T0);
        CHECK(!outbox_next(o, T0));

        test_case("a hook that failed holds nobody up");
        renewed->flying = false;
        renewed->failures = 1;
        renewed->next_usec = T0 + USEC_PER_HOUR;
        CHECK(outbox_next(o, T0) && str_equal(outbox_next(o, T0)->subject, "b"));
        CHECK(outbox_next(o, T0 + USEC_PER_HOUR) == renewed);

        test_case("further ahead than ever is planned");
        renewed->next_usec = T0 + 30 * USEC_PER_DAY;
        CHECK(outbox_next(o, T0) == renewed);

        test_case("told");
        CHECK_INT(outbox_told(o, renewed, T0), 0);
        check_waiting(o, "installed! renewed errored");
        CHECK_UINT(o->told[EVENT_RENEWED].when_usec, T0);
        CHECK_STR(o->told[EVENT_RENEWED].subject, "a");
}

TEST(failures) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");
        OutboxEntry *e;

        REQUIRE(o);
        add(o, EVENT_INSTALLED, "a", T0);
        add(o, EVENT_RENEWED, "a", T0);
        e = outbox_next(o, T0);
        e->flying = true;
        CHECK(!outbox_failed(o, e, T0 + 5)); /* told in the journal alone */
        check_waiting(o, "renewed");
        CHECK_UINT(o->told[EVENT_INSTALLED].when_usec, 0);

        e = outbox_next(o, T0);
        e->flying = true;
        CHECK(outbox_failed(o, e, T0 + 5));
        CHECK_UINT(e->failures, 1);
        CHECK(!outbox_next(o, T0) && outbox_next(o, T0 + 5) == e);
        CHECK_UINT(outbox_wake_usec(o, T0), T0 + 5);

        test_case("there is news");
        e->flying = true;
        add(o, EVENT_RENEWED, "b", T0);
        CHECK(!outbox_failed(o, e, T0 + 9));
        check_waiting(o, "renewed");
        CHECK_STR(o->entries[0]->subject, "b");
}

TEST(what_is_held_for_others) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");
        OutboxEntry *e;

        REQUIRE(o);
        CHECK_INT(outbox_add(o, EVENT_ERRORED, NULL, "the CA is down", fields, T0), OUTBOX_DONE);
        e = outbox_next(o, T0);
        REQUIRE(e && str_equal(e->cause, "the CA is down"));
        CHECK(outbox_next_of(o, "the CA is down", T0) == e);
        CHECK(!outbox_next_of(o, "another cause", T0));

        test_case("held, but not when others are told");
        e->held_until_usec = T0 + 60;
        CHECK(!outbox_next(o, T0));
        CHECK(outbox_next_of(o, "the CA is down", T0) == e);
        CHECK_UINT(outbox_wake_usec(o, T0), T0 + 60);
        CHECK(outbox_next(o, T0 + 60) == e);

        test_case("what comes behind it does not wait for other domains");
        add(o, EVENT_RENEWED, "a", T0);
        CHECK(outbox_next(o, T0) == e);
        e->flying = true;
        e->since_usec = T0;
        CHECK(!outbox_next_of(o, "the CA is down", T0));
        CHECK_INT(outbox_told(o, e, T0), 0);
        check_waiting(o, "renewed");
        CHECK(!outbox_next_of(o, "the CA is down", T0));

        test_case("a clock that was wrong holds nobody");
        add(o, EVENT_ERRORED, NULL, T0 + 2 * USEC_PER_HOUR);
        outbox_drop(o, o->entries[0]);
        o->entries[0]->held_until_usec = T0 + 300 * USEC_PER_DAY;
        CHECK(outbox_next(o, T0));
}

TEST(a_retry_with_others_waits_for_its_time) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org");
        OutboxEntry *e;

        REQUIRE(o);
        CHECK_INT(outbox_add(o, EVENT_EXPIRING, NULL, "soon", fields, T0), OUTBOX_DONE);
        e = outbox_next(o, T0);
        e->flying = true;
        CHECK(outbox_failed(o, e, T0 + 5));
        CHECK(!outbox_next_of(o, "soon", T0) && outbox_next_of(o, "soon", T0 + 5) == e);
}

TEST(json) {
        _cleanup_(outbox_freep) Outbox *o = outbox_new("example.org"), *read = NULL;
        _auto_json_ JsonObject *json = NULL;

        REQUIRE(o);
        add(o, EVENT_RENEWED, "a", T0);
        CHECK_INT(outbox_add(o, EVENT_ERRORED, NULL, "the CA is down", fields, T0), OUTBOX_DONE);
        o->entries[1]->held_until_usec = T0 + USEC_PER_HOUR;
        o->entries[0]->failures = 3;
        o->entries[0]->notified = true;
        o->entries[0]->next_usec = T0 + 1;
        o->entries[1]->flying = true;
        o->vetoed_until_usec = T0 + USEC_PER_HOUR;
        CHECK_INT(outbox_note_told(o, EVENT_INSTALLED, "b", T0), 0);
        CHECK_INT(outbox_note_told(o, EVENT_RENEWING, NULL, T0), 0);
        REQUIRE(outbox_to_json(o, &json) == 0 && outbox_from_json("example.org", json, &read) == 0);

        check_waiting(read, "renewed errored"); /* what ran is told again: nobody knows how it ended */
        CHECK_STR(read->entries[0]->subject, "a");
        CHECK(!read->entries[0]->cause && read->entries[1]->held_until_usec == 0); /* nobody is held by a storm of another life */
        CHECK_STR(read->entries[1]->cause, "the CA is down");
        CHECK_UINT(read->entries[0]->failures, 3);
        CHECK(read->entries[0]->notified && !read->entries[1]->notified);
        CHECK_UINT(read->entries[0]->next_usec, T0 + USEC_PER_SEC);
        CHECK(strv_equal(read->entries[0]->fields, fields));
        CHECK_UINT(read->vetoed_until_usec, T0 + USEC_PER_HOUR);
        CHECK_STR(read->told[EVENT_INSTALLED].subject, "b");
        CHECK_UINT(read->told[EVENT_RENEWING].when_usec, T0);
        CHECK_UINT(read->told[EVENT_ERRORED].when_usec, 0);
}

TEST(what_cannot_be_read_is_missing) {
        static const struct {
                const char *text;
                int result;
                size_t n;
        } cases[] = {
                { "[]", -EBADMSG, 0 },
                { "{}", 0, 0 },
                { "{\"entries\":{}, \"told\":[], \"vetoed-until\":7}", 0, 0 },
                { "{\"entries\":[1, null, {}, {\"event\":\"nothing\"}, {\"event\":\"renewing\"}, {\"event\":\"challenge-setup\"}]}", 0, 0 },
                { "{\"entries\":[{\"event\":\"errored\", \"fields\":{\"MD_DETAIL\":7}, \"failures\":-1, \"next\":\"soon\"}]}", 0, 1 },
                { "{\"entries\":[{\"event\":\"errored\"}, {\"event\":\"errored\"}, {\"event\":\"errored\"}]}", 0, 2 },
                { "{\"entries\":[{\"event\":\"renewed\", \"cause\":\"not of such an event\"}, {\"event\":\"errored\", \"cause\":{}}]}", 0, 2 },
                { "{\"told\":{\"renewed\":{\"when\":\"never\"}, \"errored\":3}}", 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(outbox_freep) Outbox *o = NULL;
                _auto_json_ JsonObject *json = NULL;

                test_case("%s", cases[i].text);
                REQUIRE(json_parse(cases[i].text, strlen(cases[i].text), &json, NULL) == 0);
                CHECK_INT(outbox_from_json("example.org", json, &o), cases[i].result);
                if (!o)
                        continue;
                CHECK_UINT(o->n_entries, cases[i].n);
                CHECK_UINT(o->vetoed_until_usec, 0);
                for (size_t k = 0; k < o->n_entries; k++)
                        CHECK(o->entries[k]->failures == 0 && o->entries[k]->next_usec == 0 && strv_length(o->entries[k]->fields) == 0 && !o->entries[k]->cause);
        }
}
