/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/domain-internal.h"
#include "domain/domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

#define LEAF "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char **list_of(const char *text) {
        return strv_split(text, " ");
}

static ManagedDomain *full_domain(void) {
        ManagedDomain *d = managed_domain_new("Example.org");

        (void) managed_domain_add_name(d, "www.example.org");
        d->contacts = list_of("mailto:admin@example.org");
        d->transitive = false;
        d->ca_urls = list_of("https://ca.example/dir https://other.example/dir");
        d->ca_file = strdup("/etc/ca.pem");
        d->agreement = strdup("accepted");
        d->challenges = list_of("http-01 dns-01");
        d->keys.items[0] = (KeySpec){ .type = KEY_TYPE_RSA, .bits = 3072 };
        d->keys.items[1] = (KeySpec){ .type = KEY_TYPE_EC, .curve = "P-384" };
        d->keys.n = 2;
        d->renew_mode = RENEW_MODE_ALWAYS;
        d->renew_window.percent = 40;
        d->warn_window.usec = (uint64_t) 7 * 24 * 3600 * 1000000;
        d->used = d->used_tls = true;
        d->defined_file = strdup("/etc/apache2/sites.conf");
        d->defined_line = 12;
        d->refused = strdup("two virtual hosts");
        d->served = list_of(FINGERPRINT);
        (void) strv_extend(&d->file_certs, LEAF); /* it has blanks */
        return d;
}

static char *settings_text(const ManagedDomain *d) {
        _auto_json_ JsonObject *o = NULL;

        return managed_domain_to_json(d, &o) == 0 ? json_format_short(o) : NULL;
}

static int parse(const char *text, ManagedDomain **ret, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;

        if (!CHECK_INT(json_parse(text, strlen(text), &o, NULL), 0))
                return -EIO;
        return managed_domain_from_json(o, ret, ret_problem);
}

TEST(new_has_the_defaults_of_the_directives) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("Example.ORG.");

        REQUIRE(d);
        CHECK_STR(d->name, "example.org");
        CHECK_UINT(strv_length(d->names), 1);
        CHECK_STR(d->names[0], "example.org");
        CHECK(d->transitive);
        CHECK(d->renew_mode == RENEW_MODE_AUTO);
        CHECK(!window_is_set(&d->renew_window) && !window_is_set(&d->warn_window));
        CHECK(!d->ca_urls && !d->used && !d->used_tls && !d->refused);
}

TEST(names_are_added_once) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("example.org");

        REQUIRE(d);
        CHECK_INT(managed_domain_add_name(d, "WWW.example.org."), 0);
        CHECK_INT(managed_domain_add_name(d, "www.example.org"), 0);
        CHECK_INT(managed_domain_add_name(d, "EXAMPLE.org"), 0);
        CHECK_UINT(strv_length(d->names), 2);
        CHECK(managed_domain_has_name(d, "www.example.org"));
        CHECK(!managed_domain_has_name(d, "ftp.example.org"));
}

TEST(json_has_the_members_of_mod_md) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = full_domain();
        _auto_free_ char *text = settings_text(d);

        CHECK_STR(text,
                  "{\"name\":\"example.org\",\"domains\":[\"example.org\",\"www.example.org\"],"
                  "\"transitive\":0,"
                  "\"ca\":{\"proto\":\"ACME\",\"urls\":[\"https://ca.example/dir\",\"https://other.example/dir\"],"
                  "\"agreement\":\"accepted\",\"challenges\":[\"http-01\",\"dns-01\"]},\"contacts\":[\"mailto:admin@example.org\"],\"ca-certs\":\"/etc/ca.pem\","
                  "\"privkey\":[{\"type\":\"RSA\",\"bits\":3072},{\"type\":\"EC\",\"curve\":\"P-384\"}],"
                  "\"renew-mode\":2,\"renew-window\":\"40%\",\"warn-window\":\"7d\"}");
}

