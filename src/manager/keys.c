/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/keys.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "crypto/key.h"

/* A request is in one of the two queues, or in the making. The thread touches only what lies in front of 'result'. */
struct KeyRequest {
        KeySpec spec;
        EVP_PKEY *key;
        Problem *problem;
        KeyRequest *next;

        KeyMaker *maker;
        KeyHandler handler; /* NULL: nobody waits any more */
        void *userdata;
        bool done; /* the handler was called: the owner frees it */
};

enum {
        STOCK_KINDS_MAX = 4,
        STOCK_KEYS = 2, /* of each kind */
};

typedef struct Stock {
        KeySpec spec;
        EVP_PKEY *keys[STOCK_KEYS];
        size_t n;
        bool given_up;
} Stock;

struct KeyMaker {
        pthread_t thread;
        pthread_mutex_t mutex;
        pthread_cond_t wanted;
        bool stop;
        KeyRequest *queue, **queue_end;
        KeyRequest *finished, **finished_end;
        Stock stocks[STOCK_KINDS_MAX];
        size_t n_stocks;
        int fd;
        sd_event_source *source;
};

static void enqueue(KeyRequest ***end, KeyRequest *r) {
        r->next = NULL;
        **end = r;
        *end = &r->next;
}

static KeyRequest *dequeue(KeyRequest **head, KeyRequest ***end) {
        KeyRequest *r = *head;

        if (r) {
                *head = r->next;
                if (!*head)
                        *end = head;
        }
        return r;
}

static KeyRequest *request_destroy(KeyRequest *r) {
        EVP_PKEY_free(r->key);
        problem_free(r->problem);
        free(r);
        return NULL;
}

static Stock *find_stock(KeyMaker *k, const KeySpec *spec) {
        for (size_t i = 0; i < k->n_stocks; i++)
                if (key_spec_equal(&k->stocks[i].spec, spec))
                        return &k->stocks[i];
        return NULL;
}

static Stock *find_low_stock(KeyMaker *k) {
        for (size_t i = 0; i < k->n_stocks; i++)
                if (k->stocks[i].n < STOCK_KEYS && !k->stocks[i].given_up)
                        return &k->stocks[i];
        return NULL;
}

/* With the mutex held; it is let go while the key is made. A stock stays where it is, and only this thread adds to it. */
static void fill(KeyMaker *k, Stock *stock) {
        KeySpec spec = stock->spec;
        EVP_PKEY *key = NULL;

        (void) pthread_mutex_unlock(&k->mutex);
        if (key_make(&spec, &key, NULL) != 0)
                key = NULL;
        (void) pthread_mutex_lock(&k->mutex);
        if (key)
                stock->keys[stock->n++] = key;
        else
                stock->given_up = true; /* who asks for one will be told why */
}

static void make(KeyMaker *k, KeyRequest *r) {
        (void) pthread_mutex_unlock(&k->mutex);
        if (key_make(&r->spec, &r->key, &r->problem) != 0 && !r->problem)
                r->problem = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot make a private key");
        (void) pthread_mutex_lock(&k->mutex);
        enqueue(&k->finished_end, r);
        (void) eventfd_write(k->fd, 1);
}

static void *make_keys(void *userdata) {
        KeyMaker *k = userdata;

        (void) pthread_mutex_lock(&k->mutex);
        while (!k->stop) {
                KeyRequest *r = dequeue(&k->queue, &k->queue_end);
                Stock *low = r ? NULL : find_low_stock(k);

                if (r)
                        make(k, r);
                else if (low)
                        fill(k, low);
                else
                        (void) pthread_cond_wait(&k->wanted, &k->mutex);
        }
        (void) pthread_mutex_unlock(&k->mutex);
        return NULL;
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        KeyMaker *k = userdata;
        eventfd_t count;

        (void) eventfd_read(fd, &count);
        for (;;) {
                _auto_problem_ Problem *problem = NULL;
                _auto_pkey_ EVP_PKEY *key = NULL;
                KeyRequest *r;

                (void) pthread_mutex_lock(&k->mutex);
                r = dequeue(&k->finished, &k->finished_end);
                (void) pthread_mutex_unlock(&k->mutex);
                if (!r)
                        return 0;
                if (!r->handler) {
                        request_destroy(r);
                        continue;
                }
                r->done = true;
                key = take_ptr(r->key);
                problem = take_ptr(r->problem);
                r->handler(r, key, problem, r->userdata); /* may free the request, and goes on with what it was told */
        }
}

