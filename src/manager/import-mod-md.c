/* SPDX-License-Identifier: Apache-2.0 */

/* A store of mod_md, in any of its three versions. Keys of accounts and of what is staged are protected by the key in md_store.json. Version 1 has
 * pkey.pem instead of privkey.pem, and may have cert.pem and chain.pem instead of pubcert.pem. */

#include "manager/import.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "crypto/key.h"

#define STORE_FILE "md_store.json"

enum {
        STORE_VERSION = 3,
        PASSPHRASE_SIZE = 48,
};

/* --- md_store.json --- */

static double read_version(JsonObject *o) {
        JsonObject *store = json_get_object(o, "store"), *version;

        if (!store || !json_object_object_get_ex(store, "version", &version))
                return 1;
        if (!json_object_is_type(version, json_type_double) && !json_object_is_type(version, json_type_int))
                return -1;
        return json_object_get_double(version);
}

static int read_passphrase(JsonObject *o, Secret **ret, Problem **ret_problem) {
        const char *text = json_get_string(o, "key");
        void *data;
        size_t n;
        int r;

        if (!text)
                return import_refuse(ret_problem, STORE_FILE " has no member \"key\"");
        r = base64url_decode(text, strlen(text), &data, &n);
        if (r == -EBADMSG)
                return import_refuse(ret_problem, "member \"key\" of " STORE_FILE " is not base64url");
        if (r < 0)
                return r;
        *ret = n == PASSPHRASE_SIZE ? secret_new(data, n) : NULL;
        secret_wipe(data, n);
        free(data);
        if (n != PASSPHRASE_SIZE)
                return import_refuse(ret_problem, "the key in " STORE_FILE " has %zu bytes, not %d", n, PASSPHRASE_SIZE);
        return *ret ? 0 : -ENOMEM;
}

static int read_store(const ImportSource *s, Secret **ret_passphrase, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;
        double version;
        int r;

        r = import_read_json(s, STORE_FILE, &o, ret_problem);
        if (r == IMPORT_E_NOTHING)
                return import_refuse(ret_problem, "the store has no " STORE_FILE ": it is none of mod_md");
        if (r != 0)
                return r;
        version = read_version(o);
        if (!(version >= 1 && version <= STORE_VERSION))
                return import_refuse(ret_problem, STORE_FILE ": the store has version %g; versions 1 to %d are known", version, STORE_VERSION);
        return read_passphrase(o, ret_passphrase, ret_problem);
}

/* --- Accounts --- */

static int read_contacts(JsonObject *o, ImportAccount *a) {
        JsonObject *registration = json_get_object(o, "registration");
        _auto_strv_ char **contacts = NULL;
        int r;

        r = json_get_strv(!json_has(o, "contact") && registration ? registration : o, "contact", 100, &contacts);
        if (r == -EBADMSG)
                return import_note(&a->remarks, "Its contacts cannot be read, and are left out");
        STRV_FOREACH(contact, contacts)
                if (r == 0)
                        r = import_account_add_contact(a, *contact);
        return r;
}

static int read_binding(JsonObject *o, ImportAccount *a) {
        JsonObject *eab = json_get_object(o, "eab");
        const char *kid = json_get_string(eab, "kid"), *hmac = json_get_string(eab, "hmac");

        if (!kid || !hmac)
                return 0;
        return str_replace(&a->account->eab_kid, kid) < 0 ? -ENOMEM : str_replace(&a->account->eab_hmac, hmac);
}

static bool account_is_over(JsonObject *o) {
        const char *status = json_get_string(o, "status");

        return json_get_bool(o, "disabled", false) || str_equal(status, "deactivated") || str_equal(status, "revoked");
}

