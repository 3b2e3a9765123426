/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/renewal-info.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "manager/event.h"
#include "manager/job-bus.h"
#include "manager/sign-url.h"
#include "manager/task.h"
#include "manager/worker-bus.h"

/* The clock goes off for the earliest; whatever is due within this time is asked for in the same run. */
#define TOGETHER_USEC USEC_PER_MINUTE
#define RETRY_AFTER_MIN_USEC USEC_PER_MINUTE
#define RETRY_AFTER_MAX_USEC USEC_PER_DAY
/* A CA that suggests another century is out of its mind. */
#define WINDOW_MAX_AWAY_USEC (3650 * USEC_PER_DAY)

enum { ITEMS_MAX = 1000 }; /* certificates in one run */

struct RenewalInfo {
        Manager *manager;
        sd_event_source *clock;
        uint64_t at_usec; /* what it is set to; 0: nothing */
};

typedef struct Item {
        char *domain, *spec, *id;
        bool answered;
} Item;

typedef struct InfoTask {
        Task task; /* first */
        Item *items;
        size_t n;
} InfoTask;

static const TaskClass renewal_info_class;

static uint64_t interval(const Manager *m) {
        return m->settings.renewal_info_usec;
}

/* --- The clock --- */

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata);

static void wake_at(RenewalInfo *i, uint64_t usec) {
        int r;

        if (usec == 0 || (i->at_usec > 0 && i->at_usec <= usec))
                return;
        i->clock = sd_event_source_disable_unref(i->clock);
        i->at_usec = usec;
        r = sd_event_add_time(i->manager->event, &i->clock, CLOCK_REALTIME, usec, USEC_PER_SEC, on_clock, i);
        if (r < 0)
                (void) log_failure(r, "Cannot set the clock for renewal information: %m");
}

/* --- The runs --- */

static void items_free(InfoTask *t) {
        for (size_t i = 0; i < t->n; i++) {
                free(t->items[i].domain);
                free(t->items[i].spec);
                free(t->items[i].id);
        }
        free(t->items);
}

static void release(Task *task) {
        InfoTask *t = (InfoTask *) task;

        items_free(t);
        task_done(task);
        free(t);
}

static const char *ca_of(const Domain *d) {
        if (d->job->live_ca_url) /* the certificate's own CA, whatever is configured by now */
                return d->job->live_ca_url;
        return d->config->ca_urls ? d->config->ca_urls[0] : MANAGED_DOMAIN_CA_URL_DEFAULT;
}

static bool is_asked_for(const Domain *d) {
        return d->managed && d->config->ari && !d->config->protocol && d->config->renew_mode != RENEW_MODE_MANUAL && !managed_domain_is_static(d->config);
}

/* The run that this domain's certificates can join; a new one when there is none. */
static InfoTask *find_or_make(Manager *m, Map *runs, const Domain *d) {
        _auto_free_ char *way = str_printf("%s\n%s\n%s\n%s", ca_of(d), str_or(d->config->ca_file, ""), str_or(d->config->proxy_url, ""),
                                           str_or(d->config->proxy_ca_file, ""));
        InfoTask *t = way ? map_get(runs, way) : NULL;

        if (t && t->n < ITEMS_MAX)
                return t;
        t = way ? calloc(1, sizeof(*t)) : NULL;
        if (!t)
                return NULL;
        t->items = calloc(ITEMS_MAX, sizeof(*t->items));
        if (!t->items || task_init(&t->task, m, &renewal_info_class, ca_of(d), d->config, ca_of(d)) < 0) {
                release(&t->task);
                return NULL;
        }
        (void) map_remove(runs, way);
        (void) map_put(runs, way, t); /* when it fails, the next one gets a run of its own */
        return t;
}

static int add_item(InfoTask *t, const Domain *d, const JobRenewalInfo *record) {
        Item *item = &t->items[t->n];

        if (str_replace(&item->domain, DOMAIN_NAME(d)) < 0 || str_replace(&item->spec, record->spec) < 0 || str_replace(&item->id, record->id) < 0)
                return -ENOMEM;
        t->n++;
        return 0;
}

/* Puts what is due into runs, and finds the next time. */
static void collect(Domain *d, Map *runs, uint64_t now, uint64_t *next) {
        for (size_t i = 0; i < d->job->n_renewal_info; i++) {
                JobRenewalInfo *record = &d->job->renewal_info[i];
                const CertFacts *f = cert_facts_find(&d->live, record->spec);

                if (!f || !str_equal(f->ari_id, record->id))
                        continue;
                if (record->next_poll_usec <= now + TOGETHER_USEC) {
                        InfoTask *t = find_or_make(d->manager, runs, d);

                        if (t)
                                (void) add_item(t, d, record);
                        record->next_poll_usec = now + interval(d->manager); /* until the answer says more */
                }
                *next = *next == 0 ? record->next_poll_usec : MIN_OF(*next, record->next_poll_usec);
        }
}

