/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/domain.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/string-util.h"
#include "domain/domain-internal.h"
#include "domain/name.h"

#define TEXT(in, key, field, flags) { in, key, DOMAIN_MEMBER_TEXT, offsetof(ManagedDomain, field), flags, 0, NULL }
#define SWITCH(in, key, field, standard, flags) { in, key, DOMAIN_MEMBER_SWITCH, offsetof(ManagedDomain, field), flags, standard, NULL }
#define LIST(in, key, field, flags, max, is_valid) { in, key, DOMAIN_MEMBER_LIST, offsetof(ManagedDomain, field), flags, max, is_valid }

/* In the order of mod_md's md.json; what needs a closer look than a row can say stands in domain-json.c. */
const DomainMember domain_members[] = {
        LIST(NULL, "contacts", contacts, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_SHOWN, MANAGED_DOMAIN_CONTACTS_MAX, domain_text_is_clean),
        TEXT("ca", "proto", protocol, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_BY_HAND),
        LIST("ca", "urls", ca_urls, DOMAIN_MEMBER_SETTING, MANAGED_DOMAIN_CA_URLS_MAX, domain_url_is_plausible),
        TEXT("ca", "agreement", agreement, DOMAIN_MEMBER_SETTING),
        LIST("ca", "challenges", challenges, DOMAIN_MEMBER_SETTING, MANAGED_DOMAIN_CHALLENGES_MAX, domain_challenge_is_plausible),
        SWITCH(NULL, "must-staple", must_staple, false, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_SHOWN),
        LIST("proto", "acme-tls/1", acme_tls_names, DOMAIN_MEMBER_SHOWN, MANAGED_DOMAIN_NAMES_MAX, domain_text_is_clean),
        LIST(NULL, "cert-files", cert_files, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_PRIVATE, MANAGED_DOMAIN_FILES_MAX, domain_text_is_clean),
        LIST(NULL, "pkey-files", key_files, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_PRIVATE, MANAGED_DOMAIN_FILES_MAX, domain_text_is_clean),
        SWITCH(NULL, "stapling", stapling, false, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_SHOWN),
        LIST(NULL, "cmd-dns-01", dns01_cmd, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_PRIVATE, MANAGED_DOMAIN_COMMAND_MAX, domain_text_is_clean),
        TEXT(NULL, "proxy-url", proxy_url, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_PRIVATE),
        TEXT(NULL, "ca-certs", ca_file, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_PRIVATE),
        TEXT(NULL, "proxy-ca-certs", proxy_ca_file, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_PRIVATE),
        TEXT("eab", "kid", eab_kid, DOMAIN_MEMBER_SETTING),
        TEXT("eab", "hmac", eab_hmac, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_SECRET),
        TEXT("eab", "credential", eab_credential, DOMAIN_MEMBER_SETTING),
        TEXT(NULL, "profile", profile, DOMAIN_MEMBER_SETTING),
        SWITCH(NULL, "profile-mandatory", profile_mandatory, false, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_SHOWN),
        SWITCH(NULL, "ari-renewals", ari, true, DOMAIN_MEMBER_SETTING | DOMAIN_MEMBER_SHOWN),
        /* Ours. */
        TEXT(NULL, "preferred-chain", preferred_chain, DOMAIN_MEMBER_SETTING),
        SWITCH(NULL, "challenge-check", challenge_check, true, DOMAIN_MEMBER_SETTING),
        SWITCH(NULL, "key-reuse", key_reuse, false, DOMAIN_MEMBER_SETTING),
        SWITCH(NULL, "next-key", next_key, false, DOMAIN_MEMBER_SETTING),
        SWITCH(NULL, "renew-on-ca-change", renew_on_ca_change, true, DOMAIN_MEMBER_SETTING),
        SWITCH(NULL, "used", used, false, DOMAIN_MEMBER_ALWAYS),
        SWITCH(NULL, "used-tls", used_tls, false, DOMAIN_MEMBER_ALWAYS),
        LIST(NULL, "hosts", hosts, 0, MANAGED_DOMAIN_TOLD_MAX, domain_text_is_clean),
        LIST(NULL, "origins", origins, 0, MANAGED_DOMAIN_TOLD_MAX, domain_text_is_clean),
        LIST(NULL, "endpoints", endpoints, 0, MANAGED_DOMAIN_TOLD_MAX, domain_endpoint_is_valid),
        LIST(NULL, "file-certs", file_certs, 0, MANAGED_DOMAIN_FILES_MAX, domain_certificate_is_plausible),
        LIST(NULL, "served", served, 0, MANAGED_DOMAIN_SERVED_MAX, domain_fingerprint_is_valid),
};

