/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "domain/budget.h"
#include "domain/name.h"
#include "domain/reason.h"
#include "manager/challenge-type.h"
#include "manager/ocsp.h"
#include "manager/reload.h"

enum {
        TEXT_MAX = 2000,
        LIST_MAX = 500, /* names, virtual hosts: one message has a ceiling */
};

void explanation_done(Explanation *e) {
        for (size_t i = 0; i < e->n; i++) {
                free(e->facts[i].key);
                free(e->facts[i].text);
        }
        free(e->facts);
        *e = (Explanation){ 0 };
}

static int add(Explanation *e, const char *topic, const char *key, uint64_t when_usec, const char *text) {
        ExplainFact *grown = reallocarray(e->facts, e->n + 1, sizeof(*grown));
        _auto_free_ char *k = strdup(key), *t = str_printable(text, strlen(text), TEXT_MAX);

        if (grown)
                e->facts = grown;
        if (!grown || !k || !t)
                return -ENOMEM;
        e->facts[e->n++] = (ExplainFact){ topic, take_ptr(k), take_ptr(t), when_usec };
        return 0;
}

void explain_add(Explanation *e, const char *topic, const char *key, uint64_t when_usec, const char *format, ...) {
        _auto_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = str_vprintf(format, ap);
        va_end(ap);
        if (!text || add(e, topic, key, when_usec, text) < 0)
                e->failed = true;
}

/* --- What is configured --- */

static const ManagedDomain *view_of(const Domain *d) {
        return d->n_servers > 0 ? d->servers[0].view : d->config;
}

/* "NAME: ServerAlias at FILE:LINE"; NULL: MDomain itself names it. */
static const char *origin_of(const ManagedDomain *view, const char *name) {
        STRV_FOREACH(origin, view->origins) {
                const char *rest = str_after_prefix(*origin, name);

                if (rest && str_has_prefix(rest, ": "))
                        return *origin;
        }
        return NULL;
}

static void explain_names(Explanation *e, const Domain *d) {
        const ManagedDomain *view = view_of(d);
        size_t n = 0;

        STRV_FOREACH(name, d->config->names) {
                const char *origin = origin_of(view, *name);

                if (++n > LIST_MAX)
                        continue;
                if (origin)
                        explain_add(e, "configuration", "name", 0, "%s", origin);
                else if (view->defined_file)
                        explain_add(e, "configuration", "name", 0, "%s: MDomain at %s:%u", *name, view->defined_file, view->defined_line);
                else
                        explain_add(e, "configuration", "name", 0, "%s", *name);
        }
        if (n > LIST_MAX)
                explain_add(e, "configuration", "name", 0, "and %zu more", n - LIST_MAX);
}

static void explain_hosts(Explanation *e, const ManagedDomain *view) {
        size_t n = 0;

        STRV_FOREACH(host, view->hosts)
                if (++n <= LIST_MAX)
                        explain_add(e, "configuration", "virtual-host", 0, "%s", *host);
        if (n > LIST_MAX)
                explain_add(e, "configuration", "virtual-host", 0, "and %zu more", n - LIST_MAX);
        if (n == 0 && !view->used)
                explain_add(e, "configuration", "virtual-host", 0, "none uses it");
}

static void explain_cas(Explanation *e, const Domain *d) {
        unsigned each = d->n_servers > 0 ? d->servers[0].snapshot->retry_failover : SNAPSHOT_RETRY_FAILOVER;
        size_t n = strv_length(d->config->ca_urls);

        for (size_t i = 0; i < n; i++)
                explain_add(e, "configuration", "ca", 0, "%s%s", d->config->ca_urls[i], n < 2 ? "" : i == 0 ? ", the preferred one" : ", when those before failed");
        if (n > 1)
                explain_add(e, "configuration", "ca", 0, "each is tried %u times before the next one (MDRetryFailover)", each);
}

