/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/unit-name.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

/* What systemd-escape(1) of systemd 252 prints. */
static const struct {
        const char *plain, *escaped;
} escapes[] = {
        { "example.org", "example.org" },
        { "a-b.example.org", "a\\x2db.example.org" },
        { "*.example.org", "\\x2a.example.org" },
        { "xn--mnchen-3ya.example", "xn\\x2d\\x2dmnchen\\x2d3ya.example" },
        { ".hidden", "\\x2ehidden" },
        { "..", "\\x2e." },
        { "a/b", "a-b" },
        { "a_b:c", "a_b:c" },
        { "a\\b", "a\\x5cb" },
        { "a b", "a\\x20b" },
        { "A@b", "A\\x40b" },
        { "a%b", "a\\x25b" },
        { "ü.org", "\\xc3\\xbc.org" },
        { "a+b~c", "a\\x2bb\\x7ec" },
        { "1.2.3.4", "1.2.3.4" },
        { "-", "\\x2d" },
        { "/", "-" },
        { "-a-", "\\x2da\\x2d" },
        { "", "" }, /* systemd-escape refuses it; no name of ours is empty */
};

TEST(escape) {
        for (size_t i = 0; i < ELEMENTSOF(escapes); i++) {
                _auto_free_ char *escaped = unit_name_escape(escapes[i].plain);

                test_case("%s", escapes[i].plain);
                CHECK_STR(escaped, escapes[i].escaped);
        }
}

TEST(renewal) {
        static const struct {
                const char *domain, *suffix, *unit;
        } cases[] = {
                { "example.org", ".service", "md-renew@example.org.service" },
                { "example.org", ".timer", "md-renew@example.org.timer" },
                { "*.a-b.org", ".timer", "md-renew@\\x2a.a\\x2db.org.timer" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *unit = unit_name_for_renewal(cases[i].domain, cases[i].suffix);

                test_case("%s", cases[i].domain);
                CHECK_STR(unit, cases[i].unit);
                CHECK(unit_name_is_valid(unit));
                CHECK(unit_name_is_renewal_of(unit, cases[i].domain, cases[i].suffix));
                CHECK(!unit_name_is_renewal_of(unit, "other.example", cases[i].suffix));
                CHECK(!unit_name_is_renewal_of(unit, cases[i].domain, ".path"));
        }
        CHECK(!unit_name_is_renewal_of(NULL, "example.org", ".service"));
}

/* 'n' characters: labels of 'a', the first one starting with 'first'. */
static void fill_domain(char *s, size_t n, char first) {
        for (size_t i = 0; i < n; i++)
                s[i] = i % 64 == 63 ? '.' : 'a';
        s[0] = first;
        s[n] = '\0';
}

TEST(long_names_go_by_a_hash) {
        char domain[254], other[254];

        /* "md-renew@" and ".service" take 17 of 255 */
        for (size_t n = 230; n < sizeof(domain); n++) {
                _auto_free_ char *service = NULL, *timer = NULL, *another = NULL, *hook = NULL;

                test_case("%zu characters", n);
                fill_domain(domain, n, 'a');
                fill_domain(other, n, 'b');
                service = unit_name_for_renewal(domain, ".service");
                timer = unit_name_for_renewal(domain, ".timer");
                another = unit_name_for_renewal(other, ".service");
                hook = unit_name_for_hook("challenge-teardown", domain, UINT64_MAX);
                REQUIRE(service && timer && another && hook);

                CHECK(unit_name_is_valid(service));
                CHECK(unit_name_is_valid(timer));
                CHECK(unit_name_is_valid(hook));
                CHECK(unit_name_is_renewal_of(service, domain, ".service"));
                CHECK(!str_equal(service, another));
                /* the timer starts the service of the same instance */
                CHECK(strncmp(service, timer, strlen(service) - strlen(".service")) == 0);
                CHECK((service[strlen(UNIT_RENEW_PREFIX)] == ':') == (n > 255 - 17));
        }
}

TEST(hook) {
        _auto_free_ char *plain = unit_name_for_hook("renewed", "example.org", 7);
        _auto_free_ char *escaped = unit_name_for_hook("installed", "a-b.org", 0);

        CHECK_STR(plain, "md-hook-renewed-example.org-7.service");
        CHECK_STR(escaped, "md-hook-installed-a\\x2db.org-0.service");
}

TEST(valid) {
        static const struct {
                const char *unit;
                bool valid;
        } cases[] = {
                { "apache2.service", true },
                { "apache2@www.service", true },
                { "md-renew@a\\x2db.timer", true },
                { "a.b.service", true },
                { "apache2@.service", false }, /* a template runs nothing */
                { "@a.service", false },
                { "apache2", false },
                { ".service", false },
                { "apache2.conf", false },
                { "a/b.service", false },
                { "../a.service", false },
                { "a b.service", false },
                { "a%b.service", false },
                { "a*.service", false },
                { "a\n.service", false },
                { "", false },
                { NULL, false },
        };
        char longest[UNIT_NAME_LENGTH_MAX + 2];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].unit ? cases[i].unit : "(none)");
                CHECK(unit_name_is_valid(cases[i].unit) == cases[i].valid);
        }

        test_case("length");
        memset(longest, 'a', sizeof(longest));
        strcpy(longest + UNIT_NAME_LENGTH_MAX - strlen(".service"), ".service");
        CHECK(unit_name_is_valid(longest));
        memset(longest, 'a', sizeof(longest));
        strcpy(longest + UNIT_NAME_LENGTH_MAX + 1 - strlen(".service"), ".service");
        CHECK(!unit_name_is_valid(longest));
}
