/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/domain.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "domain/domain-internal.h"
#include "domain/name.h"

#define PROTOCOL_ACME "ACME"

/* To JSON */

/* In a file, one that is not set is not there: that is not the same as its default, which may depend on the certificate. */
static int window_to_json(JsonObject *o, const char *key, const Window *w, unsigned percent, bool is_public) {
        const Window shown = window_is_set(w) || !is_public ? *w : (Window){ .percent = percent };
        char buffer[WINDOW_STRING_MAX];

        return window_is_set(&shown) ? json_add_string(o, key, window_format(&shown, buffer)) : 0;
}

static int windows_to_json(const ManagedDomain *d, bool is_public, JsonObject *o) {
        int r = window_to_json(o, "renew-window", &d->renew_window, MANAGED_DOMAIN_RENEW_PERCENT, is_public);

        return r < 0 ? r : window_to_json(o, "warn-window", &d->warn_window, MANAGED_DOMAIN_WARN_PERCENT, is_public);
}

/* The object that a member stands in, made when it is missing. */
static JsonObject *object_for(JsonObject *o, const char *in) {
        JsonObject *inner;

        if (!in)
                return o;
        inner = json_get_object(o, in);
        if (inner)
                return inner;
        inner = json_object_new_object();
        return inner && json_add_object(o, in, inner) == 0 ? inner : NULL;
}

static bool stands_at_default(ManagedDomain *d, const DomainMember *m) {
        switch (m->type) {

        case DOMAIN_MEMBER_TEXT:
                return !*domain_member_text(d, m);

        case DOMAIN_MEMBER_LIST:
                return strv_length(*domain_member_list(d, m)) == 0;

        case DOMAIN_MEMBER_SWITCH:
                return *domain_member_switch(d, m) == (m->number != 0) && !(m->flags & DOMAIN_MEMBER_ALWAYS);
        }
        return true;
}

/* json_add_strv() leaves an empty list out. */
static int list_to_json(JsonObject *o, const char *key, char *const *list) {
        JsonObject *empty;

        if (strv_length(list) > 0)
                return json_add_strv(o, key, list);
        empty = json_object_new_array();
        return empty ? json_add_object(o, key, empty) : -ENOMEM;
}

static bool is_written(ManagedDomain *d, const DomainMember *m, bool is_public) {
        if ((m->flags & DOMAIN_MEMBER_BY_HAND) || (is_public && (m->flags & DOMAIN_MEMBER_PRIVATE)))
                return false;
        return !stands_at_default(d, m) || (is_public && (m->flags & DOMAIN_MEMBER_SHOWN));
}

static int member_to_json(ManagedDomain *d, const DomainMember *m, bool is_public, JsonObject *o) {
        if (!is_written(d, m, is_public))
                return 0;
        o = object_for(o, m->in);
        if (!o)
                return -ENOMEM;
        switch (m->type) {

        case DOMAIN_MEMBER_TEXT:
                return json_add_string(o, m->key, is_public && (m->flags & DOMAIN_MEMBER_SECRET) ? "***" : *domain_member_text(d, m));

        case DOMAIN_MEMBER_LIST:
                return list_to_json(o, m->key, *domain_member_list(d, m));

        case DOMAIN_MEMBER_SWITCH:
                return json_add_bool(o, m->key, *domain_member_switch(d, m));
        }
        return 0;
}

