/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ca.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "manager/event.h"
#include "store/ca-limit.h"

/* What is kept is only to spare the CA: without it everything goes on, too. */
static void keep(Manager *m) {
        int r = store_ca_limits_write(m->store, &m->limits, clock_now_usec());

        if (r != 0)
                (void) log_failure(r < 0 ? r : -ENOENT, "Cannot keep in " STORE_ACCOUNTS "/" STORE_FILE_LIMITS " which CAs limit us: %m");
}

void ca_load(Manager *m) {
        int r = store_ca_limits_read(m->store, clock_now_usec(), &m->limits);

        if (r == STORE_CA_LIMIT_E_DAMAGED)
                log_warning("%s/" STORE_ACCOUNTS "/" STORE_FILE_LIMITS " is damaged: it is not known any more which CAs limit us.", store_path(m->store));
        else if (r < 0)
                (void) log_failure(r, "Cannot read " STORE_ACCOUNTS "/" STORE_FILE_LIMITS ": %m");
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

void ca_failed(Domain *d, const char *ca_url, const Problem *problem) {
        _auto_free_ char *other = NULL;
        char when[CLOCK_HUMAN_MAX];
        uint64_t until;
        int r;

        if (!is_rate_limited(problem))
                return;
        r = ca_limits_note(&d->manager->limits, ca_url, DOMAIN_NAME(d), problem->retry_after_usec, clock_now_usec(), &other, &until);
        if (r < 0) {
                (void) log_oom();
                return;
        }
        if (r == CA_LIMIT_ALL)
                event_tell(d, EVENT_RATE_LIMITED, problem, "%s limits us (said to %s and to this one): nothing is asked of it for any domain until %s: %s", ca_url, other,
                           clock_format_utc(when, until), problem->detail);
        else
                event_tell(d, EVENT_RATE_LIMITED, problem, "%s says that it is asked too much: %s%s%s", ca_url, problem->detail, problem->retry_after_usec > 0 ? "; not again before " : "",
                           problem->retry_after_usec > 0 ? clock_format_utc(when, problem->retry_after_usec) : "");
        keep(d->manager);
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
        bool paused;

        if (!ca_limits_knows(&d->manager->limits, ca_url))
                return;
        paused = ca_limits_forget(&d->manager->limits, ca_url);
        keep(d->manager);
        if (paused)
                let_go(d->manager);
}

uint64_t ca_paused_until(const Domain *d) {
        return ca_limits_until_usec(&d->manager->limits, ca_next(d), clock_now_usec());
}
