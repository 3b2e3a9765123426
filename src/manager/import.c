/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/jws.h"
#include "crypto/key.h"
#include "manager/sign-url.h"

enum {
        NOTE_MAX = 2000,
        CONTACTS_MAX = 16,
        CONTACT_MAX = 300,
};

void import_account_done(ImportAccount *a) {
        account_free(a->account);
        secret_free(a->key);
        free(a->key_sha256);
        (void) strv_free(a->remarks);
}

void import_certificate_done(ImportCertificate *c) {
        managed_domain_free(c->settings);
        job_free(c->job);
        free(c->ca_url);
        for (size_t i = 0; i < c->n; i++) {
                secret_free(c->pairs[i].key);
                free(c->pairs[i].chain);
                cert_info_done(&c->pairs[i].info);
        }
        (void) strv_free(c->remarks);
        (void) strv_free(c->directives);
}

/* --- Telling --- */

static _printf_(1, 0) char *format_note(const char *format, va_list ap) {
        _auto_free_ char *text = str_vprintf(format, ap);

        return text ? str_printable(text, strlen(text), NOTE_MAX) : NULL;
}

static _printf_(2, 0) int tell(Problem **ret_problem, const char *format, va_list ap, int outcome) {
        _auto_free_ char *text = format_note(format, ap);

        if (!text)
                return -ENOMEM;
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "%s", text);
        return outcome;
}

int import_refuse(Problem **ret_problem, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = tell(ret_problem, format, ap, IMPORT_E_REFUSED);
        va_end(ap);
        return r;
}

int import_nothing(Problem **ret_problem, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = tell(ret_problem, format, ap, IMPORT_E_NOTHING);
        va_end(ap);
        return r;
}

int import_note(char ***list, const char *format, ...) {
        va_list ap;
        char *text;

        va_start(ap, format);
        text = format_note(format, ap);
        va_end(ap);
        return text ? strv_consume(list, text) : -ENOMEM;
}

int import_read_json(const ImportSource *s, const char *file, JsonObject **ret, Problem **ret_problem) {
        const BundleFile *f = bundle_find(s->files, file);
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *where = NULL;
        int r;

        if (!f)
                return IMPORT_E_NOTHING;
        r = json_parse(f->data, f->size, &o, &where);
        if (r < 0)
                return r;
        if (r > 0)
                return import_refuse(ret_problem, "%s is not JSON: %s", file, str_or(where, "no reason is known"));
        if (!json_object_is_type(o, json_type_object))
                return import_refuse(ret_problem, "%s is no JSON object", file);
        *ret = take_ptr(o);
        return 0;
}

/* --- Accounts --- */

int import_account_begin(EVP_PKEY *key, const char *ca_url, ImportAccount *a, Problem **ret_problem) {
        int r;

        if (!sign_url_is_valid(ca_url))
                return import_refuse(ret_problem, "the CA's directory would be '%.300s', which is no URL with https", ca_url);
        if (!jws_algorithm(key))
                return import_refuse(ret_problem, "its key is neither RSA nor EC on P-256 or P-384: nothing can be signed with it here");
        if (!key_works(key))
                return import_refuse(ret_problem, "the private half of its key does not belong to the public one");
        a->account = calloc(1, sizeof(*a->account));
        if (!a->account || str_replace(&a->account->ca_url, ca_url) < 0 || str_replace(&a->account->status, "valid") < 0)
                return -ENOMEM;
        r = key_to_pem(key, &a->key);
        return r < 0 ? r : key_public_sha256(key, &a->key_sha256);
}

int import_account_set_url(ImportAccount *a, const char *url) {
        if (url && sign_url_is_valid(url) && sign_same_origin(url, a->account->ca_url))
                return str_replace(&a->account->url, url);
        if (url)
                return import_note(&a->remarks, "Its URL '%.300s' is none of this CA: the CA will be asked for it by its key", url);
        return import_note(&a->remarks, "Its URL is not known: the CA will be asked for it by its key");
}

static bool contact_is_plain(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n > CONTACT_MAX)
                return false;
        for (; *s; s++)
                if (*s <= ' ' || *s > '~' || *s == '"' || *s == '\\')
                        return false;
        return true;
}

int import_account_add_contact(ImportAccount *a, const char *contact) {
        _auto_free_ char *uri = NULL;

        if (str_is_empty(contact))
                return 0;
        if (!contact_is_plain(contact) || strv_length(a->account->contacts) >= CONTACTS_MAX)
                return import_note(&a->remarks, "Contact '%.300s' is left out", contact);
        uri = strchr(contact, ':') ? strdup(contact) : str_printf("mailto:%s", contact);
        if (!uri)
                return -ENOMEM;
        return strv_contains(a->account->contacts, uri) ? 0 : strv_extend(&a->account->contacts, uri);
}