TEST(json_of_defaults_says_little) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("example.org");
        _auto_free_ char *text = settings_text(d);

        CHECK_STR(text,
                  "{\"name\":\"example.org\",\"domains\":[\"example.org\"],\"transitive\":1,\"ca\":{\"proto\":\"ACME\"},\"renew-"
                  "mode\":1}");
}

TEST(round_trip) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = full_domain(), *again = NULL, *copy = NULL;
        _auto_json_ JsonObject *o = NULL;
        _auto_problem_ Problem *p = NULL;

        REQUIRE(managed_domain_to_json(d, &o) == 0);
        CHECK_INT(managed_domain_server_to_json(d, o), 0);
        CHECK_INT(managed_domain_from_json(o, &again, &p), 0);
        REQUIRE(again);
        CHECK_INT(managed_domain_server_from_json(o, again, &p), 0);
        CHECK(!p);
        CHECK(managed_domain_settings_equal(d, again));

        copy = managed_domain_copy(again);
        REQUIRE(copy);
        CHECK(managed_domain_settings_equal(d, copy));
        CHECK(copy->used && copy->used_tls);
        CHECK_STR(copy->defined_file, "/etc/apache2/sites.conf");
        CHECK_UINT(copy->defined_line, 12);
        CHECK_STR(copy->refused, "two virtual hosts");
        CHECK_STR(copy->served[0], FINGERPRINT);
        CHECK(!copy->served[1]);
        REQUIRE(copy->file_certs);
        CHECK_STR(copy->file_certs[0], LEAF);
}

TEST(copy_of_little) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("example.org"), *copy = managed_domain_copy(d);

        REQUIRE(copy);
        CHECK(managed_domain_settings_equal(d, copy));
        CHECK(!copy->contacts && !copy->served && !copy->ca_file);
}

TEST(every_setting_counts_for_equality) {
        for (unsigned i = 0; i < 15; i++) {
                _cleanup_(managed_domain_freep) ManagedDomain *a = full_domain(), *b = full_domain();
                bool equal = false;

                test_case("change %u", i);
                switch (i) {
                case 0:
                        (void) managed_domain_add_name(b, "ftp.example.org");
                        break;
                case 1:
                        (void) strv_extend(&b->contacts, "mailto:x@example.org");
                        break;
                case 2:
                        b->transitive = true;
                        break;
                case 3:
                        b->ca_urls = strv_free(b->ca_urls);
                        break;
                case 4:
                        (void) str_replace(&b->ca_file, NULL);
                        break;
                case 5:
                        (void) str_replace(&b->agreement, "other");
                        break;
                case 6:
                        (void) strv_extend(&b->challenges, "tls-alpn-01");
                        break;
                case 7:
                        b->keys.n = 1;
                        break;
                case 8:
                        b->renew_mode = RENEW_MODE_AUTO;
                        break;
                case 9:
                        b->renew_window.percent = 41;
                        break;
                case 10:
                        b->warn_window = (Window){};
                        break;
                case 11:
                        (void) str_replace(&b->name, "other.org");
                        break;
                case 12:
                        (void) str_replace(&b->names[1], "web.example.org");
                        break;
                /* What the server found out does not. */
                case 13:
                        b->used = b->used_tls = false;
                        (void) str_replace(&b->refused, NULL);
                        (void) str_replace(&b->defined_file, "x");
                        b->served = strv_free(b->served);
                        equal = true;
                        break;
                default:
                        equal = true;
                        break;
                }
                CHECK(managed_domain_settings_equal(a, b) == equal);
                CHECK(managed_domain_settings_equal(b, a) == equal);
        }
}

