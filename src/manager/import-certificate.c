/* SPDX-License-Identifier: Apache-2.0 */

/* Pairs of key and certificate that others made, and what the domain is that they are for. */

#include "manager/import.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "domain/name.h"
#include "manager/sign-url.h"

enum {
        GROUP_MAX = 80,
        LINEAGE_DIGITS = 4, /* "example.org-0001" */
};

/* --- One pair --- */

static int read_chain(const ImportPairFiles *files, CertChain *ret, Problem **ret_problem) {
        _auto_buffer_ Buffer pem = BUFFER_INIT(CERT_PEM_MAX);
        _auto_problem_ Problem *why = NULL;
        int r;

        r = buffer_append(&pem, files->chain->data, files->chain->size);
        if (r == 0 && files->more)
                r = buffer_append_string(&pem, "\n");
        if (r == 0 && files->more)
                r = buffer_append(&pem, files->more->data, files->more->size);
        if (r != 0)
                return r < 0 ? r : import_refuse(ret_problem, "%s: its certificates are larger than 1 MiB", files->what);
        r = cert_chain_from_pem(pem.data ? pem.data : "", pem.size, ret, &why);
        if (r == -EBADMSG)
                return import_refuse(ret_problem, "%s: %s", files->chain->name, why ? why->detail : "it holds no certificate");
        return r;
}

static int read_key(const ImportPairFiles *files, EVP_PKEY **ret, Problem **ret_problem) {
        _auto_problem_ Problem *why = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        int r;

        r = files->passphrase ? key_from_protected_pem(files->key->data, files->key->size, files->passphrase, &key, &why)
                              : key_from_pem(files->key->data, files->key->size, &key, &why);
        if (r == -EBADMSG)
                return import_refuse(ret_problem, "%s: %s", files->key->name, why ? why->detail : "it holds no private key");
        if (r < 0)
                return r;
        if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) < KEY_SPEC_RSA_BITS_MIN)
                return import_refuse(ret_problem, "%s: an RSA key of %d bits is too short", files->key->name, EVP_PKEY_get_bits(key));
        if (!key_works(key))
                return import_refuse(ret_problem, "%s: its private half does not belong to the public one", files->key->name);
        *ret = take_ptr(key);
        return 0;
}

/* The same that is asked of what a CA delivers. One that has expired is looked at as if it had not: the caller tells. */
static int verify(const ImportSource *s, const ImportPairFiles *files, const CertChain *chain, const CertInfo *info, EVP_PKEY *key, Problem **ret_problem) {
        const CertExpectation expected = { .key = key, .names = info->names, .now_usec = MIN_OF(s->now_usec, usec_sub(info->not_after_usec, USEC_PER_SEC)) };
        _auto_problem_ Problem *why = NULL;
        int r;

        if (!info->names)
                return import_refuse(ret_problem, "%s: the certificate has no DNS name and no address", files->chain->name);
        STRV_FOREACH(name, info->names)
                if (!domain_identifier_is_valid(*name))
                        return import_refuse(ret_problem, "%s: the certificate is for '%.300s', which is neither a DNS name nor an address", files->chain->name, *name);
        if (info->not_before_usec > usec_add(s->now_usec, USEC_PER_DAY))
                return import_refuse(ret_problem, "%s: the certificate is not valid yet", files->chain->name);
        if (!cert_matches_key(chain->certs[0], key))
                return import_refuse(ret_problem, "%s and %s do not belong together", files->chain->name, files->key->name);
        r = cert_chain_verify(chain, &expected, &why);
        if (r == -EBADMSG)
                return import_refuse(ret_problem, "%s: %s", files->chain->name, why ? why->detail : "the certificate does not fit");
        return r;
}

static const struct {
        const char *group, *word;
} curves[] = {
        { "prime256v1", "secp256r1" },
        { "secp384r1", "secp384r1" },
        { "secp521r1", "secp521r1" },
};

