/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "domain/snapshot-merge.h"
#include "lib/test.h"

#define T0 ((uint64_t) 1700000000 * USEC_PER_SEC)
#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void add_domain(Snapshot *s, const char *names) {
        _auto_strv_ char **list = strv_split(names, " ");
        ManagedDomain *d = managed_domain_new(list[0]);

        STRV_FOREACH(name, list)
                (void) managed_domain_add_name(d, *name);
        d->ca_urls = strv_split("https://ca.example/dir", " ");
        d->used = true;
        (void) snapshot_add_domain(s, d);
}

static Snapshot *small_snapshot(const char *id) {
        Snapshot *s = snapshot_new(id);

        s->store_dir = strdup("/var/lib/md-manager");
        return s;
}

static Snapshot *full_snapshot(void) {
        Snapshot *s = small_snapshot("apache2");

        s->module = strdup("0.1");
        s->server = strdup("Apache/2.4.65 (Debian)");
        s->unit = strdup("apache2.service");
        s->http_port = 8080;
        s->https_reachable = false;
        (void) snapshot_add_listener(s, NULL, 8080, NULL);
        (void) snapshot_add_listener(s, "192.0.2.1", 443, "https");
        s->retry_delay_usec = 5 * USEC_PER_SEC;
        s->message_cmd = strv_split("/usr/bin/mail -s x", " ");
        s->written_usec = T0;
        add_domain(s, "b.org www.b.org");
        add_domain(s, "a.org");
        s->domains[0]->used_tls = true;
        s->domains[0]->served = strv_split(FINGERPRINT, " ");
        s->domains[0]->defined_file = strdup("sites.conf");
        s->domains[0]->defined_line = 3;
        s->domains[1]->refused = strdup("two virtual hosts");
        return s;
}

static int parse(const char *text, Snapshot **ret, char ***ret_complaints, Problem **ret_problem) {
        return snapshot_parse("apache2", text, strlen(text), ret, ret_complaints, ret_problem);
}

TEST(ids) {
        static const struct {
                const char *id;
                bool valid;
        } cases[] = {
                { "apache2", true },   { "apache2@site-1.example", true },
                { "a_b\\x2d", true },  { "", false },
                { ".", false },        { "..", false },
                { ".apache2", false }, { "a/b", false },
                { "a b", false },      { "a\n", false },
                { "\xc3\xa4", false },
        };
        char longest[SNAPSHOT_ID_MAX + 2];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("'%s'", cases[i].id);
                CHECK(snapshot_id_is_valid(cases[i].id) == cases[i].valid);
        }
        memset(longest, 'a', sizeof(longest));
        longest[SNAPSHOT_ID_MAX + 1] = 0;
        CHECK(!snapshot_id_is_valid(longest));
        longest[SNAPSHOT_ID_MAX] = 0;
        CHECK(snapshot_id_is_valid(longest));
        CHECK(!snapshot_id_is_valid(NULL));
}

TEST(text) {
        static const char expected[] = "{\n"
                                       "  \"version\": 1,\n"
                                       "  \"id\": \"apache2\",\n"
                                       "  \"module\": \"0.1\",\n"
                                       "  \"server\": \"Apache/2.4.65 (Debian)\",\n"
                                       "  \"unit\": \"apache2.service\",\n"
                                       "  \"store-dir\": \"/var/lib/md-manager\",\n"
                                       "  \"port-map\": {\n"
                                       "    \"http\": 8080,\n"
                                       "    \"https\": 443\n"
                                       "  },\n"
                                       "  \"proto\": {\n"
                                       "    \"http\": true,\n"
                                       "    \"https\": false\n"
                                       "  },\n"
                                       "  \"listeners\": [\n"
                                       "    {\n"
                                       "      \"port\": 8080\n"
                                       "    },\n"
                                       "    {\n"
                                       "      \"address\": \"192.0.2.1\",\n"
                                       "      \"port\": 443,\n"
                                       "      \"protocol\": \"https\"\n"
                                       "    }\n"
                                       "  ],\n"
                                       "  \"retry-delay\": \"5s\",\n"
                                       "  \"message-cmd\": [\n"
                                       "    \"/usr/bin/mail\",\n"
                                       "    \"-s\",\n"
                                       "    \"x\"\n"
                                       "  ],\n"
                                       "  \"written\": \"Tue, 14 Nov 2023 22:13:20 GMT\",\n"
                                       "  \"managed-domains\": [\n"
                                       "    {\n"
                                       "      \"name\": \"a.org\",\n";
        _cleanup_(snapshot_freep) Snapshot *s = full_snapshot();
        _auto_free_ char *text = snapshot_format_written(s), *without = snapshot_format(s);

        REQUIRE(text && without);
        if (!CHECK(strncmp(text, expected, strlen(expected)) == 0))
                CHECK_STR(text, expected);
        CHECK(!strstr(without, "written"));
        CHECK(strstr(without, "b.org") > strstr(without, "a.org"));
}