TEST(order_of_names_and_default_keys_do_not_matter) {
        _cleanup_(managed_domain_freep) ManagedDomain *a = managed_domain_new("a.org"), *b = managed_domain_new("a.org");

        REQUIRE(a && b);
        (void) managed_domain_add_name(a, "b.org");
        (void) managed_domain_add_name(a, "c.org");
        (void) managed_domain_add_name(b, "c.org");
        (void) managed_domain_add_name(b, "b.org");
        b->keys.items[0] = (KeySpec){ .type = KEY_TYPE_RSA, .bits = 2048 };
        b->keys.n = 1;
        CHECK(managed_domain_settings_equal(a, b));
}

TEST(from_json_puts_names_in_order) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
        _auto_free_ char *joined = NULL;

        CHECK_INT(parse("{\"name\":\"B.org\",\"domains\":[\"a.org\",\"A.org.\",\"b.org\",\"*.b.org\",\"a.org\"]}", &d, NULL), 0);
        REQUIRE(d);
        joined = strv_join(d->names, " ");
        CHECK_STR(joined, "b.org a.org *.b.org");
        CHECK_STR(d->name, "b.org");
}

TEST(from_json_fills_in) {
        static const struct {
                const char *json, *url;
        } cases[] = {
                { "{\"name\":\"a.org\"}", MANAGED_DOMAIN_CA_URL_DEFAULT },
                { "{\"name\":\"a.org\",\"ca\":{\"urls\":[]}}", MANAGED_DOMAIN_CA_URL_DEFAULT },
                { "{\"name\":\"a.org\",\"ca\":{\"url\":\"https://old.example/dir\"}}", "https://old.example/dir" },
                { "{\"name\":\"a.org\",\"ca\":{\"url\":\"rubbish\"}}", MANAGED_DOMAIN_CA_URL_DEFAULT },
                { "{\"name\":\"a.org\",\"transitive\":true,\"unknown\":[1,2],\"ca\":{\"urls\":[\"http://ca.example:14000/dir\"]}}",
                  "http://ca.example:14000/dir" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;

                test_case("%s", cases[i].json);
                CHECK_INT(parse(cases[i].json, &d, NULL), 0);
                REQUIRE(d);
                CHECK_UINT(strv_length(d->ca_urls), 1);
                CHECK_STR(d->ca_urls[0], cases[i].url);
                CHECK_STR(d->names[0], "a.org");
                CHECK(d->transitive);
                CHECK(d->renew_mode == RENEW_MODE_AUTO);
        }
}

TEST(from_json_refuses_and_names_the_member) {
        static const struct {
                const char *json, *named;
        } cases[] = {
                { "[]", "name" },
                { "{}", "name" },
                { "null", "name" },
                { "{\"name\":7}", "name" },
                { "{\"name\":\"\"}", "name" },
                { "{\"name\":\"../x\"}", "name" },
                { "{\"name\":\"a b.org\"}", "name" },
                { "{\"name\":\"a.org\\u0000b\"}", "name" },
                { "{\"name\":\"a.org\",\"domains\":\"a.org\"}", "domains" },
                { "{\"name\":\"a.org\",\"domains\":[7]}", "domains" },
                { "{\"name\":\"a.org\",\"domains\":[null]}", "domains" },
                { "{\"name\":\"a.org\",\"domains\":[\"a.org\",\"foo_bar.org\"]}", "foo_bar.org" },
                { "{\"name\":\"a.org\",\"domains\":[\"\"]}", "domains" },
                { "{\"name\":\"a.org\",\"contacts\":[\"\"]}", "contacts" },
                { "{\"name\":\"a.org\",\"contacts\":[\"mailto:a\\nb\"]}", "contacts" },
                { "{\"name\":\"a.org\",\"contacts\":{}}", "contacts" },
                { "{\"name\":\"a.org\",\"transitive\":2}", "transitive" },
                { "{\"name\":\"a.org\",\"transitive\":\"yes\"}", "transitive" },
                { "{\"name\":\"a.org\",\"ca\":[]}", "ca" },
                { "{\"name\":\"a.org\",\"ca\":{\"proto\":\"gopher\"}}", "proto" },
                { "{\"name\":\"a.org\",\"ca\":{\"proto\":null}}", "proto" },
                { "{\"name\":\"a.org\",\"ca\":{\"urls\":[\"ftp://x\"]}}", "urls" },
                { "{\"name\":\"a.org\",\"ca\":{\"urls\":[\"https://\"]}}", "urls" },
                { "{\"name\":\"a.org\",\"ca\":{\"urls\":[\"https:///dir\"]}}", "urls" },
                { "{\"name\":\"a.org\",\"ca\":{\"urls\":[\"https://x y\"]}}", "urls" },
                { "{\"name\":\"a.org\",\"ca\":{\"urls\":[\"https://\xc3\xa4\"]}}", "urls" },
                { "{\"name\":\"a.org\",\"ca\":{\"challenges\":[\"a b\"]}}", "challenges" },
                { "{\"name\":\"a.org\",\"ca\":{\"challenges\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
                  "\"12\",\"13\","
                  "\"14\",\"15\",\"16\",\"17\"]}}",
                  "challenges" },
                { "{\"name\":\"a.org\",\"ca\":{\"agreement\":7}}", "agreement" },
                { "{\"name\":\"a.org\",\"ca-certs\":\"\"}", "ca-certs" },
                { "{\"name\":\"a.org\",\"privkey\":{\"type\":\"EC\",\"curve\":\"../x\"}}", "privkey" },
                { "{\"name\":\"a.org\",\"renew-mode\":3}", "renew-mode" },
                { "{\"name\":\"a.org\",\"renew-mode\":-1}", "renew-mode" },
                { "{\"name\":\"a.org\",\"renew-mode\":\"auto\"}", "renew-mode" },
                { "{\"name\":\"a.org\",\"renew-window\":\"100%\"}", "renew-window" },
                { "{\"name\":\"a.org\",\"renew-window\":30}", "renew-window" },
                { "{\"name\":\"a.org\",\"warn-window\":\"soon\"}", "warn-window" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ManagedDomain *d = (ManagedDomain *) &cases[i];
                _auto_problem_ Problem *p = NULL;

                test_case("%s", cases[i].json);
                CHECK_INT(parse(cases[i].json, &d, &p), -EBADMSG);
                CHECK(d == (ManagedDomain *) &cases[i]);
                REQUIRE(p);
                CHECK_STR(p->type, PROBLEM_TYPE_SETTING);
                if (!CHECK(strstr(p->detail, cases[i].named)))
                        CHECK_STR(p->detail, cases[i].named);
                CHECK_INT(parse(cases[i].json, &d, NULL), -EBADMSG);
        }
}

TEST(too_many_names) {
        _auto_json_ JsonObject *o = json_object_new_object();
        JsonObject *list = json_object_new_array();
        _auto_problem_ Problem *p = NULL;
        ManagedDomain *d = NULL;

        REQUIRE(o && list);
        for (unsigned i = 0; i < MANAGED_DOMAIN_NAMES_MAX; i++) {
                char name[40];

                (void) snprintf(name, sizeof(name), "host-%u.example.org", i);
                (void) json_object_array_add(list, json_object_new_string(name));
        }
        REQUIRE(json_add_string(o, "name", "host-0.example.org") == 0 && json_add_object(o, "domains", list) == 0);
        CHECK_INT(managed_domain_from_json(o, &d, &p), 0);
        REQUIRE(d);
        CHECK_UINT(strv_length(d->names), MANAGED_DOMAIN_NAMES_MAX);
        d = managed_domain_free(d);

        (void) json_object_array_add(list, json_object_new_string("one.more"));
        CHECK_INT(managed_domain_from_json(o, &d, &p), -EBADMSG);
        CHECK(p && strstr(p->detail, "domains"));
}

TEST(server_members_of_others) {
        static const struct {
                const char *json;
                int result;
        } cases[] = {
                { "{}", 0 },
                { "{\"used\":true,\"used-tls\":false,\"defined\":{\"file\":\"a.conf\",\"line\":3},\"served\":[]}", 0 },
                { "{\"defined\":{}}", 0 },
                { "{\"defined\":{\"file\":\"a.conf\",\"line\":\"x\"}}", 0 },
                { "{\"refused\":\"\"}", 0 },
                { "{\"used\":1}", -EBADMSG },
                { "{\"used-tls\":null}", -EBADMSG },
                { "{\"defined\":\"a.conf\"}", -EBADMSG },
                { "{\"defined\":{\"file\":\"a\\tb\"}}", -EBADMSG },
                { "{\"refused\":true}", -EBADMSG },
                { "{\"file-certs\":[\"-----BEGIN CERTIFICATE-----\\nMAA=\\n-----END CERTIFICATE-----\\n\"]}", 0 },
                { "{\"file-certs\":[\"-----BEGIN PRIVATE KEY-----\\nMAA=\\n-----END PRIVATE KEY-----\\n\"]}", -EBADMSG },
                { "{\"file-certs\":[\"-----BEGIN CERTIFICATE-----\\nM\\tA=\\n\"]}", -EBADMSG },
                { "{\"file-certs\":[\"\"]}", -EBADMSG },
                { "{\"served\":[\"abc\"]}", -EBADMSG },
                { "{\"served\":[\"" FINGERPRINT "0\"]}", -EBADMSG },
                { "{\"served\":[\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"]}", -EBADMSG },
                { "{\"served\":\"" FINGERPRINT "\"}", -EBADMSG },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("a.org");
                _auto_json_ JsonObject *o = NULL;
                _auto_problem_ Problem *p = NULL;

                test_case("%s", cases[i].json);
                REQUIRE(d && json_parse(cases[i].json, strlen(cases[i].json), &o, NULL) == 0);
                CHECK_INT(managed_domain_server_from_json(o, d, &p), cases[i].result);
                CHECK((p != NULL) == (cases[i].result != 0));
        }
}

TEST(refused_is_made_printable) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("a.org");
        _auto_json_ JsonObject *o = json_object_new_object();

        REQUIRE(d && o && json_add_string(o, "refused", "line one\nline\033 two") == 0);
        CHECK_INT(managed_domain_server_from_json(o, d, NULL), 0);
        CHECK_STR(d->refused, "line one line? two");
}

