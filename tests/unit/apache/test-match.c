/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <stdio.h>
#include <string.h>

#include "apr_general.h"
#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "lib/test.h"

enum {
        ROWS = 6,
};

/* A configuration in words: names are divided by blanks. */
typedef struct DomainRow {
        const char *names;
        const char *refused_before;
        bool manual;
        const char *names_after; /* NULL: unchanged */
        bool refused, unused;
} DomainRow;

typedef struct HostRow {
        const char *name, *aliases, *patterns, *addresses;
        bool plain;         /* without TLS */
        bool unnamed;       /* 'name' is the base server's */
        bool acme_tls, other_port;
        const char *domain; /* whose certificate it gets */
} HostRow;

typedef struct Case {
        const char *what;
        MatchMode mode;
        DomainRow domains[ROWS];
        HostRow hosts[ROWS];
} Case;

static apr_pool_t *pool_new(void) {
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        return p;
}

static apr_status_t free_domain(void *data) {
        (void) managed_domain_free(data);
        return APR_SUCCESS;
}

static ManagedDomain *make_domain(apr_pool_t *p, const char *names) {
        _auto_strv_ char **list = strv_split(names, " ");
        ManagedDomain *d = managed_domain_new(list[0]);

        apr_pool_cleanup_register(p, d, free_domain, apr_pool_cleanup_null);
        STRV_FOREACH(name, list)
                (void) managed_domain_add_name(d, *name);
        return d;
}

static apr_array_header_t *words(apr_pool_t *p, const char *text) {
        _auto_strv_ char **list = strv_split(str_or(text, ""), " ");
        apr_array_header_t *array = apr_array_make(p, 1, sizeof(const char *));

        STRV_FOREACH(word, list)
                APR_ARRAY_PUSH(array, const char *) = apr_pstrdup(p, *word);
        return array;
}

static MatchHost *make_host(apr_pool_t *p, const HostRow *row) {
        MatchHost *host = apr_pcalloc(p, sizeof(*host));

        host->name = row->name;
        host->aliases = words(p, row->aliases);
        host->patterns = words(p, row->patterns);
        host->addresses = words(p, row->addresses);
        host->where = apr_psprintf(p, "the virtual host %s", row->name);
        host->place = apr_psprintf(p, "/etc/%s.conf:1", row->name);
        host->acme_tls = row->acme_tls;
        host->https_port_only = !row->other_port;
        host->tls = !row->plain;
        host->unnamed = row->unnamed;
        return host;
}

static void check_domain(const ManagedDomain *d, const DomainRow *row) {
        _auto_free_ char *names = strv_join(d->names, " ");

        CHECK_STR(names, row->names_after ? row->names_after : row->names);
        CHECK(!!d->refused == row->refused);
        CHECK(d->used == !row->unused);
}

static void run_case(const Case *c) {
        apr_pool_t *p = pool_new();
        apr_array_header_t *domains = apr_array_make(p, ROWS, sizeof(ManagedDomain *)),
                           *hosts = apr_array_make(p, ROWS, sizeof(MatchHost *));
        Matching *m = NULL;

        for (size_t i = 0; i < ROWS && c->domains[i].names; i++) {
                ManagedDomain *d = make_domain(p, c->domains[i].names);

                d->transitive = !c->domains[i].manual;
                (void) str_replace(&d->refused, c->domains[i].refused_before);
                APR_ARRAY_PUSH(domains, ManagedDomain *) = d;
        }
        for (size_t i = 0; i < ROWS && c->hosts[i].name; i++)
                APR_ARRAY_PUSH(hosts, MatchHost *) = make_host(p, c->hosts + i);

        CHECK_INT(matching_new(p, c->mode, domains, hosts, &m), 0);
        for (int i = 0; i < domains->nelts; i++) {
                test_case("%s: %s", c->what, c->domains[i].names);
                check_domain(APR_ARRAY_IDX(domains, i, ManagedDomain *), c->domains + i);
        }
        for (int i = 0; i < hosts->nelts; i++) {
                const MatchHost *host = APR_ARRAY_IDX(hosts, i, const MatchHost *);

                test_case("%s: host %s", c->what, host->name);
                CHECK_STR(host->domain ? host->domain->name : NULL, c->hosts[i].domain);
        }
        apr_pool_destroy(p);
}

