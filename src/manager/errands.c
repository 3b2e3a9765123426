/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/errands.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct Errand Errand;

struct Errand {
        Errand *next;
        const ErrandClass *class;
        void *errand;
};

typedef struct Queue {
        Errand *first, **end;
} Queue;

struct Errands {
        pthread_t thread;
        pthread_mutex_t mutex; /* of what follows */
        pthread_cond_t wanted;
        bool stop;
        Queue waiting, finished;

        int fd; /* counts what is finished */
        sd_event_source *source;
};

static void push(Queue *q, Errand *e) {
        e->next = NULL;
        *q->end = e;
        q->end = &e->next;
}

static Errand *pop(Queue *q) {
        Errand *e = q->first;

        if (e) {
                q->first = e->next;
                if (!q->first)
                        q->end = &q->first;
        }
        return e;
}

static void *run(void *userdata) {
        Errands *all = userdata;

        (void) pthread_mutex_lock(&all->mutex);
        while (!all->stop) {
                Errand *e = pop(&all->waiting);

                if (!e) {
                        (void) pthread_cond_wait(&all->wanted, &all->mutex);
                        continue;
                }
                (void) pthread_mutex_unlock(&all->mutex);
                e->class->work(e->errand);
                (void) pthread_mutex_lock(&all->mutex);
                push(&all->finished, e);
                (void) eventfd_write(all->fd, 1);
        }
        (void) pthread_mutex_unlock(&all->mutex);
        return NULL;
}

static Errand *take_finished(Errands *all) {
        Errand *e;

        (void) pthread_mutex_lock(&all->mutex);
        e = pop(&all->finished);
        (void) pthread_mutex_unlock(&all->mutex);
        return e;
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Errands *all = userdata;
        eventfd_t count;
        Errand *e;

        (void) eventfd_read(fd, &count);
        while ((e = take_finished(all))) {
                const ErrandClass *class = e->class;
                void *errand = e->errand;

                free(e);
                class->done(errand); /* may send another one */
        }
        return 0;
}

/* Signals are the loop's. */
static int start_thread(Errands *all) {
        sigset_t every, before;
        int r;

        (void) sigfillset(&every);
        (void) pthread_sigmask(SIG_SETMASK, &every, &before);
        r = pthread_create(&all->thread, NULL, run, all);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -r;
}

static Errands *release(Errands *all) {
        sd_event_source_disable_unref(all->source);
        if (all->fd >= 0)
                (void) close(all->fd);
        (void) pthread_cond_destroy(&all->wanted);
        (void) pthread_mutex_destroy(&all->mutex);
        free(all);
        return NULL;
}

int errands_new(sd_event *event, Errands **ret) {
        Errands *all = calloc(1, sizeof(*all));
        int r;

        assert(event);
        assert(ret);

        if (!all)
                return -ENOMEM;
        all->waiting.end = &all->waiting.first;
        all->finished.end = &all->finished.first;
        (void) pthread_mutex_init(&all->mutex, NULL);
        (void) pthread_cond_init(&all->wanted, NULL);
        all->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = all->fd < 0 ? -errno : sd_event_add_io(event, &all->source, all->fd, EPOLLIN, on_finished, all);
        if (r >= 0)
                r = start_thread(all);
        if (r < 0) {
                release(all);
                return r;
        }
        *ret = all;
        return 0;
}

static void release_queue(Queue *q) {
        Errand *e;

        while ((e = pop(q))) {
                e->class->release(e->errand);
                free(e);
        }
}

Errands *errands_free(Errands *all) {
        if (!all)
                return NULL;
        (void) pthread_mutex_lock(&all->mutex);
        all->stop = true;
        (void) pthread_cond_signal(&all->wanted);
        (void) pthread_mutex_unlock(&all->mutex);
        (void) pthread_join(all->thread, NULL);
        release_queue(&all->waiting);
        release_queue(&all->finished);
        return release(all);
}

int errands_send(Errands *all, const ErrandClass *class, void *errand) {
        Errand *e = calloc(1, sizeof(*e));

        assert(class);

        if (!e)
                return -ENOMEM;
        e->class = class;
        e->errand = errand;
        (void) pthread_mutex_lock(&all->mutex);
        push(&all->waiting, e);
        (void) pthread_cond_signal(&all->wanted);
        (void) pthread_mutex_unlock(&all->mutex);
        return 0;
}
