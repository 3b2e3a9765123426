/* SPDX-License-Identifier: Apache-2.0 */
#include "served-worker/look.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "served-worker/visit.h"

#define VISIT_USEC (5 * USEC_PER_SEC)
#define RIGHT_PAUSE_USEC (300 * USEC_PER_MSEC)
#define WRONG_PAUSE_USEC (1 * USEC_PER_SEC)
#define IDLE_USEC (1 * USEC_PER_SEC)

enum {
        VISITS_MAX = 16, /* at a time */
        RIGHT_ENOUGH = 3, /* times in a row */
        MANY = 64,        /* of so many, each is looked at once: children of before would be met by others */
};

typedef struct Look {
        struct Look *next;
        uint64_t token;
        char **addresses, **expected;
        char *name, *kind;
        uint16_t port;
        uint64_t until_usec;  /* monotonic, all of them; 0: it has not begun */
        uint64_t not_before_usec;
        unsigned right;       /* in a row */

        /* this round */
        Visit *visit;
        size_t at; /* the address */
        bool any, wrong;
        char *seen, *where, *why; /* of what is wrong; what was seen last otherwise */
} Look;

struct Looker {
        uint64_t time_usec;
        LookHandler handler;
        void *userdata;
        Look *first, *last;
        size_t n, n_added, n_visits;
};

static Look *look_free(Look *k) {
        if (!k)
                return NULL;
        visit_free(k->visit);
        strv_free(k->addresses);
        strv_free(k->expected);
        free(k->name);
        free(k->kind);
        free(k->seen);
        free(k->where);
        free(k->why);
        free(k);
        return NULL;
}
DEFINE_CLEANUP(Look *, look_free)

int looker_new(uint64_t time_usec, LookHandler handler, void *userdata, Looker **ret) {
        Looker *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        *l = (Looker){ .time_usec = time_usec, .handler = handler, .userdata = userdata };
        *ret = l;
        return 0;
}

Looker *looker_free(Looker *l) {
        if (!l)
                return NULL;
        while (l->first) {
                Look *k = l->first;

                l->first = k->next;
                look_free(k);
        }
        free(l);
        return NULL;
}

int looker_add(Looker *l, const LookRequest *q) {
        _cleanup_(look_freep) Look *k = NULL;

        assert(l);
        assert(q);

        if (strv_length(q->addresses) == 0 || strv_length(q->expected) == 0 || q->port == 0)
                return -EINVAL;
        k = calloc(1, sizeof(*k));
        if (!k)
                return -ENOMEM;
        k->token = q->token;
        k->port = q->port;
        k->addresses = strv_copy(q->addresses);
        k->expected = strv_copy(q->expected);
        k->kind = strdup(q->kind);
        if (!k->addresses || !k->expected || !k->kind || str_replace(&k->name, str_is_empty(q->name) ? NULL : q->name) < 0)
                return -ENOMEM;
        *(l->last ? &l->last->next : &l->first) = k;
        l->last = k;
        l->n++;
        l->n_added++;
        take_ptr(k);
        return 0;
}

size_t looker_count(const Looker *l) {
        return l->n;
}

static char *describe_place(const Look *k, const char *address) {
        return str_printf("%s port %u of this machine%s%s", address, (unsigned) k->port, k->name ? ", asked for " : "", str_or(k->name, ""));
}

static int note(Look *k, const char *seen, const char *why) {
        _auto_free_ char *where = describe_place(k, k->addresses[k->at]);

        if (!where || str_replace(&k->seen, seen) < 0 || str_replace(&k->why, why) < 0)
                return -ENOMEM;
        free(k->where);
        k->where = take_ptr(where);
        return 0;
}

/* What was wrong somewhere in this round stays what is told of it. */
static int judge(Look *k, VisitOutcome outcome) {
        const char *seen = visit_fingerprint(k->visit);
        bool right = outcome == VISIT_SEEN && strv_contains(k->expected, seen);
        int r = 0;

        if (outcome == VISIT_NO_CONNECTION) {
                if (!k->any && !k->wrong)
                        r = note(k, "", visit_why(k->visit));
        } else if (!k->wrong)
                r = note(k, seen, right ? "" : outcome == VISIT_SEEN ? "another certificate is shown" : visit_why(k->visit));
        k->any = k->any || outcome != VISIT_NO_CONNECTION;
        k->wrong = k->wrong || (outcome != VISIT_NO_CONNECTION && !right);
        return r;
}