static int members_to_json(const ManagedDomain *d, bool settings, bool is_public, JsonObject *o) {
        for (size_t i = 0; i < domain_n_members; i++) {
                const DomainMember *m = &domain_members[i];
                bool fits = !(m->flags & DOMAIN_MEMBER_SETTING) == !settings || (is_public && (m->flags & DOMAIN_MEMBER_SHOWN));

                if (fits && member_to_json((ManagedDomain *) d, m, is_public, o) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int usec_to_json(JsonObject *o, const char *key, uint64_t usec, uint64_t standard) {
        char buffer[WINDOW_STRING_MAX];

        if (usec == standard)
                return 0;
        return json_add_string(o, key, usec == 0 ? "0s" : window_format(&(Window){ .usec = usec }, buffer));
}

static int to_json(const ManagedDomain *d, bool is_public, JsonObject **ret) {
        _auto_json_ JsonObject *o = NULL;
        JsonObject *ca;

        assert(d);
        assert(ret);

        o = json_object_new_object();
        if (!o || json_add_string(o, "name", d->name) < 0 || json_add_strv(o, "domains", d->names) < 0 ||
            json_add_int(o, "transitive", d->transitive) < 0)
                return -ENOMEM;
        ca = object_for(o, "ca");
        if (!ca || json_add_string(ca, "proto", d->protocol ? d->protocol : PROTOCOL_ACME) < 0 || members_to_json(d, true, is_public, o) < 0 ||
            key_specs_to_json(&d->keys, o, "privkey") < 0 || json_add_int(o, "renew-mode", d->renew_mode) < 0 ||
            windows_to_json(d, is_public, o) < 0 || (is_public && json_add_string(ca, "url", d->ca_urls ? d->ca_urls[0] : NULL) < 0) ||
            usec_to_json(o, "dns-01-wait", d->dns01_wait_usec, MANAGED_DOMAIN_DNS01_WAIT_USEC) < 0 ||
            (d->require_https != REQUIRE_HTTPS_OFF && json_add_string(o, "require-https", require_https_to_string(d->require_https)) < 0))
                return -ENOMEM;
        *ret = take_ptr(o);
        return 0;
}

int managed_domain_to_json(const ManagedDomain *d, JsonObject **ret) {
        return to_json(d, false, ret);
}

int managed_domain_to_public_json(const ManagedDomain *d, JsonObject **ret) {
        return to_json(d, true, ret);
}

static int defined_to_json(const ManagedDomain *d, JsonObject *o) {
        _auto_json_ JsonObject *defined = NULL;

        if (!d->defined_file)
                return 0;
        defined = json_object_new_object();
        if (!defined || json_add_string(defined, "file", d->defined_file) < 0 ||
            json_add_uint(defined, "line", d->defined_line) < 0)
                return -ENOMEM;
        return json_add_object(o, "defined", take_ptr(defined));
}

int managed_domain_server_to_json(const ManagedDomain *d, JsonObject *o) {
        assert(d);
        assert(o);

        if (members_to_json(d, false, false, o) < 0 || defined_to_json(d, o) < 0 || json_add_string(o, "refused", d->refused) < 0)
                return -ENOMEM;
        return 0;
}

/* From JSON. Readers fail with -EBADMSG and a problem that names the member. */

typedef struct Reader {
        JsonObject *o;
        const char *name; /* the domain's */
        Problem **ret_problem;
} Reader;

#define refuse(reader, format, ...)                                                                                       \
        ({                                                                                                                \
                (void) problem_set((reader)->ret_problem, PROBLEM_TYPE_SETTING, "domain %.253s: " format, (reader)->name, \
                                   ##__VA_ARGS__);                                                                        \
                -EBADMSG;                                                                                                 \
        })

bool domain_text_is_clean(const char *s) {
        if (!*s || strnlen(s, MANAGED_DOMAIN_TEXT_MAX + 1) > MANAGED_DOMAIN_TEXT_MAX)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

bool domain_url_is_plausible(const char *s) {
        const char *rest = str_after_prefix(s, "https://");

        if (!rest)
                rest = str_after_prefix(s, "http://");
        if (!rest)
                rest = str_after_prefix(s, "file://"); /* "file://localhost/var/run/…": a socket, with protocol "tailscale" */
        if (!rest || !*rest || *rest == '/' || strnlen(s, MANAGED_DOMAIN_TEXT_MAX + 1) > MANAGED_DOMAIN_TEXT_MAX)
                return false;
        for (; *rest; rest++)
                if (*rest <= ' ' || *rest >= 0x7f) /* bytes of UTF-8 are negative, or above it */
                        return false;
        return true;
}

bool domain_certificate_is_plausible(const char *s) {
        if (!str_has_prefix(s, "-----BEGIN CERTIFICATE-----\n") || strnlen(s, MANAGED_DOMAIN_CERT_MAX + 1) > MANAGED_DOMAIN_CERT_MAX)
                return false;
        for (; *s; s++)
                if (*s != '\n' && (*s < ' ' || *s >= 0x7f)) /* bytes of UTF-8 are negative, or above it */
                        return false;
        return true;
}

bool domain_challenge_is_plausible(const char *s) {
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

        return n > 0 && n <= 64 && !s[n];
}

static int read_text(const Reader *r, JsonObject *o, const char *key, char **ret) {
        const char *s = json_get_string(o, key);

        if (!s)
                return json_has(o, key) ? refuse(r, "member \"%s\" is no text", key) : 0;
        if (!domain_text_is_clean(s))
                return refuse(r, "member \"%s\" is empty, too long, or has control characters", key);
        return str_replace(ret, s);
}

static int read_list(const Reader *r, JsonObject *o, const char *key, size_t max, bool (*is_valid)(const char *s), char ***ret) {
        _auto_strv_ char **list = NULL;
        int k;

        k = json_get_strv(o, key, max, &list);
        if (k == -EBADMSG)
                return refuse(r, "member \"%s\" is not a list of at most %zu texts", key, max);
        if (k < 0)
                return k;
        STRV_FOREACH(s, list)
                if (!is_valid(*s))
                        return refuse(r, "member \"%s\" holds \"%.300s\", which cannot be", key, *s);
        (void) strv_free(*ret);
        *ret = take_ptr(list);
        return 0;
}

static int read_bool(const Reader *r, JsonObject *o, const char *key, bool *value) {
        JsonObject *v = NULL;

        if (!json_object_object_get_ex(o, key, &v))
                return 0;
        if (!json_object_is_type(v, json_type_boolean))
                return refuse(r, "member \"%s\" is neither true nor false", key);
        *value = json_object_get_boolean(v);
        return 0;
}

/* Names in the form in which everything else expects them: normalized, the domain's own in front, each once. */
static int names_arrange(const Reader *r, ManagedDomain *d, char **list) {
        _auto_map_ Map *seen = map_new();
        size_t n = strv_length(list), count = 0;
        char **names;

        names = calloc(n + 2, sizeof(*names));
        if (!names || !seen) {
                free(names);
                return -ENOMEM;
        }
        names[count] = d->names[0];
        free(d->names);
        d->names = names;
        if (map_put(seen, names[count++], d) < 0)
                return -ENOMEM;

        for (size_t i = 0; i < n; i++) {
                _auto_free_ char *name = domain_name_normalize(list[i]);
                int k;

                if (!name)
                        return -ENOMEM;
                if (!domain_identifier_is_valid(name))
                        return refuse(r, "member \"domains\" holds \"%.300s\", which is neither a DNS name nor an IP address", list[i]);
                k = map_put(seen, name, d);
                if (k == -EEXIST)
                        continue;
                if (k < 0)
                        return k;
                names[count++] = take_ptr(name);
        }
        return 0;
}

static int read_names(const Reader *r, ManagedDomain *d) {
        _auto_strv_ char **list = NULL;
        int k;

        k = json_get_strv(r->o, "domains", MANAGED_DOMAIN_NAMES_MAX, &list);
        if (k == -EBADMSG)
                return refuse(r, "member \"domains\" is not a list of at most %d texts", (int) MANAGED_DOMAIN_NAMES_MAX);
        if (k < 0)
                return k;
        return names_arrange(r, d, list);
}

static int read_member(const Reader *r, ManagedDomain *d, const DomainMember *m) {
        JsonObject *o = m->in ? json_get_object(r->o, m->in) : r->o;
        size_t max = m->number;

        if (!o)
                return json_has(r->o, m->in) ? refuse(r, "member \"%s\" is no object", m->in) : 0;
        switch (m->type) {

        case DOMAIN_MEMBER_TEXT:
                return read_text(r, o, m->key, domain_member_text(d, m));

        case DOMAIN_MEMBER_LIST:
                /* In mod_md's files a command is one text; which one is run is Apache's configuration's to say, not the store's. */
                if (m->offset == offsetof(ManagedDomain, dns01_cmd) && json_get_string(o, m->key))
                        return 0;
                return read_list(r, o, m->key, max, m->is_valid, domain_member_list(d, m));

        case DOMAIN_MEMBER_SWITCH:
                return read_bool(r, o, m->key, domain_member_switch(d, m));
        }
        return 0;
}

static int read_members(const Reader *r, ManagedDomain *d, bool settings) {
        for (size_t i = 0; i < domain_n_members; i++) {
                const DomainMember *m = &domain_members[i];
                int k;

                if (!(m->flags & DOMAIN_MEMBER_SETTING) == settings || (m->flags & DOMAIN_MEMBER_BY_HAND))
                        continue;
                k = read_member(r, d, m);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int read_settings(const Reader *r, ManagedDomain *d) {
        return read_members(r, d, true);
}

static int read_ca(const Reader *r, ManagedDomain *d) {
        JsonObject *ca = json_get_object(r->o, "ca");
        const char *proto = json_get_string(ca, "proto"), *url;

        if (json_has(ca, "proto")) {
                if (!str_equal_nocase(proto, PROTOCOL_ACME) && !str_equal_nocase(proto, "tailscale"))
                        return refuse(r, "member \"ca\": \"proto\" is neither \"ACME\" nor \"tailscale\"");
                if (!str_equal_nocase(proto, PROTOCOL_ACME) && str_replace(&d->protocol, "tailscale") < 0)
                        return -ENOMEM;
        }
        if (d->ca_urls || d->protocol)
                return 0;
        url = json_get_string(ca, "url"); /* mod_md before 2.4.16 knew only one CA */
        return strv_extend(&d->ca_urls, url && domain_url_is_plausible(url) ? url : MANAGED_DOMAIN_CA_URL_DEFAULT);
}

static int read_https(const Reader *r, ManagedDomain *d) {
        const char *s = json_get_string(r->o, "require-https");

        if (json_has(r->o, "require-https") && require_https_from_string(s, &d->require_https) < 0)
                return refuse(r, "member \"require-https\" is none of \"off\", \"temporary\" and \"permanent\"");
        return 0;
}

static int read_wait(const Reader *r, ManagedDomain *d) {
        const char *s = json_get_string(r->o, "dns-01-wait");

        if (json_has(r->o, "dns-01-wait") && (!s || parse_md_duration_usec(s, "s", &d->dns01_wait_usec) < 0))
                return refuse(r, "member \"dns-01-wait\" is no duration");
        return 0;
}

static int read_window(const Reader *r, const char *key, Window *ret) {
        const char *s = json_get_string(r->o, key), *why;

        if (!s)
                return json_has(r->o, key) ? refuse(r, "member \"%s\" is no text", key) : 0;
        if (window_parse(s, ret, &why) != WINDOW_DONE)
                return refuse(r, "member \"%s\" is \"%.100s\": %s", key, s, why);
        return 0;
}

static int read_renewal(const Reader *r, ManagedDomain *d) {
        int64_t mode;
        int k;

        if (json_get_int(r->o, "renew-mode", &mode)) {
                if (mode < RENEW_MODE_MANUAL || mode > RENEW_MODE_ALWAYS)
                        return refuse(r, "member \"renew-mode\" is none of the numbers 0, 1 and 2");
                d->renew_mode = (RenewMode) mode;
        } else if (json_has(r->o, "renew-mode"))
                return refuse(r, "member \"renew-mode\" is no number");

        k = read_window(r, "renew-window", &d->renew_window);
        if (k < 0)
                return k;
        return read_window(r, "warn-window", &d->warn_window);
}

static int read_transitive(const Reader *r, ManagedDomain *d) {
        int64_t n;

        if (!json_get_int(r->o, "transitive", &n))
                return read_bool(r, r->o, "transitive", &d->transitive);
        if (n != 0 && n != 1)
                return refuse(r, "member \"transitive\" is neither 0 nor 1");
        d->transitive = n == 1;
        return 0;
}

static int read_keys(const Reader *r, ManagedDomain *d) {
        int k;

        k = key_specs_from_json(r->o, "privkey", &d->keys);
        return k == -EBADMSG ? refuse(r, "member \"privkey\" does not say which keys") : k;
}

int managed_domain_from_json(JsonObject *o, ManagedDomain **ret, Problem **ret_problem) {
        static int (*const steps[])(const Reader *r, ManagedDomain *d) = {
                read_names, read_settings, read_transitive, read_ca, read_keys, read_renewal, read_https, read_wait,
        };
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
        const char *name;

        assert(ret);

        name = json_object_is_type(o, json_type_object) ? json_get_string(o, "name") : NULL;
        if (!name) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "a domain without member \"name\"");
                return -EBADMSG;
        }
        d = managed_domain_new(name);
        if (!d)
                return -ENOMEM;
        if (!domain_identifier_is_valid(d->name)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "member \"name\" is \"%.300s\", which is neither a DNS name nor an IP address",
                                   name);
                return -EBADMSG;
        }

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                int r = steps[i](&(Reader){ .o = o, .name = d->name, .ret_problem = ret_problem }, d);

                if (r < 0)
                        return r;
        }
        *ret = take_ptr(d);
        return 0;
}

bool domain_fingerprint_is_valid(const char *s) {
        return strspn(s, "0123456789abcdef") == 64 && !s[64];
}

static int read_defined(const Reader *r, ManagedDomain *d) {
        JsonObject *defined = json_get_object(r->o, "defined");
        uint64_t line;
        int k;

        if (!defined)
                return json_has(r->o, "defined") ? refuse(r, "member \"defined\" is no object") : 0;
        k = read_text(r, defined, "file", &d->defined_file);
        if (k < 0)
                return k;
        if (json_get_uint(defined, "line", &line))
                d->defined_line = (unsigned) MIN_OF(line, (uint64_t) UINT_MAX);
        return 0;
}

/* A text for people may have any form; it is only made fit to be shown. */
static int read_refused(const Reader *r, ManagedDomain *d) {
        const char *s = json_get_string(r->o, "refused");
        char *text;

        if (!s)
                return json_has(r->o, "refused") ? refuse(r, "member \"refused\" is no text") : 0;
        text = str_printable(s, strlen(s), MANAGED_DOMAIN_TEXT_MAX);
        if (!text)
                return -ENOMEM;
        free(d->refused);
        d->refused = text;
        return 0;
}

int managed_domain_server_from_json(JsonObject *o, ManagedDomain *d, Problem **ret_problem) {
        Reader reader;
        int r;

        assert(d);

        reader = (Reader){ .o = o, .name = d->name, .ret_problem = ret_problem };
        r = read_members(&reader, d, false);
        if (r == 0)
                r = read_defined(&reader, d);
        if (r == 0)
                r = read_refused(&reader, d);
        return r;
}
