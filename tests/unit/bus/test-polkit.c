/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/polkit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "peer.h"

/* The other end of the connection is the caller, the bus and polkit: what polkit is asked, and what becomes of its answer. */

#define PATH "/org/test"
#define INTERFACE "org.test.Service"
#define ACTION "org.test.act"

enum { CALLS_MAX = 8 };

typedef struct Scene {
        Peers peers;
        Polkit *polkit;
        uint32_t uid; /* of the caller */
        bool allowed; /* by polkit */
        const char *subject, *later; /* what the call is about at first, and once polkit was asked */

        char *asked[CALLS_MAX]; /* polkit, about this */
        size_t n_asked;
        bool done;
        char *error;
} Scene;

static void scene_done(Scene *s) {
        polkit_free(s->polkit);
        peers_done(&s->peers);
        for (size_t i = 0; i < s->n_asked; i++)
                free(s->asked[i]);
        free(s->error);
}

static int method_act(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Scene *s = userdata;
        char *details[] = { (char *) "subject", (char *) (s->n_asked > 0 ? s->later : s->subject), NULL };
        int r = polkit_authorize(s->polkit, call, ACTION, details, error);

        return r <= 0 ? (r < 0 ? r : 1) : sd_bus_reply_method_return(call, NULL);
}

static int method_user(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Scene *s = userdata;

        return sd_bus_reply_method_return(call, "u", s->uid);
}

static int method_check(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *kind, *key, *name, *action, *detail, *value;
        Scene *s = userdata;

        if (sd_bus_message_read(call, "(sa{sv})sa{ss}", &kind, 1, &key, "s", &name, &action, 1, &detail, &value) < 0 || s->n_asked == CALLS_MAX)
                return -EBADMSG;
        s->asked[s->n_asked++] = strdup(value);
        return sd_bus_reply_method_return(call, "(bba{ss})", (int) s->allowed, 0, 0);
}

static const sd_bus_vtable service_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Act", "s", NULL, method_act, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetConnectionUnixUser", "s", "u", method_user, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const sd_bus_vtable polkit_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", method_check, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int set_up(Scene *s) {
        int r = peers_init(&s->peers);

        s->polkit = polkit_new();
        s->uid = geteuid() + 1;
        if (r >= 0)
                r = sd_bus_add_object_vtable(s->peers.service, NULL, PATH, INTERFACE, service_vtable, s);
        if (r >= 0)
                r = sd_bus_add_object_vtable(s->peers.other, NULL, "/org/freedesktop/DBus", "org.freedesktop.DBus", bus_vtable, s);
        if (r >= 0)
                r = sd_bus_add_object_vtable(s->peers.other, NULL, "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority", polkit_vtable, s);
        return s->polkit ? r : -ENOMEM;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Scene *s = userdata;

        s->done = true;
        if (sd_bus_message_is_method_error(m, NULL))
                (void) str_replace(&s->error, sd_bus_message_get_error(m)->name);
        return 0;
}

static int act(Scene *s, const char *argument) {
        int r = sd_bus_call_method_async(s->peers.other, NULL, NULL, PATH, INTERFACE, "Act", on_reply, s, "s", argument);

        return r < 0 ? r : peers_run_until(&s->peers, &s->done);
}

#define _auto_scene_ _cleanup_(scene_done)

TEST(an_answer_is_given_to_its_question) {
        static const bool answers[] = { true, false };

        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                _auto_scene_ Scene s = { .allowed = answers[i], .subject = "one", .later = "one" };

                test_case("%s", answers[i] ? "allowed" : "refused");
                REQUIRE(set_up(&s) >= 0 && act(&s, "") == 0);
                CHECK_STR(s.error, answers[i] ? NULL : SD_BUS_ERROR_ACCESS_DENIED);
                CHECK_UINT(s.n_asked, 1);
                CHECK_STR(s.asked[0], "one");
        }
}

TEST(another_subject_is_another_question) {
        _auto_scene_ Scene s = { .allowed = true, .subject = "one", .later = "two" };

        REQUIRE(set_up(&s) >= 0 && act(&s, "") == 0);
        CHECK_STR(s.error, NULL);
        REQUIRE(s.n_asked == 2);
        CHECK_STR(s.asked[0], "one");
        CHECK_STR(s.asked[1], "two");
}

TEST(polkit_hears_no_long_names) {
        _auto_free_ char *fits = test_filler(4096), *longer = test_filler(4097);
        const struct {
                const char *subject, *error;
        } cases[] = { { fits, NULL }, { longer, SD_BUS_ERROR_LIMITS_EXCEEDED } };

        REQUIRE(fits && longer);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_scene_ Scene s = { .allowed = true, .subject = cases[i].subject, .later = cases[i].subject };

                test_case("%zu bytes", strlen(cases[i].subject));
                REQUIRE(set_up(&s) >= 0 && act(&s, "") == 0);
                CHECK_STR(s.error, cases[i].error);
                CHECK_UINT(s.n_asked, !cases[i].error);
        }
}

TEST(only_root_sends_much) {
        _auto_free_ char *much = test_filler(64 * 1024 + 1);
        const struct {
                const char *what;
                uint32_t uid;
                const char *error;
        } cases[] = { { "root", 0, NULL }, { "we ourselves", geteuid(), NULL }, { "anybody", geteuid() + 1, SD_BUS_ERROR_LIMITS_EXCEEDED } };

        REQUIRE(much != NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_scene_ Scene s = { .allowed = true, .subject = "one", .later = "one" };

                test_case("%s", cases[i].what);
                REQUIRE(set_up(&s) >= 0);
                s.uid = cases[i].uid;
                REQUIRE(act(&s, much) == 0);
                CHECK_STR(s.error, cases[i].error);
                CHECK_UINT(s.n_asked, 0);
        }
}
