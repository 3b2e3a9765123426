/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ca.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"

#define PAUSE_DEFAULT_USEC USEC_PER_HOUR    /* when the CA does not say for how long */
#define PAUSE_MAX_USEC (24 * USEC_PER_HOUR)

/* One CA that said rateLimited. */
typedef struct Ca {
        uint64_t until_usec; /* nothing is asked of it before; 0: it may mean one domain only */
        char *domain;        /* the one that it was said to last */
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
        return d->n_servers > 0 ? d->servers[0].snapshot->retry_failover : SNAPSHOT_RETRY_FAILOVER;
}

const char *ca_choose(Domain *d) {
        char *const *urls = d->config->ca_urls;
        size_t n = strv_length(urls), i;

        if (n == 0)
                return MANAGED_DOMAIN_CA_URL_DEFAULT;
        if (d->job->ca_errors == 0 && !d->job->order_url)
                return urls[0]; /* after a success, or before everything: the one that is preferred */
        i = place_of(urls, d->job->ca_url);
        if (n > 1 && d->job->ca_errors >= attempts_each(d)) {
                i = (i + 1) % n;
                log_notice("%s: %u attempts failed at %s; %s is tried now (MDRetryFailover).", DOMAIN_NAME(d), d->job->ca_errors, d->job->ca_url, urls[i]);
                d->job->ca_errors = 0;
        }
        return urls[i];
}

static bool is_rate_limited(const Problem *p) {
        return p && (str_equal(p->type, PROBLEM_ACME_PREFIX "rateLimited") || p->status == 429);
}

static int pause_ca(Manager *m, const char *ca_url, const char *domain, uint64_t until_usec) {
        Ca *ca = map_get(m->cas, ca_url);
        int r;

        if (!ca) {
                ca = calloc(1, sizeof(*ca));
                if (!ca)
                        return -ENOMEM;
                r = map_put(m->cas, ca_url, ca);
                if (r < 0) {
                        ca_free(ca);
                        return r;
                }
        }
        ca->until_usec = until_usec;
        return str_replace(&ca->domain, domain);
}

void ca_failed(Domain *d, const char *ca_url, const Problem *problem) {
        Manager *m = d->manager;
        const Ca *before = map_get(m->cas, ca_url);
        uint64_t now = clock_now_usec(), until;
        char when[CLOCK_HUMAN_MAX];
        int r;

        if (!is_rate_limited(problem))
                return;
        until = 0;
        if (before && !str_equal(before->domain, DOMAIN_NAME(d))) {
                until = problem->retry_after_usec > now ? MIN_OF(problem->retry_after_usec, now + PAUSE_MAX_USEC) : now + PAUSE_DEFAULT_USEC;
                log_warning("%s limits us (said to %s and to %s): nothing is asked of it until %s.", ca_url, before->domain, DOMAIN_NAME(d),
                            clock_format_utc(when, until));
        }
        r = pause_ca(m, ca_url, DOMAIN_NAME(d), MAX_OF(until, before ? before->until_usec : 0));
        if (r < 0)
                (void) log_failure(r, "%s: Cannot remember that this CA limits us: %m", ca_url);
}

void ca_succeeded(Domain *d, const char *ca_url) {
        Ca *ca = map_get(d->manager->cas, ca_url);

        if (!ca)
                return;
        (void) map_remove(d->manager->cas, ca_url);
        ca_free(ca);
}

uint64_t ca_paused_until(const Domain *d) {
        char *const *urls = d->config->ca_urls;
        const char *url = urls && urls[0] ? urls[place_of(urls, d->job->ca_errors > 0 ? d->job->ca_url : NULL)] : MANAGED_DOMAIN_CA_URL_DEFAULT;
        const Ca *ca = map_get(d->manager->cas, url);

        return ca && ca->until_usec > clock_now_usec() ? ca->until_usec : 0;
}
