/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/call-limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "peer.h"

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)
#define _auto_peers_ _cleanup_(peers_done)

#define PATH "/org/test"
#define SMALL "org.test.Small"
#define LARGE "org.test.Large"

enum { BYTES = 1000, ITEMS = 20 };

static const CallLimit limits[] = {
        { LARGE, "Report", 10 * BYTES, 10 * ITEMS },
        { NULL, NULL, BYTES, ITEMS },
};

typedef struct Outcome {
        bool done;
        char *error; /* NULL: none */
} Outcome;

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Outcome *o = userdata;

        o->done = true;
        if (sd_bus_message_is_method_error(m, NULL))
                (void) str_replace(&o->error, sd_bus_message_get_error(m)->name);
        return 0;
}

static int method_count(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        unsigned *calls = userdata;
        const char *s;

        (*calls)++;
        if (sd_bus_message_has_signature(call, "s") > 0 && sd_bus_message_read(call, "s", &s) < 0)
                return -EBADMSG;
        return sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Say", "s", NULL, method_count, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Report", "s", NULL, method_count, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("List", "as", NULL, method_count, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* The name of the error; "" for none. */
static char *call(Peers *p, const char *interface, const char *member, const char *argument) {
        Outcome o = { 0 };

        if (sd_bus_call_method_async(p->other, NULL, NULL, PATH, interface, member, on_reply, &o, "s", argument) < 0 || peers_run_until(p, &o.done) < 0)
                return NULL;
        return o.error ? o.error : strdup("");
}

static int serve(Peers *p, unsigned *calls) {
        int r = peers_init(p);

        if (r >= 0)
                r = call_limit_add(p->service, limits);
        if (r >= 0)
                r = sd_bus_add_object_vtable(p->service, NULL, PATH, SMALL, vtable, calls);
        return r < 0 ? r : sd_bus_add_object_vtable(p->service, NULL, PATH, LARGE, vtable, calls);
}

TEST(what_is_too_large_reaches_nobody) {
        static const struct {
                const char *what, *interface, *member;
                size_t size;
                bool taken;
        } cases[] = {
                { "small",                       SMALL, "Say",    BYTES,          true  },
                { "one byte too many",           SMALL, "Say",    BYTES + 1,      false },
                { "the limit of one method",     LARGE, "Report", 10 * BYTES,     true  },
                { "beyond the method's own",     LARGE, "Report", 10 * BYTES + 1, false },
                { "another method beside it",    LARGE, "Say",    BYTES + 1,      false },
                { "the method of another face",  SMALL, "Report", BYTES + 1,      false },
        };
        _auto_peers_ Peers p = { 0 };
        unsigned calls = 0;

        REQUIRE(serve(&p, &calls) >= 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *argument = test_filler(cases[i].size), *error = NULL;
                unsigned before = calls;

                test_case("%s", cases[i].what);
                REQUIRE(argument != NULL);
                error = call(&p, cases[i].interface, cases[i].member, argument);
                CHECK_STR(error, cases[i].taken ? "" : SD_BUS_ERROR_LIMITS_EXCEEDED);
                CHECK_UINT(calls - before, cases[i].taken);
        }
}

/* sd-bus repeats the name of an interface that nobody has, whatever its size. */
TEST(what_sd_bus_answers_itself_is_limited_too) {
        _auto_free_ char *name = test_filler(BYTES + 1), *error = NULL;
        _auto_peers_ Peers p = { 0 };
        unsigned calls = 0;

        REQUIRE(name && serve(&p, &calls) >= 0);
        error = call(&p, "org.freedesktop.DBus.Properties", "GetAll", name);
        CHECK_STR(error, SD_BUS_ERROR_LIMITS_EXCEEDED);
        CHECK_UINT(calls, 0);
}

static int append_strings(sd_bus_message *m, size_t n, const char *s) {
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(m, "s", s);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static sd_bus_message *seal(sd_bus_message *m) {
        return sd_bus_message_seal(m, 1, 0) >= 0 ? m : NULL;
}

TEST(many_small_values_are_too_much) {
        _auto_message_ sd_bus_message *few = NULL, *many = NULL;
        _auto_peers_ Peers p = { 0 };

        REQUIRE(peers_init(&p) >= 0);
        REQUIRE(sd_bus_message_new_method_call(p.other, &few, NULL, PATH, SMALL, "List") >= 0 && append_strings(few, ITEMS - 1, "") >= 0 && seal(few));
        REQUIRE(sd_bus_message_new_method_call(p.other, &many, NULL, PATH, SMALL, "List") >= 0 && append_strings(many, ITEMS, "") >= 0 && seal(many));
        CHECK_INT(call_limit_weigh(few, BYTES, ITEMS), 1);
        CHECK_INT(call_limit_weigh(many, BYTES, ITEMS), 0);
}

TEST(everything_inside_counts) {
        static const uint8_t bytes[100];
        _auto_message_ sd_bus_message *m = NULL;
        _auto_peers_ Peers p = { 0 };
        const char *first;

        REQUIRE(peers_init(&p) >= 0);
        REQUIRE(sd_bus_message_new_method_call(p.other, &m, NULL, PATH, SMALL, "Much") >= 0);
        REQUIRE(sd_bus_message_append(m, "sua{sv}(ss)", "one", UINT32_C(1), 1, "key", "s", "value", "a", "b") >= 0);
        REQUIRE(sd_bus_message_append_array(m, 'y', bytes, sizeof(bytes)) >= 0 && seal(m));
        /* 3 + 8 + 3 + 5 + 1 + 1 + 100 bytes in: one, 1, array, entry, key, variant, value, struct, a, b, bytes */
        CHECK_INT(call_limit_weigh(m, 121, 11), 1);
        CHECK_INT(call_limit_weigh(m, 120, 11), 0);
        CHECK_INT(call_limit_weigh(m, 121, 10), 0);
        REQUIRE(sd_bus_message_read(m, "s", &first) > 0);
        CHECK_STR(first, "one"); /* it is at its beginning */
}
