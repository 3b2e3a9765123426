/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import.h"

#include <string.h>

#include "../crypto/issue.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "foreign.h"
#include "lib/test.h"

#define NAME "example.org"
#define CA "https://ca.example.net/dir"

static const char passphrase[48] = "forty-eight bytes, one of them \0 and one \xff";

static char *store_json(const char *version) {
        _auto_free_ char *key = base64url_encode(passphrase, sizeof(passphrase));

        return str_printf("{ %s \"key\": \"%s\" }", version, key);
}

static void put_store(Foreign *f) {
        _auto_free_ char *text = store_json("\"store\": { \"version\": 3.0 },");

        foreign_put_text(f, "md_store.json", text);
}

#define ACCOUNT_JSON "{ \"status\": \"valid\", \"url\": \"https://ca.example.net/acct/1\", \"ca-url\": \"" CA "\", \"contact\": [ \"mailto:admin@example.org\" ], " \
                     "\"agreement\": \"https://ca.example.net/terms\", \"eab\": { \"kid\": \"kid-1\", \"hmac\": \"aGVsbG8\" } }"
#define MD_JSON "{ \"name\": \"" NAME "\", \"domains\": [ \"" NAME "\", \"www." NAME "\" ], \"contacts\": [ \"mailto:admin@example.org\" ], \"transitive\": 1, " \
                "\"ca\": { \"proto\": \"ACME\", \"url\": \"" CA "\", \"urls\": [ \"" CA "\" ], \"agreement\": \"accepted\" }, \"state\": 2, \"renew-mode\": 1, " \
                "\"renew-window\": \"33%\", \"warn-window\": \"10%\" }"

static void put_account(Foreign *f, EVP_PKEY *key) {
        put_store(f);
        foreign_put_text(f, "account.json", ACCOUNT_JSON);
        foreign_put_key(f, "account.pem", key, passphrase, sizeof(passphrase));
}

TEST(account) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_account_ ImportAccount a = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key(), *read = NULL;
        ImportSource s;

        put_account(&f, key);
        s = foreign_source(&f, "ACME-ca.example.net-0000");
        REQUIRE(import_mod_md_account(&s, &a, NULL) == 0);
        CHECK_STR(a.account->url, "https://ca.example.net/acct/1");
        CHECK_STR(a.account->ca_url, CA);
        CHECK_STR(a.account->contacts[0], "mailto:admin@example.org");
        CHECK_STR(a.account->agreement, "https://ca.example.net/terms");
        CHECK_STR(a.account->eab_kid, "kid-1");
        CHECK_STR(a.account->eab_hmac, "aGVsbG8");
        CHECK(!a.remarks && !a.account->id);
        REQUIRE(key_from_pem(a.key->data, a.key->size, &read, NULL) == 0); /* without protection now */
        CHECK(EVP_PKEY_eq(read, key) == 1);
}

/* What early versions wrote. */
TEST(old_account) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_account_ ImportAccount a = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();
        ImportSource s;

        put_account(&f, key);
        foreign_put_text(&f, "account.json", "{ \"disabled\": false, \"url\": \"https://ca.example.net/acct/1\", \"ca-url\": \"" CA "\", \"registration\": { \"contact\": [ "
                                             "\"mailto:old@example.org\" ] }, \"terms-of-service\": \"https://ca.example.net/old\" }");
        s = foreign_source(&f, "ACME-ca.example.net-0000");
        REQUIRE(import_mod_md_account(&s, &a, NULL) == 0);
        CHECK_STR(a.account->contacts[0], "mailto:old@example.org");
        CHECK_STR(a.account->agreement, "https://ca.example.net/old");
}

