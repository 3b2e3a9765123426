/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/decision.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "domain/backoff.h"
#include "domain/name.h"

/* Certificates that live less are renewed at half of their life: a third would leave too little time for retries. */
#define SHORT_LIFE_USEC (10 * USEC_PER_DAY)

static const char *const action_table[] = {
        [DECISION_NOTHING] = "nothing",   [DECISION_WAIT] = "wait",       [DECISION_RENEW] = "renew",
        [DECISION_ACTIVATE] = "activate", [DECISION_INSTALL] = "install",
};

static const char *const reason_table[_REASON_MAX] = {
        [REASON_MISSING] = "certificate-missing",
        [REASON_NAMES] = "names-not-covered",
        [REASON_KEY_MISMATCH] = "key-mismatch",
        [REASON_KEY_SPEC] = "key-spec-differs",
        [REASON_WINDOW] = "renew-window",
        [REASON_EXPIRED] = "expired",
        [REASON_RETRY] = "retry",
        [REASON_STAGED] = "staged",
        [REASON_ACTIVATED] = "activated",
        [REASON_ASKED] = "asked",
        [REASON_MANUAL] = "renew-mode-manual",
        [REASON_UNUSED] = "unused",
        [REASON_REFUSED] = "refused",
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

static int detail_printf(char **ret, const char *format, ...) _printf_(2, 3);
static int detail_printf(char **ret, const char *format, ...) {
        va_list ap;
        char *s;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        if (n < 0)
                return -ENOMEM;
        *ret = s;
        return 0;
}

/* One key spec and the certificate that there is for it. */

typedef struct Slot {
        const ManagedDomain *domain;
        KeySpec spec;
        char name[KEY_SPEC_NAME_MAX];
        const CertFacts *cert; /* NULL: there is none */
        uint64_t now_usec;
} Slot;

static Slot slot_get(const ManagedDomain *d, const CertFactsList *live, size_t i, uint64_t now_usec) {
        Slot s = { .domain = d, .spec = key_specs_get(&d->keys, i), .now_usec = now_usec };

        s.cert = cert_facts_find(live, key_spec_name(&s.spec, s.name));
        return s;
}

static uint64_t slot_renew_at(const Slot *s) {
        Window w = s->domain->renew_window;
        uint64_t begin;

        if (!window_is_set(&w)) {
                bool is_short = usec_sub(s->cert->not_after_usec, s->cert->not_before_usec) < SHORT_LIFE_USEC;

                w = (Window){ .percent = is_short ? 50 : MANAGED_DOMAIN_RENEW_PERCENT };
        }
        begin = window_begin_usec(&w, s->cert->not_before_usec, s->cert->not_after_usec);
        /* One that came when its window was open already (the CA dates back, or lets little of the life be left) would be renewed without pause: what
         * is left counts as its life. */
        if (begin <= s->cert->received_usec && s->cert->received_usec < s->cert->not_after_usec)
                begin = window_begin_usec(&w, s->cert->received_usec, s->cert->not_after_usec);
        return begin;
}

/* The reasons to renew, each a function that returns 0 when it does not hold, 1 with *ret_detail when it does, or -ENOMEM. */

static int because_missing(const Slot *s, char **ret_detail) {
        int r;

        if (s->cert)
                return 0;
        r = detail_printf(ret_detail, "there is no %s certificate", s->name);
        return r < 0 ? r : 1;
}

static int because_key_mismatch(const Slot *s, char **ret_detail) {
        int r;

        if (!s->cert || s->cert->key_matches)
                return 0;
        r = detail_printf(ret_detail, "the private key of the %s certificate is missing or belongs to another one", s->name);
        return r < 0 ? r : 1;
}

static int because_names(const Slot *s, char **ret_detail) {
        const char *first;
        size_t count;
        int r;

        if (!s->cert)
                return 0;
        r = domain_names_uncovered(s->cert->names, s->domain->names, &first, &count);
        if (r < 0 || count == 0)
                return r;
        if (count == 1)
                r = detail_printf(ret_detail, "%s is not covered by the %s certificate", first, s->name);
        else
                r = detail_printf(ret_detail, "%s and %zu more %s are not covered by the %s certificate", first, count - 1,
                                  count == 2 ? "name" : "names", s->name);
        return r < 0 ? r : 1;
}

/* 0: a curve that we do not know by name, whose size says nothing. */
static unsigned curve_bits(const char *curve) {
        static const struct {
                const char *curve;
                unsigned bits;
        } curves[] = {
                { "P-256", 256 },     { "secp256r1", 256 }, { "prime256v1", 256 }, { "P-384", 384 },
                { "secp384r1", 384 }, { "P-521", 521 },     { "secp521r1", 521 },
        };

        for (size_t i = 0; i < ELEMENTSOF(curves); i++)
                if (str_equal_nocase(curves[i].curve, curve))
                        return curves[i].bits;
        return 0;
}

static bool key_is_as_asked(const KeySpec *spec, const CertFacts *cert) {
        unsigned bits;

        switch (spec->type) {
        case KEY_TYPE_DEFAULT: /* nobody asked for a size: better is good enough */
                return cert->key_type == KEY_TYPE_RSA && cert->key_bits >= KEY_SPEC_RSA_BITS_DEFAULT;
        case KEY_TYPE_RSA:
                return cert->key_type == KEY_TYPE_RSA && cert->key_bits == spec->bits;
        case KEY_TYPE_EC:
                bits = curve_bits(spec->curve);
                return cert->key_type == KEY_TYPE_EC && (bits == 0 || cert->key_bits == bits);
        }
        return true;
}

static int because_key_spec(const Slot *s, char **ret_detail) {
        int r;

        if (!s->cert || key_is_as_asked(&s->spec, s->cert))
                return 0;
        if (s->spec.type == KEY_TYPE_EC)
                r = detail_printf(ret_detail, "the certificate's key is %s with %u bits, and a key on curve %s is configured",
                                  s->cert->key_type == KEY_TYPE_EC ? "EC" : "RSA", s->cert->key_bits, s->spec.curve);
        else
                r = detail_printf(ret_detail, "the certificate's key is %s with %u bits, and RSA with %u bits is configured",
                                  s->cert->key_type == KEY_TYPE_EC ? "EC" : "RSA", s->cert->key_bits, s->spec.bits);
        return r < 0 ? r : 1;
}

static int because_expired(const Slot *s, char **ret_detail) {
        char when[CLOCK_HUMAN_MAX];
        int r;

        if (!s->cert || s->cert->not_after_usec > s->now_usec)
                return 0;
        r = detail_printf(ret_detail, "the %s certificate expired at %s", s->name, clock_format_utc(when, s->cert->not_after_usec));
        return r < 0 ? r : 1;
}

static int because_window(const Slot *s, char **ret_detail) {
        char begin[CLOCK_HUMAN_MAX], end[CLOCK_HUMAN_MAX];
        int r;

        if (!s->cert || slot_renew_at(s) > s->now_usec)
                return 0;
        r = detail_printf(ret_detail, "the %s certificate expires at %s and is renewed from %s on", s->name,
                          clock_format_utc(end, s->cert->not_after_usec), clock_format_utc(begin, slot_renew_at(s)));
        return r < 0 ? r : 1;
}

/* In the order in which they are told when several hold. */
static const struct {
        DecisionReason reason;
        int (*holds)(const Slot *s, char **ret_detail);
} renewal_reasons[] = {
        { REASON_MISSING, because_missing },   { REASON_KEY_MISMATCH, because_key_mismatch }, { REASON_NAMES, because_names },
        { REASON_KEY_SPEC, because_key_spec }, { REASON_EXPIRED, because_expired },           { REASON_WINDOW, because_window },
};

/* 1: there is one. */
static int find_reason(const ManagedDomain *d, const CertFactsList *live, uint64_t now_usec, DecisionReason *ret,
                       char **ret_detail) {
        for (size_t i = 0; i < ELEMENTSOF(renewal_reasons); i++)
                for (size_t k = 0; k < key_specs_count(&d->keys); k++) {
                        Slot s = slot_get(d, live, k, now_usec);
                        int r = renewal_reasons[i].holds(&s, ret_detail);

                        if (r < 0)
                                return r;
                        if (r > 0) {
                                *ret = renewal_reasons[i].reason;
                                return 1;
                        }
                }
        return 0;
}

/* Every key has its certificate, whatever names are in it: a server can serve the set. */
static bool is_servable(const ManagedDomain *d, const CertFactsList *live) {
        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                Slot s = slot_get(d, live, i, 0);

                if (!s.cert || !s.cert->key_matches)
                        return false;
        }
        return true;
}

