/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/event.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "domain/cause.h"
#include "manager/courier.h"
#include "manager/expiry.h"
#include "manager/manager-bus.h"
#include "manager/public.h"
#include "manager/renewal.h"
#include "manager/status.h"
#include "store/layout.h"

static const struct {
        const char *message_id;
        const char *log_type; /* in job.json, mod_md's words */
        int priority;
} kinds[] = {
        [EVENT_RENEWING] = { MESSAGE_RENEWAL_STARTED, "starting", LOG_INFO },
        [EVENT_RENEWED] = { MESSAGE_RENEWED, "finished", LOG_NOTICE },
        [EVENT_INSTALLED] = { MESSAGE_INSTALLED, "installed", LOG_NOTICE },
        [EVENT_ERRORED] = { MESSAGE_RENEWAL_FAILED, "renewal-error", LOG_ERR },
        [EVENT_EXPIRING] = { MESSAGE_EXPIRING, "expiring", LOG_WARNING },
        [EVENT_RELOAD_FAILED] = { MESSAGE_RELOAD_FAILED, "reload-error", LOG_ERR },
        [EVENT_RELOAD_PENDING] = { MESSAGE_RELOAD_PENDING, "reload-pending", LOG_NOTICE },
        [EVENT_SERVED_DIFFERS] = { MESSAGE_SERVED_DIFFERS, "served-error", LOG_ERR },
        [EVENT_RENEWAL_INFO] = { MESSAGE_RENEWAL_INFO, "renewal-info", LOG_NOTICE },
        [EVENT_TARGET_FAILED] = { MESSAGE_TARGET_FAILED, "target-error", LOG_ERR },
        [EVENT_ROLLED_BACK] = { MESSAGE_ROLLED_BACK, "rolled-back", LOG_NOTICE },
        [EVENT_RATE_LIMITED] = { MESSAGE_RATE_LIMITED, "rate-limited", LOG_WARNING },
        [EVENT_REVOKED] = { MESSAGE_REVOKED, "revoked", LOG_WARNING },
        [EVENT_CONFIGURATION_REFUSED] = { MESSAGE_CONFIGURATION_REFUSED, "refused", LOG_ERR },
        [EVENT_STALLED] = { MESSAGE_STALLED, "stalled", LOG_ERR },
        [EVENT_STORE_DAMAGED] = { MESSAGE_STORE_DAMAGED, "store-error", LOG_WARNING },
        [EVENT_OCSP_RENEWED] = { MESSAGE_OCSP_RENEWED, "ocsp-renewed", LOG_INFO },
        [EVENT_OCSP_ERRORED] = { MESSAGE_OCSP_ERRORED, "ocsp-error", LOG_WARNING },
};

/* The CA that it is about, as far as that is known: with several of them it is not always the first. */
static const char *ca_of(const Domain *d, EventKind kind) {
        if (d->renewal)
                return d->renewal->task.ca_url;
        if (kind == EVENT_ERRORED && d->job->ca_url && strv_contains(d->config->ca_urls, d->job->ca_url))
                return d->job->ca_url;
        return d->config->ca_urls ? d->config->ca_urls[0] : NULL;
}

const char *event_log_type(EventKind kind) {
        assert((size_t) kind < ELEMENTSOF(kinds));

        return kinds[kind].log_type;
}

/* What nothing renews becomes more urgent with every step towards its end. */
static int priority_of(const Domain *d, EventKind kind) {
        static const int expiring[_EXPIRY_STEP_MAX] = {
                [EXPIRY_FAR] = LOG_NOTICE,  [EXPIRY_NOTICED] = LOG_NOTICE, [EXPIRY_NEAR] = LOG_WARNING,
                [EXPIRY_NEARER] = LOG_ERR,  [EXPIRY_LAST_DAY] = LOG_CRIT,  [EXPIRY_PASSED] = LOG_ALERT,
        };

        return kind == EVENT_EXPIRING ? expiring[expiry_step_of(d)] : kinds[kind].priority;
}

static void tell_journal(Domain *d, EventKind kind, const Problem *problem, const char *text) {
        LogField fields[] = {
                { "MD_NAME", DOMAIN_NAME(d) },
                { "MD_EVENT", event_kind_to_string(kind) },
                { "MD_CA", ca_of(d, kind) },
                { "MD_PROBLEM", problem ? problem->type : NULL },
                { "MD_SUBPROBLEMS", problem ? problem->subproblems : NULL },
        };

        log_full(priority_of(d, kind), 0, kinds[kind].message_id, fields, ELEMENTSOF(fields), "%s: %s", DOMAIN_NAME(d), text);
}