const size_t domain_n_members = ELEMENTSOF(domain_members);

static const char *const require_https_table[_REQUIRE_HTTPS_MAX] = {
        [REQUIRE_HTTPS_OFF] = "off",
        [REQUIRE_HTTPS_TEMPORARY] = "temporary",
        [REQUIRE_HTTPS_PERMANENT] = "permanent",
};

const char *require_https_to_string(RequireHttps r) {
        return (size_t) r < ELEMENTSOF(require_https_table) ? require_https_table[r] : NULL;
}

int require_https_from_string(const char *s, RequireHttps *ret) {
        assert(ret);

        for (size_t i = 0; s && i < ELEMENTSOF(require_https_table); i++)
                if (str_equal_nocase(require_https_table[i], s)) {
                        *ret = (RequireHttps) i;
                        return 0;
                }
        return -EINVAL;
}

static const char *const renew_mode_table[] = {
        [RENEW_MODE_MANUAL] = "manual",
        [RENEW_MODE_AUTO] = "auto",
        [RENEW_MODE_ALWAYS] = "always",
};

const char *renew_mode_to_string(RenewMode mode) {
        return (size_t) mode < ELEMENTSOF(renew_mode_table) ? renew_mode_table[mode] : NULL;
}

int renew_mode_from_string(const char *s, RenewMode *ret) {
        assert(ret);

        if (str_equal_nocase(s, "automatic"))
                s = "auto";
        else if (str_equal_nocase(s, "stick"))
                s = "manual";
        for (size_t i = 0; s && i < ELEMENTSOF(renew_mode_table); i++)
                if (str_equal_nocase(renew_mode_table[i], s)) {
                        *ret = (RenewMode) i;
                        return 0;
                }
        return -EINVAL;
}

ManagedDomain *managed_domain_new(const char *name) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;

        assert(name);

        d = calloc(1, sizeof(*d));
        if (!d)
                return NULL;
        d->name = domain_name_normalize(name);
        if (!d->name || strv_extend(&d->names, d->name) < 0)
                return NULL;
        d->transitive = true;
        d->renew_mode = RENEW_MODE_AUTO;
        d->dns01_wait_usec = MANAGED_DOMAIN_DNS01_WAIT_USEC;
        for (size_t i = 0; i < domain_n_members; i++)
                if (domain_members[i].type == DOMAIN_MEMBER_SWITCH)
                        *domain_member_switch(d, &domain_members[i]) = domain_members[i].number;
        return take_ptr(d);
}

ManagedDomain *managed_domain_free(ManagedDomain *d) {
        if (!d)
                return NULL;

        for (size_t i = 0; i < domain_n_members; i++)
                if (domain_members[i].type == DOMAIN_MEMBER_TEXT)
                        free(*domain_member_text(d, &domain_members[i]));
                else if (domain_members[i].type == DOMAIN_MEMBER_LIST)
                        (void) strv_free(*domain_member_list(d, &domain_members[i]));
        free(d->name);
        (void) strv_free(d->names);
        free(d->defined_file);
        free(d->refused);
        free(d);
        return NULL;
}

