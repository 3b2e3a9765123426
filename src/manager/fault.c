/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/fault.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "manager/challenge-persist.h"
#include "manager/ocsp.h"
#include "manager/reload.h"
#include "manager/schedule.h"
#include "manager/served.h"

/* A time that has passed by this much without anybody acting on it is a fault. */
#define OVERDUE_USEC (5 * USEC_PER_MINUTE)

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

/* Somebody had it revoked and wanted no other one. */
static char *find_revoked_fault(const Domain *d) {
        const CertFactsList *used = domain_used_facts(d);

        for (size_t i = 0; i < used->n; i++)
                if (strv_contains(d->job->revoked_keys, used->items[i].key_sha256))
                        return str_printf("Its certificate %s was revoked, and no other one was ordered: 'mdctl renew --force %s' does that, or remove its MDomain",
                                          used->items[i].serial, DOMAIN_NAME(d));
        return NULL;
}

static char *find_status_fault(Domain *d, uint64_t now_usec) {
        char *fault = find_revoked_fault(d);

        if (!fault)
                fault = find_staple_fault(d);
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
        if (d->renewal || d->activation_retry || d->decision.action == DECISION_NOTHING)
                return NULL; /* a running job, or a stated reason */
        if (d->decision.action == DECISION_INSTALL && (reload_excuse(d) || reload_is_coming(d)))
                return NULL;
        if (d->decision.action == DECISION_INSTALL)
                return str_printf("The server does not serve the newest certificate yet%s%s", reload_trouble(d) ? ": " : "", str_or(reload_trouble(d), ""));
        if (d->wanted_usec == 0 || usec_add(d->wanted_usec, OVERDUE_USEC) < now)
                return str_printf("Nothing will happen to it: no timer is armed, no job is running, and there is no reason for that");
        if (schedule_trouble(d->manager->schedule, d))
                return str_printf("Its timer cannot be set: %s. As long as the manager runs, its own clock stands in", schedule_trouble(d->manager->schedule, d));
        return find_status_fault(d, now);
}