/* Some certificate has reached the last third of its life. */
static bool is_old(const ManagedDomain *d, const CertFactsList *live, uint64_t now_usec) {
        const Window last_third = { .percent = MANAGED_DOMAIN_RENEW_PERCENT };

        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                Slot s = slot_get(d, live, i, now_usec);

                if (s.cert && window_begin_usec(&last_third, s.cert->not_before_usec, s.cert->not_after_usec) <= now_usec)
                        return true;
        }
        return false;
}

uint64_t decision_renew_at_usec(const ManagedDomain *d, const CertFactsList *live) {
        uint64_t at = 0;

        assert(d);
        assert(live);

        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                Slot s = slot_get(d, live, i, 0);
                uint64_t begin;

                if (!s.cert)
                        continue;
                begin = MAX_OF(slot_renew_at(&s), (uint64_t) 1);
                at = at == 0 ? begin : MIN_OF(at, begin);
        }
        return at;
}

/* Whether a failed attempt is to be repeated later. No retry is ever planned further ahead than a week (backoff.h), so a time
 * beyond that was written while the clock was wrong; a day is left for a clock that was put back. */
static bool must_wait_to_retry(const Job *job, uint64_t now_usec) {
        return job->errors > 0 && job->next_run_usec > now_usec &&
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
        return detail_printf(&d->detail, "%s; %u %s failed, the next one is at %s%s%s", reason, job->errors,
                             job->errors == 1 ? "attempt" : "attempts", clock_format_utc(at, job->next_run_usec),
                             job->last ? ": " : "", job->last ? job->last->detail : "");
}

