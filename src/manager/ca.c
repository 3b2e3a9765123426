/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ca.h"

#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"

#define PAUSE_DEFAULT_USEC USEC_PER_HOUR    /* when the CA does not say for how long */
#define PAUSE_MAX_USEC (24 * USEC_PER_HOUR)
#define MEMORY_USEC USEC_PER_HOUR           /* a second domain is one that is limited this soon after the first, or while the first is */

/* One CA that said rateLimited. */
typedef struct Ca {
        uint64_t until_usec; /* nothing is asked of it before; 0: it may mean one domain only */
        char *domain;        /* the one that it was said to last */
        uint64_t remembered_usec; /* as long as that counts */
} Ca;

static Ca *ca_free(Ca *ca) {
        if (!ca)
                return NULL;
        free(ca->domain);
        free(ca);
        return NULL;
}

void ca_forget_all(Manager *m) {
        const char *url;
        Ca *ca;

        MAP_FOREACH(m->cas, url, ca)
                ca_free(ca);
}

/* The place of a CA in the list; that of the first for one that is not in it. */
static size_t place_of(char *const *urls, const char *url) {
        for (size_t i = 0; urls[i]; i++)
                if (str_equal(urls[i], url))
                        return i;
        return 0;
}

static unsigned attempts_each(const Domain *d) {
        return d->n_servers > 0 ? MAX_OF(d->servers[0].snapshot->retry_failover, 1U) : SNAPSHOT_RETRY_FAILOVER;
}

unsigned ca_attempts_left(const Domain *d) {
        unsigned each = attempts_each(d);

        if (strv_length(d->config->ca_urls) < 2)
                return UINT_MAX;
        return d->job->ca_errors < each ? each - d->job->ca_errors : 0;
}

const char *ca_next(const Domain *d) {
        char *const *urls = d->config->ca_urls;
        size_t n = strv_length(urls), i;

        if (n == 0)
                return MANAGED_DOMAIN_CA_URL_DEFAULT;
        if (d->job->errors == 0 && !d->job->order_url)
                return urls[0]; /* after a success, or before everything */
        i = place_of(urls, d->job->ca_url);
        return urls[ca_attempts_left(d) == 0 ? (i + 1) % n : i];
}

const char *ca_choose(const Domain *d) {
        const char *url = ca_next(d);

        if (d->job->errors > 0 && ca_attempts_left(d) == 0)
                log_notice("%s: %u attempts failed at %s; %s is tried now (MDRetryFailover).", DOMAIN_NAME(d), d->job->ca_errors, str_or(d->job->ca_url, "the first CA"), url);
        return url;
}

static bool is_rate_limited(const Problem *p) {
        return p && (str_equal(p->type, PROBLEM_ACME_PREFIX "rateLimited") || p->status == 429);
}

static Ca *ca_of(Manager *m, const char *ca_url) {
        Ca *ca = map_get(m->cas, ca_url);

        if (ca)
                return ca;
        ca = calloc(1, sizeof(*ca));
        if (ca && map_put(m->cas, ca_url, ca) < 0)
                ca = ca_free(ca);
        return ca;
}

/* What it said to this one it has said to another one before: it means all of us. */
static bool means_all(const Ca *ca, const char *domain, uint64_t now) {
        return ca->domain && !str_equal(ca->domain, domain) && ca->remembered_usec > now;
}

void ca_failed(Domain *d, const char *ca_url, const Problem *problem) {
        uint64_t now = clock_now_usec(), until;
        char when[CLOCK_HUMAN_MAX];
        Ca *ca;

        if (!is_rate_limited(problem))
                return;
        ca = ca_of(d->manager, ca_url);
        if (!ca) {
                (void) log_oom();
                return;
        }
        until = problem->retry_after_usec > now ? MIN_OF(problem->retry_after_usec, now + PAUSE_MAX_USEC) : now + PAUSE_DEFAULT_USEC;
        if (means_all(ca, DOMAIN_NAME(d), now)) {
                log_warning("%s limits us (said to %s and to %s): nothing is asked of it until %s.", ca_url, ca->domain, DOMAIN_NAME(d),
                            clock_format_utc(when, until));
                ca->until_usec = MAX_OF(ca->until_usec, until);
        }
        ca->remembered_usec = MAX_OF(until, now + MEMORY_USEC);
        if (str_replace(&ca->domain, DOMAIN_NAME(d)) < 0)
                (void) log_oom();
}

/* What it holds back is held back no more. */
static void let_go(Manager *m) {
        const char *name;
        Domain *d;

        MAP_FOREACH(m->domains, name, d)
                if (!d->renewal && d->decision.reason == REASON_HELD)
                        domain_evaluate(d);
}

void ca_succeeded(Domain *d, const char *ca_url) {
        Ca *ca = map_get(d->manager->cas, ca_url);
        bool paused = ca && ca->until_usec > 0;

        if (!ca)
                return;
        (void) map_remove(d->manager->cas, ca_url);
        ca_free(ca);
        if (paused)
                let_go(d->manager);
}

uint64_t ca_paused_until(const Domain *d) {
        const Ca *ca = map_get(d->manager->cas, ca_next(d));

        return ca && ca->until_usec > clock_now_usec() ? ca->until_usec : 0;
}
