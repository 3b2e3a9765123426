/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "domain/snapshot-internal.h"

enum {
        TEXT_MAX = 4096,
};

/* In memory */

Snapshot *snapshot_new(const char *id) {
        _cleanup_(snapshot_freep) Snapshot *s = NULL;

        assert(id);

        s = calloc(1, sizeof(*s));
        if (!s || str_replace(&s->id, id) < 0)
                return NULL;
        s->http_port = 80;
        s->https_port = 443;
        s->http_reachable = s->https_reachable = true;
        s->retry_delay_usec = SNAPSHOT_RETRY_DELAY_USEC;
        s->retry_failover = SNAPSHOT_RETRY_FAILOVER;
        s->check_interval_usec = SNAPSHOT_CHECK_INTERVAL_USEC;
        s->dns01_version = SNAPSHOT_DNS01_VERSION;
        return take_ptr(s);
}

Snapshot *snapshot_free(Snapshot *s) {
        if (!s)
                return NULL;

        for (size_t i = 0; i < s->n_domains; i++)
                (void) managed_domain_free(s->domains[i]);
        free(s->domains);
        snapshot_staplings_done(&s->staplings);
        for (size_t i = 0; i < s->n_listeners; i++) {
                free(s->listeners[i].address);
                free(s->listeners[i].protocol);
        }
        free(s->listeners);
        (void) strv_free(s->message_cmd);
        (void) strv_free(s->notify_cmd);
        free(s->id);
        free(s->module);
        free(s->server);
        free(s->unit);
        free(s->store_dir);
        free(s);
        return NULL;
}

bool snapshot_id_is_valid(const char *id) {
        size_t n;

        if (!id || *id == '.')
                return false;
        n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@\\");
        return n > 0 && n <= SNAPSHOT_ID_MAX && !id[n];
}

int snapshot_grow(void *items, size_t n, size_t size) {
        void **p = items, *grown;

        if (n > 0 && (n & (n - 1)) != 0)
                return 0; /* there is room up to the next power of two */
        grown = reallocarray(*p, n > 0 ? 2 * n : 1, size);
        if (!grown)
                return -ENOMEM;
        *p = grown;
        return 0;
}

int snapshot_add_domain(Snapshot *s, ManagedDomain *d) {
        assert(s);
        assert(d);

        if (snapshot_grow(&s->domains, s->n_domains, sizeof(*s->domains)) < 0) {
                (void) managed_domain_free(d);
                return -ENOMEM;
        }
        s->domains[s->n_domains++] = d;
        return 0;
}

int snapshot_add_listener(Snapshot *s, const char *address, uint16_t port, const char *protocol) {
        SnapshotListener l = { .port = port };

        assert(s);

        if (snapshot_grow(&s->listeners, s->n_listeners, sizeof(*s->listeners)) < 0)
                return -ENOMEM;
        if (str_replace(&l.address, address) < 0 || str_replace(&l.protocol, protocol) < 0) {
                free(l.address);
                return -ENOMEM;
        }
        s->listeners[s->n_listeners++] = l;
        return 0;
}

/* To JSON */

static int port_map_to_json(const Snapshot *s, JsonObject *o) {
        _auto_json_ JsonObject *map = json_object_new_object();

        if (!map || json_add_uint(map, "http", s->http_port) < 0 || json_add_uint(map, "https", s->https_port) < 0)
                return -ENOMEM;
        return json_add_object(o, "port-map", take_ptr(map));
}

static int proto_to_json(const Snapshot *s, JsonObject *o) {
        _auto_json_ JsonObject *proto = json_object_new_object();

        if (!proto || json_add_bool(proto, "http", s->http_reachable) < 0 || json_add_bool(proto, "https", s->https_reachable) < 0)
                return -ENOMEM;
        return json_add_object(o, "proto", take_ptr(proto));
}

static int listener_to_json(const SnapshotListener *l, JsonObject *list) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "address", l->address) < 0 || json_add_uint(o, "port", l->port) < 0 ||
            json_add_string(o, "protocol", l->protocol) < 0 || json_object_array_add(list, o) < 0)
                return -ENOMEM;
        (void) take_ptr(o);
        return 0;
}

