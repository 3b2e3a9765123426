/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenge-dns.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "domain/event.h"
#include "manager/challenge-answer.h"
#include "manager/challenge-queue.h"
#include "manager/domain-bus.h"
#include "manager/renewal.h"
#include "store/domain.h"

#define RETRY_USEC (30 * USEC_PER_SEC) /* four times as long each time */

enum { ATTEMPTS_MAX = 4 };

struct DnsTeardown {
        DnsTeardown *next;
        Manager *manager;
        char *domain; /* by name: it may come and go meanwhile */
        char *setup;  /* as in job.json */
        char *name;
        const char *value; /* in 'setup' */
        unsigned attempts;
        ChallengeCall *call;
        sd_event_source *retry;
};

static DnsTeardown *teardown_free(DnsTeardown *t) {
        if (!t)
                return NULL;
        challenge_call_free(t->call);
        sd_event_source_disable_unref(t->retry);
        free(t->domain);
        free(t->setup);
        free(t->name);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(DnsTeardown *, teardown_free)

DnsTeardown *dns_teardown_free_all(DnsTeardown *list) {
        while (list) {
                DnsTeardown *next = list->next;

                teardown_free(list);
                list = next;
        }
        return NULL;
}

static void forget(DnsTeardown *t) {
        Domain *d = manager_find_domain(t->manager, t->domain);

        for (DnsTeardown **p = &t->manager->dns_teardowns; *p; p = &(*p)->next)
                if (*p == t) {
                        *p = t->next;
                        break;
                }
        if (d && strv_remove(d->job->challenge_setups, t->setup))
                domain_save_job(d);
        teardown_free(t);
        if (d)
                manager_forget_unmanaged(d);
}

/* --- It failed --- */

static void give_up(DnsTeardown *t, const char *why) {
        LogField fields[] = { { "MD_NAME", t->domain }, { "MD_EVENT", event_kind_to_string(EVENT_CHALLENGE_TEARDOWN) } };
        _auto_free_ char *text = str_printf("The record _acme-challenge.%s with the value %s could not be taken back: %s", t->name, t->value, why);
        Domain *d = manager_find_domain(t->manager, t->domain);

        log_full(LOG_ERR, 0, MESSAGE_CHALLENGE_LEFT, fields, ELEMENTSOF(fields), "%s: %s", t->domain, str_or(text, why));
        if (d && text)
                (void) job_log_add(d->job, clock_now_usec(), "challenge-teardown-error", NULL, text);
        forget(t);
}

static int start(DnsTeardown *t);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        DnsTeardown *t = userdata;
        int r;

        t->retry = sd_event_source_disable_unref(t->retry);
        r = start(t);
        if (r < 0)
                give_up(t, strerror(-r));
        return 0;
}

static void retry_later(DnsTeardown *t, const char *why) {
        uint64_t delay = RETRY_USEC << (2 * (t->attempts - 1));
        int r;

        log_warning("%s: The record _acme-challenge.%s was not taken back, and is to be tried again: %s", t->domain, t->name, why);
        r = sd_event_add_time_relative(t->manager->event, &t->retry, CLOCK_MONOTONIC, delay, USEC_PER_SEC, on_retry, t);
        if (r < 0)
                give_up(t, why);
}

static void on_end(const LauncherHookEnd *end, const sd_bus_error *error, void *userdata) {
        _auto_free_ char *why = NULL;
        DnsTeardown *t = userdata;

        t->call = NULL;
        if (challenge_call_succeeded(end)) {
                forget(t);
                return;
        }
        why = challenge_call_describe(end, error);
        /* Without a command there is none later either. */
        if (++t->attempts >= ATTEMPTS_MAX || sd_bus_error_has_name(error, BUS_ERROR_NOT_CONFIGURED))
                give_up(t, str_or(why, "out of memory"));
        else
                retry_later(t, str_or(why, "out of memory"));
}

static int start(DnsTeardown *t) {
        const ChallengeCallSpec spec = {
                .kind = CHALLENGE_CALL_TEARDOWN, .domain = t->domain, .name = t->name, .value = t->value, .handler = on_end, .userdata = t,
        };

        return challenge_call_new(t->manager->challenge_queue, &spec, &t->call);
}

