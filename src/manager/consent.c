/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/consent.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "manager/challenge-queue.h"
#include "manager/courier.h"
#include "manager/event.h"

/* Half as long up to half as long again, as every check. */
static uint64_t next_check_usec(const Domain *d) {
        uint64_t interval = d->n_servers > 0 ? d->servers[0].snapshot->check_interval_usec : SNAPSHOT_CHECK_INTERVAL_USEC;

        return usec_add(clock_now_usec(), interval / 2 + interval / 1000 * (manager_random() % 1001));
}

static void go_on(Renewal *r) {
        r->task.held = false;
        manager_kick(r->domain->manager);
}

static void veto(Renewal *r, const LauncherHookEnd *end, const char *how) {
        _auto_problem_ Problem *p = NULL;
        _auto_free_ char *then = NULL;
        Domain *d = r->domain;
        uint64_t until = next_check_usec(d);
        char when[CLOCK_HUMAN_MAX];

        courier_note_veto(d->manager->courier, d, until);
        then = str_printf("that is a veto, no renewal begins by itself before %s", clock_format_utc(when, until));
        courier_tell_end(d->manager, DOMAIN_NAME(d), EVENT_RENEWING, false, end, then);
        p = problem_new(PROBLEM_TYPE_VETO, "The command of MDMessageCmd vetoed the renewal (event 'renewing'): %s", how);
        renewal_decline(r, p);
}

static void on_answer(const LauncherHookEnd *end, const sd_bus_error *error, void *userdata) {
        _auto_free_ char *how = challenge_call_describe(end, error);
        Renewal *r = userdata;
        Domain *d = r->domain;

        r->consent = NULL;
        if (challenge_call_succeeded(end)) {
                courier_note_consent(d->manager->courier, d);
                courier_tell_end(d->manager, DOMAIN_NAME(d), EVENT_RENEWING, false, end, NULL);
                go_on(r);
        } else if (challenge_call_was_not_run(end)) { /* nobody disagrees */
                log_warning("%s: The command of MDMessageCmd could not be asked about the renewal: %s", DOMAIN_NAME(d), str_or(how, "out of memory"));
                go_on(r);
        } else
                veto(r, end, str_or(how, "out of memory"));
}

void consent_ask(Renewal *r) {
        Domain *d = r->domain;
        _auto_strv_ char **fields = NULL;
        int k;

        if (!courier_asks_before(d->manager->courier, d))
                return;
        k = event_collect_fields(d, EVENT_RENEWING, NULL, str_or(d->decision.detail, "it is due"), &fields);
        if (k >= 0) {
                const ChallengeCallSpec spec = { .kind = CHALLENGE_CALL_RENEWING, .domain = DOMAIN_NAME(d), .fields = fields, .handler = on_answer, .userdata = r };

                k = challenge_call_new(d->manager->consents, &spec, &r->consent);
        }
        if (k < 0)
                (void) log_failure(k, "%s: Cannot ask the command of MDMessageCmd about the renewal: %m", DOMAIN_NAME(d));
        else
                r->task.held = true;
}
