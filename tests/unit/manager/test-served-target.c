/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/served-target.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

#define RSA "1111111111111111111111111111111111111111111111111111111111111111"
#define EC "2222222222222222222222222222222222222222222222222222222222222222"
#define EC2 "3333333333333333333333333333333333333333333333333333333333333333"
#define ED "4444444444444444444444444444444444444444444444444444444444444444"

static CertFacts facts_of(const char *spec, KeyType type, const char *sha256) {
        return (CertFacts){ .spec = (char *) spec, .key_type = type, .sha256 = (char *) sha256 };
}

static char *describe(const ServedTargets *t) {
        _auto_strv_ char **lines = NULL;

        for (size_t i = 0; i < t->n; i++) {
                const ServedTarget *one = &t->items[i];
                _auto_free_ char *addresses = strv_join(one->addresses, ","), *expected = strv_join(one->expected, ",");
                char *line = str_printf("%s %u %s %s %c%s", addresses, (unsigned) one->port, str_or(one->name, "-"), one->kind, expected[0],
                                        strlen(expected) > 64 ? "+" : "");

                if (strv_consume(&lines, line) < 0)
                        return NULL;
        }
        return lines ? strv_join(lines, "; ") : strdup("");
}

static char *find(const char *endpoints, const char *served, bool used_tls, const char *refused, const char *listeners) {
        CertFacts items[] = { facts_of("rsa", KEY_TYPE_RSA, RSA), facts_of("p-256", KEY_TYPE_EC, EC), facts_of("p-384", KEY_TYPE_EC, EC2),
                              facts_of("ed25519", KEY_TYPE_EC, ED) };
        CertFactsList live = { items, ELEMENTSOF(items) };
        _cleanup_(snapshot_freep) Snapshot *s = snapshot_new("apache2");
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("example.org");
        _cleanup_(served_targets_done) ServedTargets t = { 0 };
        _auto_strv_ char **list = strv_split(listeners, " ");

        (void) str_replace(&s->unit, "apache2.service");
        STRV_FOREACH(l, list) { /* "ADDRESS,PORT,PROTOCOL" */
                _auto_strv_ char **parts = strv_split(*l, ",");

                (void) snapshot_add_listener(s, str_equal(parts[0], "*") ? NULL : parts[0], (uint16_t) atoi(parts[1]), parts[2]);
        }
        d->used_tls = used_tls;
        (void) str_replace(&d->refused, refused);
        d->endpoints = strv_split(endpoints, ";");
        d->served = strv_split(served, " ");
        CHECK_INT(served_targets_add(&t, s, d, &live), 0);
        for (size_t i = 0; i < t.n; i++)
                CHECK_STR(t.items[i].unit, "apache2.service");
        return describe(&t);
}

TEST(targets) {
        static const struct {
                const char *what, *endpoints, *served, *listeners, *targets;
                bool no_tls;
                const char *refused;
        } cases[] = {
                { "every address: this machine's own", "*:443 example.org", RSA, "*,443", "127.0.0.1,::1 443 example.org rsa 1" },
                { "all listeners of the port", "*:443 example.org", RSA, "192.0.2.1,443 2001:db8::1,443 *,80", "192.0.2.1,2001:db8::1 443 example.org rsa 1" },
                { "IPv4 alone", "*:443 example.org", RSA, "0.0.0.0,443", "127.0.0.1 443 example.org rsa 1" },
                { "an address of its own", "192.0.2.1:443 example.org", RSA, "*,443", "192.0.2.1 443 example.org rsa 1" },
                { "an address is not asked for", "*:443 192.0.2.1", RSA, "*,443", "127.0.0.1,::1 443 - rsa 1" },
                { "every port that speaks TLS", "*:0 example.org", RSA, "*,80 *,443 192.0.2.1,443 *,8443,https *,8080",
                  "127.0.0.1,::1,192.0.2.1 443 example.org rsa 1; 127.0.0.1,::1 8443 example.org rsa 1" },
                { "each name once for each kind", "*:443 example.org;*:443 www.example.org", RSA " " EC, "*,443",
                  "127.0.0.1,::1 443 example.org rsa 1; 127.0.0.1,::1 443 www.example.org rsa 1; 127.0.0.1,::1 443 example.org ecdsa 2; "
                  "127.0.0.1,::1 443 www.example.org ecdsa 2" },
                { "two curves: either is right", "*:443 example.org", EC " " EC2, "*,443", "127.0.0.1,::1 443 example.org ecdsa 2+" },
                { "Ed25519 is a kind of its own", "*:443 example.org", ED, "*,443", "127.0.0.1,::1 443 example.org ed25519 4" },
                { "what the server did not take up", "*:443 example.org", "5555", "*,443", "" },
                { "no endpoint", "", RSA, "*,443", "" },
                { "what is none is left out", "nonsense;*:443 example.org", RSA, "*,443", "127.0.0.1,::1 443 example.org rsa 1" },
                { "no TLS", "*:443 example.org", RSA, "*,443", "", .no_tls = true },
                { "refused", "*:443 example.org", RSA, "*,443", "", .refused = "for a reason" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *found = NULL;

                test_case("%s", cases[i].what);
                found = find(cases[i].endpoints, cases[i].served, !cases[i].no_tls, cases[i].refused, cases[i].listeners);
                CHECK_STR(found, cases[i].targets);
        }
}
