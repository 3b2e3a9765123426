/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/task.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "manager/batch.h"
#include "manager/job-bus.h"
#include "manager/renewal-keys.h"
#include "manager/renewal.h"
#include "manager/worker-bus.h"

static const char *const task_state_table[_TASK_STATE_MAX] = {
        [TASK_QUEUED] = "queued",
        [TASK_STARTING] = "starting",
        [TASK_OPEN] = "running",
};

const char *task_state_to_string(TaskState s) {
        return (size_t) s < ELEMENTSOF(task_state_table) ? task_state_table[s] : NULL;
}

bool task_same_way(const Task *a, const Task *b) {
        return str_equal(a->ca_url, b->ca_url) && str_equal(a->settings->ca_file, b->settings->ca_file) &&
               str_equal(a->settings->proxy_url, b->settings->proxy_url) && str_equal(a->settings->proxy_ca_file, b->settings->proxy_ca_file);
}

static bool is_waiting(const Task *t, const Task *like) {
        return t->state == TASK_QUEUED && !t->held && !t->open && (!like || task_same_way(t, like));
}

/* Its keys are in the making: whoever begins it now waits for them. */
static bool is_slow(Task *t) {
        const Renewal *r = renewal_of(t);

        return r && renewal_waits_for_keys(r);
}

/* Half of the places at most are for those that wait for their keys. */
static bool is_room_for_slow(const Manager *m) {
        const char *path;
        unsigned n = 0;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                n += t->state != TASK_QUEUED && is_slow(t);
        return n < MAX_OF(m->settings.max_renewals / 2, 1U);
}

/* Those that can go on at once come first, each in its turn. */
static Task *find_oldest(const Manager *m, const Task *like, bool for_worker) {
        Task *t, *oldest = NULL, *oldest_slow = NULL;
        const char *path;

        MAP_FOREACH(m->tasks, path, t) {
                Task **best = is_slow(t) ? &oldest_slow : &oldest;

                if (is_waiting(t, like) && !(for_worker && task_is_local(t)) && (!*best || t->id < (*best)->id))
                        *best = t;
        }
        if (!oldest && oldest_slow && is_room_for_slow(m))
                return oldest_slow;
        return oldest;
}

Task *task_next_queued(const Manager *m, const Task *like) {
        return find_oldest(m, like, false);
}

Task *task_next_for_worker(const Manager *m, const Task *like) {
        return find_oldest(m, like, true);
}

size_t task_count_queued(const Manager *m, const Task *like) {
        const char *path;
        size_t n = 0;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                n += is_waiting(t, like);
        return n;
}

unsigned task_count_busy(const Manager *m) {
        unsigned n = batch_count(m);
        const char *path;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                n += t->state != TASK_QUEUED && !t->batch;
        return n;
}

bool task_is_local(const Task *t) {
        return renewal_of((Task *) t) && t->settings->protocol;
}

const char *task_unit(const Task *t) {
        const Renewal *r = renewal_of((Task *) t);

        if (t->batch)
                return batch_unit(t->batch);
        return r && !task_is_local(t) ? r->domain->unit : NULL;
}

int task_init(Task *t, Manager *m, const TaskClass *class, const char *subject, const ManagedDomain *settings, const char *ca_url) {
        int k;

        t->class = class;
        t->manager = m;
        t->id = ++m->last_id;
        t->settings = managed_domain_copy(settings);
        if (!t->settings || str_replace(&t->subject, subject) < 0 || str_replace(&t->ca_url, ca_url) < 0)
                return -ENOMEM;
        t->path = str_printf(BUS_PATH_JOB "/%" PRIu64, t->id);
        k = t->path ? map_put(m->tasks, t->path, t) : -ENOMEM;
        if (k < 0)
                return k;
        job_bus_added(t);
        manager_kick(m);
        return 0;
}

static void binding_done(TaskBinding *b) {
        free(b->new_account);
        free(b->new_order);
        free(b->revoke_cert);
        free(b->key_change);
        free(b->renewal_info);
        free(b->terms_of_service);
        strv_free(b->profiles);
        strv_free(b->contacts);
        *b = (TaskBinding){ 0 };
}