/* Another value than the default, of a form that is accepted. */
static const char *sample(const DomainMember *m) {
        if (m->is_valid == domain_url_is_plausible)
                return "https://ca.example/dir";
        if (m->is_valid == domain_endpoint_is_valid)
                return "*:443 a.org";
        if (m->is_valid == domain_certificate_is_plausible)
                return LEAF;
        return m->is_valid == domain_fingerprint_is_valid ? FINGERPRINT : "sample";
}

static void set_member(ManagedDomain *d, const DomainMember *m) {
        switch (m->type) {
        case DOMAIN_MEMBER_TEXT:
                (void) str_replace(domain_member_text(d, m), m->flags & DOMAIN_MEMBER_BY_HAND ? "tailscale" : sample(m));
                break;
        case DOMAIN_MEMBER_LIST:
                *domain_member_list(d, m) = strv_free(*domain_member_list(d, m));
                (void) strv_extend(domain_member_list(d, m), sample(m));
                break;
        case DOMAIN_MEMBER_SWITCH:
                *domain_member_switch(d, m) = !m->number;
                break;
        }
}

static bool is_set(ManagedDomain *d, const DomainMember *m) {
        switch (m->type) {
        case DOMAIN_MEMBER_TEXT:
                return *domain_member_text(d, m);
        case DOMAIN_MEMBER_LIST:
                return *domain_member_list(d, m) && str_equal(**domain_member_list(d, m), sample(m));
        case DOMAIN_MEMBER_SWITCH:
                return *domain_member_switch(d, m) == !m->number;
        }
        return false;
}