TEST(round_trip) {
        _cleanup_(snapshot_freep) Snapshot *s = full_snapshot(), *again = NULL;
        _auto_free_ char *text = snapshot_format_written(s), *text_again = NULL;
        _auto_strv_ char **complaints = NULL;
        _auto_problem_ Problem *p = NULL;

        CHECK_INT(parse(text, &again, &complaints, &p), 0);
        CHECK(!p && !complaints);
        REQUIRE(again);
        CHECK_UINT(again->written_usec, T0);
        CHECK_UINT(again->n_listeners, 2);
        CHECK_STR(again->listeners[0].address, NULL);
        CHECK_STR(again->listeners[1].protocol, "https");
        CHECK_UINT(again->retry_delay_usec, 5 * USEC_PER_SEC);
        CHECK(again->http_reachable && !again->https_reachable);
        REQUIRE(CHECK_UINT(again->n_domains, 2));
        CHECK_STR(again->domains[0]->name, "a.org");
        CHECK_STR(again->domains[0]->refused, "two virtual hosts");
        CHECK_STR(again->domains[1]->served[0], FINGERPRINT);
        CHECK_UINT(again->domains[1]->defined_line, 3);
        text_again = snapshot_format_written(again);
        CHECK_STR(text_again, text);
}

TEST(equal_snapshots_give_equal_texts) {
        _cleanup_(snapshot_freep) Snapshot *a = full_snapshot(), *b = full_snapshot();
        _auto_free_ char *x = NULL, *y = NULL;
        ManagedDomain *first = b->domains[0];

        b->domains[0] = b->domains[1];
        b->domains[1] = first;
        b->written_usec = T0 + USEC_PER_DAY;
        x = snapshot_format(a);
        y = snapshot_format(b);
        CHECK_STR(x, y);
}

TEST(current_text) {
        _cleanup_(snapshot_freep) Snapshot *s = full_snapshot();
        _auto_free_ char *text = snapshot_format_written(s), *without = snapshot_format(s), *longer = NULL, *torn = NULL;
        char *written;

        REQUIRE(text && without);
        CHECK(snapshot_text_is_current(text, strlen(text), s));
        CHECK(snapshot_text_is_current(without, strlen(without), s));
        s->written_usec = T0 + 1000 * USEC_PER_DAY;
        CHECK(snapshot_text_is_current(text, strlen(text), s));
        s->written_usec = 0;
        CHECK(snapshot_text_is_current(text, strlen(text), s));

        for (size_t n = 0; n < strlen(text); n++)
                if (!CHECK(!snapshot_text_is_current(text, n, s)))
                        break;
        CHECK(!snapshot_text_is_current(NULL, 0, s));
        longer = str_printf("%s\n", text);
        CHECK(!snapshot_text_is_current(longer, strlen(longer), s));

        /* The line twice, and a text that ends within it. */
        written = strstr(text, "  \"written\"");
        REQUIRE(written);
        torn = str_printf("%.*s  \"written\": \"x\",\n%s", (int) (written - text), text, written);
        CHECK(!snapshot_text_is_current(torn, strlen(torn), s));
        CHECK(!snapshot_text_is_current(text, (size_t) (written - text) + 14, s));

        s->domains[0]->used = false;
        CHECK(!snapshot_text_is_current(text, strlen(text), s));
}

