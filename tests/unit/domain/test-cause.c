/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/cause.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "lib/test.h"

#define CA "https://ca.example/directory"
#define DNS "urn:ietf:params:acme:error:dns"

static char *cause(EventKind kind, const char *ca, const char *step, const char *type, const char *detail, const char *names) {
        _auto_strv_ char **list = strv_split(names, " ");
        Problem problem = { .type = (char *) type, .detail = (char *) detail };
        char *ret = NULL;

        CHECK_INT(cause_of_event(kind, ca, step, type ? &problem : NULL, list, &ret), 0);
        return ret;
}

TEST(what_two_domains_have_in_common) {
        static const struct {
                const char *what;
                const char *a, *b; /* details */
                bool same;
        } cases[] = {
                { "the CA is down", "Cannot reach https://ca.example/directory: connection refused", "Cannot reach https://ca.example/directory: connection refused", true },
                { "it took as long", "Failed to connect to ca.example after 0 ms", "Failed to connect to ca.example after 1213 ms", true },
                { "the names", "DNS problem: NXDOMAIN looking up A for a.example", "DNS problem: NXDOMAIN looking up A for b.example.net", true },
                { "other names of it", "No address for www.a.example.", "No address for b.example.net.", true },
                { "the case of names", "No address for A.EXAMPLE", "No address for b.example.net", true },
                { "a record", "no TXT at _acme-challenge.a.example", "no TXT at _acme-challenge.b.example.net", true },
                { "addresses", "192.0.2.7: Connection refused", "198.51.100.9: Connection refused", true },
                { "tokens", "key authorization aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLmNoPqRs is wrong", "key authorization 0Bc_e-gHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLmNoPqRs is wrong", true },
                { "times", "Not before 2026-11-23 10:00:00 UTC", "Not before 2026-12-24 11:22:33 UTC", true },
                { "blanks", "No  answer\n", "No answer", true },
                { "another thing", "connection refused", "connection reset", false },
                { "one says more", "connection refused", "connection refused again", false },
                { "nothing said", "", "", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *a = cause(EVENT_ERRORED, CA, NULL, DNS, cases[i].a, "a.example www.a.example"), *b = cause(EVENT_ERRORED, CA, NULL, DNS, cases[i].b, "b.example.net");

                test_case("%s", cases[i].what);
                REQUIRE(a && b);
                CHECK_INT(str_equal(a, b), cases[i].same);
        }
}

TEST(what_else_is_another_cause) {
        _auto_free_ char *first = cause(EVENT_ERRORED, CA, NULL, DNS, "no answer", "a.example"), *event = cause(EVENT_EXPIRING, CA, NULL, DNS, "no answer", "a.example"),
                         *ca = cause(EVENT_ERRORED, "https://other.example/", NULL, DNS, "no answer", "a.example"),
                         *type = cause(EVENT_ERRORED, CA, NULL, "urn:ietf:params:acme:error:caa", "no answer", "a.example"),
                         *none = cause(EVENT_ERRORED, CA, NULL, NULL, "", "a.example"), *step = cause(EVENT_EXPIRING, CA, "passed", DNS, "no answer", "a.example");
        const Problem problem = { .type = (char *) DNS, .detail = (char *) "no answer", .status = 503 };
        _auto_free_ char *status = NULL;

        CHECK_INT(cause_of_event(EVENT_ERRORED, CA, NULL, &problem, NULL, &status), 0);
        REQUIRE(first && event && ca && type && none && step && status);
        CHECK(!str_equal(first, event));
        CHECK(!str_equal(first, ca));
        CHECK(!str_equal(first, type));
        CHECK(!str_equal(first, none));
        CHECK(!str_equal(event, step));
        CHECK(!str_equal(first, status));
}

TEST(each_domains_own) {
        _auto_free_ char *renewed = cause(EVENT_RENEWED, CA, NULL, NULL, "", "a.example"), *asked = cause(EVENT_RENEWING, CA, NULL, NULL, "", "a.example");

        CHECK(!renewed && !asked);
}

TEST(hostile_words) {
        char detail[8192];
        _auto_free_ char *c = NULL;

        for (size_t i = 0; i + 1 < sizeof(detail); i += 2) {
                detail[i] = '\xc3';
                detail[i + 1] = i % 100 == 98 ? ' ' : '\xa4';
        }
        detail[sizeof(detail) - 1] = '\0';
        c = cause(EVENT_ERRORED, CA, NULL, DNS, detail, "");
        REQUIRE(c);
        CHECK(strlen(c) <= CAUSE_MAX);
        for (size_t i = 0, n = 0; c[i]; i += n) {
                n = str_utf8_sequence(c + i, strlen(c + i), NULL);
                REQUIRE(n > 0); /* what is written to a file can be read again */
        }
}
