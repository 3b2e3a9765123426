/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenge-type.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

/* Bits of a case */
enum {
        HTTP = 1 << 0,      /* some server listens for http */
        HTTPS = 1 << 1,
        ACME_TLS = 1 << 2,  /* a virtual host speaks acme-tls/1 */
        DNS = 1 << 3,       /* there is a command */
        NO_HTTP = 1 << 4,   /* MDPortMap http:- */
        SECOND = 1 << 5,    /* what is reachable is so at the second server only */
};

static const struct {
        const char *what;
        const char *names;
        unsigned have;
        const char *explicit_types;
        const char *types; /* "": none */
        const char *why;   /* in the problem; blanks separate nothing */
} cases[] = {
        { "everything", "example.org", HTTP | HTTPS | ACME_TLS | DNS, NULL, "tls-alpn-01 http-01 dns-01", NULL },
        { "everything at the second server", "example.org", HTTP | HTTPS | ACME_TLS | DNS | SECOND, NULL, "tls-alpn-01 http-01 dns-01", NULL },
        { "http alone", "example.org", HTTP, NULL, "http-01", NULL },
        { "https without the protocol", "example.org", HTTPS | HTTP, NULL, "http-01", NULL },
        { "the protocol without https", "example.org", ACME_TLS | HTTP, NULL, "http-01", NULL },
        { "tls alone", "example.org", HTTPS | ACME_TLS, NULL, "tls-alpn-01", NULL },
        { "dns alone", "example.org", DNS, NULL, "dns-01", NULL },
        { "nothing", "example.org", 0, NULL, "", "no server listens for https on port 443" },
        { "nothing, and why not http", "example.org", 0, NULL, "", "no server listens for http on port 80" },
        { "nothing, and why not dns", "example.org", 0, NULL, "", "there is no command (MDChallengeDns01)" },
        { "nothing but https", "example.org", HTTPS, NULL, "", "no virtual host of its names speaks acme-tls/1" },
        { "port 80 does not arrive", "example.org", NO_HTTP, NULL, "", "MDPortMap says that port 80 does not arrive here" },
        { "a wildcard alone", "*.example.org", HTTP | HTTPS | ACME_TLS | DNS, NULL, "dns-01", NULL },
        { "a wildcard beside a name", "example.org *.example.org", HTTP | DNS, NULL, "http-01 dns-01", NULL },
        { "a wildcard without a command", "example.org *.example.org", HTTP | HTTPS | ACME_TLS, NULL, "", "*.example.org: a wildcard is proven by dns-01 alone" },
        { "an address alone", "192.0.2.1", HTTP | HTTPS | ACME_TLS | DNS, NULL, "tls-alpn-01 http-01", NULL },
        { "an address beside a name", "example.org 2001:db8::1", HTTP | DNS, NULL, "http-01 dns-01", NULL },
        { "an address with a command alone", "example.org 2001:db8::1", DNS, NULL, "", "2001:db8::1: an address is not proven by dns-01" },
        { "explicit, whatever there is", "example.org", 0, "DNS-01 http-01 new-02", "dns-01 http-01 new-02", NULL },
        { "explicit, for a wildcard", "*.example.org", 0, "http-01", "http-01", NULL },
};

static ManagedDomain *make_view(const char *names, unsigned have, const char *explicit_types) {
        _auto_strv_ char **list = strv_split(names, " ");
        ManagedDomain *d = managed_domain_new(list[0]);

        STRV_FOREACH(name, list)
                (void) managed_domain_add_name(d, *name);
        if (have & DNS)
                d->dns01_cmd = strv_split("/usr/bin/true", " ");
        if (have & ACME_TLS)
                d->acme_tls_names = strv_split(list[0], " ");
        if (explicit_types)
                d->challenges = strv_split(explicit_types, " ");
        return d;
}

static Snapshot *make_server(unsigned have) {
        Snapshot *s = snapshot_new("apache2");

        s->http_port = have & NO_HTTP ? 0 : 80;
        s->https_port = 443;
        s->http_reachable = have & HTTP;
        s->https_reachable = have & HTTPS;
        return s;
}