static int decide_wait(const ManagedDomain *domain, const CertFactsList *live, Decision *d) {
        char at[CLOCK_HUMAN_MAX];

        d->action = DECISION_WAIT;
        d->reason = REASON_WINDOW;
        d->at_usec = decision_renew_at_usec(domain, live);
        return detail_printf(&d->detail, "the renew window begins at %s", clock_format_utc(at, d->at_usec));
}

static int decide_nothing(DecisionReason reason, const char *detail, Decision *d) {
        d->action = DECISION_NOTHING;
        d->reason = reason;
        return detail_printf(&d->detail, "%s", detail);
}

static int decide_activate(Decision *d) {
        d->action = DECISION_ACTIVATE;
        d->reason = REASON_STAGED;
        return detail_printf(&d->detail, "all new certificates are there");
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
        at = MAX_OF(at, decision_renew_at_usec(d, live)); /* a window that begins later counts, too */
        if (must_wait_to_retry(job, now_usec))
                at = MAX_OF(at, job->next_run_usec);
        return at > now_usec ? at : 0;
}

static int decide_install(uint64_t at_usec, Decision *d) {
        d->action = DECISION_INSTALL;
        d->reason = REASON_ACTIVATED;
        d->at_usec = at_usec;
        return detail_printf(&d->detail, "the newest certificate is not served yet");
}

static int decide_asked(Decision *d) {
        d->action = DECISION_RENEW;
        d->reason = REASON_ASKED;
        return detail_printf(&d->detail, "it was asked for");
}

static bool is_about_age(DecisionReason reason) {
        return reason == REASON_EXPIRED || reason == REASON_WINDOW;
}

static DomainState state_of(int found, DecisionReason reason) {
        return found && (reason == REASON_MISSING || reason == REASON_KEY_MISMATCH || reason == REASON_NAMES)
                ? DOMAIN_STATE_INCOMPLETE
                : DOMAIN_STATE_COMPLETE;
}

static bool renews_by_itself(const ManagedDomain *d) {
        return d->renew_mode == RENEW_MODE_ALWAYS || (d->renew_mode == RENEW_MODE_AUTO && d->used);
}

static int decide(const ManagedDomain *d, const CertFactsList *live, const Job *job, bool staged_complete, bool served,
                  uint64_t now_usec, Decision *ret) {
        _auto_free_ char *because = NULL;
        DecisionReason reason = _REASON_MAX;
        bool wants, retry_later, install;
        int found;

        found = find_reason(d, live, now_usec, &reason, &because);
        if (found < 0)
                return found;
        ret->state = state_of(found, reason);

        if (d->refused)
                return decide_nothing(REASON_REFUSED, d->refused, ret);
        if (staged_complete)
                return decide_activate(ret);
        if (job->asked)
                return decide_asked(ret);

        wants = found && renews_by_itself(d);
        retry_later = must_wait_to_retry(job, now_usec);
        install = !served && is_servable(d, live);
        if (install && !(wants && !retry_later && is_about_age(reason) && is_old(d, live, now_usec)))
                return decide_install(renews_by_itself(d) ? old_at(d, live, job, now_usec) : 0, ret);

        if (d->renew_mode == RENEW_MODE_MANUAL)
                return decide_nothing(REASON_MANUAL, "MDRenewMode is manual", ret);
        if (!renews_by_itself(d))
                return decide_nothing(REASON_UNUSED, "no virtual host uses this domain", ret);
        if (!found)
                return decide_wait(d, live, ret);
        if (retry_later)
                return decide_retry(job, take_ptr(because), ret);

        ret->action = DECISION_RENEW;
        ret->reason = reason;
        ret->detail = take_ptr(because);
        return 0;
}

int decision_make(const ManagedDomain *d, const CertFactsList *live, const Job *job, bool staged_complete, bool served,
                  uint64_t now_usec, Decision *ret) {
        Decision decision = {};
        int r;

        assert(d);
        assert(live);
        assert(job);
        assert(ret);

        r = decide(d, live, job, staged_complete, served, now_usec, &decision);
        if (r < 0) {
                decision_done(&decision);
                return r;
        }
        *ret = decision;
        return 0;
}