static int spec_of_key(EVP_PKEY *key, KeySpec *ret) {
        char group[GROUP_MAX] = "";
        size_t n;

        *ret = (KeySpec){ 0 };
        if (EVP_PKEY_is_a(key, "RSA")) {
                if (EVP_PKEY_get_bits(key) != KEY_SPEC_RSA_BITS_DEFAULT)
                        *ret = (KeySpec){ .type = KEY_TYPE_RSA, .bits = (unsigned) EVP_PKEY_get_bits(key) };
                return 0;
        }
        if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &n) != 1)
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(curves); i++)
                if (str_equal(group, curves[i].group))
                        (void) snprintf(ret->curve, sizeof(ret->curve), "%s", curves[i].word);
        if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
                (void) snprintf(ret->curve, sizeof(ret->curve), "%s", EVP_PKEY_is_a(key, "ED448") ? "Ed448" : "Ed25519");
        ret->type = KEY_TYPE_EC;
        return ret->curve[0] ? 0 : -EINVAL;
}

static bool has_file_of(const ImportCertificate *c, const KeySpec *spec) {
        char a[KEY_SPEC_NAME_MAX], b[KEY_SPEC_NAME_MAX];

        for (size_t i = 0; i < c->n; i++)
                if (str_equal(key_spec_name(&c->pairs[i].spec, a), key_spec_name(spec, b)))
                        return true;
        return false;
}

static int note_expired(const ImportSource *s, const ImportPair *pair, ImportCertificate *c) {
        char when[CLOCK_HUMAN_MAX];

        if (pair->info.not_after_usec > s->now_usec)
                return 0;
        return import_note(&c->remarks, "The certificate expired at %s: it will be renewed at once when the domain is configured",
                           clock_format_utc(when, pair->info.not_after_usec));
}

int import_pair_add(const ImportSource *s, const ImportPairFiles *files, ImportCertificate *c, Problem **ret_problem) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_pkey_ EVP_PKEY *key = NULL;
        ImportPair pair = { 0 };
        int r;

        r = read_key(files, &key, ret_problem);
        if (r == 0)
                r = read_chain(files, &chain, ret_problem);
        if (r != 0)
                return r;
        if (files->spec)
                pair.spec = *files->spec;
        else if (spec_of_key(key, &pair.spec) < 0)
                return import_refuse(ret_problem, "%s: keys on this curve are of no use here", files->key->name);
        if (c->n == ELEMENTSOF(c->pairs) || has_file_of(c, &pair.spec))
                return import_refuse(ret_problem, "%s: there is another key of this kind", files->key->name);
        r = cert_info_read(chain.certs[0], &pair.info);
        if (r == -EBADMSG)
                return import_refuse(ret_problem, "%s: something in the certificate cannot be read", files->chain->name);
        if (r == 0)
                r = verify(s, files, &chain, &pair.info, key, ret_problem);
        if (r == 0)
                r = cert_chain_to_pem(&chain, &pair.chain);
        if (r == 0)
                r = key_to_pem(key, &pair.key);
        if (r == 0)
                r = note_expired(s, &pair, c);
        if (r != 0) {
                secret_free(pair.key);
                free(pair.chain);
                cert_info_done(&pair.info);
                return r;
        }
        c->pairs[c->n++] = pair;
        return 0;
}

/* --- The domain --- */

/* Certbot numbers what has the same first name. */
static char *without_number(const char *hint) {
        size_t n = strlen(hint);

        if (n <= LINEAGE_DIGITS + 1 || hint[n - LINEAGE_DIGITS - 1] != '-')
                return strdup(hint);
        for (size_t i = n - LINEAGE_DIGITS; i < n; i++)
                if (!isdigit((unsigned char) hint[i]))
                        return strdup(hint);
        return strndup(hint, n - LINEAGE_DIGITS - 1);
}

/* A wildcard is the last that somebody would call a site by. */
static const char *choose_name(char *const *names, const char *hint, const char *short_hint) {
        if (strv_contains(names, hint))
                return hint;
        if (strv_contains(names, short_hint))
                return short_hint;
        STRV_FOREACH(name, names)
                if (!domain_name_is_wildcard(*name))
                        return *name;
        return names[0];
}