static void explain_keys(Explanation *e, const Domain *d) {
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);
                char name[KEY_SPEC_NAME_MAX];

                if (spec.type == KEY_TYPE_RSA)
                        explain_add(e, "configuration", "key", 0, "%s with %u bits", key_spec_name(&spec, name), spec.bits);
                else
                        explain_add(e, "configuration", "key", 0, "%s", key_spec_name(&spec, name));
        }
        if (d->config->must_staple)
                explain_add(e, "configuration", "must-staple", 0, "certificates demand stapling (MDMustStaple)");
}

static void explain_account(Explanation *e, const ManagedDomain *c) {
        STRV_FOREACH(contact, c->contacts)
                explain_add(e, "configuration", "contact", 0, "%s", *contact);
        if (c->profile)
                explain_add(e, "configuration", "profile", 0, "%s%s", c->profile, c->profile_mandatory ? ", and no other (MDProfileMandatory)" : "");
        if (c->eab_credential)
                explain_add(e, "configuration", "external-account", 0, "as credential %s says", c->eab_credential);
        else if (c->eab_kid)
                explain_add(e, "configuration", "external-account", 0, "%s, its key is a secret", c->eab_kid);
}

static void explain_configuration(Explanation *e, const Domain *d) {
        const ManagedDomain *view = view_of(d);
        char when[CLOCK_HUMAN_MAX];

        if (!d->managed)
                explain_add(e, "configuration", "place", 0, "no server names it any more; its certificates stay in the store");
        else if (view->defined_file)
                explain_add(e, "configuration", "place", 0, "%s:%u", view->defined_file, view->defined_line);
        for (size_t i = 0; i < d->n_servers; i++) {
                const Snapshot *s = d->servers[i].snapshot;

                explain_add(e, "configuration", "server", s->written_usec, "%s: %s, in %s, read its configuration at %s", s->id, str_or(s->server, "unknown program"),
                            str_or(s->unit, "no unit"), clock_format_utc(when, s->written_usec));
        }
        explain_names(e, d);
        explain_hosts(e, view);
        explain_cas(e, d);
        explain_keys(e, d);
        explain_account(e, d->config);
        explain_add(e, "configuration", "renew-mode", 0, "%s", renew_mode_to_string(d->config->renew_mode));
        if (d->config->refused)
                explain_add(e, "configuration", "refused", 0, "%s", d->config->refused);
}

/* --- What is live, and served --- */

/* Who says that it is not revoked. */
static void explain_status(Explanation *e, const Domain *d, const char *name, const CertFacts *f) {
        OcspKnown k = ocsp_known(d->manager->ocsp, d, f);
        const char *who = str_equal(k.source, "crl") ? "list of revoked certificates" : "OCSP responder";
        char when[CLOCK_HUMAN_MAX];

        if (!k.source) {
                explain_add(e, "certificate", name, 0, "nobody is asked whether it is revoked%s", f->ocsp_url || f->crl_url ? " (RevocationCheck=)" : ": it names neither responder nor list");
                return;
        }
        if (k.until_usec > 0)
                explain_add(e, "certificate", name, k.until_usec, "the %s %s says that it is %s, which %s until %s", who, k.url, k.status, k.offered ? "is stapled" : "counts",
                            clock_format_utc(when, k.until_usec));
        else
                explain_add(e, "certificate", name, 0, "nothing is known from the %s %s", who, k.url);
        if (k.last)
                explain_add(e, "certificate", name, 0, "%u attempt%s to ask it failed: %s", k.errors, k.errors == 1 ? "" : "s", k.last->detail);
        if (k.next_usec > 0)
                explain_add(e, "certificate", name, k.next_usec, "it is asked again at %s", clock_format_utc(when, k.next_usec));
}

