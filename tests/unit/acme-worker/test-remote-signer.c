/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/remote-signer.h"

#include <pthread.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "lib/test.h"

/* A manager at the other end of a connection without a bus in between, in a thread of its own: calls wait for their answers. */
typedef struct Manager {
        const char *answer; /* to AccountRejected(); NULL: an empty one */
        sd_bus *bus;
        pthread_t thread;
} Manager;

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;

        if (!sd_bus_message_is_method_call(call, BUS_INTERFACE_WORKER, "AccountRejected"))
                return 0;
        return m->answer ? sd_bus_reply_method_return(call, "s", m->answer) : sd_bus_reply_method_return(call, NULL);
}

static void *serve(void *userdata) {
        Manager *m = userdata;
        int r;

        do {
                r = sd_bus_process(m->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(m->bus, UINT64_MAX);
        } while (r >= 0);
        return NULL;
}

static bool make_pair(Manager *m, Remote *remote) {
        int fds[2];
        sd_id128_t id;

        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0 && sd_id128_randomize(&id) >= 0 && sd_bus_new(&m->bus) >= 0 &&
                sd_bus_set_fd(m->bus, fds[0], fds[0]) >= 0 && sd_bus_set_server(m->bus, 1, id) >= 0 && sd_bus_set_anonymous(m->bus, 1) >= 0 &&
                sd_bus_add_object(m->bus, NULL, BUS_PATH_WORKER, on_call, m) >= 0 && sd_bus_start(m->bus) >= 0 &&
                sd_bus_new(&remote->bus) >= 0 && sd_bus_set_fd(remote->bus, fds[1], fds[1]) >= 0 && sd_bus_set_anonymous(remote->bus, 1) >= 0 && sd_bus_start(remote->bus) >= 0;
}

static const struct {
        const char *what, *answer;
        bool registers;
        const char *url;
} answers[] = {
        { "a new account is wanted",       "",                      true,  NULL                    },
        { "another one is there",          "https://ca.example/7",  false, "https://ca.example/7"  },
        { "a manager from before upgrade", NULL,                    true,  NULL                    },
};

TEST(rejected_account) {
        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                Manager m = { .answer = answers[i].answer };
                Remote remote = { 0 };
                AcmeSigner signer = remote_signer(&remote);
                _auto_problem_ Problem *why = problem_new(PROBLEM_TYPE_INTERNAL, "gone"), *problem = NULL;
                bool registers = !answers[i].registers;

                test_case("%s", answers[i].what);
                REQUIRE(make_pair(&m, &remote) && pthread_create(&m.thread, NULL, serve, &m) == 0);
                CHECK_INT(signer.account_rejected(signer.userdata, why, &registers, &problem), 0);
                CHECK(registers == answers[i].registers);
                CHECK_STR(remote.account_url, answers[i].url);
                CHECK(!problem);
                sd_bus_flush_close_unref(remote.bus);
                REQUIRE(pthread_join(m.thread, NULL) == 0);
                sd_bus_close_unref(m.bus);
                free(remote.account_url);
        }
}