static int add_field(char ***fields, const char *key, const char *value) {
        int r;

        if (str_is_empty(value))
                return 0;
        r = strv_extend(fields, key);
        return r < 0 ? r : strv_extend(fields, value);
}

static int add_list(char ***fields, const char *key, char *const *words) {
        _auto_free_ char *joined = words ? strv_join(words, " ") : NULL;

        return words && !joined ? -ENOMEM : add_field(fields, key, joined);
}

typedef struct LiveSet {
        char **serials, **fingerprints, **paths;
        uint64_t since_usec, until_usec;
} LiveSet;

static void live_set_done(LiveSet *set) {
        strv_free(set->serials);
        strv_free(set->fingerprints);
        strv_free(set->paths);
}

/* Root finds the key beside it; the others are shown a copy that they may read. */
static int add_path(const Domain *d, EventKind kind, const KeySpec *spec, LiveSet *set) {
        const char *directory = event_kind_runs_as_root(kind) ? STORE_DOMAINS : STORE_PUBLIC;
        char file[KEY_SPEC_FILE_MAX];

        return strv_consume(&set->paths, str_printf("%s/%s/%s/%s", store_path(d->manager->store), directory, DOMAIN_NAME(d), key_spec_file(spec, STORE_STEM_CERT, file)));
}

static int add_certificate(const Domain *d, EventKind kind, const KeySpec *spec, const CertFacts *f, LiveSet *set) {
        if (strv_extend(&set->serials, str_or(f->serial, "-")) < 0 || strv_extend(&set->fingerprints, str_or(f->sha256, "-")) < 0 || add_path(d, kind, spec, set) < 0)
                return -ENOMEM;
        set->since_usec = MAX_OF(set->since_usec, f->not_before_usec);
        set->until_usec = set->until_usec == 0 ? f->not_after_usec : MIN_OF(set->until_usec, f->not_after_usec);
        return 0;
}

/* In the order of the configured keys. */
static int read_live(const Domain *d, EventKind kind, LiveSet *set) {
        int r = 0;

        public_update(d);
        for (size_t i = 0; r == 0 && i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);
                char name[KEY_SPEC_NAME_MAX];
                const CertFacts *f = cert_facts_find(&d->live, key_spec_name(&spec, name));

                r = f ? add_certificate(d, kind, &spec, f, set) : 0;
        }
        return r;
}

static int add_live(char ***fields, const LiveSet *set) {
        char time[CLOCK_RFC3339_MAX];
        int r;

        r = add_list(fields, "MD_SERIALS", set->serials);
        if (r == 0)
                r = add_list(fields, "MD_FINGERPRINTS", set->fingerprints);
        if (r == 0)
                r = add_list(fields, "MD_CERTIFICATES", set->paths);
        if (r == 0 && set->until_usec > 0)
                r = add_field(fields, "MD_NOT_BEFORE", clock_format_rfc3339(time, set->since_usec));
        if (r == 0 && set->until_usec > 0)
                r = add_field(fields, "MD_NOT_AFTER", clock_format_rfc3339(time, set->until_usec));
        return r;
}

static int collect_fields(const Domain *d, EventKind kind, const Problem *problem, const char *text, const LiveSet *set, char ***ret) {
        _auto_strv_ char **fields = NULL;
        int r;

        r = add_list(&fields, "MD_DOMAINS", d->config->names);
        if (r == 0)
                r = add_field(&fields, "MD_DETAIL", text);
        if (r == 0)
                r = add_field(&fields, "MD_PROBLEM", problem ? problem->type : NULL);
        if (r == 0 && kind == EVENT_EXPIRING)
                r = add_field(&fields, "MD_URGENCY", expiry_step_to_string(expiry_step_of(d)));
        if (r == 0)
                r = add_live(&fields, set);
        if (r == 0)
                *ret = take_ptr(fields);
        return r;
}

/* What is told of another certificate is news. */
static bool is_about_certificate(EventKind kind) {
        return kind == EVENT_RENEWED || kind == EVENT_ROLLED_BACK || kind == EVENT_INSTALLED || kind == EVENT_RELOAD_PENDING || kind == EVENT_SERVED_DIFFERS;
}

int event_collect_fields(const Domain *d, EventKind kind, const Problem *problem, const char *text, char ***ret) {
        _cleanup_(live_set_done) LiveSet set = { 0 };
        int r = read_live(d, kind, &set);

        return r < 0 ? r : collect_fields(d, kind, problem, text, &set, ret);
}

static bool is_about_ca(EventKind kind) {
        return kind == EVENT_ERRORED || kind == EVENT_EXPIRING || kind == EVENT_RENEWAL_INFO || kind == EVENT_RATE_LIMITED || kind == EVENT_REVOKED || kind == EVENT_OCSP_ERRORED;
}

