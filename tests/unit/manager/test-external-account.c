/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/external-account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"

#define KEY "c2VjcmV0LWtleQ" /* "secret-key" */
#define KEY_SHA256 "85dbe15d75ef9308c7ae0f33c7a324cc6f4bf519a2ed2f3027bd33c140a4f9aa"

static bool mentions_the_key(const Problem *p) {
        return p && (strstr(p->detail, "c2Vj") || strstr(p->detail, "secret"));
}

TEST(values) {
        static const struct {
                const char *kid, *hmac, *problem; /* NULL: it is well */
        } cases[] = {
                { "kid-1", KEY, NULL },
                { "kid-1", KEY "==", NULL },
                { "kid-1", "AA", NULL }, /* short, as some CAs have them */
                { "kid-1", KEY "!", "is not base64url" },
                { "kid-1", "c2VjcmV0LWtleQ c2VjcmV0LWtleQ", "is not base64url" },
                { "kid-1", "====", "is not base64url" },
                { "kid-1", "c2V+jcmV0/", "is not base64url" },
                { "kid-1", "", "gives no usable \"hmac\"" },
                { "kid-1", NULL, "gives no usable \"hmac\"" },
                { "", KEY, "gives no usable \"kid\"" },
                { "kid\n1", KEY, "gives no usable \"kid\"" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ManagedDomain d = { .eab_kid = (char *) cases[i].kid, .eab_hmac = (char *) cases[i].hmac };
                _auto_external_account_ ExternalAccount e = { 0 };
                _auto_problem_ Problem *p = NULL;

                test_case("%s %s", cases[i].kid, str_or(cases[i].hmac, "-"));
                CHECK_INT(external_account_read(&d, &e, &p), cases[i].problem ? -EINVAL : 0);
                if (!cases[i].problem) {
                        CHECK_STR(e.kid, cases[i].kid);
                        continue;
                }
                REQUIRE(p);
                CHECK_STR(p->type, PROBLEM_TYPE_EAB);
                CHECK(strstr(p->detail, cases[i].problem));
                CHECK(strstr(p->detail, "MDExternalAccountBinding"));
                CHECK(!mentions_the_key(p));
                CHECK(!e.kid && !e.mac_key);
        }
}

TEST(none) {
        ManagedDomain d = { 0 };
        _auto_external_account_ ExternalAccount e = { 0 };

        CHECK_INT(external_account_read(&d, &e, NULL), 0);
        CHECK(!e.kid);
}

TEST(credential) {
        static const struct {
                const char *name, *text, *problem;
        } cases[] = {
                { "eab", "{\"kid\": \"k\", \"hmac\": \"" KEY "\"}\n", NULL },
                { "eab", "{\"kid\": \"k\", \"hmac\": \"" KEY "=\", \"more\": 1}", NULL },
                { "eab", "{\"kid\": \"k\"}", "gives no usable \"hmac\"" },
                { "eab", "{\"hmac\": \"" KEY "\"}", "gives no usable \"kid\"" },
                { "eab", "{\"kid\": 1, \"hmac\": \"" KEY "\"}", "gives no usable \"kid\"" },
                { "eab", "{\"kid\": \"k\", \"hmac\": \"" KEY "!\"}", "is not base64url" },
                { "eab", "k " KEY, "it is no JSON object" },
                { "eab", "[]", "it is no JSON object" },
                { "eab", "", "it is no JSON object" },
                { "other", "{}", "md-manager.service was not given it" },
                { "../eab", "{}", "this is no name of a credential" },
                { "..", "{}", "this is no name of a credential" },
        };
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ManagedDomain d = { .eab_credential = (char *) cases[i].name };
                _auto_external_account_ ExternalAccount e = { 0 };
                _auto_problem_ Problem *p = NULL;

                test_case("%s: %s", cases[i].name, cases[i].text);
                REQUIRE(setenv("CREDENTIALS_DIRECTORY", dir.path, 1) == 0);
                tmp_dir_write(&dir, "eab", cases[i].text);
                CHECK_INT(external_account_read(&d, &e, &p), cases[i].problem ? -EINVAL : 0);
                if (!cases[i].problem) {
                        CHECK_STR(e.kid, "k");
                        CHECK_UINT(e.mac_key->size, 10);
                        CHECK_MEM(e.mac_key->data, "secret-key", 10);
                        CHECK_STR(e.sha256, KEY_SHA256);
                        continue;
                }
                REQUIRE(p);
                CHECK_STR(p->type, PROBLEM_TYPE_EAB);
                CHECK(strstr(p->detail, cases[i].problem));
                CHECK(!mentions_the_key(p));
        }
}

TEST(no_credentials_at_all) {
        static const char *const directories[] = { NULL, "", "/nowhere" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                ManagedDomain d = { .eab_credential = (char *) "eab" };
                _auto_external_account_ ExternalAccount e = { 0 };
                _auto_problem_ Problem *p = NULL;

                (void) (directories[i] ? setenv("CREDENTIALS_DIRECTORY", directories[i], 1) : unsetenv("CREDENTIALS_DIRECTORY"));
                CHECK_INT(external_account_read(&d, &e, &p), -EINVAL);
                REQUIRE(p);
                CHECK(strstr(p->detail, "LoadCredential="));
        }
}

TEST(matching) {
        static const struct {
                const char *what, *kid, *hmac; /* of the domain */
                Account account;
                bool matches;
        } cases[] = {
                { "neither has one", NULL, NULL, { 0 }, true },
                { "only the domain", "k", KEY, { 0 }, false },
                { "only the account", NULL, NULL, { .eab_kid = (char *) "k", .eab_sha256 = (char *) KEY_SHA256 }, false },
                { "the same", "k", KEY, { .eab_kid = (char *) "k", .eab_sha256 = (char *) KEY_SHA256 }, true },
                { "another key id", "j", KEY, { .eab_kid = (char *) "k", .eab_sha256 = (char *) KEY_SHA256 }, false },
                { "another key", "k", "AAAA", { .eab_kid = (char *) "k", .eab_sha256 = (char *) KEY_SHA256 }, false },
                { "mod_md's", "k", KEY, { .eab_kid = (char *) "k", .eab_hmac = (char *) KEY "=" }, true },
                { "mod_md's, another key", "k", KEY, { .eab_kid = (char *) "k", .eab_hmac = (char *) "AAAA" }, false },
                { "mod_md's, no base64url", "k", KEY, { .eab_kid = (char *) "k", .eab_hmac = (char *) "!" }, false },
                { "half of one", "k", KEY, { .eab_kid = (char *) "k" }, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ManagedDomain d = { .eab_kid = (char *) cases[i].kid, .eab_hmac = (char *) cases[i].hmac };
                _auto_external_account_ ExternalAccount e = { 0 };

                test_case("%s", cases[i].what);
                REQUIRE(external_account_read(&d, &e, NULL) == 0);
                CHECK(external_account_matches(&e, &cases[i].account) == cases[i].matches);
        }
}
