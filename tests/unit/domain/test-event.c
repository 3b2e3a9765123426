/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/event.h"

#include "base/clock.h"
#include "lib/test.h"

TEST(names_go_there_and_back) {
        for (size_t i = 0; i < _EVENT_KIND_MAX; i++) {
                EventKind kind = _EVENT_KIND_MAX;

                test_case("%zu", i);
                REQUIRE(event_kind_to_string((EventKind) i));
                CHECK(event_kind_from_string(event_kind_to_string((EventKind) i), &kind));
                CHECK_UINT(kind, i);
        }
}

TEST(no_events) {
        static const char *const names[] = { NULL, "", "Renewed", "renewed ", "installed/" };
        EventKind kind = EVENT_ERRORED;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                CHECK(!event_kind_from_string(names[i], &kind));
        CHECK_UINT(kind, EVENT_ERRORED);
        CHECK_STR(event_kind_to_string(_EVENT_KIND_MAX), NULL);
        CHECK(!event_kind_has_hook(_EVENT_KIND_MAX) && !event_kind_runs_as_root(_EVENT_KIND_MAX));
}

TEST(only_installed_is_root) {
        for (size_t i = 0; i < _EVENT_KIND_MAX; i++)
                CHECK_INT(event_kind_runs_as_root((EventKind) i), i == EVENT_INSTALLED);
}

TEST(only_what_is_said_of_certificates_is_of_no_domain) {
        for (size_t i = 0; i < _EVENT_KIND_MAX; i++)
                CHECK_INT(event_kind_concerns_other((EventKind) i), i == EVENT_OCSP_RENEWED || i == EVENT_OCSP_ERRORED || i == EVENT_REVOKED);
        CHECK(!event_kind_concerns_other(_EVENT_KIND_MAX));
}

TEST(what_hooks_are_told_again) {
        for (size_t i = 0; i < _EVENT_KIND_MAX; i++)
                CHECK_INT(event_kind_is_repeated((EventKind) i), i == EVENT_RENEWED || i == EVENT_EXPIRING);
        CHECK(!event_kind_is_repeated(_EVENT_KIND_MAX));
}

TEST(what_is_done_for_each_domain_is_told_of_each) {
        static const EventKind own[] = { EVENT_RENEWING, EVENT_RENEWED, EVENT_INSTALLED, EVENT_ROLLED_BACK, EVENT_CHALLENGE_SETUP, EVENT_CHALLENGE_TEARDOWN, EVENT_OCSP_RENEWED };

        for (size_t i = 0; i < _EVENT_KIND_MAX; i++) {
                bool is_own = false;

                for (size_t k = 0; k < ELEMENTSOF(own); k++)
                        is_own = is_own || own[k] == (EventKind) i;
                test_case("%s", event_kind_to_string((EventKind) i));
                CHECK_INT(event_kind_is_merged((EventKind) i), !is_own);
        }
        CHECK(!event_kind_is_merged(_EVENT_KIND_MAX));
}

TEST(intervals_are_those_of_mod_md) {
        static const struct {
                EventKind kind;
                uint64_t hours;
        } cases[] = {
                { EVENT_RENEWING, 1 },   { EVENT_RENEWED, 24 },      { EVENT_INSTALLED, 24 },   { EVENT_EXPIRING, 24 },
                { EVENT_ERRORED, 1 },    { EVENT_OCSP_RENEWED, 24 }, { EVENT_OCSP_ERRORED, 1 }, { EVENT_CHALLENGE_SETUP, 0 },
                { EVENT_STALLED, 24 },
                { _EVENT_KIND_MAX, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                CHECK_UINT(event_kind_interval_usec(cases[i].kind), cases[i].hours * USEC_PER_HOUR);
}