int import_certificate_settle(ImportCertificate *c, const char *hint) {
        _auto_free_ char *short_hint = without_number(hint);
        char *const *names = c->pairs[0].info.names;

        if (!short_hint)
                return -ENOMEM;
        c->settings = managed_domain_new(choose_name(names, hint, short_hint));
        if (!c->settings)
                return -ENOMEM;
        STRV_FOREACH(name, names)
                if (managed_domain_add_name(c->settings, *name) < 0)
                        return -ENOMEM;
        for (size_t i = 0; i < c->n; i++)
                c->settings->keys.items[i] = c->pairs[i].spec;
        c->settings->keys.n = c->n;
        c->settings->must_staple = c->pairs[0].info.must_staple;
        return 0;
}

/* --- A proposal --- */

static char *key_words(const KeySpecs *keys) {
        _auto_strv_ char **words = NULL;

        for (size_t i = 0; i < keys->n; i++) {
                const KeySpec *spec = &keys->items[i];
                char *word = spec->type == KEY_TYPE_EC ? strdup(spec->curve)
                        : spec->type == KEY_TYPE_RSA   ? str_printf("RSA %u", spec->bits)
                                                       : strdup(keys->n > 1 ? "RSA" : "Default");

                if (!word || strv_consume(&words, word) < 0)
                        return NULL;
        }
        return strv_join(words, " ");
}

static bool keys_are_default(const KeySpecs *keys) {
        return keys->n == 0 || (keys->n == 1 && keys->items[0].type == KEY_TYPE_DEFAULT);
}

static int propose_settings(ImportCertificate *c, const char *ca_url) {
        int r = 0;

        if (ca_url && !str_equal(ca_url, MANAGED_DOMAIN_CA_URL_DEFAULT))
                r = import_propose(c, "MDCertificateAuthority", ca_url);
        if (r == 0 && !keys_are_default(&c->settings->keys)) {
                _auto_free_ char *words = key_words(&c->settings->keys);

                r = words ? strv_consume(&c->directives, str_printf("MDPrivateKeys %s", words)) : -ENOMEM;
        }
        return r == 0 && c->settings->must_staple ? strv_extend(&c->directives, "MDMustStaple on") : r;
}

int import_certificate_finish(ImportCertificate *c, const char *ca_url) {
        _auto_strv_ char **others = take_ptr(c->directives);
        int r = 0;

        if (ca_url && !sign_url_is_valid(ca_url)) {
                r = import_note(&c->remarks, "The CA's directory '%.300s' is no URL with https, and left out", ca_url);
                ca_url = NULL;
        }
        if (ca_url && (str_replace(&c->ca_url, ca_url) < 0 || strv_extend(&c->settings->ca_urls, ca_url) < 0))
                return -ENOMEM;
        if (r == 0)
                r = propose_settings(c, ca_url);
        STRV_FOREACH(line, others)
                if (r == 0)
                        r = strv_extend(&c->directives, *line);
        return r;
}

int import_certificate_propose(const ImportCertificate *c, char ***ret_lines) {
        _auto_free_ char *names = strv_join(c->settings->names, " ");
        _auto_strv_ char **lines = NULL;

        if (!names)
                return -ENOMEM;
        if (!c->directives) {
                if (strv_consume(&lines, str_printf("MDomain %s", names)) < 0)
                        return -ENOMEM;
                *ret_lines = take_ptr(lines);
                return 0;
        }
        if (strv_consume(&lines, str_printf("<MDomain %s>", names)) < 0)
                return -ENOMEM;
        STRV_FOREACH(line, c->directives)
                if (strv_consume(&lines, str_printf("    %s", *line)) < 0)
                        return -ENOMEM;
        if (strv_extend(&lines, "</MDomain>") < 0)
                return -ENOMEM;
        *ret_lines = take_ptr(lines);
        return 0;
}
