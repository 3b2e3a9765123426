/* SPDX-License-Identifier: Apache-2.0 */

/* The texts of the status pages. A domain's is the object that mod_md's "md-status" gives for it, member by member, and behind that what only we
 * know: "next", "served", "installed", "last-problem". */

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "config.h"
#include "domain/reason.h"
#include "manager/courier.h"
#include "manager/deliver.h"
#include "manager/ocsp.h"
#include "manager/reload.h"
#include "manager/status.h"
#include "store/domain.h"
#include "store/status.h"

enum {
        LOG_SHOWN = 16,
        LOG_DETAIL_MAX = 400,
};

/* Takes 'value' like json_add_object(), which does not take NULL. */
static int add_object(JsonObject *o, const char *key, JsonObject *value) {
        return value ? json_add_object(o, key, value) : -ENOMEM;
}

static JsonObject *validity(uint64_t from_usec, uint64_t until_usec) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_time(o, "from", from_usec) < 0 || json_add_time(o, "until", until_usec) < 0)
                return NULL;
        return take_ptr(o);
}

static JsonObject *problem_object(const Problem *p) {
        _auto_json_ JsonObject *o = json_object_new_object();

        return o && problem_to_json(p, o) == 0 ? take_ptr(o) : NULL;
}

/* mod_md's member "ocsp", or "crl" for a certificate that names no responder. */
static int add_revocation(const Domain *d, const CertFacts *f, JsonObject *o) {
        OcspKnown k = d ? ocsp_known(d->manager->ocsp, d, f) : (OcspKnown){ 0 };
        _auto_json_ JsonObject *known = NULL;

        if (!k.source)
                return 0;
        known = json_object_new_object();
        if (!known || json_add_string(known, "status", k.status) < 0 || (k.until_usec > 0 && add_object(known, "valid", validity(k.from_usec, k.until_usec)) < 0) ||
            json_add_time(known, "renewal", usec_round_up(k.next_usec)) < 0 || json_add_string(known, "url", k.url) < 0 ||
            (k.errors > 0 && json_add_uint(known, "errors", k.errors) < 0) || (k.last && add_object(known, "last", problem_object(k.last)) < 0))
                return -ENOMEM;
        return json_add_object(o, k.source, take_ptr(known));
}

/* Of one that is in use; 'd' NULL: it is not yet. */
static JsonObject *certificate(const Domain *d, const CertFacts *f) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "issuer-name", f->issuer_name) < 0 || json_add_string(o, "issuer", f->issuer) < 0 || json_add_string(o, "issuer-uri", f->issuer_url) < 0 ||
            add_object(o, "valid", validity(f->not_before_usec, f->not_after_usec)) < 0 || json_add_string(o, "serial", f->serial) < 0 ||
            json_add_string(o, "sha256-fingerprint", f->sha256) < 0 || json_add_string(o, "ari-cert-id", f->ari_id) < 0 || add_revocation(d, f, o) < 0)
                return NULL;
        return take_ptr(o);
}

/* "valid" is when all of them are; certificates that are never valid together have none. */
static JsonObject *certificates(const Domain *d, const CertFactsList *l) {
        _auto_json_ JsonObject *o = json_object_new_object();
        uint64_t from = 0, until = USEC_INFINITY;

        if (!o)
                return NULL;
        for (size_t i = 0; i < l->n; i++) {
                const CertFacts *f = &l->items[i];

                if (add_object(o, f->spec, certificate(d, f)) < 0)
                        return NULL;
                from = MAX_OF(from, f->not_before_usec);
                until = MIN_OF(until, f->not_after_usec);
        }
        if (l->n > 0 && from < until && add_object(o, "valid", validity(from, until)) < 0)
                return NULL;
        return take_ptr(o);
}

static bool is_under_way(const Domain *d) {
        return d->renewal || d->job->phase != JOB_PHASE_IDLE || d->job->errors > 0 || d->decision.action == DECISION_RENEW;
}

static JsonObject *copy_members(JsonObject *from, const char *const *keys, size_t n) {
        _auto_json_ JsonObject *o = json_object_new_object();

        for (size_t i = 0; i < n; i++) {
                JsonObject *value = NULL;

                if (json_object_object_get_ex(from, keys[i], &value) && (!o || json_add_object(o, keys[i], json_object_get(value)) < 0))
                        return NULL;
        }
        return take_ptr(o);
}