static int take_account(JsonObject *o, EVP_PKEY *key, ImportAccount *a, Problem **ret_problem) {
        const char *agreement = json_get_string(o, "agreement");
        int r;

        r = import_account_begin(key, str_or(json_get_string(o, "ca-url"), ""), a, ret_problem);
        if (r == 0)
                r = import_account_set_url(a, json_get_string(o, "url"));
        if (r == 0)
                r = read_contacts(o, a);
        if (r == 0)
                r = read_binding(o, a);
        if (r == 0)
                r = str_replace(&a->account->agreement, agreement ? agreement : json_get_string(o, "terms-of-service"));
        return r;
}

int import_mod_md_account(const ImportSource *s, ImportAccount *ret, Problem **ret_problem) {
        _auto_import_account_ ImportAccount a = { 0 };
        _auto_secret_ Secret *passphrase = NULL;
        _auto_json_ JsonObject *o = NULL;
        _auto_problem_ Problem *why = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        const BundleFile *pem = bundle_find(s->files, "account.pem");
        int r;

        r = read_store(s, &passphrase, ret_problem);
        if (r == 0)
                r = import_read_json(s, "account.json", &o, ret_problem);
        if (r == IMPORT_E_NOTHING || (r == 0 && !pem))
                return import_refuse(ret_problem, "%s is missing", r == 0 ? "account.pem" : "account.json");
        if (r != 0)
                return r;
        if (account_is_over(o))
                return import_nothing(ret_problem, "the account is not valid any more");
        r = key_from_protected_pem(pem->data, pem->size, passphrase, &key, &why);
        if (r == -EBADMSG)
                return import_refuse(ret_problem, "account.pem: %s", why ? why->detail : "it holds no private key");
        if (r == 0)
                r = take_account(o, key, &a, ret_problem);
        if (r != 0)
                return r;
        *ret = a;
        a = (ImportAccount){ 0 };
        return 0;
}

/* --- Certificates --- */

static int read_settings(const ImportSource *s, ImportCertificate *c, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;
        _auto_problem_ Problem *why = NULL;
        ManagedDomain *d = NULL;
        int r;

        r = import_read_json(s, "md.json", &o, &why);
        if (r == 0)
                r = managed_domain_from_json(o, &d, &why);
        if (r == -ENOMEM)
                return r;
        if (r != 0)
                return import_note(&c->remarks, "md.json is %s: what it says is made up from the certificate", why ? why->detail : "missing");
        if (!str_equal(d->name, s->name)) {
                managed_domain_free(d);
                return import_refuse(ret_problem, "md.json is that of another domain");
        }
        c->settings = d;
        c->settings_known = true;
        return 0;
}

/* "privkey.pem" and "privkey.secp384r1.pem", and pkey.pem of version 1: what stands between, or NULL. */
static const char *curve_of(const char *file, char curve[static BUNDLE_NAME_MAX + 1]) {
        const char *rest = str_after_prefix(file, "privkey.");
        size_t n;

        curve[0] = '\0';
        if (str_equal(file, "privkey.pem") || str_equal(file, "pkey.pem"))
                return curve;
        n = rest ? strlen(rest) : 0;
        if (!rest || n <= strlen(".pem") || !str_has_suffix(rest, ".pem"))
                return NULL;
        memcpy(curve, rest, n - strlen(".pem"));
        curve[n - strlen(".pem")] = '\0';
        return curve;
}

/* As it is configured, when a key of this file is; else as the file has it. */
static bool find_spec(const ImportCertificate *c, const char *curve, KeySpec *ret) {
        const KeySpecs *keys = c->settings ? &c->settings->keys : NULL;
        char name[KEY_SPEC_NAME_MAX];

        for (size_t i = 0; keys && i < key_specs_count(keys); i++) {
                *ret = key_specs_get(keys, i);
                if (*curve ? ret->type == KEY_TYPE_EC && str_equal(key_spec_name(ret, name), curve) : ret->type != KEY_TYPE_EC)
                        return true;
        }
        *ret = (KeySpec){ .type = *curve ? KEY_TYPE_EC : KEY_TYPE_DEFAULT };
        if (strlen(curve) >= sizeof(ret->curve))
                return false;
        memcpy(ret->curve, curve, strlen(curve));
        return true;
}