void task_done(Task *t) {
        Manager *m = t->manager;

        if (t->path && map_get(m->tasks, t->path) == t) {
                job_bus_removed(t);
                (void) map_remove(m->tasks, t->path);
        }
        if (t->sender && map_get(m->workers, t->sender) == t)
                (void) map_remove(m->workers, t->sender);
        sd_bus_message_unref(t->open);
        peer_watch_free(t->peer);
        sd_event_source_disable_unref(t->deadline);
        binding_done(&t->binding);
        EVP_PKEY_free(t->account_key);
        account_free(t->account);
        managed_domain_free(t->settings);
        problem_free(t->refusal);
        free(t->activity);
        free(t->sender);
        free(t->subject);
        free(t->wanted_account);
        free(t->ca_url);
        free(t->path);
}

void task_end(Task *t, const Problem *problem) {
        Manager *m = t->manager;
        _auto_free_ char *ca_url = strdup(t->ca_url);

        if (t->open)
                (void) sd_bus_reply_method_errorf(t->open, BUS_ERROR_REFUSED, "%s", problem ? problem->detail : "There is nothing to do any more");
        t->open = sd_bus_message_unref(t->open);
        t->class->end(t, problem);
        if (ca_url)
                task_wake_waiting(m, ca_url);
        manager_kick(m);
}

void task_requeue(Task *t) {
        if (t->sender && map_get(t->manager->workers, t->sender) == t)
                (void) map_remove(t->manager->workers, t->sender);
        free(take_ptr(t->sender));
        t->peer = peer_watch_free(t->peer);
        t->open = sd_bus_message_unref(t->open);
        t->deadline = sd_event_source_disable_unref(t->deadline);
        t->refusal = problem_free(t->refusal);
        t->account = account_free(t->account);
        EVP_PKEY_free(take_ptr(t->account_key));
        binding_done(&t->binding);
        t->batch = NULL;
        t->registering = false;
        t->state = TASK_QUEUED;
        job_bus_changed(t);
        task_wake_waiting(t->manager, t->ca_url);
        manager_kick(t->manager);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Task *t = userdata;
        const char *unit = str_or(task_unit(t), "the worker");
        _auto_problem_ Problem *p =
                t->state == TASK_OPEN ?
                        problem_new(PROBLEM_TYPE_TIMEOUT, "%s did not come to an end in time, while %s", t->ca_url, str_or(t->activity, "talking to it")) :
                        problem_new(PROBLEM_TYPE_WORKER, "%s did not ask for its job in time; see 'journalctl -u %s'", unit, unit);

        worker_bus_stop_unit(t);
        task_end(t, p);
        return 0;
}

int task_set_deadline(Task *t, uint64_t usec) {
        t->deadline = sd_event_source_disable_unref(t->deadline);
        return sd_event_add_time_relative(t->manager->event, &t->deadline, CLOCK_MONOTONIC, usec, 0, on_deadline, t);
}

void task_give_time(Task *t, uint64_t usec) {
        int k;

        if (t->state != TASK_OPEN)
                return;
        k = task_set_deadline(t, usec_add(t->class->steps_max * t->manager->settings.step_timeout_usec, usec));
        if (k < 0)
                (void) log_failure(k, "%s: Cannot give the worker time: %m", t->subject);
}

bool task_begin(Task *t) {
        _auto_problem_ Problem *p = NULL;
        int k;

        t->state = TASK_STARTING;
        t->started_usec = clock_now_usec();
        k = t->class->prepare ? t->class->prepare(t, &p) : 0;
        if (k < 0) {
                if (!p)
                        p = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot begin: %s", strerror(-k));
                task_end(t, p);
                return false;
        }
        job_bus_changed(t);
        return true;
}

/* --- The worker comes --- */

