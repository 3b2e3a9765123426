/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <errno.h>
#include <sys/socket.h>

enum { WAIT_USEC = 100 * 1000, WAITS_MAX = 300 };

void peers_done(Peers *p) {
        sd_bus_close_unref(p->other);
        sd_bus_close_unref(p->service);
        *p = (Peers){ 0 };
}

static int connect_end(sd_bus *bus, int fd, bool is_service) {
        sd_id128_t id = { .bytes = { 1 } };
        int r = sd_bus_set_fd(bus, fd, fd);

        if (r >= 0)
                r = sd_bus_set_anonymous(bus, 1);
        if (r >= 0 && is_service)
                r = sd_bus_set_server(bus, 1, id);
        return r < 0 ? r : sd_bus_start(bus);
}

int peers_init(Peers *p) {
        int fds[2], r;

        *p = (Peers){ 0 };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        r = sd_bus_new(&p->service);
        if (r >= 0)
                r = sd_bus_new(&p->other);
        if (r >= 0)
                r = connect_end(p->service, fds[0], true);
        return r < 0 ? r : connect_end(p->other, fds[1], false);
}

static int drain(sd_bus *bus) {
        int r, n = 0;

        while ((r = sd_bus_process(bus, NULL)) > 0)
                n++;
        return r < 0 ? r : n;
}

int peers_run_until(Peers *p, const bool *done) {
        for (int waits = 0; !*done;) {
                int a = drain(p->service), b = a < 0 ? a : drain(p->other);

                if (b < 0)
                        return b;
                if (a > 0 || b > 0)
                        continue;
                if (++waits > WAITS_MAX)
                        return -ETIMEDOUT;
                (void) sd_bus_wait(waits % 2 ? p->service : p->other, WAIT_USEC);
        }
        return 0;
}