TEST(every_member_is_written_read_copied_and_compared) {
        for (size_t i = 0; i < domain_n_members; i++) {
                const DomainMember *m = &domain_members[i];
                _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("a.org"), *plain = managed_domain_new("a.org"), *again = NULL, *copy = NULL;
                _auto_json_ JsonObject *o = NULL;
                _auto_problem_ Problem *p = NULL;

                test_case("%s", m->key);
                REQUIRE(d && plain);
                set_member(d, m);
                REQUIRE(managed_domain_to_json(d, &o) == 0 && managed_domain_server_to_json(d, o) == 0);
                REQUIRE(managed_domain_from_json(o, &again, &p) == 0 && managed_domain_server_from_json(o, again, &p) == 0);
                CHECK(is_set(again, m));
                copy = managed_domain_copy(again);
                REQUIRE(copy);
                CHECK(is_set(copy, m));
                CHECK(managed_domain_settings_equal(d, plain) == !(m->flags & DOMAIN_MEMBER_SETTING));
                CHECK(!managed_domain_equal(d, plain));
                CHECK(managed_domain_equal(d, d));
        }
}

TEST(public_json_tells_no_secrets) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("a.org");
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;

        REQUIRE(d);
        for (size_t i = 0; i < domain_n_members; i++)
                if (domain_members[i].flags & (DOMAIN_MEMBER_SECRET | DOMAIN_MEMBER_PRIVATE) && domain_members[i].type != DOMAIN_MEMBER_SWITCH)
                        set_member(d, &domain_members[i]);
        (void) str_replace(&d->eab_kid, "kid-1");
        REQUIRE(managed_domain_to_public_json(d, &o) == 0);
        text = json_format_short(o);
        REQUIRE(text);
        CHECK(!strstr(text, "sample"));
        CHECK(strstr(text, "\"eab\":{\"kid\":\"kid-1\",\"hmac\":\"***\"}"));
}