static int listeners_to_json(const Snapshot *s, JsonObject *o) {
        _auto_json_ JsonObject *list = json_object_new_array();

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_listeners; i++)
                if (listener_to_json(&s->listeners[i], list) < 0)
                        return -ENOMEM;
        return json_add_object(o, "listeners", take_ptr(list));
}

static int domain_to_json(const ManagedDomain *d, JsonObject *list) {
        _auto_json_ JsonObject *o = NULL;

        if (managed_domain_to_json(d, &o) < 0 || managed_domain_server_to_json(d, o) < 0 || json_object_array_add(list, o) < 0)
                return -ENOMEM;
        (void) take_ptr(o);
        return 0;
}

static int compare_domains(const void *a, const void *b) {
        return strcmp((*(ManagedDomain *const *) a)->name, (*(ManagedDomain *const *) b)->name);
}

static int domains_to_json(const Snapshot *s, JsonObject *o) {
        _auto_json_ JsonObject *list = json_object_new_array();
        _auto_free_ ManagedDomain **sorted = calloc(s->n_domains + 1, sizeof(*sorted));

        if (!list || !sorted)
                return -ENOMEM;
        if (s->n_domains > 0)
                memcpy(sorted, s->domains, s->n_domains * sizeof(*sorted));
        qsort(sorted, s->n_domains, sizeof(*sorted), compare_domains);
        for (size_t i = 0; i < s->n_domains; i++)
                if (domain_to_json(sorted[i], list) < 0)
                        return -ENOMEM;
        return json_add_object(o, "managed-domains", take_ptr(list));
}

static int duration_to_json(JsonObject *o, const char *key, uint64_t usec) {
        char buffer[WINDOW_STRING_MAX];

        return usec > 0 ? json_add_string(o, key, window_format(&(Window){ .usec = usec }, buffer)) : 0;
}

static int window_to_json(JsonObject *o, const char *key, const Window *w) {
        char buffer[WINDOW_STRING_MAX];

        return window_is_set(w) ? json_add_string(o, key, window_format(w, buffer)) : 0;
}

/* What stands at its default is not written. */
static int timing_to_json(const Snapshot *s, JsonObject *o) {
        if (duration_to_json(o, "retry-delay", s->retry_delay_usec) < 0 ||
            (s->retry_failover != SNAPSHOT_RETRY_FAILOVER && json_add_uint(o, "retry-failover", s->retry_failover) < 0) ||
            duration_to_json(o, "initial-delay", s->initial_delay_usec) < 0 ||
            (s->check_interval_usec != SNAPSHOT_CHECK_INTERVAL_USEC && duration_to_json(o, "check-interval", s->check_interval_usec) < 0) ||
            duration_to_json(o, "activation-delay", s->activation_delay_usec) < 0 ||
            (s->dns01_version != SNAPSHOT_DNS01_VERSION && json_add_uint(o, "dns-01-version", s->dns01_version) < 0) ||
            window_to_json(o, "staple-keep", &s->staple_keep) < 0 || window_to_json(o, "staple-renew", &s->staple_renew) < 0)
                return -ENOMEM;
        return 0;
}

static char *format_with_time(const Snapshot *s, uint64_t written_usec) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_int(o, "version", SNAPSHOT_VERSION) < 0 || json_add_string(o, "id", s->id) < 0 ||
            json_add_string(o, "module", s->module) < 0 || json_add_string(o, "server", s->server) < 0 ||
            json_add_string(o, "unit", s->unit) < 0 || json_add_string(o, "store-dir", s->store_dir) < 0 ||
            port_map_to_json(s, o) < 0 || proto_to_json(s, o) < 0 || listeners_to_json(s, o) < 0 ||
            timing_to_json(s, o) < 0 || json_add_strv(o, "message-cmd", s->message_cmd) < 0 || json_add_strv(o, "notify-cmd", s->notify_cmd) < 0 ||
            json_add_time(o, "written", written_usec) < 0 || domains_to_json(s, o) < 0 || snapshot_staplings_to_json(&s->staplings, o) < 0)
                return NULL;
        return json_format(o);
}

char *snapshot_format(const Snapshot *s) {
        assert(s);

        return format_with_time(s, 0);
}

char *snapshot_format_written(const Snapshot *s) {
        assert(s);

        return format_with_time(s, s->written_usec);
}

