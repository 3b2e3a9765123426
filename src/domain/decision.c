/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/decision.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "domain/backoff.h"
#include "domain/budget.h"
#include "domain/reason.h"

static const char *const action_table[] = {
        [DECISION_NOTHING] = "nothing",   [DECISION_WAIT] = "wait",       [DECISION_RENEW] = "renew",
        [DECISION_ACTIVATE] = "activate", [DECISION_INSTALL] = "install",
};

static const char *const reason_table[_REASON_MAX] = {
        [REASON_MISSING] = "certificate-missing",
        [REASON_NAMES] = "names-not-covered",
        [REASON_KEY_MISMATCH] = "key-mismatch",
        [REASON_KEY_SPEC] = "key-spec-differs",
        [REASON_MUST_STAPLE] = "must-staple-differs",
        [REASON_REVOKED] = "revoked",
        [REASON_CA_CHANGED] = "ca-changed",
        [REASON_WINDOW] = "renew-window",
        [REASON_RENEWAL_INFO] = "renewal-info",
        [REASON_EXPIRED] = "expired",
        [REASON_RETRY] = "retry",
        [REASON_HELD] = "held-back",
        [REASON_BUDGET] = "too-many-certificates",
        [REASON_STAGED] = "staged",
        [REASON_ACTIVATION_DELAY] = "activation-delay",
        [REASON_ACTIVATED] = "activated",
        [REASON_ASKED] = "asked",
        [REASON_MANUAL] = "renew-mode-manual",
        [REASON_UNUSED] = "unused",
        [REASON_REFUSED] = "refused",
        [REASON_UNMANAGED] = "unmanaged",
};

static const char *const state_table[] = {
        [DOMAIN_STATE_UNKNOWN] = "unknown",          [DOMAIN_STATE_INCOMPLETE] = "incomplete", [DOMAIN_STATE_COMPLETE] = "complete",
        [DOMAIN_STATE_EXPIRED_OBSOLETE] = "expired", [DOMAIN_STATE_ERROR] = "error",
};

const char *decision_action_to_string(DecisionAction a) {
        return (size_t) a < ELEMENTSOF(action_table) ? action_table[a] : NULL;
}

const char *decision_reason_to_string(DecisionReason r) {
        return (size_t) r < ELEMENTSOF(reason_table) ? reason_table[r] : NULL;
}

const char *domain_state_to_string(DomainState s) {
        return (size_t) s < ELEMENTSOF(state_table) ? state_table[s] : NULL;
}

void decision_done(Decision *d) {
        if (!d)
                return;

        free(d->detail);
        *d = (Decision){};
}

/* Every key has its certificate, whatever names are in it: a server can serve the set. */
static bool is_servable(const ManagedDomain *d, const CertFactsList *live, const Job *job) {
        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                ReasonSlot s = reason_slot(d, live, job, i, 0);

                if (!s.cert || !s.cert->key_matches)
                        return false;
        }
        return true;
}

/* Some certificate has reached the last third of its life. */
static bool is_old(const ManagedDomain *d, const CertFactsList *live, const Job *job, uint64_t now_usec) {
        const Window last_third = { .percent = MANAGED_DOMAIN_RENEW_PERCENT };

        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                ReasonSlot s = reason_slot(d, live, job, i, now_usec);

                if (s.cert && window_begin_usec(&last_third, s.cert->not_before_usec, s.cert->not_after_usec) <= now_usec)
                        return true;
        }
        return false;
}

uint64_t decision_renew_at_usec(const ManagedDomain *d, const CertFactsList *live, const Job *job) {
        uint64_t at = 0;

        assert(d);
        assert(live);

        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                ReasonSlot s = reason_slot(d, live, job, i, 0);
                uint64_t begin;

                if (!s.cert)
                        continue;
                begin = MAX_OF(reason_renew_at_usec(&s), (uint64_t) 1);
                at = at == 0 ? begin : MIN_OF(at, begin);
        }
        return at;
}

/* Whether a failed attempt is to be repeated later, or a daemon that had nothing new to be asked again. No retry is ever planned further ahead than a week (backoff.h), so a time
 * beyond that was written while the clock was wrong; a day is left for a clock that was put back. */
static bool must_wait_to_retry(const ManagedDomain *d, const Job *job, uint64_t now_usec) {
        return (job->errors > 0 || d->protocol) && job->next_run_usec > now_usec &&
                job->next_run_usec - now_usec <= BACKOFF_SAID_MAX_USEC + USEC_PER_DAY;
}

uint64_t decision_warn_at_usec(const ManagedDomain *d, const CertFactsList *live) {
        const Window window = window_is_set(&d->warn_window) ? d->warn_window : (Window){ .percent = MANAGED_DOMAIN_WARN_PERCENT };
        uint64_t at = 0;

        for (size_t i = 0; i < live->n; i++) {
                uint64_t begin = window_begin_usec(&window, live->items[i].not_before_usec, live->items[i].not_after_usec);

                if (at == 0 || begin < at)
                        at = begin;
        }
        return at;
}

