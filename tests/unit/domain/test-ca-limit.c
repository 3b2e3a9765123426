/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/ca-limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "lib/test.h"

#define CA "https://ca.example/directory"
#define OTHER "https://other.example/directory"
#define NOW (1700000000 * USEC_PER_SEC)

static int note(CaLimits *l, const char *ca, const char *domain, uint64_t until, uint64_t now, uint64_t *ret_until) {
        _auto_free_ char *other = NULL;

        return ca_limits_note(l, ca, domain, until, now, &other, ret_until);
}

TEST(whom_it_means) {
        static const struct {
                const char *what, *ca, *domain;
                uint64_t first_until, second_after;
                int r;
        } cases[] = {
                { "the same domain again",      CA,    "a.example", 0,                       USEC_PER_MINUTE,     CA_LIMIT_ONE },
                { "a second one soon after",    CA,    "b.example", 0,                       USEC_PER_MINUTE,     CA_LIMIT_ALL },
                { "a second one after an hour", CA,    "b.example", 0,                       USEC_PER_HOUR,       CA_LIMIT_ONE },
                { "while the first one waits",  CA,    "b.example", NOW + 6 * USEC_PER_HOUR, 5 * USEC_PER_HOUR,   CA_LIMIT_ALL },
                { "another CA",                 OTHER, "b.example", 0,                       USEC_PER_MINUTE,     CA_LIMIT_ONE },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(ca_limits_done) CaLimits l = { 0 };
                uint64_t until = 0, now = NOW + cases[i].second_after;

                test_case("%s", cases[i].what);
                CHECK_INT(note(&l, CA, "a.example", cases[i].first_until, NOW, &until), CA_LIMIT_ONE);
                CHECK_UINT(ca_limits_until_usec(&l, CA, NOW), 0);
                CHECK_INT(note(&l, cases[i].ca, cases[i].domain, 0, now, &until), cases[i].r);
                CHECK_UINT(ca_limits_until_usec(&l, CA, now), cases[i].r == CA_LIMIT_ALL ? now + USEC_PER_HOUR : 0);
                CHECK_UINT(ca_limits_until_usec(&l, CA, now + USEC_PER_HOUR), 0);
                CHECK(ca_limits_forget(&l, CA) == (cases[i].r == CA_LIMIT_ALL));
                CHECK(!ca_limits_knows(&l, CA) && !ca_limits_forget(&l, CA));
        }
}

TEST(for_how_long) {
        _cleanup_(ca_limits_done) CaLimits l = { 0 };
        uint64_t until = 0;

        CHECK_INT(note(&l, CA, "a.example", 0, NOW, &until), CA_LIMIT_ONE);
        CHECK_INT(note(&l, CA, "b.example", NOW + 100 * 24 * USEC_PER_HOUR, NOW, &until), CA_LIMIT_ALL);
        CHECK_UINT(until, NOW + 24 * USEC_PER_HOUR); /* no CA stops us for longer by a word */
        CHECK_INT(note(&l, CA, "c.example", NOW + USEC_PER_MINUTE, NOW, &until), CA_LIMIT_ALL);
        CHECK_UINT(until, NOW + 24 * USEC_PER_HOUR); /* nor is a longer time made shorter */
}

TEST(there_and_back) {
        _cleanup_(ca_limits_done) CaLimits l = { 0 }, back = { 0 }, late = { 0 }, early = { 0 };
        _auto_json_ JsonObject *o = NULL;
        uint64_t until = 0;

        CHECK_INT(note(&l, CA, "a.example", 0, NOW, &until), CA_LIMIT_ONE);
        CHECK_INT(note(&l, CA, "b.example", NOW + 2 * USEC_PER_HOUR, NOW, &until), CA_LIMIT_ALL);
        CHECK_INT(note(&l, OTHER, "a.example", 0, NOW, &until), CA_LIMIT_ONE);
        REQUIRE(ca_limits_to_json(&l, NOW, &o) == 0);

        CHECK_INT(ca_limits_from_json(o, NOW, &back), 0);
        CHECK_UINT(ca_limits_until_usec(&back, CA, NOW), NOW + 2 * USEC_PER_HOUR);
        CHECK_UINT(ca_limits_until_usec(&back, OTHER, NOW), 0);
        CHECK_INT(note(&back, OTHER, "b.example", 0, NOW, &until), CA_LIMIT_ALL); /* whom it was said to is known, too */

        CHECK_INT(ca_limits_from_json(o, NOW + 3 * USEC_PER_HOUR, &late), 0);
        CHECK_UINT(late.n, 0);
        CHECK_INT(ca_limits_from_json(o, NOW - 1000 * 24 * USEC_PER_HOUR, &early), 0); /* the clock was wrong: not for years */
        CHECK_UINT(ca_limits_until_usec(&early, CA, NOW - 1000 * 24 * USEC_PER_HOUR), NOW - 999 * 24 * USEC_PER_HOUR);
}

TEST(something_else) {
        static const char *const texts[] = { "[]", "{}", "{\"limits\":{}}", "{\"limits\":[1]}", "{\"limits\":[{}]}", "{\"limits\":[{\"ca\":\"\"}]}", "{\"limits\":[{\"ca\":5}]}" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(ca_limits_done) CaLimits l = { 0 };
                _auto_json_ JsonObject *o = NULL;

                test_case("%s", texts[i]);
                REQUIRE(json_parse(texts[i], strlen(texts[i]), &o, NULL) == 0);
                CHECK_INT(ca_limits_from_json(o, NOW, &l), -EBADMSG);
                CHECK_UINT(l.n, 0);
        }
}
