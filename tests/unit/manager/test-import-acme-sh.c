/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import.h"

#include <string.h>

#include "../crypto/issue.h"
#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "foreign.h"
#include "lib/test.h"

#define NAME "example.org"
#define CA "https://ca.example.net/dir"

static void put_account(Foreign *f, EVP_PKEY *key) {
        foreign_put_key(f, "account.key", key, NULL, 0);
        foreign_put_text(f, "account.json", "{ \"status\": \"valid\", \"contact\": [ \"mailto:admin@example.org\" ], \"orders\": \"https://ca.example.net/orders/1\" }");
        foreign_put_text(f, "ca.conf", "ACCOUNT_URL='https://ca.example.net/acct/1'\nCA_KEY_HASH='abc='\nCA_EMAIL='admin@example.org'\nCA_EAB_KEY_ID='kid-1'\n"
                                       "CA_EAB_HMAC_KEY='aGVsbG8'\n");
}

TEST(account) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_account_ ImportAccount a = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_key(), *read = NULL;
        ImportSource s;

        put_account(&f, key);
        s = foreign_source(&f, "ca.example.net/dir");
        REQUIRE(import_acme_sh_account(&s, &a, NULL) == 0);
        CHECK_STR(a.account->ca_url, CA);
        CHECK_STR(a.account->url, "https://ca.example.net/acct/1");
        CHECK_UINT(strv_length(a.account->contacts), 1); /* twice the same */
        CHECK_STR(a.account->eab_kid, "kid-1");
        CHECK_STR(a.account->eab_hmac, "aGVsbG8");
        REQUIRE(key_from_pem(a.key->data, a.key->size, &read, NULL) == 0);
        CHECK(EVP_PKEY_eq(read, key) == 1 && !a.remarks);
}

/* The directory's name has no port. */
TEST(ports) {
        static const struct {
                const char *url, *ca_url;
        } cases[] = {
                { "https://ca.example.net:14000/acct/1", "https://ca.example.net:14000/dir" },
                { "https://ca.example.net/acct/1", CA },
                { "https://ca.example.net:/acct/1", CA },
                { "https://ca.example.net:70000/acct/1", CA },
                { "https://ca.example.net:0/acct/1", CA },
                { "https://ca.example.net:14000x/acct/1", CA },
                { "https://ca.example.network:14000/acct/1", CA },
                { "http://ca.example.net:14000/acct/1", CA },
                { "", CA },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_import_account_ ImportAccount a = { 0 };
                _auto_free_ char *conf = str_printf("ACCOUNT_URL='%s'\n", cases[i].url);
                ImportSource s;

                test_case("%s", cases[i].url);
                put_account(&f, key);
                foreign_put_text(&f, "ca.conf", conf);
                s = foreign_source(&f, "ca.example.net/dir");
                REQUIRE(import_acme_sh_account(&s, &a, NULL) == 0);
                CHECK_STR(a.account->ca_url, cases[i].ca_url);
        }
}

static const struct {
        const char *what, *file, *text;
        int result;
} accounts[] = {
        { "no key",        "account.key",  NULL, IMPORT_E_REFUSED },
        { "key of text",   "account.key",  "x", IMPORT_E_REFUSED },
        { "no json",       "account.json", NULL, 0 },
        { "json of text",  "account.json", "x", 0 },
        { "deactivated",   "account.json", "{ \"status\": \"deactivated\" }", IMPORT_E_NOTHING },
        { "no settings",   "ca.conf",      NULL, 0 },
        { "not quoted",    "ca.conf",      "ACCOUNT_URL=https://ca.example.net/acct/1", 0 },
        { "a shell's",     "ca.conf",      "ACCOUNT_URL='$(reboot)'\nCA_EMAIL='`reboot`'\n", 0 },
};

TEST(broken_accounts) {
        _auto_pkey_ EVP_PKEY *key = issue_key();

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
                s = foreign_source(&f, "ca.example.net/dir");
                CHECK_INT(import_acme_sh_account(&s, &a, &problem), accounts[i].result);
                CHECK(!a.account || !a.account->url || str_equal(a.account->url, "https://ca.example.net/acct/1"));
        }
}

