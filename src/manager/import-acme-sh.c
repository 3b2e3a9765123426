/* SPDX-License-Identifier: Apache-2.0 */

/* The directory of acme.sh: ca/HOST/PATH/ with the account, NAME/ and NAME_ecc/ with certificates and NAME.conf. */

#include "manager/import.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "manager/import-lines.h"
#include "manager/sign-url.h"

enum { PORT_DIGITS = 5 };

static int read_lines(const ImportSource *s, const char *file, ImportLines *ret) {
        const BundleFile *f = bundle_find(s->files, file);

        return import_lines_parse(f ? f->data : "", f ? f->size : 0, ret);
}

/* --- Accounts --- */

/* The directory's name says host and path. A port is not in it; the account's URL at the same host has it, too. */
static char *directory_url(const char *name, const char *account_url) {
        size_t host = strcspn(name, "/");
        const char *rest = str_after_prefix(account_url ? account_url : "", "https://"), *port;
        _auto_free_ char *digits = NULL;
        uint16_t number;

        if (!rest || strncasecmp(rest, name, host) != 0 || rest[host] != ':')
                return str_printf("https://%s", name);
        port = rest + host + 1;
        digits = strndup(port, strcspn(port, "/?"));
        if (!digits)
                return NULL;
        if (strlen(digits) > PORT_DIGITS || parse_port(digits, &number) < 0)
                return str_printf("https://%s", name);
        return str_printf("https://%.*s:%u%s", (int) host, name, number, name + host);
}

static int read_account_json(const ImportSource *s, ImportAccount *a, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;
        _auto_problem_ Problem *why = NULL;
        _auto_strv_ char **contacts = NULL;
        const char *status;
        int r;

        r = import_read_json(s, "account.json", &o, &why);
        if (r != 0)
                return r < 0 ? r : 0; /* the rest says enough */
        status = json_get_string(o, "status");
        if (status && !str_equal(status, "valid"))
                return import_nothing(ret_problem, "the account is not valid any more");
        r = json_get_strv(o, "contact", 100, &contacts);
        if (r == -EBADMSG)
                return import_note(&a->remarks, "Its contacts cannot be read, and are left out");
        STRV_FOREACH(contact, contacts)
                if (r == 0)
                        r = import_account_add_contact(a, *contact);
        return r;
}

static int read_binding(const ImportLines *l, ImportAccount *a) {
        const char *kid = import_lines_get(l, "", "CA_EAB_KEY_ID"), *hmac = import_lines_get(l, "", "CA_EAB_HMAC_KEY");

        if (!kid || !hmac)
                return 0;
        return str_replace(&a->account->eab_kid, kid) < 0 ? -ENOMEM : str_replace(&a->account->eab_hmac, hmac);
}

static int take_account(const ImportSource *s, EVP_PKEY *key, ImportAccount *a, Problem **ret_problem) {
        _auto_import_lines_ ImportLines l = { 0 };
        _auto_free_ char *ca_url = NULL;
        const char *url;
        int r;

        r = read_lines(s, "ca.conf", &l);
        if (r < 0)
                return r;
        url = import_lines_get(&l, "", "ACCOUNT_URL");
        ca_url = directory_url(s->name, url);
        if (!ca_url)
                return -ENOMEM;
        r = import_account_begin(key, ca_url, a, ret_problem);
        if (r == 0)
                r = import_account_set_url(a, url);
        if (r == 0)
                r = read_account_json(s, a, ret_problem);
        if (r == 0)
                r = import_account_add_contact(a, import_lines_get(&l, "", "CA_EMAIL"));
        if (r == 0)
                r = read_binding(&l, a);
        return r == 0 ? str_replace(&a->account->agreement, "accepted") : r; /* without consent there is no account */
}

int import_acme_sh_account(const ImportSource *s, ImportAccount *ret, Problem **ret_problem) {
        _auto_import_account_ ImportAccount a = { 0 };
        const BundleFile *pem = bundle_find(s->files, "account.key");
        _auto_problem_ Problem *why = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        int r;

        if (!pem)
                return import_refuse(ret_problem, "account.key is missing");
        r = key_from_pem(pem->data, pem->size, &key, &why);
        if (r == -EBADMSG)
                return import_refuse(ret_problem, "account.key: %s", why ? why->detail : "it holds no private key");
        if (r == 0)
                r = take_account(s, key, &a, ret_problem);
        if (r != 0)
                return r;
        *ret = a;
        a = (ImportAccount){ 0 };
        return 0;
}

/* --- How it is renewed --- */

