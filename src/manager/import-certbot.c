/* SPDX-License-Identifier: Apache-2.0 */

/* certbot's directory: accounts/CA/HASH/ with the account's key as a JSON Web Key, live/NAME/ with links to the newest files, renewal/NAME.conf. */

#include "manager/import.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/jwk.h"
#include "manager/import-lines.h"

#define PARAMETERS "renewalparams"

/* --- Accounts --- */

/* json-c keeps copies of the private numbers. */
static void wipe(JsonObject *jwk) {
        json_object_object_foreach(jwk, key, value) {
                (void) key;
                if (json_object_is_type(value, json_type_string))
                        secret_wipe((char *) json_object_get_string(value), (size_t) json_object_get_string_len(value));
        }
}

static int read_key(const ImportSource *s, EVP_PKEY **ret, Problem **ret_problem) {
        _auto_json_ JsonObject *jwk = NULL;
        _auto_problem_ Problem *why = NULL;
        int r;

        r = import_read_json(s, "private_key.json", &jwk, ret_problem);
        if (r != 0)
                return r == IMPORT_E_NOTHING ? import_refuse(ret_problem, "private_key.json is missing") : r;
        r = jwk_private_key(jwk, ret, &why);
        wipe(jwk);
        return r == -EBADMSG ? import_refuse(ret_problem, "private_key.json: %s", why ? why->detail : "it holds no key") : r;
}

static int read_registration(const ImportSource *s, ImportAccount *a, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;
        _auto_problem_ Problem *why = NULL;
        _auto_strv_ char **contacts = NULL;
        JsonObject *body;
        int r;

        r = import_read_json(s, "regr.json", &o, &why);
        if (r < 0)
                return r;
        if (r > 0)
                return import_account_set_url(a, NULL);
        body = json_get_object(o, "body");
        if (body && json_get_string(body, "status") && !str_equal(json_get_string(body, "status"), "valid"))
                return import_nothing(ret_problem, "the account is not valid any more");
        r = import_account_set_url(a, json_get_string(o, "uri"));
        if (r == 0 && body)
                r = json_get_strv(body, "contact", 100, &contacts);
        if (r == -EBADMSG)
                r = import_note(&a->remarks, "Its contacts cannot be read, and are left out");
        STRV_FOREACH(contact, contacts)
                if (r == 0)
                        r = import_account_add_contact(a, *contact);
        return r;
}

/* "acme-v02.api.letsencrypt.org/directory/HASH" */
static char *directory_url(const char *name) {
        const char *slash = strrchr(name, '/');

        return str_printf("https://%.*s", slash ? (int) (slash - name) : 0, name);
}

int import_certbot_account(const ImportSource *s, ImportAccount *ret, Problem **ret_problem) {
        _auto_import_account_ ImportAccount a = { 0 };
        _auto_free_ char *ca_url = directory_url(s->name);
        _auto_pkey_ EVP_PKEY *key = NULL;
        int r;

        if (!ca_url)
                return -ENOMEM;
        r = read_key(s, &key, ret_problem);
        if (r == 0)
                r = import_account_begin(key, ca_url, &a, ret_problem);
        if (r == 0)
                r = read_registration(s, &a, ret_problem);
        if (r == 0)
                r = str_replace(&a.account->agreement, "accepted"); /* without consent there is no account */
        if (r != 0)
                return r;
        *ret = a;
        a = (ImportAccount){ 0 };
        return 0;
}

/* --- How it is renewed --- */

/* "dns-cloudflare", and "certbot-dns-foo:dns-foo" of others. NULL: it is none for DNS. */
static const char *dns_plugin(const char *authenticator) {
        const char *colon = authenticator ? strrchr(authenticator, ':') : NULL;

        authenticator = colon ? colon + 1 : authenticator;
        return authenticator && str_has_prefix(authenticator, "dns-") ? authenticator : NULL;
}

static int propose_dns(const ImportLines *l, const char *plugin, ImportCertificate *c) {
        _auto_free_ char *key = str_printf("%s_credentials", plugin);
        const char *credentials;

        if (!key)
                return -ENOMEM;
        for (char *p = key; *p; p++)
                *p = *p == '-' ? '_' : *p;
        credentials = import_lines_get(l, PARAMETERS, key);
        if (strv_extend(&c->directives, "MDCAChallenges dns-01") < 0)
                return -ENOMEM;
        if (str_equal(plugin, "dns-rfc2136"))
                return import_propose_comment(c, "certbot used %s: MDChallengeDns01 with md-hook-nsupdate, see md-hook-nsupdate(8); what it knows is in %s", plugin,
                                              str_or(credentials, "its command line"));
        return import_propose_comment(c, "certbot used %s (credentials: %s): MDChallengeDns01 needs a command that publishes the records", plugin,
                                      str_or(credentials, "not named"));
}