static int add_pair(const ImportSource *s, const BundleFile *key, const char *curve, const Secret *passphrase, ImportCertificate *c, Problem **ret_problem) {
        _auto_free_ char *file = str_printf("pubcert%s%s.pem", *curve ? "." : "", curve);
        ImportPairFiles files = { .what = key->name, .key = key, .passphrase = passphrase };
        KeySpec spec;

        if (!file)
                return -ENOMEM;
        if (!find_spec(c, curve, &spec))
                return import_refuse(ret_problem, "%s: there is no such curve", key->name);
        files.spec = &spec;
        files.chain = bundle_find(s->files, file);
        if (!files.chain && !*curve) {
                files.chain = bundle_find(s->files, "cert.pem");
                files.more = bundle_find(s->files, "chain.pem");
        }
        if (!files.chain)
                return import_note(&c->remarks, "%s is without certificate, and left out", key->name);
        return import_pair_add(s, &files, c, ret_problem);
}

static int read_pairs(const ImportSource *s, const Secret *passphrase, ImportCertificate *c, Problem **ret_problem) {
        for (size_t i = 0; i < s->files->n; i++) {
                char curve[BUNDLE_NAME_MAX + 1];
                int r;

                if (!curve_of(s->files->files[i].name, curve) || (str_equal(s->files->files[i].name, "pkey.pem") && bundle_find(s->files, "privkey.pem")))
                        continue;
                r = add_pair(s, &s->files->files[i], curve, passphrase, c, ret_problem);
                if (r != 0)
                        return r;
        }
        return c->n > 0 ? 0 : import_nothing(ret_problem, "there is no certificate");
}

/* What it knows of the past. Failures over there say nothing about us. */
static int read_job(const ImportSource *s, ImportCertificate *c) {
        _auto_json_ JsonObject *o = NULL;
        _auto_problem_ Problem *why = NULL;
        _cleanup_(job_freep) Job *job = NULL;
        int r;

        r = import_read_json(s, "job.json", &o, &why);
        if (r == 0)
                r = job_from_json(c->settings->name, o, &job);
        if (r == -ENOMEM)
                return r;
        if (r == IMPORT_E_NOTHING)
                return 0;
        if (r != 0)
                return import_note(&c->remarks, "job.json cannot be read: what was done before is not known");
        c->job = job_new(c->settings->name);
        if (!c->job)
                return -ENOMEM;
        c->job->last_run_usec = MIN_OF(job->last_run_usec, s->now_usec);
        c->job->finished = true;
        c->job->log = take_ptr(job->log);
        c->job->n_log = job->n_log;
        job->n_log = 0;
        return 0;
}

static int settle(const ImportSource *s, ImportCertificate *c) {
        _auto_free_ char *ca_url = NULL;
        int r = 0;

        if (!c->settings)
                r = import_certificate_settle(c, s->name);
        if (r == 0 && c->settings->ca_urls && c->settings_known)
                r = str_replace(&ca_url, c->settings->ca_urls[0]);
        if (r == 0)
                r = read_job(s, c);
        if (r == 0)
                r = str_replace(&c->ca_url, ca_url);
        return r;
}

int import_mod_md_certificate(const ImportSource *s, ImportCertificate *ret, Problem **ret_problem) {
        _auto_import_certificate_ ImportCertificate c = { 0 };
        _auto_secret_ Secret *passphrase = NULL;
        int r;

        r = read_store(s, &passphrase, ret_problem);
        if (r == 0)
                r = read_settings(s, &c, ret_problem);
        if (r == 0)
                r = read_pairs(s, passphrase, &c, ret_problem);
        if (r == 0)
                r = settle(s, &c);
        if (r != 0)
                return r;
        *ret = c;
        c = (ImportCertificate){ 0 };
        return 0;
}