/* When what is complete is good to be used: not before the certificates are valid, nor before MDActivationDelay has passed. 0: nothing is complete. */
static uint64_t valid_from_usec(const Domain *d, const CertFactsList *staged) {
        const CertFactsList *l = d->job->phase == JOB_PHASE_STAGED ? staged : d->job->phase == JOB_PHASE_ACTIVATED ? &d->live : NULL;
        uint64_t from = l && d->decision.reason == REASON_ACTIVATION_DELAY ? usec_round_up(d->decision.at_usec) : 0;

        for (size_t i = 0; l && i < l->n; i++)
                from = MAX_OF(from, l->items[i].not_before_usec);
        return from;
}

/* mod_md's members about its messages: hooks are told, or nothing is configured to be told. */
static int add_notified(const Domain *d, JsonObject *o) {
        const Courier *c = d->manager->courier;

        if (json_add_bool(o, "notified", d->job->last_run_usec > 0 && !courier_has_pending(c, d, _EVENT_KIND_MAX)) < 0 ||
            json_add_bool(o, "notified-renewed", d->job->finished && d->job->phase != JOB_PHASE_STAGED && !courier_has_pending(c, d, EVENT_RENEWED)) < 0)
                return -ENOMEM;
        return 0;
}

static int add_renewal(Domain *d, JsonObject *o) {
        static const char *const public_members[] = {
                "name", "phase", "finished", "asked", "next-run", "last-run", "errors", "last", "ca-url", "account", "activated", "installed",
        };
        _auto_json_ JsonObject *job = NULL, *copy = NULL;
        CertFactsList staged = { 0 };
        int r;

        if (!is_under_way(d))
                return 0;
        r = job_to_json(d->job, &job);
        if (r < 0)
                return r;
        copy = copy_members(job, public_members, ELEMENTSOF(public_members));
        if (!copy)
                return -ENOMEM;
        if (d->job->phase != JOB_PHASE_IDLE && d->job->phase != JOB_PHASE_ACTIVATED)
                r = deliver_read_facts(d, STORE_SET_STAGING, &staged, NULL);
        if (r == 0)
                r = add_object(copy, "cert", certificates(NULL, &staged));
        if (r == 0)
                r = add_notified(d, copy);
        if (r == 0)
                r = json_add_time(copy, "valid-from", valid_from_usec(d, &staged));
        cert_facts_list_done(&staged);
        return r < 0 ? r : json_add_object(o, "renewal", take_ptr(copy));
}

static int add_next(Domain *d, JsonObject *o) {
        const char *action = d->renewal ? "renewing" : decision_action_to_string(d->decision.action);
        _auto_json_ JsonObject *next = json_object_new_object();

        if (!next || json_add_string(next, "action", action) < 0 ||
            json_add_string(next, "reason", decision_reason_to_string(d->decision.reason)) < 0 || json_add_time(next, "at", usec_round_up(d->wanted_usec)) < 0 ||
            json_add_string(next, "detail", str_or(reload_trouble(d), d->decision.detail)) < 0)
                return -ENOMEM;
        return json_add_object(o, "next", take_ptr(next));
}

static int add_problem(const Domain *d, JsonObject *o) {
        _auto_json_ JsonObject *problem = NULL;

        if (!d->job->last)
                return 0;
        problem = json_object_new_object();
        if (!problem || problem_to_json(d->job->last, problem) < 0)
                return -ENOMEM;
        return json_add_object(o, "last-problem", take_ptr(problem));
}

static JsonObject *log_entry(const JobLogEntry *e) {
        const char *detail = str_or(e->detail, "");
        _auto_free_ char *shown = str_printable(detail, strlen(detail), LOG_DETAIL_MAX);
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || !shown || json_add_time(o, "when", e->when_usec) < 0 || json_add_string(o, "type", e->type) < 0 ||
            json_add_string(o, "status", e->status) < 0 || (*shown && json_add_string(o, "detail", shown) < 0))
                return NULL;
        return take_ptr(o);
}

/* The last member, so that a list of all domains can leave it out without understanding the rest. */
static int add_log(const Domain *d, JsonObject *o) {
        _auto_json_ JsonObject *log = json_object_new_object(), *entries = json_object_new_array();

        if (!log || !entries)
                return -ENOMEM;
        for (size_t i = 0; i < MIN_OF(d->job->n_log, (size_t) LOG_SHOWN); i++) {
                JsonObject *e = log_entry(&d->job->log[i]);

                if (!e || json_object_array_add(entries, e) < 0) {
                        (void) json_object_put(e);
                        return -ENOMEM;
                }
        }
        return json_add_object(log, "entries", take_ptr(entries)) < 0 ? -ENOMEM : json_add_object(o, STORE_STATUS_LOG, take_ptr(log));
}