static int propose_challenge(const ImportLines *l, ImportCertificate *c) {
        const char *way = import_lines_get(l, "", "Le_Webroot");

        if (way && strstr(way, "dns_")) {
                if (strv_extend(&c->directives, "MDCAChallenges dns-01") < 0)
                        return -ENOMEM;
                return import_propose_comment(c, "acme.sh used %s: MDChallengeDns01 needs a command that publishes the records%s", way,
                                              strstr(way, "dns_nsupdate") ? "; see md-hook-nsupdate(8)" : "");
        }
        if (str_equal(way, "dns"))
                return import_propose_comment(c, "acme.sh was told by hand; for dns-01 MDChallengeDns01 names a command");
        return 0; /* http-01 or tls-alpn-01, whoever served it: the module does */
}

static int propose_hooks(const ImportLines *l, ImportCertificate *c) {
        static const char *const hooks[] = { "Le_PreHook", "Le_PostHook", "Le_RenewHook", "Le_ReloadCmd" };
        static const char *const copies[] = { "Le_RealKeyPath", "Le_RealFullChainPath", "Le_RealCertPath" };

        for (size_t i = 0; i < ELEMENTSOF(hooks); i++) {
                const char *hook = import_lines_get(l, "", hooks[i]);

                if (hook && import_propose_comment(c, "acme.sh ran as %s: %s; see MDMessageCmd, event 'installed'", hooks[i], hook) < 0)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < ELEMENTSOF(copies); i++) {
                const char *path = import_lines_get(l, "", copies[i]);

                if (path && import_note(&c->remarks, "acme.sh keeps a copy up to date (%s): %s; nobody will do so any more", copies[i], path) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int propose(const ImportSource *s, const char *conf, ImportCertificate *c) {
        _auto_import_lines_ ImportLines l = { 0 };
        int r;

        r = read_lines(s, conf, &l);
        if (r == 0)
                r = propose_challenge(&l, c);
        if (r == 0 && str_equal(import_lines_get(&l, "", "Le_OCSP_Staple"), "1"))
                c->settings->must_staple = true;
        if (r == 0)
                r = propose_hooks(&l, c);
        if (r == 0)
                r = import_certificate_finish(c, import_lines_get(&l, "", "Le_API"));
        return r;
}

/* --- Certificates --- */

/* With the names that people know the files by; 'suffix' is "" or "_ecc". */
static int add_named_pair(const ImportSource *s, const char *suffix, const ImportPairFiles *found, ImportCertificate *c, Problem **ret_problem) {
        _auto_free_ char *key_name = str_printf("%s%s/%s.key", s->name, suffix, s->name), *chain_name = NULL;
        BundleFile key = *found->key, chain = *found->chain;
        ImportPairFiles files = *found;

        if (str_has_suffix(chain.name, ".fullchain"))
                chain_name = str_printf("%s%s/fullchain.cer", s->name, suffix);
        else
                chain_name = str_printf("%s%s/%s.cer", s->name, suffix, s->name);
        if (!key_name || !chain_name)
                return -ENOMEM;
        key.name = key_name;
        chain.name = chain_name;
        files.key = &key;
        files.chain = &chain;
        return import_pair_add(s, &files, c, ret_problem);
}

static int add_pair(const ImportSource *s, const char *suffix, ImportCertificate *c, Problem **ret_problem) {
        _auto_free_ char *key = str_printf("domain%s.key", suffix), *full = str_printf("domain%s.fullchain", suffix), *cert = str_printf("domain%s.cer", suffix),
                         *ca = str_printf("domain%s.ca", suffix);
        ImportPairFiles files = { 0 };

        if (!key || !full || !cert || !ca)
                return -ENOMEM;
        files = (ImportPairFiles){ .what = s->name, .key = bundle_find(s->files, key), .chain = bundle_find(s->files, full) };
        if (!files.chain) {
                files.chain = bundle_find(s->files, cert);
                files.more = bundle_find(s->files, ca);
        }
        if (!files.chain)
                return 0; /* it was never issued */
        if (!files.key)
                return import_refuse(ret_problem, "the key of the certificate is missing");
        return add_named_pair(s, suffix, &files, c, ret_problem);
}

int import_acme_sh_certificate(const ImportSource *s, ImportCertificate *ret, Problem **ret_problem) {
        _auto_import_certificate_ ImportCertificate c = { 0 };
        int r;

        r = add_pair(s, "", &c, ret_problem);
        if (r == 0)
                r = add_pair(s, "_ecc", &c, ret_problem);
        if (r == 0 && c.n == 0)
                return import_nothing(ret_problem, "there is no certificate");
        if (r == 0)
                r = import_certificate_settle(&c, s->name);
        if (r == 0)
                r = propose(s, bundle_find(s->files, "domain.conf") ? "domain.conf" : "domain_ecc.conf", &c);
        if (r != 0)
                return r;
        *ret = c;
        c = (ImportCertificate){ 0 };
        return 0;
}