bool snapshot_text_is_current(const char *text, size_t size, const Snapshot *s) {
        static const char written[] = "  \"written\":";
        _auto_free_ char *current = NULL;
        const char *line, *next;
        size_t same = 0, n;

        assert(text || size == 0);
        assert(s);

        current = snapshot_format(s);
        if (!current)
                return false;
        n = strlen(current);
        while (same < size && same < n && text[same] == current[same])
                same++;
        if (same == size && same == n)
                return true;

        /* The first line that differs is one that only the disk has, and only this one. */
        while (same > 0 && text[same - 1] != '\n')
                same--;
        line = text + same;
        if (size - same < strlen(written) || memcmp(line, written, strlen(written)) != 0)
                return false;
        next = memchr(line, '\n', size - same);
        if (!next)
                return false;
        next++;
        return (size_t) (text + size - next) == n - same && memcmp(next, current + same, n - same) == 0;
}

/* From JSON */

#define refuse(ret_problem, id, format, ...)                                                                              \
        ({                                                                                                                \
                (void) problem_set((ret_problem), PROBLEM_TYPE_SETTING, "snapshot %.200s: " format, (id), ##__VA_ARGS__); \
                SNAPSHOT_E_REFUSED;                                                                                       \
        })

static bool text_is_clean(const char *s) {
        if (strnlen(s, TEXT_MAX + 1) > TEXT_MAX)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < ' ' || *s == 0x7f)
                        return false;
        return true;
}

static int read_text(JsonObject *o, const char *key, Snapshot *s, char **ret, Problem **ret_problem) {
        const char *text = json_get_string(o, key);

        if (!text)
                return json_has(o, key) ? refuse(ret_problem, s->id, "member \"%s\" is no text", key) : 0;
        if (!text_is_clean(text))
                return refuse(ret_problem, s->id, "member \"%s\" is too long or has control characters", key);
        return *text ? str_replace(ret, text) : 0;
}

static int read_version(JsonObject *o, Snapshot *s, Problem **ret_problem) {
        uint64_t version;

        if (!json_get_uint(o, "version", &version) || version == 0)
                return refuse(ret_problem, s->id, "member \"version\" is missing or no number");
        if (version > SNAPSHOT_VERSION)
                return refuse(ret_problem, s->id,
                              "it has version %llu, and this program knows version %d: the server runs a newer module",
                              (unsigned long long) version, (int) SNAPSHOT_VERSION);
        return 0;
}

static int read_texts(JsonObject *o, Snapshot *s, Problem **ret_problem) {
        int r;

        r = read_text(o, "module", s, &s->module, ret_problem);
        if (r == 0)
                r = read_text(o, "server", s, &s->server, ret_problem);
        if (r == 0)
                r = read_text(o, "unit", s, &s->unit, ret_problem);
        if (r == 0)
                r = read_text(o, "store-dir", s, &s->store_dir, ret_problem);
        if (r == 0 && !s->store_dir)
                r = refuse(ret_problem, s->id, "member \"store-dir\" is missing");
        return r;
}

static int read_port(JsonObject *map, const char *key, Snapshot *s, uint16_t *ret, Problem **ret_problem) {
        uint64_t port;

        if (!json_has(map, key))
                return 0;
        if (!json_get_uint(map, key, &port) || port > UINT16_MAX)
                return refuse(ret_problem, s->id, "member \"port-map\": \"%s\" is no port", key);
        *ret = (uint16_t) port;
        return 0;
}

static int read_reach(JsonObject *o, Snapshot *s, Problem **ret_problem) {
        JsonObject *map = json_get_object(o, "port-map"), *proto = json_get_object(o, "proto");
        int r;

        if (!map && json_has(o, "port-map"))
                return refuse(ret_problem, s->id, "member \"port-map\" is no object");
        if (!proto && json_has(o, "proto"))
                return refuse(ret_problem, s->id, "member \"proto\" is no object");

        r = read_port(map, "http", s, &s->http_port, ret_problem);
        if (r == 0)
                r = read_port(map, "https", s, &s->https_port, ret_problem);
        s->http_reachable = json_get_bool(proto, "http", true);
        s->https_reachable = json_get_bool(proto, "https", true);
        return r;
}