#define CONF "Le_Domain='" NAME "'\nLe_Alt='www." NAME "'\nLe_Webroot='dns_cf'\nLe_PreHook=''\nLe_API='" CA "'\nLe_Keylength='2048'\n" \
             "Le_RealKeyPath='/etc/ssl/key.pem'\nLe_ReloadCmd='__ACME_BASE64__START_c3lzdGVtY3RsIHJlbG9hZCBhcGFjaGUy__ACME_BASE64__END_'\n"

static void put_domain(Foreign *f, EVP_PKEY *key, const char *stem) {
        _auto_free_ char *conf = str_printf("%s.conf", stem), *pem = str_printf("%s.key", stem), *chain = str_printf("%s.fullchain", stem);

        foreign_put_text(f, conf, CONF);
        foreign_put_key(f, pem, key, NULL, 0);
        foreign_put_chain(f, chain, key, NAMES(NAME, "www." NAME), 0, false);
}

TEST(both_kinds) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_pkey_ EVP_PKEY *rsa = issue_rsa_key(), *ec = issue_key();
        _auto_strv_ char **lines = NULL;
        _auto_free_ char *proposal = NULL;
        ImportSource s;

        put_domain(&f, rsa, "domain");
        put_domain(&f, ec, "domain_ecc");
        s = foreign_source(&f, NAME);
        REQUIRE(import_acme_sh_certificate(&s, &c, NULL) == 0);
        CHECK_UINT(c.n, 2);
        CHECK_STR(c.ca_url, CA);
        REQUIRE(import_certificate_propose(&c, &lines) == 0);
        proposal = strv_join(lines, "\n");
        CHECK_STR(proposal, "<MDomain " NAME " www." NAME ">\n    MDCertificateAuthority \"" CA "\"\n    MDPrivateKeys RSA secp256r1\n    MDCAChallenges dns-01\n"
                            "    # acme.sh used dns_cf: MDChallengeDns01 needs a command that publishes the records\n"
                            "    # acme.sh ran as Le_ReloadCmd: systemctl reload apache2; see MDMessageCmd, event 'installed'\n</MDomain>");
        CHECK(c.remarks && strstr(c.remarks[0], "/etc/ssl/key.pem"));
}

TEST(apart) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_key();
        ImportSource s;

        foreign_put_text(&f, "domain_ecc.conf", CONF);
        foreign_put_key(&f, "domain_ecc.key", key, NULL, 0);
        foreign_put_chain(&f, "domain_ecc.cer", key, NAMES(NAME), 0, true);
        foreign_put_ca(&f, "domain_ecc.ca");
        s = foreign_source(&f, NAME);
        REQUIRE(import_acme_sh_certificate(&s, &c, NULL) == 0);
        CHECK_UINT(c.n, 1);
        CHECK_STR(c.ca_url, CA);
}

TEST(broken) {
        static const struct {
                const char *what, *file, *text;
                int result;
                const char *said;
        } cases[] = {
                { "never issued",   "domain.fullchain", NULL,   IMPORT_E_NOTHING },
                { "no key",         "domain.key",       NULL,   IMPORT_E_REFUSED },
                { "key of text",    "domain.key",       "text", IMPORT_E_REFUSED, NAME "/" NAME ".key: There is no private key" },
                { "chain of text",  "domain.fullchain", "text", IMPORT_E_REFUSED, NAME "/fullchain.cer: " },
                { "no settings",    "domain.conf",      NULL,   0 },
                { "other commands", "domain.conf",      "reboot\nrm -rf /\nLe_API='x", 0 },
        };
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_import_certificate_ ImportCertificate c = { 0 };
                _auto_problem_ Problem *problem = NULL;
                ImportSource s;

                test_case("%s", cases[i].what);
                put_domain(&f, key, "domain");
                foreign_remove(&f, cases[i].file);
                if (cases[i].text)
                        foreign_put_text(&f, cases[i].file, cases[i].text);
                s = foreign_source(&f, NAME);
                CHECK_INT(import_acme_sh_certificate(&s, &c, &problem), cases[i].result);
                CHECK(cases[i].result == 0 || problem);
                CHECK(!cases[i].said || (problem && str_has_prefix(problem->detail, cases[i].said)));
                CHECK(!c.ca_url || str_equal(c.ca_url, CA));
        }
}