static int on_clock(sd_event_source *source, uint64_t usec, void *userdata) {
        RenewalInfo *info = userdata;
        _auto_map_ Map *runs = map_new();
        uint64_t next = 0, now = clock_now_usec();
        const char *name;
        Domain *d;

        info->at_usec = 0;
        if (!runs)
                return log_oom();
        MAP_FOREACH(info->manager->domains, name, d)
                if (is_asked_for(d))
                        collect(d, runs, now, &next);
        wake_at(info, next);
        return 0;
}

static int describe(Task *task, sd_bus_message *details) {
        const InfoTask *t = (InfoTask *) task;
        char token[24];
        int k;

        k = sd_bus_message_open_container(details, 'e', "sv");
        if (k >= 0)
                k = sd_bus_message_append(details, "s", "certificates");
        if (k >= 0)
                k = sd_bus_message_open_container(details, 'v', "a(ss)");
        if (k >= 0)
                k = sd_bus_message_open_container(details, 'a', "(ss)");
        for (size_t i = 0; i < t->n && k >= 0; i++) {
                (void) snprintf(token, sizeof(token), "%zu", i);
                k = sd_bus_message_append(details, "(ss)", token, t->items[i].id);
        }
        for (int i = 0; i < 3 && k >= 0; i++)
                k = sd_bus_message_close_container(details);
        return k;
}

/* --- The answers --- */

/* Uniform in [start, end]: drawn once, so that all who renew then are spread over the window (RFC 9773 section 4.2). */
static uint64_t choose(uint64_t start_usec, uint64_t end_usec) {
        uint64_t span = end_usec - start_usec, random = (uint64_t) manager_random() << 32 | manager_random();

        return start_usec + (span == UINT64_MAX ? random : random % (span + 1));
}

static uint64_t next_poll(const Manager *m, uint64_t retry_after_usec) {
        uint64_t least = MIN_OF(RETRY_AFTER_MIN_USEC, interval(m));

        if (retry_after_usec == 0)
                return clock_now_usec() + interval(m);
        return clock_now_usec() + MIN_OF(MAX_OF(retry_after_usec, least), RETRY_AFTER_MAX_USEC);
}

static void tell_window(Domain *d, const JobRenewalInfo *record, bool moved) {
        char start[CLOCK_HUMAN_MAX], end[CLOCK_HUMAN_MAX], chosen[CLOCK_HUMAN_MAX];

        clock_format_utc(start, record->start_usec);
        clock_format_utc(end, record->end_usec);
        clock_format_utc(chosen, record->chosen_usec);
        if (moved || record->explanation_url)
                event_tell(d, EVENT_RENEWAL_INFO, NULL, "The CA suggests to renew the %s certificate between %s and %s: it is done at %s at the latest%s%s", record->spec, start, end,
                           chosen, record->explanation_url ? "; its explanation: " : "", str_or(record->explanation_url, ""));
        else
                log_debug("%s: The CA suggests to renew the %s certificate between %s and %s; %s was chosen.", DOMAIN_NAME(d), record->spec, start, end, chosen);
}

static void take_window(Domain *d, JobRenewalInfo *record, uint64_t start_usec, uint64_t end_usec, const char *explanation_url) {
        bool known = record->start_usec > 0, same = record->start_usec == start_usec && record->end_usec == end_usec;

        (void) str_replace(&record->explanation_url, str_is_empty(explanation_url) ? NULL : explanation_url);
        if (same)
                return;
        record->start_usec = start_usec;
        record->end_usec = end_usec;
        record->chosen_usec = choose(start_usec, end_usec);
        tell_window(d, record, known);
}

static Item *find_item(Task *task, const char *token) {
        InfoTask *t = (InfoTask *) task;
        uint64_t i;

        return task->class == &renewal_info_class && parse_uint64(token, &i) == 0 && i < t->n && !t->items[i].answered ? &t->items[i] : NULL;
}

/* The record that an item is about; NULL: the certificate is another one by now, or the domain is gone. */
static JobRenewalInfo *find_record(Manager *m, const Item *item, Domain **ret) {
        Domain *d = manager_find_domain(m, item->domain);
        JobRenewalInfo *record = d ? job_find_renewal_info(d->job, item->spec) : NULL;

        *ret = d;
        return record && str_equal(record->id, item->id) ? record : NULL;
}

static bool is_sane(uint64_t start_usec, uint64_t end_usec) {
        uint64_t now = clock_now_usec();

        return start_usec > usec_sub(now, WINDOW_MAX_AWAY_USEC) && start_usec <= end_usec && end_usec < now + WINDOW_MAX_AWAY_USEC;
}