/* Of the end of a certificate each step is told by itself. */
static int find_cause(const Domain *d, EventKind kind, const Problem *problem, char **ret) {
        return cause_of_event(kind, is_about_ca(kind) ? ca_of(d, kind) : NULL, kind == EVENT_EXPIRING ? expiry_step_to_string(expiry_step_of(d)) : NULL, problem, d->config->names, ret);
}

static void run_hook(Domain *d, EventKind kind, const Problem *problem, const char *text) {
        _cleanup_(live_set_done) LiveSet set = { 0 };
        _auto_strv_ char **fields = NULL;
        _auto_free_ char *subject = NULL, *cause = NULL;
        int r;

        r = read_live(d, kind, &set);
        if (r == 0)
                r = collect_fields(d, kind, problem, text, &set, &fields);
        if (r == 0 && is_about_certificate(kind) && set.fingerprints) {
                subject = strv_join(set.fingerprints, " ");
                r = subject ? 0 : -ENOMEM;
        }
        if (r == 0 && kind == EVENT_EXPIRING) /* another step is news */
                r = str_replace(&subject, expiry_step_to_string(expiry_step_of(d)));
        if (r >= 0)
                r = find_cause(d, kind, problem, &cause);
        if (r < 0)
                (void) log_failure(r, "%s: Cannot tell hooks of '%s': %m", DOMAIN_NAME(d), event_kind_to_string(kind));
        else
                courier_add(d->manager->courier, DOMAIN_NAME(d), kind, subject, cause, fields);
}

void event_tell_challenge(Domain *d, const char *type, const char *identifier) {
        _auto_free_ char *event = str_printf("%s:%s:%s", event_kind_to_string(EVENT_CHALLENGE_SETUP), type, identifier);
        _auto_free_ char *text = str_printf("The challenge %s for %s is set up, and the CA is about to be told", type, identifier);
        LogField fields[] = { { "MD_NAME", DOMAIN_NAME(d) }, { "MD_EVENT", event }, { "MD_CA", ca_of(d, EVENT_CHALLENGE_SETUP) } };

        if (!event || !text) {
                (void) log_oom();
                return;
        }
        log_full(LOG_INFO, 0, MESSAGE_CHALLENGE_SETUP, fields, ELEMENTSOF(fields), "%s: %s", DOMAIN_NAME(d), text);
        manager_bus_event(d->manager, event, DOMAIN_NAME(d), NULL, text);
}

void event_tell(Domain *d, EventKind kind, const Problem *problem, const char *format, ...) {
        _auto_free_ char *text = NULL, *printable = NULL;
        va_list ap;

        assert(d);
        assert((size_t) kind < ELEMENTSOF(kinds));

        va_start(ap, format);
        text = str_vprintf(format, ap);
        va_end(ap);
        printable = text ? str_printable(text, strlen(text), 2048) : NULL;
        if (!printable) {
                (void) log_oom();
                return;
        }
        tell_journal(d, kind, problem, printable);
        (void) job_log_add(d->job, clock_now_usec(), kinds[kind].log_type, problem ? problem->type : NULL, printable);
        status_changed(d->manager->shown, d);
        manager_bus_event(d->manager, event_kind_to_string(kind), DOMAIN_NAME(d), problem, printable);
        if (event_kind_has_hook(kind))
                run_hook(d, kind, problem, printable);
}

/* Not merged: it has one name for all of them. */
static int run_hook_of_other(Manager *m, EventKind kind, const OtherEvent *e) {
        _auto_strv_ char **fields = NULL;
        int r;

        r = add_list(&fields, "MD_SERIALS", e->serials);
        if (r == 0)
                r = add_field(&fields, "MD_DETAIL", e->text);
        if (r == 0)
                r = add_field(&fields, "MD_PROBLEM", e->problem ? e->problem->type : NULL);
        if (r == 0)
                courier_add(m->courier, EVENT_NAME_OTHER, kind, NULL, NULL, fields);
        return r;
}

void event_tell_other(Manager *m, EventKind kind, const OtherEvent *e) {
        LogField fields[] = {
                { "MD_NAME", e->name },
                { "MD_EVENT", event_kind_to_string(kind) },
                { "MD_CERT_SERIAL", e->serials[0] },
                { "MD_PROBLEM", e->problem ? e->problem->type : NULL },
        };

        assert(event_kind_concerns_other(kind));

        log_full(kinds[kind].priority, 0, kinds[kind].message_id, fields, ELEMENTSOF(fields), "%s: %s", e->name, e->text);
        manager_bus_event(m, event_kind_to_string(kind), e->name, e->problem, e->text);
        if (str_equal(e->name, EVENT_NAME_OTHER) && run_hook_of_other(m, kind, e) < 0)
                (void) log_oom();
}