static void explain_certificate(Explanation *e, const Domain *d, const CertFacts *f, const char *name) {
        char when[CLOCK_HUMAN_MAX];

        if (!f) {
                explain_add(e, "certificate", name, 0, "there is none");
                return;
        }
        explain_add(e, "certificate", name, 0, "issued by %s, serial number %s", str_or(f->issuer, "an unknown issuer"), str_or(f->serial, "unknown"));
        explain_add(e, "certificate", name, f->not_before_usec, "valid from %s", clock_format_utc(when, f->not_before_usec));
        explain_add(e, "certificate", name, f->not_after_usec, "valid until %s", clock_format_utc(when, f->not_after_usec));
        if (f->received_usec > 0)
                explain_add(e, "certificate", name, f->received_usec, "live since %s", clock_format_utc(when, f->received_usec));
        if (!f->key_matches)
                explain_add(e, "certificate", name, 0, "its private key is missing or belongs to another one");
        if (strv_contains(d->job->revoked, f->sha256))
                explain_add(e, "certificate", name, 0, "revoked");
        explain_status(e, d, name, f);
}

/* Files of the administrator's go by number. */
static void explain_files(Explanation *e, const Domain *d) {
        for (size_t i = 0; i < d->files.n; i++)
                explain_certificate(e, d, &d->files.items[i], d->files.items[i].spec);
        explain_add(e, "certificate", "source", 0, "files of the administrator's (MDCertificateFile)");
}

static void explain_live(Explanation *e, const Domain *d) {
        if (d->files.n > 0) {
                explain_files(e, d);
                if (d->live.n == 0)
                        return;
        }
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                ReasonSlot s = reason_slot(d->config, &d->live, d->job, i, 0);

                explain_certificate(e, d, s.cert, s.name);
        }
        if (d->live.n > 0 && d->job->live_ca_url)
                explain_add(e, "certificate", "source", 0, "%s, with account %s", d->job->live_ca_url, str_or(d->job->live_account, "unknown"));
        else if (d->live.n > 0)
                explain_add(e, "certificate", "source", 0, "it is not known which CA and account it came from");
}

static const char *served_by(const Domain *d, size_t i) {
        const ManagedDomain *view = d->servers[i].view;

        if (view->refused)
                return view->refused;
        if (!view->used_tls)
                return view->used ? "uses it without TLS" : "no virtual host uses it";
        if (managed_domain_is_static(view))
                return "serves files of the administrator's (MDCertificateFile)";
        if (d->live.n == 0)
                return "has nothing to serve but a certificate that it made itself";
        return domain_is_served_by(d, i) ? "serves the newest certificates" : "does not serve the newest certificates yet";
}

static void explain_servers(Explanation *e, const Domain *d) {
        char when[CLOCK_HUMAN_MAX];

        for (size_t i = 0; i < d->n_servers; i++)
                explain_add(e, "server", d->servers[i].snapshot->id, 0, "%s", served_by(d, i));
        if (d->job->installed_usec > 0)
                explain_add(e, "server", "taken-up", d->job->installed_usec, "a new certificate was last taken up at %s", clock_format_utc(when, d->job->installed_usec));
        if (reload_trouble(d))
                explain_add(e, "server", "reload", 0, "%s", reload_trouble(d));
}

/* --- When it is renewed --- */

static void explain_renewal_info(Explanation *e, const ReasonSlot *s) {
        const JobRenewalInfo *i = job_find_renewal_info((Job *) s->job, s->name);
        char start[CLOCK_HUMAN_MAX], end[CLOCK_HUMAN_MAX], chosen[CLOCK_HUMAN_MAX];

        if (!i || !s->domain->ari || !str_equal(i->id, s->cert->ari_id))
                return;
        if (i->chosen_usec > 0)
                explain_add(e, "renewal", "suggested", i->chosen_usec, "%s: the CA suggests %s to %s, and %s was chosen in it", s->name,
                            clock_format_utc(start, i->start_usec), clock_format_utc(end, i->end_usec), clock_format_utc(chosen, i->chosen_usec));
        if (i->explanation_url)
                explain_add(e, "renewal", "explanation", 0, "%s: %s", s->name, i->explanation_url);
        if (i->failures > 0)
                explain_add(e, "renewal", "poll-failures", 0, "%s: the CA did not say when for %u times in a row", s->name, i->failures);
        if (i->next_poll_usec > 0)
                explain_add(e, "renewal", "next-poll", i->next_poll_usec, "%s: the CA is asked for its window again at %s", s->name, clock_format_utc(start, i->next_poll_usec));
}