TEST(a_torn_text_is_refused_at_every_place) {
        _cleanup_(snapshot_freep) Snapshot *s = full_snapshot();
        _auto_free_ char *text = snapshot_format_written(s);

        REQUIRE(text);
        for (size_t n = 0; n + 1 < strlen(text); n++) {
                _auto_problem_ Problem *p = NULL;
                Snapshot *again = NULL;
                char **complaints = NULL;

                if (!CHECK_INT(snapshot_parse("apache2", text, n, &again, &complaints, &p), SNAPSHOT_E_REFUSED) ||
                    !CHECK(p && !again && !complaints))
                        break;
        }
}

#define HEAD "{\"version\":1,\"store-dir\":\"/x\","
#define TAIL "\"managed-domains\":[]}"

TEST(refused_with_the_place) {
        static const struct {
                const char *json, *named;
        } cases[] = {
                { "", "not JSON" },
                { "<html>", "not JSON" },
                { "[]", "no object" },
                { "null", "no object" },
                { HEAD TAIL "x", "not JSON" },
                { "{\"store-dir\":\"/x\"," TAIL, "version" },
                { "{\"version\":0,\"store-dir\":\"/x\"," TAIL, "version" },
                { "{\"version\":\"1\",\"store-dir\":\"/x\"," TAIL, "version" },
                { "{\"version\":2}", "newer module" },
                { "{\"version\":18446744073709551615}", "newer module" },
                { "{\"version\":1," TAIL, "store-dir" },
                { "{\"version\":1,\"store-dir\":\"\"," TAIL, "store-dir" },
                { "{\"version\":1,\"store-dir\":7," TAIL, "store-dir" },
                { "{\"version\":1,\"store-dir\":\"/x\\ny\"," TAIL, "store-dir" },
                { HEAD "\"unit\":7," TAIL, "unit" },
                { HEAD "\"unit\":\"a\\u0000b\"," TAIL, "unit" },
                { HEAD "\"server\":[]," TAIL, "server" },
                { HEAD "\"module\":{}," TAIL, "module" },
                { HEAD "\"port-map\":[]," TAIL, "port-map" },
                { HEAD "\"port-map\":{\"http\":65536}," TAIL, "port-map" },
                { HEAD "\"port-map\":{\"https\":\"443\"}," TAIL, "port-map" },
                { HEAD "\"proto\":true," TAIL, "proto" },
                { HEAD "\"listeners\":{}," TAIL, "listeners" },
                { HEAD "\"listeners\":[80]," TAIL, "listeners" },
                { HEAD "\"listeners\":[{\"port\":-1}]," TAIL, "listeners" },
                { HEAD "\"retry-delay\":30," TAIL, "retry-delay" },
                { HEAD "\"retry-delay\":\"0\"," TAIL, "retry-delay" },
                { HEAD "\"retry-delay\":\"soon\"," TAIL, "retry-delay" },
                { HEAD "\"message-cmd\":\"/bin/true\"," TAIL, "message-cmd" },
                { HEAD "\"message-cmd\":[\"\"]," TAIL, "message-cmd" },
                { HEAD "\"notify-cmd\":[7]," TAIL, "notify-cmd" },
                { "{\"version\":1,\"store-dir\":\"/x\"}", "managed-domains" },
                { HEAD "\"managed-domains\":{}}", "managed-domains" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *p = NULL;
                Snapshot *s = NULL;
                char **complaints = NULL;

                test_case("%s", cases[i].json);
                CHECK_INT(parse(cases[i].json, &s, &complaints, &p), SNAPSHOT_E_REFUSED);
                CHECK(!s && !complaints);
                REQUIRE(p);
                if (!CHECK(strstr(p->detail, cases[i].named) && strstr(p->detail, "apache2")))
                        CHECK_STR(p->detail, cases[i].named);
        }
}

TEST(too_large_is_not_even_looked_at) {
        _auto_problem_ Problem *p = NULL;
        Snapshot *s = NULL;
        char **complaints = NULL;

        CHECK_INT(snapshot_parse("apache2", "{}", (size_t) SNAPSHOT_SIZE_MAX + 1, &s, &complaints, &p), SNAPSHOT_E_REFUSED);
        CHECK(p && strstr(p->detail, "64 MiB"));
}

TEST(little_is_enough) {
        _cleanup_(snapshot_freep) Snapshot *s = NULL;
        _auto_strv_ char **complaints = NULL;
        _auto_problem_ Problem *p = NULL;

        CHECK_INT(parse(HEAD "\"unknown\":{\"a\":[1]},\"unit\":\"\"," TAIL, &s, &complaints, &p), 0);
        REQUIRE(s);
        CHECK_STR(s->id, "apache2");
        CHECK_UINT(s->http_port, 80);
        CHECK_UINT(s->https_port, 443);
        CHECK(s->http_reachable && s->https_reachable);
        CHECK_UINT(s->retry_delay_usec, SNAPSHOT_RETRY_DELAY_USEC);
        CHECK_STR(s->unit, NULL);
        CHECK(!s->message_cmd && !s->notify_cmd && s->n_domains == 0 && s->written_usec == 0);
}

TEST(one_bad_domain_does_not_spoil_the_others) {
        static const char text[] =
                HEAD "\"managed-domains\":[{\"name\":\"a.org\"},{\"name\":\"foo_bar\"},7,{\"name\":\"b.org\",\"used\":1},"
                     "{\"name\":\"c.org\"},{\"name\":\"A.org\"},{\"name\":\"d.org\",\"renew-window\":\"no\"}]}";
        static const char *const named[] = { "entry 2", "entry 3", "b.org", "a.org is there twice", "renew-window" };
        _cleanup_(snapshot_freep) Snapshot *s = NULL;
        _auto_strv_ char **complaints = NULL;
        _auto_problem_ Problem *p = NULL;

        CHECK_INT(parse(text, &s, &complaints, &p), 0);
        REQUIRE(s);
        CHECK(!p);
        REQUIRE(CHECK_UINT(s->n_domains, 2));
        CHECK_STR(s->domains[0]->name, "a.org");
        CHECK_STR(s->domains[1]->name, "c.org");
        REQUIRE(CHECK_UINT(strv_length(complaints), ELEMENTSOF(named)));
        for (size_t i = 0; i < ELEMENTSOF(named); i++)
                if (!CHECK(strstr(complaints[i], named[i])))
                        CHECK_STR(complaints[i], named[i]);
}

TEST(complaints_are_counted_when_there_are_too_many) {
        _auto_free_ char *text = malloc(100 * 1000);
        _cleanup_(snapshot_freep) Snapshot *s = NULL;
        _auto_strv_ char **complaints = NULL;
        size_t n;

        REQUIRE(text);
        n = (size_t) sprintf(text, HEAD "\"managed-domains\":[");
        for (unsigned i = 0; i < 250; i++)
                n += (size_t) sprintf(text + n, "%s{\"name\":\"_%u\"}", i > 0 ? "," : "", i);
        (void) sprintf(text + n, "]}");
        CHECK_INT(parse(text, &s, &complaints, NULL), 0);
        REQUIRE(CHECK_UINT(strv_length(complaints), SNAPSHOT_COMPLAINTS_MAX + 1));
        CHECK(strstr(complaints[SNAPSHOT_COMPLAINTS_MAX], "150 more"));
}

/* Merging */

TEST(merge_of_nothing) {
        SnapshotMerge m = {};

        CHECK_INT(snapshot_merge(NULL, 0, &m), 0);
        CHECK_UINT(m.n_domains, 0);
        CHECK_UINT(m.n_conflicts, 0);
        snapshot_merge_done(&m);
        snapshot_merge_done(NULL);
}

/* Servers as lists of domains, separated by ';'; the result as "domain@server" in order, conflicts as "name:counts/ignored". */
TEST(merge) {
        static const struct {
                const char *what, *one, *two, *domains, *conflicts;
        } cases[] = {
                { "different domains", "a.org;b.org", "c.org", "a.org@1 b.org@1 c.org@2", "" },
                { "the same domain", "a.org www.a.org", "a.org www.a.org", "a.org@1+2", "" },
                { "the same domain, names in another order", "a.org b.org c.org", "a.org c.org b.org", "a.org@1+2", "" },
                { "other names", "a.org www.a.org", "a.org", "a.org@1", "a.org:a.org/a.org" },
                { "a name of another domain", "a.org www.a.org", "www.a.org", "a.org@1", "www.a.org:a.org/www.a.org" },
                { "a name of another domain behind the first", "a.org www.a.org", "b.org www.a.org;c.org", "a.org@1 c.org@2",
                  "www.a.org:a.org/b.org" },
                { "a wildcard is another name", "*.a.org", "www.a.org", "*.a.org@1 www.a.org@2", "" },
                { "overlap within a server is the server's business", "a.org x.org;b.org x.org", "", "a.org@1 b.org@1", "" },
                { "overlap within a server, and shared", "a.org x.org;b.org x.org", "b.org x.org", "a.org@1 b.org@1+2", "" },
                { "a domain that lost claims nothing", "a.org x.org", "b.org x.org y.org;c.org y.org", "a.org@1 c.org@2",
                  "x.org:a.org/b.org" },
                { "no domains", "", "", "", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(snapshot_freep) Snapshot *one = small_snapshot("1"), *two = small_snapshot("2");
                _auto_strv_ char **first = strv_split(cases[i].one, ";"), **second = strv_split(cases[i].two, ";"),
                                 **domains = NULL, **conflicts = NULL;
                Snapshot *snapshots[] = { two, one };
                _auto_free_ char *x = NULL, *y = NULL;
                SnapshotMerge m = {};

                test_case("%s", cases[i].what);
                STRV_FOREACH(d, first)
                        add_domain(one, *d);
                STRV_FOREACH(d, second)
                        add_domain(two, *d);
                REQUIRE(CHECK_INT(snapshot_merge(snapshots, 2, &m), 0));
                for (size_t k = 0; k < m.n_domains; k++) {
                        CHECK(m.domains[k].uses[0].domain == m.domains[k].domain &&
                              m.domains[k].uses[0].server == m.domains[k].server);
                        (void) strv_consume(&domains,
                                            str_printf("%s@%s%s%s", m.domains[k].domain->name, m.domains[k].server->id,
                                                       m.domains[k].n_uses > 1 ? "+" : "",
                                                       m.domains[k].n_uses > 1 ? m.domains[k].uses[1].server->id : ""));
                }
                for (size_t k = 0; k < m.n_conflicts; k++) {
                        CHECK(m.conflicts[k].counts == one && m.conflicts[k].ignored == two);
                        (void) strv_consume(&conflicts,
                                            str_printf("%s:%s/%s", m.conflicts[k].name, m.conflicts[k].counts_domain->name,
                                                       m.conflicts[k].ignored_domain->name));
                }
                x = strv_join(domains, " ");
                y = strv_join(conflicts, " ");
                CHECK_STR(x, cases[i].domains);
                CHECK_STR(y, cases[i].conflicts);
                snapshot_merge_done(&m);
        }
}

TEST(other_settings_are_a_conflict) {
        _cleanup_(snapshot_freep) Snapshot *one = small_snapshot("1"), *two = small_snapshot("2");
        Snapshot *snapshots[] = { one, two };
        SnapshotMerge m = {};

        add_domain(one, "a.org");
        add_domain(two, "a.org");
        two->domains[0]->renew_mode = RENEW_MODE_ALWAYS;
        one->domains[0]->used = false; /* this is no setting */
        CHECK_INT(snapshot_merge(snapshots, 2, &m), 0);
        CHECK_UINT(m.n_domains, 1);
        REQUIRE(CHECK_UINT(m.n_conflicts, 1));
        CHECK(m.conflicts[0].counts_domain == one->domains[0]);
        CHECK_STR(m.conflicts[0].name, "a.org");
        snapshot_merge_done(&m);
}

TEST(ten_thousand_domains) {
        _cleanup_(snapshot_freep) Snapshot *s = small_snapshot("1"), *again = NULL, *other = small_snapshot("2");
        _auto_strv_ char **complaints = NULL;
        _auto_free_ char *text = NULL;
        SnapshotMerge m = {};

        for (unsigned i = 0; i < 10000; i++) {
                char names[100];

                (void) snprintf(names, sizeof(names), "host-%u.example.org www.host-%u.example.org", i, i);
                add_domain(s, names);
                add_domain(other, names);
        }
        text = snapshot_format_written(s);
        REQUIRE(text);
        CHECK_INT(parse(text, &again, &complaints, NULL), 0);
        REQUIRE(again);
        CHECK_UINT(again->n_domains, 10000);
        CHECK_INT(snapshot_merge((Snapshot *[]){ again, other }, 2, &m), 0);
        CHECK_UINT(m.n_domains, 10000);
        CHECK_UINT(m.n_conflicts, 0);
        CHECK_UINT(m.domains[9999].n_uses, 2);
        snapshot_merge_done(&m);
}

TEST(merge_finds_names_and_views) {
        _cleanup_(snapshot_freep) Snapshot *one = small_snapshot("1"), *two = small_snapshot("2"), *three = small_snapshot("3");
        Snapshot *snapshots[] = { three, one, two };
        const SnapshotMergeDomain *d;
        SnapshotMerge m = {};

        add_domain(one, "x.org www.x.org");
        add_domain(two, "y.org x.org"); /* loses, because of x.org */
        add_domain(two, "x.org www.x.org");
        add_domain(three, "y.org www.y.org");
        two->domains[1]->renew_mode = RENEW_MODE_ALWAYS; /* loses, and is a view all the same */
        REQUIRE(CHECK_INT(snapshot_merge(snapshots, 3, &m), 0));

        d = snapshot_merge_find(&m, "x.org");
        REQUIRE(d);
        CHECK(d->server == one);
        REQUIRE(CHECK_UINT(d->n_views, 2));
        CHECK(d->views[0].server == one && d->views[0].domain == one->domains[0]);
        CHECK(d->views[1].server == two && d->views[1].domain == two->domains[1]);
        d = snapshot_merge_find(&m, "y.org");
        REQUIRE(d);
        CHECK(d->server == three);
        REQUIRE(CHECK_UINT(d->n_views, 2)); /* also the one that lost before there was this one */
        CHECK(d->views[0].server == two && d->views[1].server == three);

        CHECK(snapshot_merge_find_any(&m, "y.org") == d);
        CHECK(snapshot_merge_find_any(&m, "www.y.org") == d);
        CHECK(snapshot_merge_find_any(&m, "www.x.org") == snapshot_merge_find(&m, "x.org"));
        CHECK(!snapshot_merge_find(&m, "www.y.org"));
        CHECK(!snapshot_merge_find_any(&m, "z.org"));
        snapshot_merge_done(&m);
        CHECK(!snapshot_merge_find(&m, "x.org"));
}

/* Each change is one of the server itself, or none. */
static void change_nothing(Snapshot *s) {
        s->written_usec = 1;
        add_domain(s, "another.org");
}

static void change_unit(Snapshot *s) {
        CHECK_INT(str_replace(&s->unit, "other.service"), 0);
}

static void change_reach(Snapshot *s) {
        s->http_reachable = !s->http_reachable;
}

static void change_listeners(Snapshot *s) {
        CHECK_INT(snapshot_add_listener(s, NULL, 8080, NULL), 0);
}

static void change_delay(Snapshot *s) {
        s->initial_delay_usec++;
}

static void change_command(Snapshot *s) {
        CHECK_INT(strv_extend(&s->message_cmd, "/usr/bin/true"), 0);
}

TEST(server_equal) {
        static const struct {
                const char *what;
                void (*change)(Snapshot *s);
                bool equal;
        } cases[] = {
                { "domains and time", change_nothing, true }, { "unit", change_unit, false },   { "reach", change_reach, false },
                { "listeners", change_listeners, false },     { "delay", change_delay, false }, { "command", change_command, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(snapshot_freep) Snapshot *a = small_snapshot("1"), *b = small_snapshot("1");

                test_case("%s", cases[i].what);
                CHECK(snapshot_server_equal(a, b));
                cases[i].change(b);
                CHECK(snapshot_server_equal(a, b) == cases[i].equal);
                CHECK(snapshot_server_equal(b, a) == cases[i].equal);
        }
}
