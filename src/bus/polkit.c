/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/polkit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/call-limit.h"

/* A question has two steps: who the caller is (asked from the bus itself, so that root and our own user need no polkit, and are not in anybody's way), then what
 * polkit says. With the answer the method call
 * goes through the connection once more, and the handler finds the answer here. */

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION UINT32_C(1)

#define TOO_MANY "Too many calls are waiting for authorization."

#define INTERACTIVE_TIMEOUT_USEC (5 * USEC_PER_MINUTE)
/* By then the method call has come through a second time, or its object is gone and it never will. */
#define ANSWER_KEPT_USEC (10 * USEC_PER_SEC)

enum {
        QUESTIONS_MAX = 64, /* that polkit has */
        QUESTIONS_PER_USER_MAX = 32, /* one user's unanswered dialogs leave room for the others */
        DETAIL_MAX = 4096, /* bytes: a message to polkit above dbus-daemon's ceiling would be our last */
        CALL_BYTES_MAX = 64 * 1024, /* of a call that waits for polkit; only root's may be larger, which waits for nobody */
        CALL_ITEMS_MAX = 1000,
};

typedef enum Answer {
        ANSWER_PENDING,
        ANSWER_ALLOWED,
        ANSWER_REFUSED,
        ANSWER_CHALLENGE, /* would be allowed after a dialog, and none was wanted */
        ANSWER_UNAVAILABLE, /* 'why' */
        ANSWER_TOO_MANY,
        ANSWER_TOO_LARGE,
} Answer;

typedef struct Question {
        struct Question *next;
        Polkit *polkit;
        sd_bus_message *call;
        sd_bus_message *check; /* CheckAuthorization, ready to be sent */
        sd_bus_slot *slot;
        char *action;
        char **details; /* what the answer is about, besides */
        char *why; /* polkit's own words; may be NULL */
        uint32_t uid;
        bool asked; /* polkit has it */
        Answer answer;
        uint64_t answered_usec;
} Question;

struct Polkit {
        Question *questions;
};

static Question *question_free(Question *q) {
        if (!q)
                return NULL;

        sd_bus_slot_unref(q->slot);
        sd_bus_message_unref(q->check);
        sd_bus_message_unref(q->call);
        free(q->why);
        strv_free(q->details);
        free(q->action);
        free(q);
        return NULL;
}
DEFINE_CLEANUP(Question *, question_free)

Polkit *polkit_new(void) {
        return calloc(1, sizeof(Polkit));
}

Polkit *polkit_free(Polkit *p) {
        if (!p)
                return NULL;

        for (Question *q = p->questions, *next; q; q = next) {
                next = q->next;
                question_free(q);
        }
        free(p);
        return NULL;
}

static void forget(Polkit *p, Question *question) {
        for (Question **q = &p->questions; *q; q = &(*q)->next)
                if (*q == question) {
                        *q = question->next;
                        break;
                }
        question_free(question);
}

static void forget_orphans(Polkit *p) {
        uint64_t now = clock_monotonic_usec();

        for (Question **q = &p->questions, *orphan; *q;)
                if ((*q)->answer != ANSWER_PENDING && usec_add((*q)->answered_usec, ANSWER_KEPT_USEC) < now) {
                        orphan = *q;
                        *q = orphan->next;
                        question_free(orphan);
                } else
                        q = &(*q)->next;
}

static Question *find(Polkit *p, sd_bus_message *call) {
        for (Question *q = p->questions; q; q = q->next)
                if (q->call == call)
                        return q;
        return NULL;
}

/* Whether polkit has so many questions, or so many of this user, that another one would be too much. */
static bool is_full(const Polkit *p, uint32_t uid) {
        size_t all = 0, same = 0;

        for (const Question *q = p->questions; q; q = q->next)
                if (q->asked) {
                        all++;
                        same += q->uid == uid;
                }
        return all >= QUESTIONS_MAX || same >= QUESTIONS_PER_USER_MAX;
}

/* The method call is dispatched again from its beginning; when even that fails the caller must not wait for ever. */
static void answer(Question *q, Answer a) {
        sd_bus *bus = sd_bus_message_get_bus(q->call);
        int r;

        q->answer = a;
        q->asked = false;
        q->answered_usec = clock_monotonic_usec();

        r = sd_bus_message_rewind(q->call, 1);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(bus, q->call);
        if (r >= 0)
                return;

        (void) sd_bus_reply_method_errno(q->call, r, NULL);
        forget(q->polkit, q);
}

static int on_polkit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Question *q = userdata;
        int allowed, challenge, r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                (void) str_replace(&q->why, sd_bus_message_get_error(m)->message);
                answer(q, ANSWER_UNAVAILABLE);
                return 0;
        }

        r = sd_bus_message_enter_container(m, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(m, "bb", &allowed, &challenge);
        if (r < 0)
                answer(q, ANSWER_UNAVAILABLE);
        else
                answer(q, allowed ? ANSWER_ALLOWED : challenge ? ANSWER_CHALLENGE : ANSWER_REFUSED);
        return 0;
}