TEST(available) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                unsigned have = cases[i].have, first = have & SECOND ? have & (unsigned) DNS : have;
                _cleanup_(snapshot_freep) Snapshot *one = make_server(first), *two = make_server(have & SECOND ? have : 0);
                _cleanup_(managed_domain_freep) ManagedDomain *view = make_view(cases[i].names, first, cases[i].explicit_types),
                                                              *other = make_view(cases[i].names, have, NULL);
                DomainServer servers[] = { { one, view }, { two, other } };
                Domain d = { .config = view, .servers = servers, .n_servers = ELEMENTSOF(servers) };
                _auto_strv_ char **types = NULL;
                _auto_problem_ Problem *p = NULL;
                _auto_free_ char *joined = NULL;

                test_case("%s", cases[i].what);
                CHECK_INT(challenges_available(&d, &types, &p), 0);
                joined = types ? strv_join(types, " ") : strdup("");
                CHECK_STR(joined, cases[i].types);
                CHECK(!p == !cases[i].why);
                CHECK(!cases[i].why || (p && strstr(p->detail, cases[i].why)));
        }
}

/* One by one: the words that say which type it is about are left out. */
TEST(why_not) {
        static const struct {
                const char *what, *names;
                unsigned have;
                const char *explicit_types;
                ChallengeType type;
                const char *why; /* NULL: it can be used */
        } why[] = {
                { "http", "example.org", HTTP, NULL, CHALLENGE_TYPE_HTTP01, NULL },
                { "no http", "example.org", HTTPS, NULL, CHALLENGE_TYPE_HTTP01, "no server listens for http on port 80 (MDPortMap says where port 80 arrives)" },
                { "no protocol", "example.org", HTTPS, NULL, CHALLENGE_TYPE_TLS_ALPN01, "no virtual host of its names speaks acme-tls/1 ('Protocols http/1.1 acme-tls/1')" },
                { "no command", "example.org", HTTP, NULL, CHALLENGE_TYPE_DNS01, "there is no command (MDChallengeDns01)" },
                { "wildcards alone", "*.example.org", HTTP | DNS, NULL, CHALLENGE_TYPE_HTTP01, "wildcards are proven by dns-01 alone" },
                { "wildcards alone, by dns-01", "*.example.org", HTTP | DNS, NULL, CHALLENGE_TYPE_DNS01, NULL },
                { "addresses alone", "192.0.2.1", HTTP | DNS, NULL, CHALLENGE_TYPE_DNS01, "addresses are not proven by it" },
                { "not named", "example.org", HTTP | DNS, "dns-01", CHALLENGE_TYPE_HTTP01, "MDCAChallenges does not name it" },
                { "named", "example.org", HTTP, "DNS-01", CHALLENGE_TYPE_DNS01, NULL },
                { "never by itself", "example.org", HTTP | DNS, NULL, CHALLENGE_TYPE_DNS_PERSIST01, "it is used only when MDCAChallenges names it" },
        };

        for (size_t i = 0; i < ELEMENTSOF(why); i++) {
                _cleanup_(snapshot_freep) Snapshot *server = make_server(why[i].have);
                _cleanup_(managed_domain_freep) ManagedDomain *view = make_view(why[i].names, why[i].have, why[i].explicit_types);
                DomainServer servers[] = { { server, view } };
                Domain d = { .config = view, .servers = servers, .n_servers = 1 };
                _auto_free_ char *said = challenge_why_not(&d, why[i].type);

                test_case("%s", why[i].what);
                CHECK_STR(said, why[i].why);
                CHECK(!(challenges_usable(&d) & (1U << why[i].type)) == !!why[i].why);
        }
}

TEST(without_servers) {
        _cleanup_(managed_domain_freep) ManagedDomain *config = make_view("example.org", 0, NULL);
        Domain d = { .config = config };
        _auto_strv_ char **types = NULL;
        _auto_problem_ Problem *p = NULL;

        CHECK_INT(challenges_available(&d, &types, &p), 0);
        CHECK(!types);
        REQUIRE(p);
        CHECK_STR(p->type, PROBLEM_TYPE_CHALLENGE_MISMATCH);
}

TEST(names) {
        ChallengeType type;

        for (ChallengeType t = 0; t < _CHALLENGE_TYPE_MAX; t++) {
                REQUIRE(challenge_type_from_string(challenge_type_to_string(t), &type) == 0);
                CHECK_INT(type, t);
        }
        CHECK(challenge_type_from_string("http-02", &type) < 0);
        CHECK(challenge_type_from_string("", &type) < 0);
}