static const struct {
        const char *what, *file, *text; /* NULL: it is missing */
        int result;
        const char *says;
} accounts[] = {
        { "no store",              "md_store.json", NULL,                                          IMPORT_E_REFUSED, "md_store.json" },
        { "empty store",           "md_store.json", "",                                            IMPORT_E_REFUSED, "not JSON" },
        { "store that is a list",  "md_store.json", "[]",                                          IMPORT_E_REFUSED, "no JSON object" },
        { "store without key",     "md_store.json", "{ \"store\": { \"version\": 3 } }",           IMPORT_E_REFUSED, "\"key\"" },
        { "short key",             "md_store.json", "{ \"store\": { \"version\": 3 }, \"key\": \"aGVsbG8\" }", IMPORT_E_REFUSED, "5 bytes" },
        { "key that is none",      "md_store.json", "{ \"key\": \"a b\" }",                        IMPORT_E_REFUSED, "base64url" },
        { "newer store",           "md_store.json", "{ \"store\": { \"version\": 4 }, \"key\": \"\" }", IMPORT_E_REFUSED, "version 4" },
        { "version that is none",  "md_store.json", "{ \"store\": { \"version\": \"3\" }, \"key\": \"\" }", IMPORT_E_REFUSED, "version" },
        { "no account.json",       "account.json",  NULL,                                          IMPORT_E_REFUSED, "account.json is missing" },
        { "torn account.json",     "account.json",  "{ \"status\": \"val",                         IMPORT_E_REFUSED, "not JSON" },
        { "no CA",                 "account.json",  "{ \"status\": \"valid\" }",                   IMPORT_E_REFUSED, "no URL with https" },
        { "CA without TLS",        "account.json",  "{ \"ca-url\": \"http://ca.example.net/dir\" }", IMPORT_E_REFUSED, "no URL with https" },
        { "CA with a line break",  "account.json",  "{ \"ca-url\": \"https://ca.example.net/\\nMDMessageCmd\" }", IMPORT_E_REFUSED, "no URL with https" },
        { "deactivated",           "account.json",  "{ \"status\": \"deactivated\", \"ca-url\": \"" CA "\" }", IMPORT_E_NOTHING, "not valid" },
        { "disabled",              "account.json",  "{ \"disabled\": true, \"ca-url\": \"" CA "\" }", IMPORT_E_NOTHING, "not valid" },
        { "no key",                "account.pem",   NULL,                                          IMPORT_E_REFUSED, "account.pem is missing" },
        { "empty key",             "account.pem",   "",                                            IMPORT_E_REFUSED, "account.pem" },
        { "key that is text",      "account.pem",   "hello\n",                                     IMPORT_E_REFUSED, "account.pem" },
        { "account elsewhere",     "account.json",  "{ \"ca-url\": \"" CA "\", \"url\": \"https://evil.example/acct\" }", 0, NULL },
        { "account without URL",   "account.json",  "{ \"ca-url\": \"" CA "\" }",                  0, NULL },
        { "contacts of no use",    "account.json",  "{ \"ca-url\": \"" CA "\", \"url\": \"https://ca.example.net/1\", \"contact\": [ 1, 2 ] }", 0, NULL },
};

TEST(broken_accounts) {
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();

        for (size_t i = 0; i < ELEMENTSOF(accounts); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_import_account_ ImportAccount a = { 0 };
                _auto_problem_ Problem *problem = NULL;
                ImportSource s;

                test_case("%s", accounts[i].what);
                put_account(&f, key);
                foreign_remove(&f, accounts[i].file);
                if (accounts[i].text)
                        foreign_put_text(&f, accounts[i].file, accounts[i].text);
                s = foreign_source(&f, "ACME-ca.example.net-0000");
                CHECK_INT(import_mod_md_account(&s, &a, &problem), accounts[i].result);
                if (accounts[i].result == 0) {
                        CHECK(a.remarks); /* what was left out is told */
                        CHECK(!a.account->url || str_has_prefix(a.account->url, "https://ca.example.net/"));
                        continue;
                }
                REQUIRE(problem);
                CHECK(strstr(problem->detail, accounts[i].says));
                CHECK(!a.account && !a.key);
        }
}

TEST(other_passphrase) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_account_ ImportAccount a = { 0 };
        _auto_problem_ Problem *problem = NULL;
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();
        ImportSource s;

        put_account(&f, key);
        foreign_put_key(&f, "account.pem", key, "something else", 14);
        s = foreign_source(&f, "ACME-ca.example.net-0000");
        CHECK_INT(import_mod_md_account(&s, &a, &problem), IMPORT_E_REFUSED);
        REQUIRE(problem);
        CHECK(strstr(problem->detail, "another passphrase"));
}