static int propose_challenge(const ImportLines *l, ImportCertificate *c) {
        const char *authenticator = import_lines_get(l, PARAMETERS, "authenticator"), *plugin = dns_plugin(authenticator);
        const char *hook = import_lines_get(l, PARAMETERS, "manual_auth_hook"), *preferred = import_lines_get(l, PARAMETERS, "pref_challs");

        if (plugin)
                return propose_dns(l, plugin, c);
        if (!str_equal(authenticator, "manual"))
                return 0; /* http-01, whoever served it: the module does */
        if (preferred && strstr(preferred, "dns-01") && strv_extend(&c->directives, "MDCAChallenges dns-01") < 0)
                return -ENOMEM;
        return import_propose_comment(c, "certbot was told by hand (manual_auth_hook: %s); for dns-01 MDChallengeDns01 names a command", str_or(hook, "none"));
}

static int propose_hooks(const ImportLines *l, ImportCertificate *c) {
        static const char *const hooks[] = { "pre_hook", "post_hook", "renew_hook" };

        for (size_t i = 0; i < ELEMENTSOF(hooks); i++) {
                const char *hook = import_lines_get(l, PARAMETERS, hooks[i]);

                if (hook && import_propose_comment(c, "certbot ran as %s: %s; see MDMessageCmd, event 'installed'", hooks[i], hook) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int propose_rest(const ImportLines *l, ImportCertificate *c) {
        const char *chain = import_lines_get(l, PARAMETERS, "preferred_chain"), *autorenew = import_lines_get(l, PARAMETERS, "autorenew");

        if (str_equal_nocase(import_lines_get(l, PARAMETERS, "reuse_key"), "true") && strv_extend(&c->directives, "MDKeyReuse on") < 0)
                return -ENOMEM;
        if (chain && import_propose(c, "MDPreferredChain", chain) < 0)
                return -ENOMEM;
        return str_equal_nocase(autorenew, "false") ? strv_extend(&c->directives, "MDRenewMode manual") : 0;
}

static int propose(const ImportSource *s, ImportCertificate *c) {
        const BundleFile *f = bundle_find(s->files, "renewal.conf");
        _auto_import_lines_ ImportLines l = { 0 };
        int r;

        r = import_lines_parse(f ? f->data : "", f ? f->size : 0, &l);
        if (r == 0 && !import_lines_get(&l, PARAMETERS, "server"))
                r = import_note(&c->remarks, "How certbot renews it is not known");
        if (r == 0)
                r = propose_challenge(&l, c);
        if (r == 0)
                r = propose_rest(&l, c);
        if (r == 0)
                r = propose_hooks(&l, c);
        if (r == 0)
                r = import_certificate_finish(c, import_lines_get(&l, PARAMETERS, "server"));
        return r;
}

/* --- Certificates --- */

int import_certbot_certificate(const ImportSource *s, ImportCertificate *ret, Problem **ret_problem) {
        _auto_import_certificate_ ImportCertificate c = { 0 };
        ImportPairFiles files = { .what = s->name, .key = bundle_find(s->files, "privkey.pem"), .chain = bundle_find(s->files, "fullchain.pem") };
        int r;

        if (!files.chain) {
                files.chain = bundle_find(s->files, "cert.pem");
                files.more = bundle_find(s->files, "chain.pem");
        }
        if (!files.key && !files.chain)
                return import_nothing(ret_problem, "there is no certificate");
        if (!files.key || !files.chain)
                return import_refuse(ret_problem, "live/%s/%s is missing", s->name, files.key ? "fullchain.pem" : "privkey.pem");
        r = import_pair_add(s, &files, &c, ret_problem);
        if (r == 0)
                r = import_certificate_settle(&c, s->name);
        if (r == 0)
                r = propose(s, &c);
        if (r != 0)
                return r;
        *ret = c;
        c = (ImportCertificate){ 0 };
        return 0;
}
