/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/domain.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/string-util.h"
#include "domain/name.h"

enum {
        TEXT_MAX = 4096, /* one URL, path or contact */
};

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
        return take_ptr(d);
}

ManagedDomain *managed_domain_free(ManagedDomain *d) {
        if (!d)
                return NULL;

        free(d->name);
        (void) strv_free(d->names);
        (void) strv_free(d->contacts);
        (void) strv_free(d->ca_urls);
        free(d->ca_file);
        free(d->agreement);
        (void) strv_free(d->challenges);
        free(d->defined_file);
        free(d->refused);
        (void) strv_free(d->served);
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
        copy->used = d->used;
        copy->used_tls = d->used_tls;
        copy->defined_line = d->defined_line;
        if (str_replace(&copy->name, d->name) < 0 || str_replace(&copy->ca_file, d->ca_file) < 0 ||
            str_replace(&copy->agreement, d->agreement) < 0 || str_replace(&copy->defined_file, d->defined_file) < 0 ||
            str_replace(&copy->refused, d->refused) < 0)
                return NULL;
        if (copy_list(&copy->names, d->names) < 0 || copy_list(&copy->contacts, d->contacts) < 0 ||
            copy_list(&copy->ca_urls, d->ca_urls) < 0 || copy_list(&copy->challenges, d->challenges) < 0 ||
            copy_list(&copy->served, d->served) < 0)
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

bool managed_domain_settings_equal(const ManagedDomain *a, const ManagedDomain *b) {
        assert(a);
        assert(b);

        return str_equal(a->name, b->name) && a->transitive == b->transitive && a->renew_mode == b->renew_mode &&
                window_equal(&a->renew_window, &b->renew_window) && window_equal(&a->warn_window, &b->warn_window) &&
                str_equal(a->ca_file, b->ca_file) && str_equal(a->agreement, b->agreement) &&
                strv_equal(a->contacts, b->contacts) && strv_equal(a->ca_urls, b->ca_urls) &&
                strv_equal(a->challenges, b->challenges) && same_keys(&a->keys, &b->keys) && same_names(a->names, b->names);
}

/* To JSON */

static int ca_to_json(const ManagedDomain *d, JsonObject *o) {
        _auto_json_ JsonObject *ca = json_object_new_object();

        if (!ca || json_add_string(ca, "proto", "ACME") < 0 || json_add_strv(ca, "urls", d->ca_urls) < 0 ||
            json_add_string(ca, "agreement", d->agreement) < 0 || json_add_strv(ca, "challenges", d->challenges) < 0)
                return -ENOMEM;
        return json_add_object(o, "ca", take_ptr(ca));
}

static int window_to_json(JsonObject *o, const char *key, const Window *w) {
        char buffer[WINDOW_STRING_MAX];

        return window_is_set(w) ? json_add_string(o, key, window_format(w, buffer)) : 0;
}

int managed_domain_to_json(const ManagedDomain *d, JsonObject **ret) {
        _auto_json_ JsonObject *o = NULL;

        assert(d);
        assert(ret);

        o = json_object_new_object();
        if (!o || json_add_string(o, "name", d->name) < 0 || json_add_strv(o, "domains", d->names) < 0 ||
            json_add_strv(o, "contacts", d->contacts) < 0 || json_add_int(o, "transitive", d->transitive) < 0 ||
            ca_to_json(d, o) < 0 || json_add_string(o, "ca-certs", d->ca_file) < 0 ||
            key_specs_to_json(&d->keys, o, "privkey") < 0 || json_add_int(o, "renew-mode", d->renew_mode) < 0 ||
            window_to_json(o, "renew-window", &d->renew_window) < 0 || window_to_json(o, "warn-window", &d->warn_window) < 0)
                return -ENOMEM;
        *ret = take_ptr(o);
        return 0;
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

        if (json_add_bool(o, "used", d->used) < 0 || json_add_bool(o, "used-tls", d->used_tls) < 0 || defined_to_json(d, o) < 0 ||
            json_add_string(o, "refused", d->refused) < 0 || json_add_strv(o, "served", d->served) < 0)
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

static bool text_is_clean(const char *s) {
        if (!*s || strnlen(s, TEXT_MAX + 1) > TEXT_MAX)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

/* A URL of the form that a CA can have; who uses it looks closer. */
static bool url_is_plausible(const char *s) {
        const char *rest = str_after_prefix(s, "https://");

        if (!rest)
                rest = str_after_prefix(s, "http://");
        if (!rest || !*rest || *rest == '/' || strnlen(s, TEXT_MAX + 1) > TEXT_MAX)
                return false;
        for (; *rest; rest++)
                if (*rest <= ' ' || *rest >= 0x7f) /* bytes of UTF-8 are negative, or above it */
                        return false;
        return true;
}

static bool challenge_is_plausible(const char *s) {
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

        return n > 0 && n <= 64 && !s[n];
}

static int read_text(const Reader *r, JsonObject *o, const char *key, char **ret) {
        const char *s = json_get_string(o, key);

        if (!s)
                return json_has(o, key) ? refuse(r, "member \"%s\" is no text", key) : 0;
        if (!text_is_clean(s))
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

static int read_bool(const Reader *r, const char *key, bool *value) {
        JsonObject *v = NULL;

        if (!json_object_object_get_ex(r->o, key, &v))
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
                if (!domain_name_is_valid(name))
                        return refuse(r, "member \"domains\" holds \"%.300s\", which is not a DNS name", list[i]);
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

static int read_ca(const Reader *r, ManagedDomain *d) {
        JsonObject *ca = json_get_object(r->o, "ca");
        int k;

        if (!ca && json_has(r->o, "ca"))
                return refuse(r, "member \"ca\" is no object");
        if (json_has(ca, "proto") && !str_equal_nocase(json_get_string(ca, "proto"), "ACME"))
                return refuse(r, "member \"ca\": \"proto\" is not \"ACME\"");

        k = read_list(r, ca, "urls", MANAGED_DOMAIN_CA_URLS_MAX, url_is_plausible, &d->ca_urls);
        if (k < 0)
                return k;
        if (!d->ca_urls) {
                /* mod_md before 2.4.16 knew only one CA. */
                const char *url = json_get_string(ca, "url");

                k = strv_extend(&d->ca_urls, url && url_is_plausible(url) ? url : MANAGED_DOMAIN_CA_URL_DEFAULT);
                if (k < 0)
                        return k;
        }
        k = read_list(r, ca, "challenges", MANAGED_DOMAIN_CHALLENGES_MAX, challenge_is_plausible, &d->challenges);
        if (k < 0)
                return k;
        k = read_text(r, ca, "agreement", &d->agreement);
        if (k < 0)
                return k;
        return read_text(r, r->o, "ca-certs", &d->ca_file);
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
                return read_bool(r, "transitive", &d->transitive);
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

static int read_contacts(const Reader *r, ManagedDomain *d) {
        return read_list(r, r->o, "contacts", MANAGED_DOMAIN_CONTACTS_MAX, text_is_clean, &d->contacts);
}

int managed_domain_from_json(JsonObject *o, ManagedDomain **ret, Problem **ret_problem) {
        static int (*const steps[])(const Reader *r, ManagedDomain *d) = {
                read_names, read_contacts, read_transitive, read_ca, read_keys, read_renewal,
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
        if (!domain_name_is_valid(d->name)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "member \"name\" is \"%.300s\", which is not a DNS name",
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

static bool fingerprint_is_valid(const char *s) {
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
        text = str_printable(s, strlen(s), TEXT_MAX);
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
        r = read_bool(&reader, "used", &d->used);
        if (r == 0)
                r = read_bool(&reader, "used-tls", &d->used_tls);
        if (r == 0)
                r = read_defined(&reader, d);
        if (r == 0)
                r = read_refused(&reader, d);
        if (r == 0)
                r = read_list(&reader, o, "served", MANAGED_DOMAIN_SERVED_MAX, fingerprint_is_valid, &d->served);
        return r;
}
