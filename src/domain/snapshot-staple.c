/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/snapshot-staple.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "domain/name.h"

enum {
        SERIAL_MAX = 128,
        URL_MAX = 1024,
        PATH_LENGTH_MAX = 4096,
};

static void stapling_done(SnapshotStapling *s) {
        free(s->id);
        free(s->domain);
        free(s->serial);
        free(s->url);
        free(s->proxy_url);
        free(s->proxy_ca_file);
        *s = (SnapshotStapling){ 0 };
}

void snapshot_staplings_done(SnapshotStaplings *s) {
        for (size_t i = 0; i < s->n; i++)
                stapling_done(&s->items[i]);
        free(s->items);
        strv_free(s->issuers);
        *s = (SnapshotStaplings){ 0 };
}

static bool is_hex(const char *s, size_t least, size_t most) {
        size_t n = s ? strspn(s, "0123456789abcdefABCDEF") : 0;

        return n >= least && n <= most && !s[n];
}

bool stapling_id_is_valid(const char *id) {
        return is_hex(id, STAPLING_ID_LENGTH, STAPLING_ID_LENGTH) && strspn(id, "0123456789abcdef") == STAPLING_ID_LENGTH;
}

static int copy_stapling(const SnapshotStapling *s, SnapshotStapling *ret) {
        SnapshotStapling copy = { .issuer = s->issuer, .must_staple = s->must_staple };

        if (str_replace(&copy.id, s->id) < 0 || str_replace(&copy.domain, s->domain) < 0 || str_replace(&copy.serial, s->serial) < 0 ||
            str_replace(&copy.url, s->url) < 0 || str_replace(&copy.proxy_url, s->proxy_url) < 0 || str_replace(&copy.proxy_ca_file, s->proxy_ca_file) < 0) {
                stapling_done(&copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

/* The room doubles, so that many are added in linear time. */
static int add(SnapshotStaplings *s, const SnapshotStapling *stapling) {
        SnapshotStapling *grown = s->items;

        if (s->n == 0 || (s->n & (s->n - 1)) == 0)
                grown = reallocarray(s->items, s->n > 0 ? 2 * s->n : 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        s->items = grown;
        if (copy_stapling(stapling, &s->items[s->n]) < 0)
                return -ENOMEM;
        s->n++;
        return 0;
}

/* Few CAs issue for one server: they are looked through, the last one first. */
static int place_of(SnapshotStaplings *s, const char *issuer, size_t *ret) {
        size_t n = strv_length(s->issuers);

        for (size_t i = n; i-- > 0;)
                if (str_equal(s->issuers[i], issuer)) {
                        *ret = i;
                        return 0;
                }
        *ret = n;
        return strv_extend(&s->issuers, issuer);
}

int snapshot_staplings_add(SnapshotStaplings *s, const SnapshotStapling *stapling, const char *issuer) {
        SnapshotStapling placed = *stapling;
        int r;

        assert(s);
        assert(issuer);

        r = place_of(s, issuer, &placed.issuer);
        return r < 0 ? r : add(s, &placed);
}

/* To JSON */

static int item_to_json(const SnapshotStapling *s, JsonObject *list) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "id", s->id) < 0 || json_add_string(o, "domain", s->domain) < 0 || json_add_string(o, "serial", s->serial) < 0 ||
            json_add_uint(o, "issuer", s->issuer) < 0 || json_add_string(o, "url", s->url) < 0 || json_add_string(o, "proxy-url", s->proxy_url) < 0 ||
            json_add_string(o, "proxy-ca-certs", s->proxy_ca_file) < 0 || (s->must_staple && json_add_bool(o, "must-staple", true) < 0) || json_object_array_add(list, o) < 0)
                return -ENOMEM;
        (void) take_ptr(o);
        return 0;
}

int snapshot_staplings_to_json(const SnapshotStaplings *s, JsonObject *o) {
        _auto_json_ JsonObject *list = NULL;

        if (s->n == 0)
                return 0;
        list = json_object_new_array();
        for (size_t i = 0; i < s->n; i++)
                if (!list || item_to_json(&s->items[i], list) < 0)
                        return -ENOMEM;
        if (json_add_strv(o, "issuers", s->issuers) < 0)
                return -ENOMEM;
        return json_add_object(o, "staplings", take_ptr(list));
}

/* From JSON */

#define refuse(ret_problem, ...)                                                        \
        ({                                                                              \
                (void) problem_set((ret_problem), PROBLEM_TYPE_SETTING, __VA_ARGS__);   \
                -EBADMSG;                                                               \
        })

/* Printable ASCII without blanks; a missing member is what it is. */
static bool is_word(JsonObject *o, const char *key, size_t most) {
        const char *s = json_get_string(o, key);

        if (!s)
                return !json_has(o, key);
        if (!*s || strnlen(s, most + 1) > most)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s <= ' ' || (unsigned char) *s >= 0x7f)
                        return false;
        return true;
}