int key_maker_new(sd_event *event, KeyMaker **ret) {
        KeyMaker *k = calloc(1, sizeof(*k));
        sigset_t all, before;
        int r;

        if (!k)
                return -ENOMEM;
        k->queue_end = &k->queue;
        k->finished_end = &k->finished;
        (void) pthread_mutex_init(&k->mutex, NULL);
        (void) pthread_cond_init(&k->wanted, NULL);
        k->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (k->fd < 0) {
                r = -errno;
                free(k);
                return r;
        }
        r = sd_event_add_io(event, &k->source, k->fd, EPOLLIN, on_finished, k);
        if (r < 0) {
                (void) close(k->fd);
                free(k);
                return r;
        }
        /* Signals are the loop's. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&k->thread, NULL, make_keys, k);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0) {
                sd_event_source_disable_unref(k->source);
                (void) close(k->fd);
                free(k);
                return -r;
        }
        *ret = k;
        return 0;
}

KeyMaker *key_maker_free(KeyMaker *k) {
        KeyRequest *r;

        if (!k)
                return NULL;
        (void) pthread_mutex_lock(&k->mutex);
        k->stop = true;
        (void) pthread_cond_signal(&k->wanted);
        (void) pthread_mutex_unlock(&k->mutex);
        (void) pthread_join(k->thread, NULL);

        while ((r = dequeue(&k->queue, &k->queue_end)))
                request_destroy(r);
        while ((r = dequeue(&k->finished, &k->finished_end)))
                request_destroy(r);
        for (size_t i = 0; i < k->n_stocks; i++)
                while (k->stocks[i].n > 0)
                        EVP_PKEY_free(k->stocks[i].keys[--k->stocks[i].n]);
        sd_event_source_disable_unref(k->source);
        (void) close(k->fd);
        (void) pthread_cond_destroy(&k->wanted);
        (void) pthread_mutex_destroy(&k->mutex);
        free(k);
        return NULL;
}

void key_maker_stock(KeyMaker *k, const KeySpec *spec) {
        if (spec->type == KEY_TYPE_EC)
                return;
        (void) pthread_mutex_lock(&k->mutex);
        if (!find_stock(k, spec) && k->n_stocks < STOCK_KINDS_MAX) {
                k->stocks[k->n_stocks++] = (Stock){ .spec = *spec };
                (void) pthread_cond_signal(&k->wanted);
        }
        (void) pthread_mutex_unlock(&k->mutex);
}

/* With the mutex held. */
static bool take_from_stock(KeyMaker *k, KeyRequest *r) {
        Stock *stock = find_stock(k, &r->spec);

        if (!stock || stock->n == 0)
                return false;
        r->key = stock->keys[--stock->n];
        enqueue(&k->finished_end, r);
        (void) eventfd_write(k->fd, 1);
        return true;
}

int key_request_new(KeyMaker *k, const KeySpec *spec, KeyHandler handler, void *userdata, KeyRequest **ret) {
        KeyRequest *r = calloc(1, sizeof(*r));

        assert(handler);

        if (!r)
                return -ENOMEM;
        r->spec = *spec;
        r->maker = k;
        r->handler = handler;
        r->userdata = userdata;
        (void) pthread_mutex_lock(&k->mutex);
        if (!take_from_stock(k, r))
                enqueue(&k->queue_end, r);
        (void) pthread_cond_signal(&k->wanted);
        (void) pthread_mutex_unlock(&k->mutex);
        *ret = r;
        return 0;
}

KeyRequest *key_request_free(KeyRequest *r) {
        if (!r)
                return NULL;
        if (r->done)
                return request_destroy(r);
        /* The thread may hold it: it is destroyed when it comes back. */
        r->handler = NULL;
        return NULL;
}
