/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/fault.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "manager/challenge-persist.h"
#include "manager/ocsp.h"
#include "manager/reload.h"
#include "manager/schedule.h"
#include "manager/served.h"
#include "manager/stall.h"

/* Browsers refuse a certificate that demands stapling and comes without, and one that is revoked: where nobody renews it, somebody has to replace it. */
static char *find_staple_fault(Domain *d) {
        const CertFactsList *used = domain_used_facts(d);

        for (size_t i = 0; d->config->stapling && i < used->n; i++) {
                const CertFacts *f = &used->items[i];
                OcspKnown k = ocsp_known(d->manager->ocsp, d, f);

                if (f->must_staple && str_equal(k.source, "ocsp") && str_equal(k.status, "unknown") && k.last)
                        return str_printf("There is no OCSP response for its certificate, which demands stapling: %s", k.last->detail);
                if (managed_domain_is_static(d->config) && str_equal(k.status, "revoked"))
                        return str_printf("The CA says (OCSP) that its certificate %s, of MDCertificateFile, is revoked: it has to be replaced there", f->serial);
        }
        return NULL;
}

static const CertFacts *find_revoked(const Domain *d) {
        const CertFactsList *used = domain_used_facts(d);

        for (size_t i = 0; i < used->n; i++)
                if (strv_contains(d->job->revoked, used->items[i].sha256))
                        return &used->items[i];
        return NULL;
}

/* What is revoked is renewed, by itself or by somebody; as long as that is not under way, visitors are warned. */
static char *find_revoked_fault(const Domain *d) {
        const CertFactsList *used = domain_used_facts(d);
        const CertFacts *f = find_revoked(d);

        if (f && d->decision.action == DECISION_NOTHING)
                return str_printf("Its certificate %s is revoked, and nothing renews it by itself (%s): 'mdctl renew --force %s' does", f->serial,
                                  str_or(d->decision.detail, "no reason given"), DOMAIN_NAME(d));
        if (f)
                return str_printf("Its certificate %s is revoked, and not replaced yet: %s", f->serial, str_or(d->decision.detail, "no reason given"));
        for (size_t i = 0; i < used->n; i++) /* somebody had it revoked and wanted no other one */
                if (strv_contains(d->job->revoked_keys, used->items[i].key_sha256))
                        return str_printf("Its certificate %s was revoked, and no other one was ordered: 'mdctl renew --force %s' does that, or remove its MDomain",
                                          used->items[i].serial, DOMAIN_NAME(d));
        return NULL;
}

static char *find_status_fault(Domain *d) {
        char *fault = find_revoked_fault(d);

        return fault ? fault : find_staple_fault(d);
}

/* The server does not have the newest certificate. */
static char *find_reload_fault(const Domain *d) {
        if (reload_is_coming(d))
                return NULL;
        if (reload_excuse(d)) /* it may wait for somebody, unless it is of no use */
                return find_revoked_fault(d);
        return str_printf("The server does not serve the newest certificate yet%s%s", reload_trouble(d) ? ": " : "", str_or(reload_trouble(d), ""));
}

/* Of a domain that is to be looked at again by itself. */
static char *find_waiting_fault(Domain *d, uint64_t now_usec) {
        const char *trouble = schedule_trouble(d->manager->schedule, d);
        char *fault = trouble ? str_printf("Its timer cannot be set: %s. As long as the manager runs, its own clock stands in", trouble) : find_status_fault(d);

        return fault ? fault : challenge_persist_find_fault(d, now_usec);
}

char *fault_find(Domain *d) {
        uint64_t now = clock_now_usec(), until = domain_valid_until_usec(d);
        char when[CLOCK_HUMAN_MAX];

        if (!d->managed)
                return NULL;
        if (d->config->refused)
                return str_printf("The server disabled it: %s", d->config->refused);
        if (until != 0 && until <= now)
                return str_printf("Its certificate expired %s", clock_format_relative(when, until, now));
        if (d->job->errors > 0 && d->job->last)
                return str_printf("%u attempt%s failed: %s", d->job->errors, d->job->errors == 1 ? "" : "s", d->job->last->detail);
        if (d->activation_retry && d->job->last)
                return str_printf("A new certificate cannot be made live: %s", d->job->last->detail);
        if (served_difference(d->manager->served, d))
                return strdup(served_difference(d->manager->served, d)->detail);
        if (managed_domain_is_static(d->config))
                return find_staple_fault(d);
        if (d->decision.action == DECISION_NOTHING && d->decision.reason == REASON_UNUSED)
                return strdup("No virtual host has one of its names, so it is not renewed: mend the names, remove its MDomain, or say MDRenewMode always");
        if (d->renewal || d->activation_retry)
                return NULL; /* a running job */
        if (stall_is(d, now))
                return strdup("Nothing will happen to it: no timer is armed, no job is running, and there is no reason for that");
        switch (d->decision.action) {

        case DECISION_NOTHING: /* a stated reason; but nobody else would say that what is served is of no use */
                return find_status_fault(d);

        case DECISION_INSTALL:
                return find_reload_fault(d);

        default:
                return find_waiting_fault(d, now);
        }
}
