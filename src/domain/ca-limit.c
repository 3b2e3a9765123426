/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/ca-limit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"

#define PAUSE_DEFAULT_USEC USEC_PER_HOUR /* when the CA does not say for how long */
#define PAUSE_MAX_USEC (24 * USEC_PER_HOUR)
#define MEMORY_USEC USEC_PER_HOUR

enum { LIMITS_MAX = 256 };

static void limit_done(CaLimit *l) {
        free(l->ca_url);
        free(l->domain);
}

void ca_limits_done(CaLimits *limits) {
        for (size_t i = 0; i < limits->n; i++)
                limit_done(&limits->items[i]);
        free(limits->items);
        *limits = (CaLimits) { 0 };
}

static CaLimit *find(const CaLimits *limits, const char *ca_url) {
        for (size_t i = 0; i < limits->n; i++)
                if (str_equal(limits->items[i].ca_url, ca_url))
                        return &limits->items[i];
        return NULL;
}

static CaLimit *add(CaLimits *limits, const char *ca_url) {
        CaLimit *items = reallocarray(limits->items, limits->n + 1, sizeof(*items)), *l;

        if (!items)
                return NULL;
        limits->items = items;
        l = &items[limits->n];
        *l = (CaLimit) { 0 };
        if (str_replace(&l->ca_url, ca_url) < 0)
                return NULL;
        limits->n++;
        return l;
}

/* What it said to this one it has said to another one before: it means all of us. */
static bool means_all(const CaLimit *l, const char *domain, uint64_t now_usec) {
        return l->domain && !str_equal(l->domain, domain) && l->remembered_usec > now_usec;
}

int ca_limits_note(CaLimits *limits, const char *ca_url, const char *domain, uint64_t retry_after_usec, uint64_t now_usec, char **ret_other, uint64_t *ret_until_usec) {
        uint64_t until = retry_after_usec > now_usec ? MIN_OF(retry_after_usec, now_usec + PAUSE_MAX_USEC) : now_usec + PAUSE_DEFAULT_USEC;
        CaLimit *l = find(limits, ca_url);
        bool all;

        if (!l)
                l = add(limits, ca_url);
        if (!l)
                return -ENOMEM;
        all = means_all(l, domain, now_usec);
        if (all) {
                _auto_free_ char *other = strdup(l->domain);

                if (!other)
                        return -ENOMEM;
                l->until_usec = MAX_OF(l->until_usec, until);
                *ret_other = take_ptr(other);
                *ret_until_usec = l->until_usec;
        }
        l->remembered_usec = MAX_OF(until, now_usec + MEMORY_USEC);
        if (str_replace(&l->domain, domain) < 0)
                return -ENOMEM;
        return all ? CA_LIMIT_ALL : CA_LIMIT_ONE;
}

bool ca_limits_knows(const CaLimits *limits, const char *ca_url) {
        return find(limits, ca_url);
}

bool ca_limits_forget(CaLimits *limits, const char *ca_url) {
        CaLimit *l = find(limits, ca_url);
        bool paused = l && l->until_usec > 0;

        if (!l)
                return false;
        limit_done(l);
        *l = limits->items[--limits->n];
        return paused;
}

uint64_t ca_limits_until_usec(const CaLimits *limits, const char *ca_url, uint64_t now_usec) {
        const CaLimit *l = find(limits, ca_url);

        return l && l->until_usec > now_usec ? l->until_usec : 0;
}

/* --- On disk --- */

static int limit_to_json(const CaLimit *l, JsonObject **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "ca", l->ca_url) < 0 || json_add_string(o, "domain", l->domain) < 0 ||
            json_add_time(o, "until", usec_round_up(l->until_usec)) < 0 || json_add_time(o, "remembered-until", usec_round_up(l->remembered_usec)) < 0)
                return -ENOMEM;
        *ret = take_ptr(o);
        return 0;
}

int ca_limits_to_json(const CaLimits *limits, uint64_t now_usec, JsonObject **ret) {
        _auto_json_ JsonObject *o = json_object_new_object(), *list = json_object_new_array();

        if (!o || !list)
                return -ENOMEM;
        for (size_t i = 0; i < limits->n; i++) {
                const CaLimit *l = &limits->items[i];
                JsonObject *one;

                if (l->until_usec <= now_usec && l->remembered_usec <= now_usec)
                        continue;
                if (limit_to_json(l, &one) < 0)
                        return -ENOMEM;
                if (json_object_array_add(list, one) < 0) {
                        (void) json_object_put(one);
                        return -ENOMEM;
                }
        }
        if (json_add_object(o, "limits", take_ptr(list)) < 0)
                return -ENOMEM;
        *ret = take_ptr(o);
        return 0;
}

static int limit_from_json(JsonObject *o, uint64_t now_usec, CaLimits *limits) {
        const char *ca_url = json_get_string(o, "ca"), *domain = json_get_string(o, "domain");
        uint64_t until = MIN_OF(json_get_time(o, "until"), now_usec + PAUSE_MAX_USEC);
        uint64_t remembered = MIN_OF(json_get_time(o, "remembered-until"), now_usec + PAUSE_MAX_USEC);
        CaLimit *l;

        if (str_is_empty(ca_url))
                return -EBADMSG;
        if ((until <= now_usec && remembered <= now_usec) || find(limits, ca_url))
                return 0;
        l = add(limits, ca_url);
        if (!l || str_replace(&l->domain, domain) < 0)
                return -ENOMEM;
        l->until_usec = until > now_usec ? until : 0;
        l->remembered_usec = remembered;
        return 0;
}

int ca_limits_from_json(JsonObject *o, uint64_t now_usec, CaLimits *ret) {
        _cleanup_(ca_limits_done) CaLimits limits = { 0 };
        JsonObject *list = json_object_is_type(o, json_type_object) ? json_get_array(o, "limits") : NULL;
        int r = 0;

        if (!list || json_object_array_length(list) > LIMITS_MAX)
                return -EBADMSG;
        for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++) {
                JsonObject *one = json_object_array_get_idx(list, i);

                r = json_object_is_type(one, json_type_object) ? limit_from_json(one, now_usec, &limits) : -EBADMSG;
        }
        if (r < 0)
                return r;
        *ret = limits;
        limits = (CaLimits) { 0 };
        return 0;
}