int renewal_info_received(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        Task *t = worker_bus_task(m, call, error);
        const char *token, *explanation_url;
        uint64_t start_usec, end_usec, retry_after_usec;
        JobRenewalInfo *record;
        Domain *d;
        Item *item;
        int k;

        if (!t)
                return -EACCES;
        k = sd_bus_message_read(call, "sttts", &token, &start_usec, &end_usec, &retry_after_usec, &explanation_url);
        if (k < 0)
                return k;
        item = find_item(t, token);
        if (!item)
                return worker_bus_not_now(error, "This certificate was not asked for");
        if (!is_sane(start_usec, end_usec) || (*explanation_url && !sign_url_is_valid(explanation_url))) /* people may follow it */
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This window makes no sense");
        item->answered = true;
        record = find_record(m, item, &d);
        if (record) {
                record->failures = 0;
                record->next_poll_usec = next_poll(m, retry_after_usec);
                take_window(d, record, start_usec, end_usec, explanation_url);
                domain_save_job(d);
                wake_at(m->renewal_info, record->next_poll_usec);
                domain_evaluate(d);
        }
        return sd_bus_reply_method_return(call, NULL);
}

/* Asked again sooner than after a good answer, and less and less often. */
static void count_failure(Manager *m, const Item *item, const char *why, uint64_t retry_after_usec) {
        Domain *d;
        JobRenewalInfo *record = find_record(m, item, &d);
        uint64_t wait;

        if (!record)
                return;
        if (record->failures < 16)
                record->failures++;
        wait = MIN_OF((interval(m) / 16) << record->failures, RETRY_AFTER_MAX_USEC);
        record->next_poll_usec = next_poll(m, MAX_OF(wait, retry_after_usec));
        log_full(record->failures == 3 ? LOG_WARNING : LOG_DEBUG, 0, NULL, NULL, 0, "%s: The CA does not say when to renew the %s certificate: %s", DOMAIN_NAME(d),
                 record->spec, why);
        domain_save_job(d);
        wake_at(m->renewal_info, record->next_poll_usec);
}

int renewal_info_failed(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        Task *t = worker_bus_task(m, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *token, *text;
        uint64_t retry_after_usec;
        Item *item;
        int k;

        if (!t)
                return -EACCES;
        k = sd_bus_message_read(call, "sst", &token, &text, &retry_after_usec);
        if (k < 0)
                return k;
        item = find_item(t, token);
        if (!item)
                return worker_bus_not_now(error, "This certificate was not asked for");
        if (problem_from_argument(text, &p) < 0)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no problem");
        item->answered = true;
        count_failure(m, item, p ? p->detail : "no reason given", retry_after_usec);
        return sd_bus_reply_method_return(call, NULL);
}

static void end(Task *task, const Problem *problem) {
        InfoTask *t = (InfoTask *) task;

        if (problem)
                log_info("%s: Asking for renewal information failed: %s", task->ca_url, problem->detail);
        for (size_t i = 0; i < t->n; i++)
                if (!t->items[i].answered)
                        count_failure(task->manager, &t->items[i], problem ? problem->detail : "the worker did not ask", 0);
        job_bus_ended(task, problem);
        release(task);
}

static const TaskClass renewal_info_class = {
        .kind = "renewal-info",
        .describe = describe,
        .end = end,
        .release = release,
        .steps_max = 2,
};

/* --- The records --- */

void renewal_info_update(Domain *d) {
        if (!is_asked_for(d))
                return;
        for (size_t i = 0; i < d->live.n; i++) {
                const CertFacts *f = &d->live.items[i];
                JobRenewalInfo *record = f->ari_id ? job_keep_renewal_info(d->job, f->spec, f->ari_id) : NULL;

                if (!record)
                        continue;
                if (record->next_poll_usec == 0 || record->next_poll_usec > clock_now_usec() + 2 * RETRY_AFTER_MAX_USEC) {
                        /* A new one, which nobody needs to ask for at once; or the clock was wrong when it was planned. Those that came together are not asked
                         * for together. */
                        uint64_t span = MIN_OF(10 * USEC_PER_MINUTE, interval(d->manager));

                        record->next_poll_usec = clock_now_usec() + span / 2 + manager_random() % (span / 2 + 1);
                }
                wake_at(d->manager->renewal_info, record->next_poll_usec);
        }
}

int renewal_info_new(Manager *m, RenewalInfo **ret) {
        RenewalInfo *i = calloc(1, sizeof(*i));

        if (!i)
                return -ENOMEM;
        i->manager = m;
        *ret = i;
        return 0;
}

RenewalInfo *renewal_info_free(RenewalInfo *i) {
        if (!i)
                return NULL;
        sd_event_source_disable_unref(i->clock);
        free(i);
        return NULL;
}
