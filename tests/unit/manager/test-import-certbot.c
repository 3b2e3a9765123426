/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import.h"

#include <string.h>

#include <openssl/core_names.h>

#include "../crypto/issue.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "foreign.h"
#include "lib/test.h"

#define NAME "example.org"
#define ACCOUNT "ca.example.net:14000/dir/0123456789abcdef"
#define CA "https://ca.example.net:14000/dir"

static void add_number(JsonObject *jwk, const char *member, EVP_PKEY *key, const char *parameter) {
        _auto_bn_ BIGNUM *bn = NULL;
        _auto_free_ char *text = NULL;
        unsigned char bytes[32];

        REQUIRE(EVP_PKEY_get_bn_param(key, parameter, &bn) == 1 && BN_bn2binpad(bn, bytes, sizeof(bytes)) == sizeof(bytes));
        text = base64url_encode(bytes, sizeof(bytes));
        REQUIRE(text && json_add_string(jwk, member, text) == 0);
}

static void put_account(Foreign *f, EVP_PKEY *key) {
        _auto_json_ JsonObject *jwk = json_object_new_object();
        _auto_free_ char *text = NULL;

        (void) json_add_string(jwk, "kty", "EC");
        (void) json_add_string(jwk, "crv", "P-256");
        add_number(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X);
        add_number(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y);
        add_number(jwk, "d", key, OSSL_PKEY_PARAM_PRIV_KEY);
        text = json_format_short(jwk);
        foreign_put_text(f, "private_key.json", text);
        foreign_put_text(f, "regr.json", "{ \"body\": { \"contact\": [ \"mailto:admin@example.org\" ] }, \"uri\": \"https://ca.example.net:14000/acct/7\" }");
}

TEST(account) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_account_ ImportAccount a = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_key(), *read = NULL;
        ImportSource s;

        put_account(&f, key);
        s = foreign_source(&f, ACCOUNT);
        REQUIRE(import_certbot_account(&s, &a, NULL) == 0);
        CHECK_STR(a.account->ca_url, CA);
        CHECK_STR(a.account->url, "https://ca.example.net:14000/acct/7");
        CHECK_STR(a.account->contacts[0], "mailto:admin@example.org");
        REQUIRE(key_from_pem(a.key->data, a.key->size, &read, NULL) == 0);
        CHECK(EVP_PKEY_eq(read, key) == 1);
}

static const struct {
        const char *what, *name, *file, *text;
        int result;
} accounts[] = {
        { "no key",                 ACCOUNT, "private_key.json", NULL, IMPORT_E_REFUSED },
        { "key that is no JSON",    ACCOUNT, "private_key.json", "-----BEGIN PRIVATE KEY-----", IMPORT_E_REFUSED },
        { "key that is text",       ACCOUNT, "private_key.json", "\"key\"", IMPORT_E_REFUSED },
        { "empty key",              ACCOUNT, "private_key.json", "{}", IMPORT_E_REFUSED },
        { "no registration",        ACCOUNT, "regr.json", NULL, 0 },
        { "registration of no use", ACCOUNT, "regr.json", "[ 1 ]", 0 },
        { "no body",                ACCOUNT, "regr.json", "{ \"uri\": 7 }", 0 },
        { "elsewhere",              ACCOUNT, "regr.json", "{ \"body\": { \"contact\": \"x\" }, \"uri\": \"https://evil.example/1\" }", 0 },
        { "deactivated",            ACCOUNT, "regr.json", "{ \"body\": { \"status\": \"deactivated\" }, \"uri\": \"https://ca.example.net:14000/1\" }", IMPORT_E_NOTHING },
        { "contact with a blank",   ACCOUNT, "regr.json", "{ \"body\": { \"contact\": [ \"mailto:a b\" ] }, \"uri\": \"https://ca.example.net:14000/1\" }", 0 },
        { "no directory",           "0123456789abcdef", "x", NULL, IMPORT_E_REFUSED },
        { "user in the directory",  "me@ca.example.net/dir/01", "x", NULL, IMPORT_E_REFUSED },
        { "quote in the directory", "ca.example.net/\"/01", "x", NULL, IMPORT_E_REFUSED },
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
                s = foreign_source(&f, accounts[i].name);
                CHECK_INT(import_certbot_account(&s, &a, &problem), accounts[i].result);
                CHECK(accounts[i].result == 0 ? a.remarks != NULL : problem && !a.account);
                CHECK(!a.account || !a.account->url || str_has_prefix(a.account->url, "https://ca.example.net:14000/"));
                CHECK(!a.account || !a.account->contacts);
        }
}