static int read_listener(JsonObject *l, Snapshot *s, Problem **ret_problem) {
        const char *address = json_get_string(l, "address"), *protocol = json_get_string(l, "protocol");
        uint64_t port;

        if (!json_get_uint(l, "port", &port) || port > UINT16_MAX || (address && !text_is_clean(address)) ||
            (protocol && !text_is_clean(protocol)))
                return refuse(ret_problem, s->id, "member \"listeners\" holds one that is none");
        return snapshot_add_listener(s, address, (uint16_t) port, protocol);
}

static int read_listeners(JsonObject *o, Snapshot *s, Problem **ret_problem) {
        JsonObject *list = json_get_array(o, "listeners");
        size_t n = list ? json_object_array_length(list) : 0;

        if ((!list && json_has(o, "listeners")) || n > SNAPSHOT_LISTENERS_MAX)
                return refuse(ret_problem, s->id, "member \"listeners\" is not a list of at most %d", (int) SNAPSHOT_LISTENERS_MAX);
        for (size_t i = 0; i < n; i++) {
                int r = read_listener(json_object_array_get_idx(list, i), s, ret_problem);

                if (r != 0)
                        return r;
        }
        return 0;
}

static int read_command(JsonObject *o, const char *key, Snapshot *s, char ***ret, Problem **ret_problem) {
        int r;

        r = json_get_strv(o, key, SNAPSHOT_COMMAND_MAX, ret);
        if (r == -EBADMSG || (r == 0 && *ret && (*ret)[0][0] == 0))
                return refuse(ret_problem, s->id, "member \"%s\" is not a command with its arguments", key);
        return r;
}

static int read_duration(JsonObject *o, const char *key, Snapshot *s, uint64_t *ret, Problem **ret_problem) {
        const char *text = json_get_string(o, key);

        if (json_has(o, key) && (!text || parse_md_duration_usec(text, "s", ret) < 0 || *ret == 0))
                return refuse(ret_problem, s->id, "member \"%s\" is no duration", key);
        return 0;
}

static int read_number(JsonObject *o, const char *key, Snapshot *s, unsigned min, unsigned max, unsigned *ret, Problem **ret_problem) {
        uint64_t value;

        if (!json_has(o, key))
                return 0;
        if (!json_get_uint(o, key, &value) || value < min || value > max)
                return refuse(ret_problem, s->id, "member \"%s\" is no number from %u to %u", key, min, max);
        *ret = (unsigned) value;
        return 0;
}

static int read_window(JsonObject *o, const char *key, Snapshot *s, Window *ret, Problem **ret_problem) {
        const char *text = json_get_string(o, key), *why;

        if (json_has(o, key) && (!text || window_parse(text, ret, &why) != WINDOW_DONE))
                return refuse(ret_problem, s->id, "member \"%s\" is neither a duration nor a percentage", key);
        return 0;
}

static int read_timing(JsonObject *o, Snapshot *s, Problem **ret_problem) {
        int r;

        s->written_usec = json_get_time(o, "written");
        r = read_duration(o, "retry-delay", s, &s->retry_delay_usec, ret_problem);
        if (r == 0)
                r = read_number(o, "retry-failover", s, 1, INT32_MAX, &s->retry_failover, ret_problem);
        if (r == 0)
                r = read_duration(o, "initial-delay", s, &s->initial_delay_usec, ret_problem);
        if (r == 0)
                r = read_duration(o, "check-interval", s, &s->check_interval_usec, ret_problem);
        if (r == 0)
                r = read_duration(o, "activation-delay", s, &s->activation_delay_usec, ret_problem);
        if (r == 0)
                r = read_number(o, "dns-01-version", s, 1, 2, &s->dns01_version, ret_problem);
        if (r == 0)
                r = read_window(o, "staple-keep", s, &s->staple_keep, ret_problem);
        return r == 0 ? read_window(o, "staple-renew", s, &s->staple_renew, ret_problem) : r;
}

static int read_commands(JsonObject *o, Snapshot *s, Problem **ret_problem) {
        int r;

        r = read_command(o, "message-cmd", s, &s->message_cmd, ret_problem);
        if (r != 0)
                return r;
        return read_command(o, "notify-cmd", s, &s->notify_cmd, ret_problem);
}