static int ask_polkit(Question *q) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        bool interactive;
        int r;

        interactive = sd_bus_message_get_allow_interactive_authorization(q->call) > 0;
        r = sd_bus_call_async(sd_bus_message_get_bus(q->call), &slot, q->check, on_polkit, q, interactive ? INTERACTIVE_TIMEOUT_USEC : 0);
        if (r < 0)
                return r;

        sd_bus_slot_unref(q->slot);
        q->slot = take_ptr(slot);
        q->asked = true;
        return 0;
}

static int on_caller(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Question *q = userdata;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                answer(q, ANSWER_REFUSED); /* the caller has left */
                return 0;
        }

        r = sd_bus_message_read(m, "u", &q->uid);
        if (r < 0)
                answer(q, ANSWER_REFUSED);
        else if (q->uid == 0 || q->uid == geteuid())
                answer(q, ANSWER_ALLOWED);
        else if (call_limit_weigh(q->call, CALL_BYTES_MAX, CALL_ITEMS_MAX) <= 0)
                answer(q, ANSWER_TOO_LARGE);
        else if (is_full(q->polkit, q->uid))
                answer(q, ANSWER_TOO_MANY);
        else if (ask_polkit(q) < 0)
                answer(q, ANSWER_UNAVAILABLE);
        return 0;
}

static int append_details(sd_bus_message *m, char *const *details) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r < 0)
                return r;
        for (; details && details[0] && details[1]; details += 2) {
                r = sd_bus_message_append(m, "{ss}", details[0], details[1]);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

static int prepare_check(sd_bus_message *call, const char *action, char *const *details, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint32_t flags;
        int r;

        flags = sd_bus_message_get_allow_interactive_authorization(call) > 0 ? POLKIT_ALLOW_INTERACTION : 0;

        r = sd_bus_message_new_method_call(sd_bus_message_get_bus(call), &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s", sd_bus_message_get_sender(call), action);
        if (r < 0)
                return r;
        r = append_details(m, details);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "us", flags, "");
        if (r < 0)
                return r;

        *ret = take_ptr(m);
        return 0;
}

static int ask(Polkit *p, sd_bus_message *call, const char *action, char *const *details) {
        _cleanup_(question_freep) Question *q = NULL;
        int r;

        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        q->polkit = p;
        q->uid = UINT32_MAX;
        q->call = sd_bus_message_ref(call);

        r = str_replace(&q->action, action);
        for (char *const *d = details; r >= 0 && d && *d; d++)
                r = strv_extend(&q->details, *d);
        if (r < 0)
                return r;
        r = prepare_check(call, action, details, &q->check);
        if (r < 0)
                return r;
        r = sd_bus_call_method_async(sd_bus_message_get_bus(call), &q->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_caller, q, "s", sd_bus_message_get_sender(call));
        if (r < 0)
                return r;

        q->next = p->questions;
        p->questions = take_ptr(q);
        return 0;
}

/* While somebody thought about it, what the call names may have become something else: the answer is not for that. */
static bool is_about(const Question *q, const char *action, char *const *details) {
        return str_equal(q->action, action) && strv_equal(q->details, details);
}

static bool has_long_detail(char *const *details) {
        STRV_FOREACH(d, details)
                if (strlen(*d) > DETAIL_MAX)
                        return true;
        return false;
}

static int judge(const Question *q, sd_bus_error *error) {
        switch (q->answer) {
        case ANSWER_ALLOWED:
                return 1;
        case ANSWER_CHALLENGE:
                return sd_bus_error_setf(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                         "Interactive authentication required: polkit wants an administrator's password for %s", q->action);
        case ANSWER_UNAVAILABLE:
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "Access denied: polkit cannot answer: %s", str_or(q->why, "no reason given"));
        case ANSWER_TOO_MANY:
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, TOO_MANY);
        case ANSWER_TOO_LARGE:
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "The call is too large to wait for authorization.");
        default:
                return sd_bus_error_setf(error, SD_BUS_ERROR_ACCESS_DENIED, "Access denied: polkit does not allow %s", q->action);
        }
}

int polkit_authorize(Polkit *p, sd_bus_message *call, const char *action, char *const *details, sd_bus_error *error) {
        Question *q;
        int r;

        assert(p);
        assert(call);
        assert(action);

        q = find(p, call);
        if (q && q->answer == ANSWER_PENDING)
                return 0;
        if (q && is_about(q, action, details)) {
                r = judge(q, error);
                forget(p, q);
                return r;
        }
        if (q)
                forget(p, q);

        if (has_long_detail(details))
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "What the call is about has too long a name.");
        forget_orphans(p);
        r = ask(p, call, action, details);
        return r < 0 ? sd_bus_error_set_errno(error, r) : 0;
}