/* The window that the CA suggests (RFC 9773). */
static int add_renewal_info(const Domain *d, JsonObject *o) {
        const JobRenewalInfo *info = job_first_renewal_info(d->job);
        _auto_json_ JsonObject *window = NULL;

        if (!info)
                return 0;
        window = validity(info->start_usec, info->end_usec);
        if (!window || json_add_time(window, "chosen", info->chosen_usec) < 0 || json_add_string(window, "explanation-url", info->explanation_url) < 0)
                return -ENOMEM;
        return json_add_object(o, "renewal-info", take_ptr(window));
}

static bool is_watched(const Domain *d) {
        switch (d->config->renew_mode) {

        case RENEW_MODE_MANUAL:
                return false;

        case RENEW_MODE_AUTO:
                return !d->config->refused && !managed_domain_is_static(d->config);

        default:
                return !d->config->refused;
        }
}

static bool is_due(const Domain *d) {
        return d->renewal || d->decision.action == DECISION_RENEW || d->decision.action == DECISION_ACTIVATE ||
               (d->decision.action == DECISION_WAIT && d->decision.reason == REASON_RETRY);
}

static int add_state(const Domain *d, JsonObject *o) {
        DomainState state = d->decision.state;

        if (json_add_int(o, "state", state) < 0)
                return -ENOMEM;
        return state == DOMAIN_STATE_COMPLETE ? 0 : json_add_string(o, "state-descr", str_or(d->config->refused, d->decision.detail));
}

/* Where the live set came from; when that is not known, the first CA that is configured stands there already. */
static int add_ca(const Domain *d, JsonObject *o) {
        JsonObject *ca = json_get_object(o, "ca");

        return json_add_string(ca, "url", d->job->live_ca_url) < 0 || json_add_string(ca, "account", d->job->live_account) < 0 ? -ENOMEM : 0;
}

/* The one that counts. */
static int add_renew_window(const Domain *d, JsonObject *o) {
        const Window w = reason_window(d->config, d->live.n > 0 ? &d->live.items[0] : NULL);
        char buffer[WINDOW_STRING_MAX];

        return json_add_string(o, "renew-window", window_format(&w, buffer));
}

/* By the certificates' age; when there are none, with the next attempt. */
static uint64_t renew_at_usec(const Domain *d) {
        uint64_t at = decision_renew_at_usec(d->config, &d->live, d->job);

        return at == 0 && d->decision.action == DECISION_WAIT ? usec_round_up(d->wanted_usec) : at;
}

static int format(JsonObject *o, char **ret) {
        char *text = json_format_short(o);

        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

int status_format_domain(Domain *d, char **ret) {
        _auto_json_ JsonObject *o = NULL;
        int r;

        r = managed_domain_to_public_json(d->config, &o);
        if (r < 0)
                return r;
        if (add_ca(d, o) < 0 || add_renew_window(d, o) < 0 || add_state(d, o) < 0 || add_object(o, "cert", certificates(d, domain_used_facts(d))) < 0 ||
            json_add_time(o, "renew-at", renew_at_usec(d)) < 0 || json_add_bool(o, "watched", is_watched(d)) < 0 ||
            json_add_bool(o, "renew", is_due(d)) < 0)
                return -ENOMEM;
        r = add_renewal(d, o);
        if (r == 0)
                r = add_next(d, o);
        if (r == 0)
                r = add_renewal_info(d, o);
        if (r == 0)
                r = json_add_bool(o, "served", d->served && domain_used_facts(d)->n > 0);
        if (r == 0)
                r = json_add_time(o, "last-run", d->job->last_run_usec);
        if (r == 0)
                r = json_add_time(o, "installed", d->job->installed_usec);
        if (r == 0)
                r = add_problem(d, o);
        if (r == 0)
                r = add_log(d, o);
        return r < 0 ? r : format(o, ret);
}

static JsonObject *reload(const Reload *l) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "unit", l->unit) < 0 || json_add_string(o, "state", reload_state_to_string(l->state)) < 0 ||
            json_add_uint(o, "reloads", l->n_done) < 0 || json_add_uint(o, "failures", l->n_failed) < 0 ||
            json_add_string(o, "problem", l->last ? l->last->detail : NULL) < 0)
                return NULL;
        return take_ptr(o);
}

int status_format_manager(const Manager *m, char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object(), *list = json_object_new_array();
        const char *unit;
        Reload *l;

        if (!o || !list || json_add_string(o, "version", PROJECT_VERSION) < 0)
                return -ENOMEM;
        MAP_FOREACH(m->reloads, unit, l) {
                JsonObject *entry = reload(l);

                if (!entry || json_object_array_add(list, entry) < 0) {
                        (void) json_object_put(entry);
                        return -ENOMEM;
                }
        }
        return json_add_object(o, "reloads", take_ptr(list)) < 0 ? -ENOMEM : format(o, ret);
}
