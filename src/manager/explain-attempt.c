/* SPDX-License-Identifier: Apache-2.0 */

/* The part of an explanation that changes while renewals run and fail. */

#include <limits.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/unit-name.h"
#include "manager/ca.h"
#include "manager/explain.h"
#include "manager/reload.h"
#include "manager/renewal.h"

/* Without the part that all types of ACME have in common. */
static const char *short_type(const char *type) {
        const char *rest = type ? str_after_prefix(type, PROBLEM_ACME_PREFIX) : NULL;

        return rest ? rest : str_or(type, "no type");
}

static void explain_subproblem(Explanation *e, JsonObject *o) {
        JsonObject *identifier = json_get_object(o, "identifier");
        const char *name = identifier ? json_get_string(identifier, "value") : NULL;

        explain_add(e, "problem", "subproblem", 0, "%s%s%s (%s)", str_or(name, ""), name ? ": " : "", str_or(json_get_string(o, "detail"), "no detail"),
                    short_type(json_get_string(o, "type")));
}

static void explain_subproblems(Explanation *e, const char *text) {
        _auto_json_ JsonObject *list = NULL;

        if (json_parse(text, strlen(text), &list, NULL) != JSON_DONE || !json_object_is_type(list, json_type_array)) {
                explain_add(e, "problem", "subproblem", 0, "%s", text);
                return;
        }
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (json_object_is_type(json_object_array_get_idx(list, i), json_type_object))
                        explain_subproblem(e, json_object_array_get_idx(list, i));
}

static void explain_problem(Explanation *e, const Problem *p) {
        char when[CLOCK_HUMAN_MAX];

        explain_add(e, "problem", "detail", 0, "%s", p->detail);
        explain_add(e, "problem", "type", 0, "%s", p->type);
        if (p->activity)
                explain_add(e, "problem", "activity", 0, "%s", p->activity);
        if (p->subproblems)
                explain_subproblems(e, p->subproblems);
        if (p->retry_after_usec > 0)
                explain_add(e, "problem", "not-before", p->retry_after_usec, "the CA does not want to be asked again before %s", clock_format_utc(when, p->retry_after_usec));
}

/* Which CA, how often, and which one then. */
static void explain_failover(Explanation *e, const Domain *d) {
        unsigned left = ca_attempts_left(d);

        if (left == UINT_MAX)
                return;
        if (left == 0)
                explain_add(e, "attempt", "failover", 0, "%u of them failed at %s: the next one is made at %s", d->job->ca_errors,
                            str_or(d->job->ca_url, "the first CA"), ca_next(d));
        else
                explain_add(e, "attempt", "failover", 0, "%u of them failed at %s: %u more there make it another CA's turn", d->job->ca_errors, ca_next(d), left);
}

void explain_attempts(Explanation *e, const Domain *d) {
        uint64_t paused = ca_paused_until(d);
        char when[CLOCK_HUMAN_MAX];

        if (d->job->last_run_usec > 0)
                explain_add(e, "attempt", "last", d->job->last_run_usec, "the last one began at %s", clock_format_utc(when, d->job->last_run_usec));
        if (d->renewal)
                explain_add(e, "attempt", "running", 0, "%s at %s, %s", task_state_to_string(d->renewal->task.state), d->renewal->task.ca_url,
                            str_or(d->renewal->task.activity, "nothing was done yet"));
        else
                explain_add(e, "attempt", "ca", 0, "%s is asked next", ca_next(d));
        if (d->job->account)
                explain_add(e, "attempt", "account", 0, "%s", d->job->account);
        if (d->job->order_url)
                explain_add(e, "attempt", "order", 0, "%s was begun and goes on", d->job->order_url);
        if (d->job->errors > 0) {
                explain_add(e, "attempt", "failures", 0, "%u in a row", d->job->errors);
                explain_failover(e, d);
        }
        if (paused > 0)
                explain_add(e, "attempt", "pause", paused, "%s limits us: nothing is asked of it until %s", ca_next(d), clock_format_utc(when, paused));
        if (d->job->last)
                explain_problem(e, d->job->last);
}

static void explain_waiting(Explanation *e, const Domain *d) {
        switch (domain_waiting_for(d)) {

        case PROBLEM_CLASS_ADMINISTRATOR:
                if (d->decision.reason == REASON_REFUSED)
                        explain_add(e, "decision", "waits-for", 0, "it waits for you: the server disabled it until its configuration is changed");
                else
                        explain_add(e, "decision", "waits-for", 0,
                                    "it waits for you: change the configuration, or say 'mdctl retry %s' when what is wrong is mended; until then it is tried once a day",
                                    DOMAIN_NAME(d));
                break;

        case PROBLEM_CLASS_TIME:
                explain_add(e, "decision", "waits-for", d->wanted_usec, "it waits for a time, which nobody needs to do anything for");
                break;

        default:
                break;
        }
}

void explain_decision(Explanation *e, const Domain *d) {
        const char *action = d->renewal ? "renewing" : decision_action_to_string(d->decision.action), *reason = decision_reason_to_string(d->decision.reason);
        _auto_free_ char *timer = d->armed_usec > 0 ? unit_name_for_renewal(DOMAIN_NAME(d), ".timer") : NULL;
        char when[CLOCK_HUMAN_MAX];

        explain_add(e, "decision", "state", 0, "%s", str_or(domain_state_to_string(d->decision.state), "unknown"));
        explain_add(e, "decision", "action", 0, "%s", str_or(action, "nothing"));
        explain_add(e, "decision", "reason", 0, "%s: %s", str_or(reason, "unknown"), str_or(reload_trouble(d), str_or(d->decision.detail, "no reason was given")));
        if (d->wanted_usec > 0)
                explain_add(e, "decision", "time", d->wanted_usec, "%s%s%s", clock_format_utc(when, d->wanted_usec), timer ? ", by " : "", str_or(timer, ""));
        explain_waiting(e, d);
}