#define CONF "# renew_before_expiry = 30 days\nversion = 2.11.0\narchive_dir = /etc/letsencrypt/archive/" NAME "\ncert = /etc/letsencrypt/live/" NAME "/cert.pem\n" \
             "[renewalparams]\naccount = 0123456789abcdef\nauthenticator = webroot\nserver = " CA "\nkey_type = ecdsa\n[[webroot_map]]\n" NAME " = /var/www\n"

static void put_certificate(Foreign *f, EVP_PKEY *key) {
        foreign_put_key(f, "privkey.pem", key, NULL, 0);
        foreign_put_chain(f, "fullchain.pem", key, NAMES("www." NAME, NAME), 0, false);
        foreign_put_text(f, "renewal.conf", CONF);
}

static char *read_proposal(Foreign *f, const char *name) {
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_strv_ char **lines = NULL;
        ImportSource s = foreign_source(f, name);

        if (import_certbot_certificate(&s, &c, NULL) != 0 || import_certificate_propose(&c, &lines) < 0)
                return NULL;
        return strv_join(lines, "\n");
}

TEST(certificate) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_free_ char *proposal = NULL;
        char name[KEY_SPEC_NAME_MAX];
        ImportSource s;

        put_certificate(&f, key);
        s = foreign_source(&f, NAME);
        REQUIRE(import_certbot_certificate(&s, &c, NULL) == 0);
        CHECK_STR(c.settings->name, NAME);
        CHECK_STR(c.ca_url, CA);
        CHECK(!c.settings_known && !c.job && !c.remarks && c.n == 1);
        CHECK_STR(key_spec_name(&c.pairs[0].spec, name), "secp256r1");
        proposal = read_proposal(&f, NAME);
        CHECK_STR(proposal, "<MDomain " NAME " www." NAME ">\n    MDCertificateAuthority \"" CA "\"\n    MDPrivateKeys secp256r1\n</MDomain>");
}

/* What everybody has. */
TEST(plain) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_pkey_ EVP_PKEY *key = issue_rsa_key();
        _auto_free_ char *proposal = NULL;

        put_certificate(&f, key);
        foreign_put_text(&f, "renewal.conf", "[renewalparams]\nserver = https://acme-v02.api.letsencrypt.org/directory\nauthenticator = apache\n");
        proposal = read_proposal(&f, NAME);
        CHECK_STR(proposal, "MDomain " NAME " www." NAME);
}

TEST(names) {
        static const struct {
                const char *lineage, *name;
        } lineages[] = {
                { NAME, NAME }, { NAME "-0001", NAME }, { "www." NAME "-0023", "www." NAME }, { "my-site", "www." NAME }, { NAME "-001", "www." NAME },
                { "-0001", "www." NAME }, { "../../x", "www." NAME },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(lineages); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_import_certificate_ ImportCertificate c = { 0 };
                ImportSource s;

                test_case("%s", lineages[i].lineage);
                put_certificate(&f, key);
                s = foreign_source(&f, lineages[i].lineage);
                REQUIRE(import_certbot_certificate(&s, &c, NULL) == 0);
                CHECK_STR(c.settings->name, lineages[i].name);
        }
}