static int decide_retry(const Job *job, char *because, Decision *d) {
        _auto_free_ char *reason = because;
        char at[CLOCK_HUMAN_MAX];

        d->action = DECISION_WAIT;
        d->reason = REASON_RETRY;
        d->at_usec = job->next_run_usec;
        if (job->errors == 0)
                return reason_printf(&d->detail, "%s; tailscaled has no newer one yet, and is asked again at %s", reason, clock_format_utc(at, job->next_run_usec));
        return reason_printf(&d->detail, "%s; %u %s failed, the next one is at %s%s%s", reason, job->errors,
                             job->errors == 1 ? "attempt" : "attempts", clock_format_utc(at, job->next_run_usec),
                             job->last ? ": " : "", job->last ? job->last->detail : "");
}

/* Which is earlier: our own window, or the CA's word? */
static bool is_said_by_ca(const ManagedDomain *d, const CertFactsList *live, const Job *job, uint64_t at_usec) {
        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                ReasonSlot s = reason_slot(d, live, job, i, 0);

                if (s.cert && reason_suggested_usec(&s) == at_usec)
                        return true;
        }
        return false;
}

static int decide_wait(const ManagedDomain *domain, const CertFactsList *live, const Job *job, Decision *d) {
        char at[CLOCK_HUMAN_MAX];

        d->action = DECISION_WAIT;
        d->at_usec = decision_renew_at_usec(domain, live, job);
        d->reason = is_said_by_ca(domain, live, job, d->at_usec) ? REASON_RENEWAL_INFO : REASON_WINDOW;
        if (job->rolled_back)
                return reason_printf(&d->detail, "an earlier certificate was put back, and is kept until the renew window of what is left of its life begins at %s",
                                     clock_format_utc(at, d->at_usec));
        return reason_printf(&d->detail, d->reason == REASON_RENEWAL_INFO ? "the CA suggests a renewal at %s" : "the renew window begins at %s",
                             clock_format_utc(at, d->at_usec));
}

static int decide_held(const DecisionContext *context, char *because, Decision *d) {
        _auto_free_ char *reason = because;
        char at[CLOCK_HUMAN_MAX];

        d->action = DECISION_WAIT;
        d->reason = REASON_HELD;
        d->at_usec = context->held_until_usec;
        return reason_printf(&d->detail, "%s; it is held back until %s: %s", reason, clock_format_utc(at, d->at_usec), str_or(context->held_why, "no reason given"));
}

static int decide_activation_delay(uint64_t until_usec, Decision *d) {
        char at[CLOCK_HUMAN_MAX];

        d->action = DECISION_WAIT;
        d->reason = REASON_ACTIVATION_DELAY;
        d->at_usec = until_usec;
        return reason_printf(&d->detail, "all new certificates are there, and are used from %s on (MDActivationDelay)", clock_format_utc(at, until_usec));
}

/* The budget goes by certificates, one for each key that has none in staging yet. */
static size_t count_needed(const ManagedDomain *d, const DecisionContext *context) {
        size_t n = key_specs_count(&d->keys);

        return context->n_staged < n ? n - context->n_staged : 1;
}

static int decide_budget(const DecisionContext *context, uint64_t until_usec, char *because, Decision *d) {
        _auto_free_ char *reason = because;
        char at[CLOCK_HUMAN_MAX];

        d->action = DECISION_WAIT;
        d->reason = REASON_BUDGET;
        d->at_usec = until_usec;
        return reason_printf(&d->detail,
                             "%s; but that would make more than %u certificates for these names within a week (CertificatesPerWeek=), as if something went in circles: "
                             "it is asked for at %s ('mdctl renew --force' does it now)",
                             reason, context->certificates_per_week, clock_format_utc(at, until_usec));
}

static int decide_nothing(DecisionReason reason, const char *detail, Decision *d) {
        d->action = DECISION_NOTHING;
        d->reason = reason;
        return reason_printf(&d->detail, "%s", detail);
}

static int decide_activate(Decision *d) {
        d->action = DECISION_ACTIVATE;
        d->reason = REASON_STAGED;
        return reason_printf(&d->detail, "all new certificates are there");
}

/* When a certificate that no server serves is renewed after all; 0: that time has come. */
static uint64_t old_at(const ManagedDomain *d, const CertFactsList *live, const Job *job, uint64_t now_usec) {
        const Window last_third = { .percent = MANAGED_DOMAIN_RENEW_PERCENT };
        uint64_t at = 0;

        for (size_t i = 0; i < live->n; i++) {
                uint64_t begin = window_begin_usec(&last_third, live->items[i].not_before_usec, live->items[i].not_after_usec);

                if (at == 0 || begin < at)
                        at = begin;
        }
        at = MAX_OF(at, decision_renew_at_usec(d, live, job)); /* a window that begins later counts, too */
        if (must_wait_to_retry(d, job, now_usec))
                at = MAX_OF(at, job->next_run_usec);
        return at > now_usec ? at : 0;
}

static int decide_install(uint64_t at_usec, Decision *d) {
        d->action = DECISION_INSTALL;
        d->reason = REASON_ACTIVATED;
        d->at_usec = at_usec;
        return reason_printf(&d->detail, "the newest certificate is not served yet");
}