/* Without them the domains are worth no less. */
static int read_staplings(JsonObject *o, Snapshot *s, char ***complaints) {
        _auto_problem_ Problem *p = NULL;
        int r;

        r = snapshot_staplings_from_json(o, &s->staplings, &p);
        if (r != -EBADMSG)
                return r;
        return strv_consume(complaints, str_printf("snapshot %s: nothing is stapled: %s", s->id, p ? p->detail : "it cannot be read"));
}

typedef struct Complaints {
        char **list;
        size_t n; /* also those that are not in the list */
} Complaints;

static int complain(Complaints *c, char *text) {
        if (!text)
                return -ENOMEM;
        if (c->n++ < SNAPSHOT_COMPLAINTS_MAX)
                return strv_consume(&c->list, text);
        free(text);
        return 0;
}

static int complain_of_domain(Complaints *c, const Snapshot *s, size_t i, const Problem *p) {
        return complain(
                c,
                str_printf("snapshot %s, entry %zu of \"managed-domains\": %s", s->id, i + 1, p ? p->detail : "it cannot be read"));
}

static int read_domain(JsonObject *item, Snapshot *s, size_t i, Map *seen, Complaints *c) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
        _auto_problem_ Problem *p = NULL;
        int r;

        r = managed_domain_from_json(item, &d, &p);
        if (r == 0)
                r = managed_domain_server_from_json(item, d, &p);
        if (r == -EBADMSG)
                return complain_of_domain(c, s, i, p);
        if (r < 0)
                return r;

        r = map_put(seen, d->name, s);
        if (r == -EEXIST)
                return complain(
                        c, str_printf("snapshot %s, entry %zu of \"managed-domains\": %s is there twice", s->id, i + 1, d->name));
        if (r < 0)
                return r;
        return snapshot_add_domain(s, take_ptr(d));
}

#define DOMAINS "managed-domains"

/* The text of a snapshot. The list of domains is parsed one by one: all at once they would take several times the room of what they become, and leave it in pieces. */
typedef struct Text {
        const char *id, *data;
        size_t size;
        JsonSpan domains; /* zero: there is no such list */
} Text;

static int parse_object(const Text *text, JsonObject **ret, Problem **ret_problem) {
        _auto_free_ char *where = NULL;
        _auto_json_ JsonObject *o = NULL;
        int r;

        r = json_parse(text->data, text->size, &o, &where);
        if (r == JSON_E_INVALID)
                return refuse(ret_problem, text->id, "it is not JSON: %s", str_or(where, "no idea where"));
        if (r < 0)
                return r;
        if (!json_object_is_type(o, json_type_object))
                return refuse(ret_problem, text->id, "it is JSON, but no object");
        *ret = take_ptr(o);
        return 0;
}

/* Everything but the domains. */
static int parse_head(const Text *text, JsonObject **ret) {
        size_t before = (size_t) (text->domains.begin - text->data), after = (size_t) (text->data + text->size - text->domains.end);
        _auto_free_ char *head = malloc(before + 2 + after);

        if (!head)
                return -ENOMEM;
        memcpy(head, text->data, before);
        memcpy(head + before, "[]", 2);
        memcpy(head + before + 2, text->domains.end, after);
        return parse_object(&(Text){ .id = text->id, .data = head, .size = before + 2 + after }, ret, NULL);
}

static int parse_text(Text *text, JsonObject **ret, Problem **ret_problem) {
        int r;

        if (text->size > SNAPSHOT_SIZE_MAX)
                return refuse(ret_problem, text->id, "it is larger than %d MiB", (int) SNAPSHOT_SIZE_MAX / 1024 / 1024);
        if (json_find_list(text->data, text->size, DOMAINS, &text->domains)) {
                r = parse_head(text, ret);
                if (r <= 0)
                        return r;
        }
        return parse_object(text, ret, ret_problem); /* which knows where the fault is */
}

/* It was looked through before, so that only a number can be the fault. */
static int parse_entry(const Text *text, const JsonSpan *entry, JsonObject **ret, Problem **ret_problem) {
        _auto_json_ JsonObject *whole = NULL;
        int r = json_parse(entry->begin, (size_t) (entry->end - entry->begin), ret, NULL);

        if (r != JSON_E_INVALID)
                return r;
        r = parse_object(text, &whole, ret_problem);
        return r != 0 ? r : refuse(ret_problem, text->id, "member \"" DOMAINS "\" cannot be read");
}