void task_worker_gone(Task *t) {
        const char *unit = str_or(task_unit(t), "its unit");
        _auto_problem_ Problem *p = NULL;

        t->peer = peer_watch_free(t->peer);
        if (t->state == TASK_QUEUED) { /* it was too long in the queue: one is started when it comes to that */
                t->open = sd_bus_message_unref(t->open);
                return;
        }
        p = problem_new(PROBLEM_TYPE_WORKER, "The worker of %s ended without a word, while %s; see 'journalctl -u %s'", unit, str_or(t->activity, "starting"), unit);
        task_end(t, p);
}

static void on_worker_gone(PeerWatch *watch, void *userdata) {
        task_worker_gone(userdata);
}

/* Somebody registers there, or changes accounts and was there before; who changes them waits for everybody who uses them. */
static bool has_to_wait(const Task *me) {
        const char *path;
        Task *t;

        MAP_FOREACH(me->manager->tasks, path, t) {
                if (t == me || !t->class->choose_account || !str_equal(t->ca_url, me->ca_url))
                        continue;
                if (t->registering || (t->state == TASK_OPEN && (t->class->exclusive || me->class->exclusive)))
                        return true;
                if (t->class->exclusive && t->state == TASK_STARTING && t->open && t->id < me->id)
                        return true;
        }
        return false;
}

static int take_worker(Task *t, Problem **ret_problem) {
        Manager *m = t->manager;
        int k = 0;

        if (t->class->choose_account)
                k = t->class->choose_account(t, ret_problem);
        if (k == 0)
                k = task_set_deadline(t, t->class->steps_max * m->settings.step_timeout_usec);
        if (k == 0)
                k = str_replace(&t->sender, sd_bus_message_get_sender(t->open));
        if (k == 0)
                k = map_put(m->workers, t->sender, t);
        return k;
}

/* Gives the job to the worker that waits for it, unless it has to wait for another one's account. */
static void hand_over(Task *t) {
        _auto_problem_ Problem *p = NULL;
        sd_bus_message *open;
        int k;

        if (t->class->choose_account && has_to_wait(t)) {
                /* That one's deadline is ours. */
                (void) task_set_deadline(t, (t->class->steps_max + 1) * t->manager->settings.step_timeout_usec);
                return;
        }
        k = take_worker(t, &p);
        if (k < 0) {
                if (!p)
                        p = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot hand the job over: %s", strerror(-k));
                task_end(t, p);
                return;
        }
        t->state = TASK_OPEN;
        open = take_ptr(t->open);
        k = worker_bus_reply_open(t, open);
        sd_bus_message_unref(open);
        if (k < 0)
                (void) log_failure(k, "%s: Cannot answer the worker: %m", t->subject);
        job_bus_changed(t);
}

void task_open(Task *t, sd_bus_message *open) {
        int k;

        assert(!t->open);

        k = peer_watch_new(t->manager->bus, sd_bus_message_get_sender(open), on_worker_gone, t, &t->peer);
        if (k < 0) {
                (void) log_failure(k, "%s: Cannot watch the worker: %m", t->subject);
                (void) sd_bus_reply_method_errno(open, k, NULL);
                return;
        }
        t->open = sd_bus_message_ref(open);
        if (t->state == TASK_QUEUED)
                manager_kick(t->manager); /* it starts when a place is free */
        else
                hand_over(t);
}

void task_wake_waiting(Manager *m, const char *ca_url) {
        _auto_free_ char *ca = strdup(ca_url); /* it may belong to a task that ends here */
        _auto_strv_ char **paths = NULL;
        const char *path;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                if (t->state == TASK_STARTING && t->open && str_equal(t->ca_url, ca_url) && strv_extend(&paths, path) < 0)
                        break;
        /* Each may end others, or begin new ones: looked up again. */
        STRV_FOREACH(p, paths) {
                t = map_get(m->tasks, *p);
                if (t && t->state == TASK_STARTING && t->open && str_equal(t->ca_url, ca))
                        hand_over(t);
        }
}

int task_refuse(Task *t, const char *name, const Problem *p, sd_bus_error *error) {
        if (p && !t->refusal)
                t->refusal = problem_copy(p);
        return bus_error_from_problem(error, name, p);
}