static int copy_list(char ***ret, char *const *list) {
        char **copy = NULL;

        if (list) {
                copy = strv_copy(list);
                if (!copy)
                        return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

static int copy_member(ManagedDomain *copy, const ManagedDomain *d, const DomainMember *m) {
        ManagedDomain *from = (ManagedDomain *) d;

        switch (m->type) {

        case DOMAIN_MEMBER_TEXT:
                return str_replace(domain_member_text(copy, m), *domain_member_text(from, m));

        case DOMAIN_MEMBER_LIST:
                return copy_list(domain_member_list(copy, m), *domain_member_list(from, m));

        case DOMAIN_MEMBER_SWITCH:
                *domain_member_switch(copy, m) = *domain_member_switch(from, m);
                return 0;
        }
        return 0;
}

ManagedDomain *managed_domain_copy(const ManagedDomain *d) {
        _cleanup_(managed_domain_freep) ManagedDomain *copy = NULL;

        assert(d);

        copy = calloc(1, sizeof(*copy));
        if (!copy)
                return NULL;
        copy->transitive = d->transitive;
        copy->keys = d->keys;
        copy->renew_mode = d->renew_mode;
        copy->renew_window = d->renew_window;
        copy->warn_window = d->warn_window;
        copy->require_https = d->require_https;
        copy->dns01_wait_usec = d->dns01_wait_usec;
        copy->defined_line = d->defined_line;
        for (size_t i = 0; i < domain_n_members; i++)
                if (copy_member(copy, d, &domain_members[i]) < 0)
                        return NULL;
        if (str_replace(&copy->name, d->name) < 0 || str_replace(&copy->defined_file, d->defined_file) < 0 ||
            str_replace(&copy->refused, d->refused) < 0 || copy_list(&copy->names, d->names) < 0)
                return NULL;
        return take_ptr(copy);
}

bool managed_domain_has_name(const ManagedDomain *d, const char *name) {
        assert(d);
        assert(name);

        return strv_contains(d->names, name);
}

int managed_domain_add_name(ManagedDomain *d, const char *name) {
        _auto_free_ char *normalized = NULL;

        assert(d);
        assert(name);

        normalized = domain_name_normalize(name);
        if (!normalized)
                return -ENOMEM;
        if (managed_domain_has_name(d, normalized))
                return 0;
        return strv_consume(&d->names, take_ptr(normalized));
}

static bool same_keys(const KeySpecs *a, const KeySpecs *b) {
        size_t n = key_specs_count(a);

        if (n != key_specs_count(b))
                return false;
        for (size_t i = 0; i < n; i++) {
                KeySpec x = key_specs_get(a, i), y = key_specs_get(b, i);

                if (!key_spec_equal(&x, &y))
                        return false;
        }
        return true;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* A sorted list of the same strings, borrowed. */
static char **sorted(char *const *list, size_t n) {
        char **copy = calloc(n + 1, sizeof(*copy));

        if (!copy)
                return NULL;
        if (n > 0)
                memcpy(copy, list, n * sizeof(*copy));
        qsort(copy, n, sizeof(*copy), compare_names);
        return copy;
}

static bool same_names(char *const *a, char *const *b) {
        _auto_free_ char **x = NULL, **y = NULL;
        size_t n = strv_length(a);

        if (strv_equal(a, b))
                return true;
        if (n != strv_length(b))
                return false;
        x = sorted(a, n);
        y = sorted(b, n);
        return x && y && strv_equal(x, y); /* without memory: different, which makes nobody believe too much */
}

bool managed_domain_names_equal(const ManagedDomain *a, const ManagedDomain *b) {
        return same_names(a->names, b->names);
}

static bool member_equal(const ManagedDomain *a, const ManagedDomain *b, const DomainMember *m) {
        ManagedDomain *x = (ManagedDomain *) a, *y = (ManagedDomain *) b;

        switch (m->type) {

        case DOMAIN_MEMBER_TEXT:
                return str_equal(*domain_member_text(x, m), *domain_member_text(y, m));

        case DOMAIN_MEMBER_LIST:
                return strv_equal(*domain_member_list(x, m), *domain_member_list(y, m));

        case DOMAIN_MEMBER_SWITCH:
                return *domain_member_switch(x, m) == *domain_member_switch(y, m);
        }
        return false;
}

/* Names also in their order. */
bool managed_domain_equal(const ManagedDomain *a, const ManagedDomain *b) {
        if (!managed_domain_settings_equal(a, b))
                return false;
        for (size_t i = 0; i < domain_n_members; i++)
                if (!(domain_members[i].flags & DOMAIN_MEMBER_SETTING) && !member_equal(a, b, &domain_members[i]))
                        return false;
        return strv_equal(a->names, b->names) && str_equal(a->defined_file, b->defined_file) && a->defined_line == b->defined_line &&
                str_equal(a->refused, b->refused);
}

bool managed_domain_settings_equal(const ManagedDomain *a, const ManagedDomain *b) {
        assert(a);
        assert(b);

        for (size_t i = 0; i < domain_n_members; i++)
                if ((domain_members[i].flags & DOMAIN_MEMBER_SETTING) && !member_equal(a, b, &domain_members[i]))
                        return false;
        return str_equal(a->name, b->name) && a->transitive == b->transitive && a->renew_mode == b->renew_mode &&
                window_equal(&a->renew_window, &b->renew_window) && window_equal(&a->warn_window, &b->warn_window) &&
                a->require_https == b->require_https && a->dns01_wait_usec == b->dns01_wait_usec && same_keys(&a->keys, &b->keys) &&
                same_names(a->names, b->names);
}

const KeySpecs *managed_domain_keys(const ManagedDomain *d) {
        static const KeySpecs standard;

        assert(d);

        return d->protocol ? &standard : &d->keys;
}

void managed_domain_fit_protocol(ManagedDomain *d) {
        assert(d);

        if (!d->protocol)
                return;
        d->keys = *managed_domain_keys(d);
        d->key_reuse = d->next_key = d->must_staple = d->ari = false;
}

bool managed_domain_is_static(const ManagedDomain *d) {
        return d->cert_files;
}

bool managed_domain_has_eab(const ManagedDomain *d) {
        return d->eab_credential || (d->eab_kid && d->eab_hmac);
}