static bool is_http_url(const char *s) {
        return s && (strncasecmp(s, "http://", 7) == 0 || strncasecmp(s, "https://", 8) == 0);
}

static int read_item(JsonObject *o, size_t i, SnapshotStaplings *ret, Problem **ret_problem) {
        SnapshotStapling s = {
                .id = (char *) json_get_string(o, "id"),
                .domain = (char *) json_get_string(o, "domain"),
                .serial = (char *) json_get_string(o, "serial"),
                .url = (char *) json_get_string(o, "url"),
                .proxy_url = (char *) json_get_string(o, "proxy-url"),
                .proxy_ca_file = (char *) json_get_string(o, "proxy-ca-certs"),
                .must_staple = json_get_bool(o, "must-staple", false),
        };
        uint64_t issuer;

        if (!stapling_id_is_valid(s.id))
                return refuse(ret_problem, "entry %zu of \"staplings\" has no valid \"id\"", i + 1);
        if (!is_hex(s.serial, 1, SERIAL_MAX))
                return refuse(ret_problem, "entry %zu of \"staplings\": \"serial\" is no number", i + 1);
        if (!is_http_url(s.url) || !is_word(o, "url", URL_MAX))
                return refuse(ret_problem, "entry %zu of \"staplings\": \"url\" is no URL", i + 1);
        if (!is_word(o, "proxy-url", URL_MAX) || (s.proxy_ca_file && (*s.proxy_ca_file != '/' || strlen(s.proxy_ca_file) > PATH_LENGTH_MAX)) ||
            (json_has(o, "domain") && (!s.domain || !domain_identifier_is_valid(s.domain))))
                return refuse(ret_problem, "entry %zu of \"staplings\": a domain or proxy is none", i + 1);
        if (!json_get_uint(o, "issuer", &issuer) || issuer >= strv_length(ret->issuers))
                return refuse(ret_problem, "entry %zu of \"staplings\" has no issuer", i + 1);
        s.issuer = (size_t) issuer;
        return add(ret, &s);
}

static int read_issuers(JsonObject *o, SnapshotStaplings *ret, Problem **ret_problem) {
        int r;

        r = json_get_strv(o, "issuers", SNAPSHOT_ISSUERS_MAX, &ret->issuers);
        if (r == -EBADMSG)
                return refuse(ret_problem, "member \"issuers\" is not a list of at most %d texts", (int) SNAPSHOT_ISSUERS_MAX);
        STRV_FOREACH(pem, ret->issuers)
                if (strlen(*pem) > SNAPSHOT_ISSUER_SIZE_MAX)
                        return refuse(ret_problem, "member \"issuers\" holds one that is too large");
        return r;
}

int snapshot_staplings_from_json(JsonObject *o, SnapshotStaplings *ret, Problem **ret_problem) {
        _cleanup_(snapshot_staplings_done) SnapshotStaplings s = { 0 };
        JsonObject *list = json_get_array(o, "staplings");
        size_t n = list ? json_object_array_length(list) : 0;
        int r;

        if ((!list && json_has(o, "staplings")) || n > SNAPSHOT_STAPLINGS_MAX)
                return refuse(ret_problem, "member \"staplings\" is not a list of at most %d", (int) SNAPSHOT_STAPLINGS_MAX);
        r = read_issuers(o, &s, ret_problem);
        for (size_t i = 0; i < n && r == 0; i++)
                r = read_item(json_object_array_get_idx(list, i), i, &s, ret_problem);
        if (r < 0)
                return r;
        *ret = s;
        s = (SnapshotStaplings){ 0 };
        return 0;
}