/* What mod_md always has, in the files of old as in those of today: they say nothing of what is not set. */
TEST(public_json_has_what_mod_md_always_has) {
        static const struct {
                const char *json, *standing, *shown;
        } cases[] = {
                { "{\"name\":\"a.org\",\"ca\":{\"urls\":[\"https://one.example/dir\",\"https://two.example/dir\"]}}",
                  "{\"name\":\"a.org\",\"domains\":[\"a.org\"],\"transitive\":1,\"ca\":{\"proto\":\"ACME\",\"urls\":[\"https://one.example/dir\",\"https://two.example/dir\"]},"
                  "\"renew-mode\":1}",
                  "{\"name\":\"a.org\",\"domains\":[\"a.org\"],\"transitive\":1,\"ca\":{\"proto\":\"ACME\",\"urls\":[\"https://one.example/dir\",\"https://two.example/dir\"],"
                  "\"url\":\"https://one.example/dir\"},\"contacts\":[],\"must-staple\":false,\"proto\":{\"acme-tls/1\":[]},\"stapling\":false,\"profile-mandatory\":false,"
                  "\"ari-renewals\":true,\"renew-mode\":1,\"renew-window\":\"33%\",\"warn-window\":\"10%\"}" },
                { "{\"name\":\"a.org\",\"ca\":{\"proto\":\"tailscale\"},\"renew-window\":\"21d\",\"warn-window\":\"12h\",\"must-staple\":true,\"ari-renewals\":false}",
                  "{\"name\":\"a.org\",\"domains\":[\"a.org\"],\"transitive\":1,\"ca\":{\"proto\":\"tailscale\"},\"must-staple\":true,\"ari-renewals\":false,"
                  "\"renew-mode\":1,\"renew-window\":\"21d\",\"warn-window\":\"12h\"}",
                  "{\"name\":\"a.org\",\"domains\":[\"a.org\"],\"transitive\":1,\"ca\":{\"proto\":\"tailscale\"},\"contacts\":[],\"must-staple\":true,\"proto\":{\"acme-tls/1\":[]},"
                  "\"stapling\":false,\"profile-mandatory\":false,\"ari-renewals\":false,\"renew-mode\":1,\"renew-window\":\"21d\",\"warn-window\":\"12h\"}" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
                _auto_json_ JsonObject *o = NULL, *shown = NULL;
                _auto_free_ char *text = NULL, *shown_text = NULL;

                test_case("%s", cases[i].json);
                REQUIRE(parse(cases[i].json, &d, NULL) == 0);
                REQUIRE(managed_domain_to_json(d, &o) == 0 && managed_domain_to_public_json(d, &shown) == 0);
                text = json_format_short(o);
                shown_text = json_format_short(shown);
                CHECK_STR(text, cases[i].standing);
                CHECK_STR(shown_text, cases[i].shown);
        }
}

TEST(times_and_enforcement) {
        static const struct {
                const char *json;
                int result;
                uint64_t wait_usec;
                RequireHttps https;
        } cases[] = {
                { "{\"name\":\"a.org\"}", 0, MANAGED_DOMAIN_DNS01_WAIT_USEC, REQUIRE_HTTPS_OFF },
                { "{\"name\":\"a.org\",\"dns-01-wait\":\"0s\",\"require-https\":\"permanent\"}", 0, 0, REQUIRE_HTTPS_PERMANENT },
                { "{\"name\":\"a.org\",\"dns-01-wait\":\"5s\",\"require-https\":\"temporary\"}", 0, 5000000, REQUIRE_HTTPS_TEMPORARY },
                { "{\"name\":\"a.org\",\"dns-01-wait\":5}", -EBADMSG, 0, 0 },
                { "{\"name\":\"a.org\",\"require-https\":\"always\"}", -EBADMSG, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(managed_domain_freep) ManagedDomain *d = NULL, *again = NULL;
                _auto_problem_ Problem *p = NULL;
                _auto_json_ JsonObject *o = NULL;

                test_case("%s", cases[i].json);
                CHECK_INT(parse(cases[i].json, &d, &p), cases[i].result);
                if (!d)
                        continue;
                CHECK_UINT(d->dns01_wait_usec, cases[i].wait_usec);
                CHECK(d->require_https == cases[i].https);
                REQUIRE(managed_domain_to_json(d, &o) == 0 && managed_domain_from_json(o, &again, &p) == 0);
                CHECK(managed_domain_settings_equal(d, again));
        }
}

TEST(addresses_are_names) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
        _auto_problem_ Problem *p = NULL;

        CHECK_INT(parse("{\"name\":\"2001:DB8:0::1\",\"domains\":[\"192.0.2.7\"]}", &d, &p), 0);
        REQUIRE(d);
        CHECK_STR(d->name, "2001:db8::1");
        CHECK_STR(d->names[1], "192.0.2.7");
}

TEST(renew_modes) {
        static const struct {
                const char *word;
                int result;
                RenewMode mode;
        } cases[] = {
                { "auto", 0, RENEW_MODE_AUTO },
                { "AUTOMATIC", 0, RENEW_MODE_AUTO },
                { "always", 0, RENEW_MODE_ALWAYS },
                { "Manual", 0, RENEW_MODE_MANUAL },
                { "stick", 0, RENEW_MODE_MANUAL },
                { "", -EINVAL, 0 },
                { "never", -EINVAL, 0 },
                { NULL, -EINVAL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                RenewMode mode = (RenewMode) 77;

                CHECK_INT(renew_mode_from_string(cases[i].word, &mode), cases[i].result);
                CHECK_INT(mode, cases[i].result == 0 ? cases[i].mode : 77);
        }
        CHECK_STR(renew_mode_to_string(RENEW_MODE_ALWAYS), "always");
        CHECK_STR(renew_mode_to_string((RenewMode) 3), NULL);
        CHECK_STR(renew_mode_to_string((RenewMode) -1), NULL);
}