/* Behind "[renewalparams]": what the proposal has, and what it must not have. */
static const struct {
        const char *line, *has, *has_not;
} settings[] = {
        { "authenticator = dns-cloudflare\ndns_cloudflare_credentials = /root/cf.ini", "MDCAChallenges dns-01\n    # certbot used dns-cloudflare (credentials: /root/cf.ini)", NULL },
        { "authenticator = certbot-dns-foo:dns-foo", "# certbot used dns-foo", NULL },
        { "authenticator = dns-rfc2136\ndns_rfc2136_credentials = /root/key.ini", "md-hook-nsupdate(8); what it knows is in /root/key.ini", NULL },
        { "authenticator = manual\npref_challs = dns-01,\nmanual_auth_hook = /root/auth", "manual_auth_hook: /root/auth", NULL },
        { "authenticator = standalone", NULL, "MDCAChallenges" },
        { "reuse_key = True", "MDKeyReuse on", NULL },
        { "autorenew = False", "MDRenewMode manual", NULL },
        { "preferred_chain = ISRG Root X1", "MDPreferredChain \"ISRG Root X1\"", NULL },
        { "preferred_chain = x\" >/etc/passwd", "MDPreferredChain \"x\\\" >/etc/passwd\"\n", NULL },
        { "preferred_chain = Root \\", "MDPreferredChain \"Root \\\\\"\n", NULL },
        { "preferred_chain = ${APACHE_LOG_DIR}", NULL, "MDPreferredChain" },
        { "authenticator = dns-rfc2136\ndns_rfc2136_credentials = C:\\key\\", "what it knows is in C:\\key\\.\n", "\\\n" },
        { "authenticator = dns-x\\\nserver = https://ca.example.net/", "certbot used dns-x\\ (", "\\\n" },
        { "renew_hook = /root/copy.sh", "# certbot ran as renew_hook: /root/copy.sh", NULL },
        { "post_hook = a\rMDMessageCmd /bin/sh", "# certbot ran as post_hook: a", "\nMDMessageCmd" },
        { "post_hook = \x1b[2J", "# certbot ran as post_hook: ?[2J", "\x1b" },
        { "server = https://ca.example.net/\"\t>", NULL, "MDCertificateAuthority" },
        { "server = http://ca.example.net/", NULL, "MDCertificateAuthority" },
        { "server = javascript:x", NULL, "MDCertificateAuthority" },
        { "= = =\n]]][[[\n[\nserver", NULL, "MDCertificateAuthority" },
};

TEST(proposals) {
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_free_ char *conf = str_printf("[renewalparams]\n%s\n", settings[i].line), *proposal = NULL;

                test_case("%s", settings[i].line);
                put_certificate(&f, key);
                foreign_put_text(&f, "renewal.conf", conf);
                proposal = read_proposal(&f, NAME);
                REQUIRE(proposal);
                CHECK(!settings[i].has || strstr(proposal, settings[i].has));
                CHECK(!settings[i].has_not || !strstr(proposal, settings[i].has_not));
        }
}

static const struct {
        const char *what, *file, *text;
        int result;
} certificates[] = {
        { "no renewal",      "renewal.conf",  NULL,    0 },
        { "empty renewal",   "renewal.conf",  "",      0 },
        { "no key",          "privkey.pem",   NULL,    IMPORT_E_REFUSED },
        { "empty key",       "privkey.pem",   "",      IMPORT_E_REFUSED },
        { "no chain",        "fullchain.pem", NULL,    IMPORT_E_REFUSED },
        { "chain of text",   "fullchain.pem", "hello", IMPORT_E_REFUSED },
};

TEST(broken_certificates) {
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(certificates); i++) {
                _auto_foreign_ Foreign f = { 0 };
                _auto_import_certificate_ ImportCertificate c = { 0 };
                _auto_problem_ Problem *problem = NULL;
                ImportSource s;

                test_case("%s", certificates[i].what);
                put_certificate(&f, key);
                foreign_remove(&f, certificates[i].file);
                if (certificates[i].text)
                        foreign_put_text(&f, certificates[i].file, certificates[i].text);
                s = foreign_source(&f, NAME);
                CHECK_INT(import_certbot_certificate(&s, &c, &problem), certificates[i].result);
                CHECK(certificates[i].result == 0 ? c.remarks != NULL : problem != NULL);
        }
}

TEST(another_key) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_problem_ Problem *problem = NULL;
        _auto_pkey_ EVP_PKEY *key = issue_key(), *other = issue_key();
        ImportSource s;

        put_certificate(&f, key);
        foreign_put_key(&f, "privkey.pem", other, NULL, 0);
        s = foreign_source(&f, NAME);
        CHECK_INT(import_certbot_certificate(&s, &c, &problem), IMPORT_E_REFUSED);
        CHECK(problem && str_equal(problem->detail, "fullchain.pem and privkey.pem do not belong together"));
}

TEST(nothing) {
        _auto_foreign_ Foreign f = { 0 };
        _auto_import_certificate_ ImportCertificate c = { 0 };
        ImportSource s;

        foreign_put_text(&f, "renewal.conf", CONF);
        s = foreign_source(&f, NAME);
        CHECK_INT(import_certbot_certificate(&s, &c, NULL), IMPORT_E_NOTHING);
}