static void put_domain(Foreign *f, EVP_PKEY *key) {
        put_store(f);
        foreign_put_text(f, "md.json", MD_JSON);
        foreign_put_key(f, "privkey.pem", key, NULL, 0);
        foreign_put_chain(f, "pubcert.pem", key, NAMES(NAME, "www." NAME), 0, false);
}

TEST(domain) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();
        ImportSource s;

        put_domain(&f, key);
        foreign_put_text(&f, "job.json", "{ \"name\": \"" NAME "\", \"finished\": true, \"errors\": 7, \"next-run\": \"Fri, 15 Jan 2027 09:00:00 GMT\", "
                                         "\"last-run\": \"Thu, 14 Jan 2027 08:00:00 GMT\", \"last\": { \"problem\": \"urn:x\", \"detail\": \"failed\" }, "
                                         "\"log\": { \"entries\": [ { \"when\": \"Thu, 14 Jan 2027 08:00:00 GMT\", \"type\": \"finished\" } ] } }");
        s = foreign_source(&f, NAME);
        REQUIRE(import_mod_md_certificate(&s, &c, NULL) == 0);
        CHECK_STR(c.settings->name, NAME);
        CHECK_UINT(strv_length(c.settings->names), 2);
        CHECK(c.settings_known && !c.remarks && !c.directives);
        CHECK_STR(c.ca_url, CA);
        CHECK_UINT(c.n, 1);
        CHECK_INT(c.pairs[0].spec.type, KEY_TYPE_DEFAULT);
        CHECK(strstr(c.pairs[0].key->data, "BEGIN PRIVATE KEY"));
        /* Its past is kept, and none of its failures. */
        REQUIRE(c.job);
        CHECK_UINT(c.job->errors, 0);
        CHECK_UINT(c.job->next_run_usec, 0);
        CHECK(!c.job->last && c.job->last_run_usec > 0 && c.job->last_run_usec < FOREIGN_NOW_USEC);
        CHECK_UINT(c.job->n_log, 1);
}

/* Staged: protected, and with several kinds of keys. */
TEST(several_keys) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_pkey_ EVP_PKEY *rsa = issue_rsa_key(), *ec = issue_key();
        char name[KEY_SPEC_NAME_MAX];
        ImportSource s;

        put_domain(&f, rsa);
        foreign_put_key(&f, "privkey.pem", rsa, passphrase, sizeof(passphrase));
        foreign_put_key(&f, "privkey.p-256.pem", ec, passphrase, sizeof(passphrase));
        foreign_put_chain(&f, "pubcert.p-256.pem", ec, NAMES(NAME, "www." NAME), 0, false);
        s = foreign_source(&f, NAME);
        REQUIRE(import_mod_md_certificate(&s, &c, NULL) == 0);
        REQUIRE(c.n == 2);
        for (size_t i = 0; i < c.n; i++)
                CHECK(c.pairs[i].spec.type == KEY_TYPE_EC ? str_equal(key_spec_name(&c.pairs[i].spec, name), "p-256") : c.pairs[i].spec.type == KEY_TYPE_DEFAULT);
}

/* Version 1: other names, and leaf and chain in files of their own. */
TEST(version_1) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *store = store_json("\"version\": \"0.6.1-git\",");
        ImportSource s;

        put_domain(&f, key);
        foreign_remove(&f, "privkey.pem");
        foreign_remove(&f, "pubcert.pem");
        foreign_put_text(&f, "md_store.json", store);
        foreign_put_key(&f, "pkey.pem", key, NULL, 0);
        foreign_put_chain(&f, "cert.pem", key, NAMES(NAME), 0, true);
        foreign_put_ca(&f, "chain.pem");
        s = foreign_source(&f, NAME);
        REQUIRE(import_mod_md_certificate(&s, &c, NULL) == 0);
        REQUIRE(c.n == 1);
        REQUIRE(cert_chain_from_pem(c.pairs[0].chain, strlen(c.pairs[0].chain), &chain, NULL) == 0);
        CHECK_UINT(chain.n, 2);
}

