/* SPDX-License-Identifier: Apache-2.0 */
#include "status-facts.h"

#include "base/string-util.h"
#include "domain/decision.h"

static const char *const conditions[_STATUS_CONDITION_MAX] = {
        [STATUS_EXPIRED] = "expired", [STATUS_REFUSED] = "disabled",  [STATUS_FAILING] = "failing",         [STATUS_EXPIRING] = "expiring",
        [STATUS_INCOMPLETE] = "incomplete",
        [STATUS_UNKNOWN] = "unknown", [STATUS_RENEWING] = "renewing", [STATUS_PENDING] = "reload pending", [STATUS_GOOD] = "good",
};

const char *status_condition_to_string(StatusCondition condition) {
        return conditions[condition];
}

bool status_condition_is_bad(StatusCondition condition) {
        return condition <= STATUS_EXPIRING;
}

static bool is_expiring(const StatusFacts *f, uint64_t now_usec) {
        const char *setting = json_get_string(f->json, "warn-window"), *why;
        Window w = { .percent = MANAGED_DOMAIN_WARN_PERCENT };

        if (f->until_usec == 0)
                return false;
        if (setting)
                (void) window_parse(setting, &w, &why);
        return window_begin_usec(&w, f->from_usec, f->until_usec) <= now_usec;
}

static StatusCondition judge(const StatusFacts *f, uint64_t now_usec) {
        if (f->until_usec != 0 && f->until_usec <= now_usec)
                return STATUS_EXPIRED;
        if (f->refused)
                return STATUS_REFUSED;
        if (f->errors > 0)
                return STATUS_FAILING;
        if (str_equal(f->action, "renewing") || str_equal(f->action, "renew") || str_equal(f->action, "activate"))
                return STATUS_RENEWING;
        switch (f->state) {

        case DOMAIN_STATE_COMPLETE:
        case DOMAIN_STATE_EXPIRED_OBSOLETE:
                if (str_equal(f->action, "install"))
                        return STATUS_PENDING;
                return is_expiring(f, now_usec) ? STATUS_EXPIRING : STATUS_GOOD;

        case DOMAIN_STATE_INCOMPLETE:
                return STATUS_INCOMPLETE;

        case DOMAIN_STATE_ERROR:
                return STATUS_FAILING;

        default:
                return STATUS_UNKNOWN;
        }
}

void status_facts_read(JsonObject *json, const char *refused, uint64_t now_usec, StatusFacts *ret) {
        JsonObject *valid = json_get_object(json_get_object(json, "cert"), "valid"), *next = json_get_object(json, "next");
        JsonObject *problem = json_get_object(json, "last-problem");
        StatusFacts f = { .json = json, .refused = refused };

        f.name = str_or(json_get_string(json, "name"), "");
        if (!json_get_int(json, "state", &f.state))
                f.state = DOMAIN_STATE_UNKNOWN;
        f.state_descr = json_get_string(json, "state-descr");
        f.from_usec = json_get_time(valid, "from");
        f.until_usec = json_get_time(valid, "until");
        f.renew_at_usec = json_get_time(json, "renew-at");
        f.action = json_get_string(next, "action");
        f.reason = json_get_string(next, "reason");
        f.detail = json_get_string(next, "detail");
        f.next_usec = json_get_time(next, "at");
        f.served = json_get_bool(json, "served", false);
        f.stapling = json_get_bool(json, "stapling", false);
        f.watched = json_get_bool(json, "watched", false);
        f.renew = json_get_bool(json, "renew", false);
        f.installed_usec = json_get_time(json, "installed");
        f.renewal = json_get_object(json, "renewal");
        f.finished = json_get_bool(f.renewal, "finished", false);
        f.last_run_usec = json_get_time(json, "last-run");
        f.next_run_usec = json_get_time(f.renewal, "next-run");
        (void) json_get_uint(f.renewal, "errors", &f.errors);
        f.problem = json_get_string(problem, "problem");
        f.problem_detail = json_get_string(problem, "detail");
        f.condition = judge(&f, now_usec);
        *ret = f;
}
