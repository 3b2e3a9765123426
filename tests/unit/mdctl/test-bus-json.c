/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/bus-json.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "lib/test.h"

#define _auto_bus_ _cleanup_(sd_bus_unrefp)
#define _auto_message_ _cleanup_(sd_bus_message_unrefp)

/* A bus that is good for making messages: at the other end nobody reads. */
static sd_bus *bus_new(int *ret_other_end) {
        sd_bus *bus = NULL;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, fds) < 0)
                return NULL;
        *ret_other_end = fds[1];
        if (sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0 && sd_bus_start(bus) >= 0)
                return bus;
        return sd_bus_unref(bus);
}

static int ready_to_read(sd_bus_message *m) {
        int r = sd_bus_message_seal(m, 1, 0);

        return r < 0 ? r : sd_bus_message_rewind(m, true);
}

static sd_bus_message *message_new(sd_bus *bus) {
        sd_bus_message *m = NULL;

        return sd_bus_message_new_signal(bus, &m, "/org/example", "org.example.Test", "Said") < 0 ? NULL : m;
}

static int append(JsonObject *entry, void *userdata) {
        _auto_free_ char *text = json_format_short(entry);
        Buffer *all = userdata;

        return text ? buffer_append_string(all, text) : -ENOMEM;
}

static int stop(JsonObject *entry, void *userdata) {
        unsigned *n = userdata;

        return ++*n == 2 ? -ECANCELED : 0;
}

static const char *const names[] = { "Name", "Count", NULL };

TEST(each_named) {
        _auto_close_ int other_end = -1;
        _auto_bus_ sd_bus *bus = bus_new(&other_end);
        _auto_message_ sd_bus_message *m = bus ? message_new(bus) : NULL;
        _auto_buffer_ Buffer all = BUFFER_INIT(1024);
        uint32_t next = 0;

        REQUIRE(m && sd_bus_message_append(m, "a(st)u", 2, "one", (uint64_t) 1, "\033two\nlines é", UINT64_MAX, 7u) >= 0 && ready_to_read(m) >= 0);
        CHECK_INT(bus_json_read_each_named(m, names, append, &all), 0);
        CHECK_STR(all.data, "{\"Name\":\"one\",\"Count\":1}{\"Name\":\"?two lines é\",\"Count\":18446744073709551615}");

        test_case("what follows is still there");
        CHECK(sd_bus_message_read(m, "u", &next) > 0);
        CHECK_UINT(next, 7);
}

TEST(none) {
        _auto_close_ int other_end = -1;
        _auto_bus_ sd_bus *bus = bus_new(&other_end);
        _auto_message_ sd_bus_message *m = bus ? message_new(bus) : NULL;
        _auto_buffer_ Buffer all = BUFFER_INIT(1024);

        REQUIRE(m && sd_bus_message_append(m, "a(st)", 0) >= 0 && ready_to_read(m) >= 0);
        CHECK_INT(bus_json_read_each_named(m, names, append, &all), 0);
        CHECK(all.data == NULL);
}

TEST(ended_by_the_callback) {
        _auto_close_ int other_end = -1;
        _auto_bus_ sd_bus *bus = bus_new(&other_end);
        _auto_message_ sd_bus_message *m = bus ? message_new(bus) : NULL;
        unsigned n = 0;

        REQUIRE(m && sd_bus_message_append(m, "a(st)", 3, "a", (uint64_t) 1, "b", (uint64_t) 2, "c", (uint64_t) 3) >= 0 && ready_to_read(m) >= 0);
        CHECK_INT(bus_json_read_each_named(m, names, stop, &n), -ECANCELED);
        CHECK_UINT(n, 2);
}

TEST(other_answers) {
        static const struct {
                const char *what, *types;
        } cases[] = {
                { "a value less", "a(s)" },
                { "a value more", "a(sts)" },
                { "no structures", "as" },
                { "no array", "s" },
        };
        _auto_close_ int other_end = -1;
        _auto_bus_ sd_bus *bus = bus_new(&other_end);

        REQUIRE(bus);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_message_ sd_bus_message *m = message_new(bus);
                _auto_buffer_ Buffer all = BUFFER_INIT(1024);

                test_case("%s", cases[i].what);
                REQUIRE(m);
                if (cases[i].types[0] == 's')
                        REQUIRE(sd_bus_message_append(m, "s", "text") >= 0);
                else if (cases[i].types[1] == 's')
                        REQUIRE(sd_bus_message_append(m, "as", 1, "text") >= 0);
                else
                        REQUIRE(sd_bus_message_append(m, cases[i].types, 1, "text", (uint64_t) 1, "more") >= 0);
                REQUIRE(ready_to_read(m) >= 0);
                CHECK(bus_json_read_each_named(m, names, append, &all) < 0);
                CHECK(all.data == NULL);
        }
}

TEST(empty_answer) {
        _auto_close_ int other_end = -1;
        _auto_bus_ sd_bus *bus = bus_new(&other_end);
        _auto_message_ sd_bus_message *m = bus ? message_new(bus) : NULL;
        _auto_buffer_ Buffer all = BUFFER_INIT(1024);

        REQUIRE(m && ready_to_read(m) >= 0);
        CHECK(bus_json_read_each_named(m, names, append, &all) < 0);
        CHECK(all.data == NULL);
}