static const struct {
        const char *what, *file, *text; /* NULL: it is missing */
        int result;
        const char *says;
} domains[] = {
        { "no md.json",             "md.json",     NULL,                    0,                NULL },
        { "md.json that is none",   "md.json",     "{",                     0,                NULL },
        { "md.json without name",   "md.json",     "{ }",                   0,                NULL },
        { "md.json of another one", "md.json",     "{ \"name\": \"other.example\", \"domains\": [ \"other.example\" ] }", IMPORT_E_REFUSED, "another domain" },
        { "job.json that is none",  "job.json",    "[",                     0,                NULL },
        { "no certificate",         "pubcert.pem", NULL,                    IMPORT_E_NOTHING, "no certificate" },
        { "empty certificate",      "pubcert.pem", "",                      IMPORT_E_REFUSED, "pubcert.pem" },
        { "certificate of text",    "pubcert.pem", "hello",                 IMPORT_E_REFUSED, "pubcert.pem" },
        { "torn certificate",       "pubcert.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", IMPORT_E_REFUSED, "pubcert.pem" },
        { "no key",                 "privkey.pem", NULL,                    IMPORT_E_NOTHING, "no certificate" },
        { "empty key",              "privkey.pem", "",                      IMPORT_E_REFUSED, "privkey.pem" },
        { "escape in a key",        "privkey.pem", "\x1b[31m",              IMPORT_E_REFUSED, "privkey.pem" },
        { "curve out of this world", "privkey.0123456789012345678901234567890123456789.pem", "x", IMPORT_E_REFUSED, "no such curve" },
        { "key without certificate", "privkey.secp384r1.pem", "x",          0,                NULL },
};

TEST(broken_domains) {
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();

        for (size_t i = 0; i < ELEMENTSOF(domains); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_import_certificate_ ImportCertificate c = { 0 };
                _auto_problem_ Problem *problem = NULL;
                ImportSource s;

                test_case("%s", domains[i].what);
                put_domain(&f, key);
                foreign_remove(&f, domains[i].file);
                if (domains[i].text)
                        foreign_put_text(&f, domains[i].file, domains[i].text);
                s = foreign_source(&f, NAME);
                CHECK_INT(import_mod_md_certificate(&s, &c, &problem), domains[i].result);
                if (domains[i].result == 0) {
                        CHECK(c.remarks && c.settings && str_equal(c.settings->name, NAME) && c.n == 1);
                        continue;
                }
                REQUIRE(problem);
                CHECK(strstr(problem->detail, domains[i].says));
                CHECK(!strchr(problem->detail, '\x1b'));
        }
}

/* Certificates that are not what they should be. */
TEST(broken_pairs) {
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key(), *other = issue_key(), *small = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 1024);
        static const char *const what[] = { "key of another one", "leaf behind its CA", "too small a key", "a name that is none", "alone with a foreign CA" };

        for (size_t i = 0; i < ELEMENTSOF(what); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_import_certificate_ ImportCertificate c = { 0 };
                _auto_problem_ Problem *problem = NULL;
                ImportSource s;

                test_case("%s", what[i]);
                put_domain(&f, key);
                if (i == 0)
                        foreign_put_key(&f, "privkey.pem", other, NULL, 0);
                if (i == 1)
                        foreign_put_ca(&f, "pubcert.pem");
                if (i == 2) {
                        foreign_put_key(&f, "privkey.pem", small, NULL, 0);
                        foreign_put_chain(&f, "pubcert.pem", small, NAMES(NAME), 0, false);
                }
                if (i == 3)
                        foreign_put_chain(&f, "pubcert.pem", key, NAMES("localhost_"), 0, false);
                if (i == 4)
                        foreign_put_chain(&f, "pubcert.pem", other, NAMES(NAME), 0, true);
                s = foreign_source(&f, NAME);
                CHECK_INT(import_mod_md_certificate(&s, &c, &problem), IMPORT_E_REFUSED);
                CHECK(problem && c.n == 0);
        }
}

/* It is still better than none: a server goes on with it while the next one is ordered. */
TEST(expired) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();
        ImportSource s;

        put_domain(&f, key);
        foreign_put_chain(&f, "pubcert.pem", key, NAMES(NAME), FOREIGN_NOW_USEC - FOREIGN_DAY_USEC, false);
        s = foreign_source(&f, NAME);
        REQUIRE(import_mod_md_certificate(&s, &c, NULL) == 0);
        REQUIRE(c.remarks);
        CHECK(strstr(c.remarks[0], "expired"));
}