static void begin_round(Look *k, const Looker *l) {
        if (k->until_usec == 0)
                k->until_usec = usec_add(clock_monotonic_usec(), l->time_usec);
        k->at = 0;
        k->any = k->wrong = false;
}

/* True: it came to its end. */
static bool end_round(Look *k, const Looker *l) {
        uint64_t now = clock_monotonic_usec();
        unsigned enough = l->n_added > MANY ? 1 : RIGHT_ENOUGH;
        bool right = k->any && !k->wrong;

        k->right = right ? k->right + 1 : 0;
        k->not_before_usec = usec_add(now, right ? RIGHT_PAUSE_USEC : WRONG_PAUSE_USEC);
        return k->right >= enough || (!right && k->not_before_usec >= k->until_usec);
}

static int tell_end(const Looker *l, const Look *k) {
        return l->handler(k->token, str_or(k->seen, ""), str_or(k->where, ""), str_or(k->why, ""), l->userdata);
}

/* The next address, or the end of the round. A positive result: the end of the look. */
static int proceed(Looker *l, Look *k) {
        uint64_t deadline = usec_add(clock_monotonic_usec(), VISIT_USEC);
        int r;

        if (!k->addresses[k->at])
                return end_round(k, l) ? 1 : 0;
        r = visit_new(k->addresses[k->at], k->port, k->name, k->kind, deadline, &k->visit);
        if (r == 0)
                l->n_visits++;
        return r;
}

static int step(Looker *l, Look *k) {
        VisitOutcome outcome;
        int r;

        if (!k->visit) {
                if (l->n_visits >= VISITS_MAX || k->not_before_usec > clock_monotonic_usec())
                        return 0;
                begin_round(k, l);
                return proceed(l, k);
        }
        outcome = visit_step(k->visit);
        if (outcome == VISIT_UNDER_WAY)
                return 0;
        r = judge(k, outcome);
        k->visit = visit_free(k->visit);
        l->n_visits--;
        k->at++;
        return r < 0 ? r : proceed(l, k);
}

/* What goes on takes its place behind the others. */
static void put_back(Looker *l, Look *k) {
        k->next = NULL;
        *(l->last ? &l->last->next : &l->first) = k;
        l->last = k;
}

static Look *take_first(Looker *l) {
        Look *k = l->first;

        l->first = k->next;
        if (!l->first)
                l->last = NULL;
        return k;
}

static int step_all(Looker *l) {
        for (size_t n = l->n; n > 0; n--) {
                Look *k = take_first(l);
                int r = step(l, k);

                if (r == 0) {
                        put_back(l, k);
                        continue;
                }
                l->n--;
                r = r > 0 ? tell_end(l, k) : log_failure(r, "Cannot go on looking at what is served: %m");
                look_free(k);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int milliseconds(uint64_t usec) {
        return (int) ((usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

int looker_run(Looker *l) {
        uint64_t now, wake;
        struct pollfd fds[VISITS_MAX];
        nfds_t n = 0;
        int r;

        assert(l);

        r = step_all(l);
        if (r < 0 || l->n == 0)
                return r;
        now = clock_monotonic_usec();
        wake = usec_add(now, IDLE_USEC);
        for (const Look *k = l->first; k; k = k->next)
                if (k->visit) {
                        fds[n++] = (struct pollfd){ .fd = visit_fd(k->visit), .events = visit_events(k->visit) };
                        wake = visit_fd(k->visit) < 0 ? now : MIN_OF(wake, visit_deadline_usec(k->visit));
                } else if (l->n_visits < VISITS_MAX)
                        wake = MIN_OF(wake, k->not_before_usec);
        if (poll(fds, n, milliseconds(usec_sub(wake, now))) < 0 && errno != EINTR)
                return log_failure(errno, "Cannot wait for connections: %m");
        return 0;
}