static void explain_window(Explanation *e, const ReasonSlot *s) {
        const Window *w = &s->domain->renew_window;
        char length[WINDOW_STRING_MAX], at[CLOCK_HUMAN_MAX];
        uint64_t begin = reason_window_usec(s);

        explain_add(e, "renewal", "window", begin, "%s: by its age from %s on (MDRenewWindow: %s)", s->name, clock_format_utc(at, begin),
                    window_is_set(w) ? window_format(w, length) : "not set, a third of its life, or half of a short one");
}

static void explain_renewal(Explanation *e, const Domain *d) {
        uint64_t at = decision_renew_at_usec(d->config, &d->live, d->job), warn = decision_warn_at_usec(d->config, domain_used_facts(d));
        unsigned per_week = d->manager->settings.certificates_per_week;
        char when[CLOCK_HUMAN_MAX];

        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                ReasonSlot s = reason_slot(d->config, &d->live, d->job, i, 0);

                if (!s.cert)
                        continue;
                explain_window(e, &s);
                explain_renewal_info(e, &s);
        }
        if (at > 0)
                explain_add(e, "renewal", "time", at, "what counts of these is the earliest: %s", clock_format_utc(when, at));
        if (warn > 0)
                explain_add(e, "renewal", "warning", warn, "you are warned from %s on", clock_format_utc(when, warn));
        if (per_week > 0)
                explain_add(e, "renewal", "budget", 0, "%zu obtained for these names within 7 days, with whatever key; more than %u (CertificatesPerWeek=) are not by themselves, unless short lives need it",
                            budget_spent(d->job, clock_now_usec()), per_week);
}

/* --- How it can be proven --- */

static bool is_for_some(const Domain *d, ChallengeType type) {
        if (type != CHALLENGE_TYPE_HTTP01 && type != CHALLENGE_TYPE_TLS_ALPN01)
                return false;
        STRV_FOREACH(name, d->config->names)
                if (domain_name_is_wildcard(*name))
                        return true;
        return false;
}

static void explain_challenges(Explanation *e, const Domain *d) {
        for (ChallengeType type = 0; type < _CHALLENGE_TYPE_MAX; type++) {
                _auto_free_ char *why_not = challenge_why_not(d, type);

                if (why_not)
                        explain_add(e, "challenge", challenge_type_to_string(type), 0, "cannot be used: %s", why_not);
                else
                        explain_add(e, "challenge", challenge_type_to_string(type), 0, "%s%s", d->config->challenges ? "is used: MDCAChallenges names it" : "can be used",
                                    is_for_some(d, type) ? ", but not for wildcards" : "");
        }
}

static void explain_records(Explanation *e, const Domain *d) {
        uint64_t now = clock_now_usec();

        for (size_t i = 0; i < d->job->persist_records.n; i++) {
                const PersistRecord *r = &d->job->persist_records.items[i];
                bool ends = r->until_usec > 0 && r->until_usec < UINT64_MAX;
                char when[CLOCK_HUMAN_MAX];

                explain_add(e, "challenge", "record", ends ? r->until_usec : 0, "%s. TXT \"%s\" is to be published; %s%s", r->name, r->value,
                            r->until_usec == 0 ? "it was not seen yet" : !ends ? "it was seen, without an end" : r->until_usec > now ? "it was seen, and ends " : "it ended ",
                            ends ? clock_format_utc(when, r->until_usec) : "");
        }
}

int explain(Domain *d, Explanation *ret) {
        Explanation e = { 0 };

        explain_configuration(&e, d);
        explain_live(&e, d);
        explain_servers(&e, d);
        explain_renewal(&e, d);
        explain_challenges(&e, d);
        explain_records(&e, d);
        explain_attempts(&e, d);
        explain_decision(&e, d);
        if (e.failed) {
                explanation_done(&e);
                return -ENOMEM;
        }
        *ret = e;
        return 0;
}