TEST(matching) {
        static const Case cases[] = {
                { "by ServerName", .domains = { { "a.org" } }, .hosts = { { "a.org", .domain = "a.org" }, { "b.org" } } },
                { "by ServerAlias, whose host's names join", .domains = { { "a.org", .names_after = "a.org www.a.org b.a.org" } },
                  .hosts = { { "www.a.org", .aliases = "a.org b.a.org a.org", .domain = "a.org" } } },
                { "plain hosts add no names", .domains = { { "a.org" } },
                  .hosts = { { "a.org", .aliases = "b.org", .plain = true, .domain = "a.org" } } },
                { "manual members", .domains = { { "a.org", .manual = true } },
                  .hosts = { { "a.org", .aliases = "b.org", .domain = "a.org" } } },
                { "names that no certificate can have do not join", .domains = { { "a.org" } },
                  .hosts = { { "a.org", .aliases = "under_score.org 127.0.0.1", .domain = "a.org" } } },
                { "by pattern", .domains = { { "x.a.org" }, { "a.org", .unused = true } },
                  .hosts = { { "other.net", .patterns = "*.a.org", .plain = true, .domain = "x.a.org" } } },
                { "a pattern covers several labels, as httpd has it", .domains = { { "x.y.a.org" } },
                  .hosts = { { "other.net", .patterns = "*.a.org", .plain = true, .domain = "x.y.a.org" } } },
                { "a pattern with '?'", .domains = { { "w1.a.org" }, { "w12.a.org", .unused = true } },
                  .hosts = { { "other.net", .patterns = "w?.a.org", .plain = true, .domain = "w1.a.org" } } },
                { "a pattern without fixed end", .domains = { { "www.a.org" }, { "ftp.a.org", .unused = true } },
                  .hosts = { { "other.net", .patterns = "www.*", .plain = true, .domain = "www.a.org" } } },
                { "patterns do not join", .domains = { { "a.org" } },
                  .hosts = { { "a.org", .patterns = "*.a.org", .domain = "a.org" } } },
                { "a catch-all with TLS disables nothing", .domains = { { "a.org" }, { "x.a.org" }, { "y.a.org" } },
                  .hosts = { { "all.a.org", .patterns = "*.a.org *.org", .domain = "x.a.org" }, { "x.a.org", .domain = "x.a.org" } } },
                { "who is named wins over who is met by a pattern", .domains = { { "x.a.org" }, { "a.org", .names_after = "a.org all.a.org" } },
                  .hosts = { { "all.a.org", .aliases = "a.org", .patterns = "*.a.org", .domain = "a.org" } } },
                { "names of a host that is met by a pattern do not join", .domains = { { "x.a.org" } },
                  .hosts = { { "all.a.org", .aliases = "b.org", .patterns = "*.a.org", .domain = "x.a.org" } } },
                { "patterns of a host that names a refused domain only",
                  .domains = { { "a.org", .refused_before = "for a reason", .refused = true }, { "x.a.org" } },
                  .hosts = { { "a.org", .patterns = "*.a.org", .domain = "a.org" } } },
                { "the base server's name does not join", .domains = { { "a.org", .names_after = "a.org b.org" } },
                  .hosts = { { "base.org", .unnamed = true, .aliases = "a.org b.org", .domain = "a.org" } } },
                { "the base server's name disables nothing", .domains = { { "base.org" }, { "a.org" } },
                  .hosts = { { "base.org", .unnamed = true, .aliases = "a.org", .domain = "a.org" } } },
                { "the base server's name counts when there is nothing else", .domains = { { "base.org", .names_after = "base.org www.base.org" } },
                  .hosts = { { "base.org", .unnamed = true, .aliases = "www.base.org", .domain = "base.org" } } },
                { "ServerNames only: the base server's name", .mode = MATCH_SERVER_NAMES, .domains = { { "base.org" } },
                  .hosts = { { "base.org", .unnamed = true, .domain = "base.org" } } },
                { "a ServerName with a wildcard does not join", .domains = { { "a.org" } },
                  .hosts = { { "*.b.org", .aliases = "a.org", .domain = "a.org" } } },
                { "by address as it was written", .domains = { { "a.org", .names_after = "a.org other.net" } },
                  .hosts = { { "other.net", .addresses = "a.org", .domain = "a.org" } } },
                { "a wildcard covers a ServerName of one label more", .domains = { { "*.a.org" } },
                  .hosts = { { "x.a.org", .domain = "*.a.org" }, { "a.org" }, { "x.y.a.org" } } },
                { "a wildcard does not look at aliases", .domains = { { "*.a.org", .unused = true } },
                  .hosts = { { "b.org", .aliases = "x.a.org" } } },
                { "names that the wildcard covers do not join", .domains = { { "*.a.org", .names_after = "*.a.org a.org" } },
                  .hosts = { { "x.a.org", .aliases = "y.a.org a.org", .domain = "*.a.org" } } },
                { "overlap: the later one is refused, and its host goes without it",
                  .domains = { { "a.org b.org" }, { "c.org b.org", .refused = true } },
                  .hosts = { { "a.org", .domain = "a.org" }, { "b.org", .domain = "a.org" }, { "c.org", .domain = "c.org" } } },
                { "overlap: a wildcard first", .domains = { { "*.a.org" }, { "x.a.org", .refused = true } },
                  .hosts = { { "x.a.org", .domain = "*.a.org" } } },
                { "overlap: a wildcard last", .domains = { { "x.a.org" }, { "*.a.org", .refused = true } },
                  .hosts = { { "x.a.org", .domain = "x.a.org" }, { "y.a.org", .domain = "*.a.org" } } },
                { "no overlap within one domain", .domains = { { "a.org x.a.org *.a.org" } },
                  .hosts = { { "x.a.org", .domain = "a.org" } } },
                { "no overlap with what is refused",
                  .domains = { { "a.org b.org", .refused_before = "for a reason", .refused = true, .unused = false }, { "b.org" } },
                  .hosts = { { "a.org", .domain = "a.org" }, { "b.org", .domain = "b.org" } } },
                { "two domains on one host with TLS", .domains = { { "a.org" }, { "b.org", .refused = true } },
                  .hosts = { { "a.org", .aliases = "b.org", .domain = "a.org" }, { "b.org", .domain = "b.org" } } },
                { "two domains on one host with TLS: the ServerName wins", .domains = { { "a.org", .refused = true }, { "b.org" } },
                  .hosts = { { "b.org", .aliases = "a.org", .domain = "b.org" } } },
                { "two domains on one plain host", .domains = { { "a.org" }, { "b.org" } },
                  .hosts = { { "a.org", .aliases = "b.org", .plain = true, .domain = "a.org" } } },
                { "the first host with a name adds it", .domains = { { "a.org", .names_after = "a.org x.org" }, { "b.org" } },
                  .hosts = { { "a.org", .aliases = "x.org", .domain = "a.org" },
                             { "b.org", .aliases = "x.org", .domain = "b.org" } } },
                { "refused domains get no names, but keep their hosts",
                  .domains = { { "a.org", .refused_before = "for a reason", .refused = true } },
                  .hosts = { { "a.org", .aliases = "b.org", .domain = "a.org" } } },
                { "ServerNames only: aliases do not match, but join", .mode = MATCH_SERVER_NAMES,
                  .domains = { { "a.org", .names_after = "a.org b.org" }, { "b.org" } },
                  .hosts = { { "a.org", .aliases = "b.org", .domain = "a.org" }, { "b.org", .domain = "b.org" } } },
                { "ServerNames only: exact before wildcard, and no overlaps", .mode = MATCH_SERVER_NAMES,
                  .domains = { { "*.a.org" }, { "x.a.org" } },
                  .hosts = { { "x.a.org", .domain = "x.a.org" }, { "y.a.org", .domain = "*.a.org" } } },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                run_case(cases + i);
}

TEST(where_names_come_from) {
        static const HostRow rows[] = {
                { "www.a.org", .aliases = "a.org ftp.a.org" },
                { "a.org", .plain = true },
                { "other.org" },
        };
        apr_pool_t *p = pool_new();
        apr_array_header_t *domains = apr_array_make(p, 1, sizeof(ManagedDomain *)),
                           *hosts = apr_array_make(p, 3, sizeof(MatchHost *));
        ManagedDomain *d = make_domain(p, "a.org");
        Matching *m = NULL;

        APR_ARRAY_PUSH(domains, ManagedDomain *) = d;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                APR_ARRAY_PUSH(hosts, MatchHost *) = make_host(p, rows + i);
        REQUIRE(matching_new(p, MATCH_ALL, domains, hosts, &m) == 0);

        REQUIRE(strv_length(d->origins) == 2);
        CHECK_STR(d->origins[0], "www.a.org: ServerName at /etc/www.a.org.conf:1");
        CHECK_STR(d->origins[1], "ftp.a.org: ServerAlias at /etc/www.a.org.conf:1");
        REQUIRE(strv_length(d->hosts) == 2);
        CHECK_STR(d->hosts[0], "/etc/www.a.org.conf:1 (ServerName www.a.org)");
        CHECK_STR(d->hosts[1], "/etc/a.org.conf:1 (ServerName a.org)");
        apr_pool_destroy(p);
}

TEST(names_for_tls_alpn_01) {
        static const struct {
                const char *what, *names;
                HostRow host;
                bool wanted; /* MDCAChallenges tls-alpn-01 */
                const char *expected;
        } cases[] = {
                { "not among the protocols", "a.org", { "a.org" }, .expected = "" },
                { "answered, and also for an alias that joins", "a.org", { "a.org", .aliases = "b.org", .acme_tls = true }, .expected = "a.org b.org" },
                { "only names that a host has", "a.org mail.a.org", { "a.org", .acme_tls = true }, .expected = "a.org" },
                { "by a pattern", "a.org x.a.org", { "a.org", .patterns = "*.a.org", .acme_tls = true }, .expected = "a.org x.a.org" },
                { "no wildcards", "*.a.org a.org", { "x.a.org", .aliases = "a.org", .acme_tls = true }, .expected = "a.org" },
                { "without TLS", "a.org", { "a.org", .plain = true, .acme_tls = true }, .expected = "" },
                { "at another port", "a.org", { "a.org", .acme_tls = true, .other_port = true }, .expected = "" },
                { "at another port, wanted", "a.org", { "a.org", .acme_tls = true, .other_port = true }, true, .expected = "a.org" },
                { "an address", "192.0.2.1", { "other.org", .addresses = "192.0.2.1", .acme_tls = true }, .expected = "192.0.2.1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                apr_pool_t *p = pool_new();
                apr_array_header_t *domains = apr_array_make(p, 1, sizeof(ManagedDomain *)),
                                   *hosts = apr_array_make(p, 1, sizeof(MatchHost *));
                ManagedDomain *d = make_domain(p, cases[i].names);
                _auto_free_ char *found = NULL;
                Matching *m = NULL;

                test_case("%s", cases[i].what);
                if (cases[i].wanted)
                        (void) strv_extend(&d->challenges, "tls-alpn-01");
                d->transitive = cases[i].host.aliases != NULL;
                APR_ARRAY_PUSH(domains, ManagedDomain *) = d;
                APR_ARRAY_PUSH(hosts, MatchHost *) = make_host(p, &cases[i].host);
                REQUIRE(matching_new(p, MATCH_ALL, domains, hosts, &m) == 0);
                found = strv_join(d->acme_tls_names, " ");
                CHECK_STR(str_or(found, ""), cases[i].expected);
                apr_pool_destroy(p);
        }
}

TEST(name_that_is_left_out) {
        static const HostRow row = { "base.org", .unnamed = true, .aliases = "a.org" };
        apr_pool_t *p = pool_new();
        apr_array_header_t *domains = apr_array_make(p, 1, sizeof(ManagedDomain *)),
                           *hosts = apr_array_make(p, 1, sizeof(MatchHost *));
        const apr_array_header_t *notes;
        Matching *m = NULL;

        APR_ARRAY_PUSH(domains, ManagedDomain *) = make_domain(p, "a.org");
        APR_ARRAY_PUSH(hosts, MatchHost *) = make_host(p, &row);
        REQUIRE(matching_new(p, MATCH_ALL, domains, hosts, &m) == 0);

        notes = matching_notes(m);
        REQUIRE(notes->nelts == 1);
        CHECK(APR_ARRAY_IDX(notes, 0, MatchNote).kind == MATCH_NOTE_INFO);
        CHECK(strstr(APR_ARRAY_IDX(notes, 0, MatchNote).text, "base.org does not join"));
        apr_pool_destroy(p);
}

TEST(tls_is_learned_late) {
        static const HostRow row = { "a.org", .aliases = "www.a.org", .plain = true };
        apr_pool_t *p = pool_new();
        apr_array_header_t *domains = apr_array_make(p, 1, sizeof(ManagedDomain *)),
                           *hosts = apr_array_make(p, 1, sizeof(MatchHost *));
        ManagedDomain *d = make_domain(p, "a.org");
        MatchHost *host = make_host(p, &row);
        Matching *m = NULL;

        APR_ARRAY_PUSH(domains, ManagedDomain *) = d;
        APR_ARRAY_PUSH(hosts, MatchHost *) = host;
        REQUIRE(matching_new(p, MATCH_ALL, domains, hosts, &m) == 0);
        CHECK(!d->used_tls);
        CHECK(!matching_find(m, "www.a.org"));

        CHECK_INT(matching_set_tls(m, host), 0);
        CHECK(d->used_tls);
        CHECK(matching_find(m, "www.a.org") == d);
        CHECK_UINT(strv_length(d->names), 2);
        CHECK_UINT(strv_length(d->hosts), 1);
        apr_pool_destroy(p);
}

TEST(notes) {
        static const HostRow row = { "a.org", .aliases = "www.a.org b.org" };
        apr_pool_t *p = pool_new();
        apr_array_header_t *domains = apr_array_make(p, 1, sizeof(ManagedDomain *)),
                           *hosts = apr_array_make(p, 1, sizeof(MatchHost *));
        const apr_array_header_t *notes;
        Matching *m = NULL;

        APR_ARRAY_PUSH(domains, ManagedDomain *) = make_domain(p, "a.org");
        APR_ARRAY_PUSH(domains, ManagedDomain *) = make_domain(p, "b.org");
        APR_ARRAY_IDX(domains, 0, ManagedDomain *)->transitive = false;
        APR_ARRAY_PUSH(hosts, MatchHost *) = make_host(p, &row);
        REQUIRE(matching_new(p, MATCH_ALL, domains, hosts, &m) == 0);

        notes = matching_notes(m);
        REQUIRE(notes->nelts == 2);
        CHECK(APR_ARRAY_IDX(notes, 0, MatchNote).kind == MATCH_NOTE_REFUSED);
        CHECK_STR(APR_ARRAY_IDX(notes, 0, MatchNote).domain->name, "b.org");
        CHECK(APR_ARRAY_IDX(notes, 1, MatchNote).kind == MATCH_NOTE_WARNING);
        CHECK(strstr(APR_ARRAY_IDX(notes, 1, MatchNote).text, "www.a.org"));
        apr_pool_destroy(p);
}

/* Far beyond what pairs of names would allow in any time that a test has. */
TEST(many_names) {
        enum {
                MANY = 20000,
        };
        apr_pool_t *p = pool_new();
        apr_array_header_t *domains = apr_array_make(p, MANY, sizeof(ManagedDomain *)),
                           *hosts = apr_array_make(p, MANY, sizeof(MatchHost *));
        uint64_t begin_usec;
        Matching *m = NULL;

        for (int i = 0; i < MANY; i++) {
                const HostRow row = {
                        .name = apr_psprintf(p, "d%d.example.org", i),
                        .aliases = apr_psprintf(p, "www.d%d.example.org", i),
                        .patterns = apr_psprintf(p, "*.d%d.example.org", i),
                };

                APR_ARRAY_PUSH(domains, ManagedDomain *) = make_domain(p, row.name);
                APR_ARRAY_PUSH(hosts, MatchHost *) = make_host(p, &row);
        }

        begin_usec = clock_monotonic_usec();
        REQUIRE(matching_new(p, MATCH_ALL, domains, hosts, &m) == 0);
        CHECK(clock_monotonic_usec() - begin_usec < 10 * USEC_PER_SEC);
        CHECK(matching_find(m, "www.d19999.example.org") == APR_ARRAY_IDX(domains, 19999, ManagedDomain *));
        apr_pool_destroy(p);
}