static int decide_asked(Decision *d) {
        d->action = DECISION_RENEW;
        d->reason = REASON_ASKED;
        return reason_printf(&d->detail, "it was asked for");
}

static bool is_about_age(DecisionReason reason) {
        return reason == REASON_EXPIRED || reason == REASON_WINDOW || reason == REASON_RENEWAL_INFO;
}

/* When it may be asked for; 0: now. Whatever else is wrong, what is due by its age is renewed in time. */
static uint64_t budget_until(const ManagedDomain *d, const CertFactsList *live, const Job *job, const DecisionContext *context, uint64_t now_usec) {
        const Budget b = { .per_week = context->certificates_per_week, .needed = count_needed(d, context), .staged = context->n_staged };
        uint64_t until = budget_until_usec(&b, job, now_usec);

        return until > 0 ? MIN_OF(until, MAX_OF(budget_regular_usec(&b, live, job), decision_renew_at_usec(d, live, job))) : 0;
}

/* Until when a staged set is not to be used; 0: use it. A delay never costs a site its certificate: it counts only while the live set is good. */
static uint64_t activation_delayed_until(const DecisionContext *context, const CertFactsList *live, const Job *job, int found, DecisionReason reason, uint64_t now_usec) {
        uint64_t until, end = UINT64_MAX;

        if (context->activation_delay_usec == 0 || live->n == 0 || job->rollback > 0 || (found && reason != REASON_WINDOW && reason != REASON_RENEWAL_INFO && reason != REASON_CA_CHANGED))
                return 0;
        for (size_t i = 0; i < live->n; i++)
                end = MIN_OF(end, live->items[i].not_after_usec);
        until = MIN_OF(usec_add(job->staged_usec, context->activation_delay_usec), end);
        return until > now_usec ? until : 0;
}

static DomainState state_of(int found, DecisionReason reason) {
        return found && (reason == REASON_MISSING || reason == REASON_KEY_MISMATCH || reason == REASON_NAMES)
                ? DOMAIN_STATE_INCOMPLETE
                : DOMAIN_STATE_COMPLETE;
}

static bool renews_by_itself(const ManagedDomain *d) {
        return d->renew_mode == RENEW_MODE_ALWAYS || (d->renew_mode == RENEW_MODE_AUTO && d->used);
}

static int decide(const ManagedDomain *d, const CertFactsList *live, const Job *job, const DecisionContext *context, uint64_t now_usec, Decision *ret) {
        _auto_free_ char *because = NULL;
        DecisionReason reason = _REASON_MAX;
        bool wants, retry_later, install;
        uint64_t delayed = 0, affordable;
        int found;

        found = reason_find(d, live, job, now_usec, &reason, &because);
        if (found < 0)
                return found;
        ret->state = state_of(found, reason);

        if (d->refused)
                return decide_nothing(REASON_REFUSED, d->refused, ret);
        if (context->staged_complete) {
                delayed = activation_delayed_until(context, live, job, found, reason, now_usec);
                if (delayed == 0)
                        return decide_activate(ret);
        }
        if (job->asked)
                return decide_asked(ret);

        wants = found && renews_by_itself(d);
        retry_later = must_wait_to_retry(d, job, now_usec);
        install = !context->served && is_servable(d, live, job);
        if (install && !(wants && !retry_later && is_about_age(reason) && is_old(d, live, job, now_usec)))
                return decide_install(delayed > 0 ? delayed : renews_by_itself(d) ? old_at(d, live, job, now_usec) : 0, ret);
        if (delayed > 0)
                return decide_activation_delay(delayed, ret);

        if (d->renew_mode == RENEW_MODE_MANUAL)
                return decide_nothing(REASON_MANUAL, managed_domain_is_static(d) ? "its certificates are files of the administrator's (MDCertificateFile)" : "MDRenewMode is manual",
                                      ret);
        if (!renews_by_itself(d))
                return decide_nothing(REASON_UNUSED, "no virtual host uses this domain", ret);
        if (!found)
                return decide_wait(d, live, job, ret);
        if (retry_later)
                return decide_retry(job, take_ptr(because), ret);
        if (context->held_until_usec > now_usec)
                return decide_held(context, take_ptr(because), ret);
        affordable = budget_until(d, live, job, context, now_usec);
        if (affordable > now_usec)
                return decide_budget(context, affordable, take_ptr(because), ret);

        ret->action = DECISION_RENEW;
        ret->reason = reason;
        ret->detail = take_ptr(because);
        return 0;
}

int decision_make(const ManagedDomain *d, const CertFactsList *live, const Job *job, const DecisionContext *context, uint64_t now_usec, Decision *ret) {
        Decision decision = {};
        int r;

        assert(d);
        assert(live);
        assert(job);
        assert(context);
        assert(ret);

        r = decide(d, live, job, context, now_usec, &decision);
        if (r < 0) {
                decision_done(&decision);
                return r;
        }
        *ret = decision;
        return 0;
}