static int read_each_domain(const Text *text, Snapshot *s, Complaints *c, Problem **ret_problem) {
        _auto_map_ Map *seen = map_new();
        JsonSpan entry = { 0 };

        if (!seen)
                return -ENOMEM;
        for (size_t i = 0; json_next_entry(&text->domains, &entry); i++) {
                _auto_json_ JsonObject *item = NULL;
                int r;

                if (i >= SNAPSHOT_DOMAINS_MAX)
                        return refuse(ret_problem, s->id, "there are more than %d domains", (int) SNAPSHOT_DOMAINS_MAX);
                r = parse_entry(text, &entry, &item, ret_problem);
                if (r == 0)
                        r = read_domain(item, s, i, seen, c);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int read_domains(const Text *text, Snapshot *s, Complaints *c, Problem **ret_problem) {
        int r;

        if (!text->domains.begin)
                return refuse(ret_problem, s->id, "member \"" DOMAINS "\" is missing, no list, or there twice");
        r = read_each_domain(text, s, c, ret_problem);
        if (r == 0 && c->n > SNAPSHOT_COMPLAINTS_MAX)
                r = strv_consume(&c->list, str_printf("snapshot %s: %zu more domains cannot be read", s->id, c->n - SNAPSHOT_COMPLAINTS_MAX));
        return r;
}

int snapshot_parse(const char *id, const char *data, size_t size, Snapshot **ret, char ***ret_complaints, Problem **ret_problem) {
        static int (*const steps[])(JsonObject * o, Snapshot * s, Problem * *ret_problem) = {
                read_version, read_texts, read_reach, read_listeners, read_timing, read_commands,
        };
        _cleanup_(snapshot_freep) Snapshot *s = NULL;
        _auto_json_ JsonObject *o = NULL;
        Text text = { .id = id, .data = data, .size = size };
        Complaints complaints = {};
        int r;

        assert(id);
        assert(data || size == 0);
        assert(ret);
        assert(ret_complaints);

        r = parse_text(&text, &o, ret_problem);
        if (r != 0)
                return r;
        s = snapshot_new(id);
        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                r = steps[i](o, s, ret_problem);
                if (r != 0)
                        return r;
        }
        r = read_domains(&text, s, &complaints, ret_problem);
        if (r == 0)
                r = read_staplings(o, s, &complaints.list);
        if (r != 0) {
                (void) strv_free(complaints.list);
                return r;
        }
        *ret_complaints = complaints.list;
        *ret = take_ptr(s);
        return SNAPSHOT_DONE;
}

/* Comparing */

static bool listeners_equal(const Snapshot *a, const Snapshot *b) {
        if (a->n_listeners != b->n_listeners)
                return false;
        for (size_t i = 0; i < a->n_listeners; i++) {
                const SnapshotListener *x = &a->listeners[i], *y = &b->listeners[i];

                if (!str_equal(x->address, y->address) || x->port != y->port || !str_equal(x->protocol, y->protocol))
                        return false;
        }
        return true;
}

bool snapshot_server_equal(const Snapshot *a, const Snapshot *b) {
        assert(a);
        assert(b);

        return str_equal(a->id, b->id) && str_equal(a->module, b->module) && str_equal(a->server, b->server) && str_equal(a->unit, b->unit) &&
                str_equal(a->store_dir, b->store_dir) && a->http_port == b->http_port && a->https_port == b->https_port &&
                a->http_reachable == b->http_reachable && a->https_reachable == b->https_reachable && listeners_equal(a, b) &&
                a->retry_delay_usec == b->retry_delay_usec && a->retry_failover == b->retry_failover &&
                a->initial_delay_usec == b->initial_delay_usec && a->check_interval_usec == b->check_interval_usec &&
                a->activation_delay_usec == b->activation_delay_usec && a->dns01_version == b->dns01_version &&
                window_equal(&a->staple_keep, &b->staple_keep) && window_equal(&a->staple_renew, &b->staple_renew) &&
                strv_equal(a->message_cmd, b->message_cmd) && strv_equal(a->notify_cmd, b->notify_cmd);
}