/* --- What is to be taken back --- */

static DnsTeardown *find(const Domain *d, const char *setup) {
        for (DnsTeardown *t = d->manager->dns_teardowns; t; t = t->next)
                if (str_equal(t->domain, DOMAIN_NAME(d)) && str_equal(t->setup, setup))
                        return t;
        return NULL;
}

static int begin(Domain *d, const char *setup) {
        _cleanup_(teardown_freep) DnsTeardown *t = calloc(1, sizeof(*t));
        int r;

        if (!t || str_replace(&t->domain, DOMAIN_NAME(d)) < 0 || str_replace(&t->setup, setup) < 0)
                return -ENOMEM;
        t->manager = d->manager;
        if (!job_setup_parse(t->setup, &t->name, &t->value))
                return -EINVAL;
        r = start(t);
        if (r < 0)
                return r;

        t->next = d->manager->dns_teardowns;
        d->manager->dns_teardowns = t;
        take_ptr(t);
        return 0;
}

static bool is_needed(const Renewal *r, const char *name, const char *value) {
        for (const ChallengeAnswer *a = r ? r->answers : NULL; a; a = a->next)
                if (a->type == CHALLENGE_TYPE_DNS01 && str_equal(a->name, name) && (!value || str_equal(a->text, value)))
                        return true;
        return false;
}

static bool is_needed_setup(const Domain *d, const char *setup) {
        _auto_free_ char *name = NULL;
        const char *value;

        return job_setup_parse(setup, &name, &value) && is_needed(d->renewal, name, value);
}

void challenge_dns_tear_down(Domain *d) {
        STRV_FOREACH(setup, d->job->challenge_setups) {
                int r;

                if (find(d, *setup) || is_needed_setup(d, *setup))
                        continue;
                r = begin(d, *setup);
                if (r < 0)
                        (void) log_failure(r, "%s: Cannot take back %s: %m", DOMAIN_NAME(d), *setup);
        }
        challenge_queue_kick(d->manager->challenge_queue);
}

bool challenge_dns_is_in_use(const Manager *m, const char *domain, const char *name) {
        const Domain *d = manager_find_domain(m, domain);
        const char *path;
        Task *t;

        if (d && d->n_servers > 0 && d->servers[0].snapshot->dns01_version >= 2)
                return false;
        MAP_FOREACH(m->tasks, path, t)
                if (is_needed(renewal_of(t), name, NULL))
                        return true;
        return false;
}

int challenge_dns_remember(Domain *d, const char *name, const char *value) {
        _auto_free_ char *setup = job_setup_format(name, value);
        int r;

        if (!setup)
                return -ENOMEM;
        if (strv_length(d->job->challenge_setups) >= JOB_SETUPS_MAX)
                return -ENOBUFS;
        if (!strv_contains(d->job->challenge_setups, setup)) {
                r = strv_extend(&d->job->challenge_setups, setup);
                if (r < 0)
                        return r;
        }
        domain_save_job(d);
        if (d->job_kept)
                return 0;
        (void) strv_remove(d->job->challenge_setups, setup);
        return -EIO;
}

bool challenge_dns_is_pending(const Domain *d) {
        return strv_length(d->job->challenge_setups) > 0;
}

/* A domain that nobody manages any more is known until its records are taken back. */
static void recover_unmanaged(Manager *m, const char *name) {
        _cleanup_(job_freep) Job *job = NULL;
        Domain *d;

        if (store_domain_read_job(m->store, name, &job) != 0 || strv_length(job->challenge_setups) == 0)
                return;
        if (domain_new(m, name, &d) < 0)
                return;
        domain_bus_changed(d);
        challenge_dns_tear_down(d);
}

void challenge_dns_recover(Manager *m) {
        _auto_strv_ char **names = NULL;
        const char *name;
        Domain *d;

        /* What a renewal goes on with is taken back at its end. */
        MAP_FOREACH(m->domains, name, d)
                if (!d->renewal)
                        challenge_dns_tear_down(d);
        if (store_domain_list(m->store, STORE_SET_LIVE, &names) != 0)
                return;
        STRV_FOREACH(stored, names)
                if (!manager_find_domain(m, *stored))
                        recover_unmanaged(m, *stored);
}
