/* SPDX-License-Identifier: Apache-2.0 */
#include "ocsp-worker/fetch.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

enum {
        HOSTS_MAX = 12,
        OPEN_MAX_SEEN = 256,
        SETTLE_MSEC = 300,     /* no further question comes meanwhile */
        PATIENCE_MSEC = 30000, /* by when those that may be asked together have come */
};

/* Hosts that answer nobody before 'expected' questions wait for an answer, and no other one comes; then one after the other. */
typedef struct Hosts {
        struct pollfd doors[HOSTS_MAX + 1]; /* behind them, the wish to stop */
        uint16_t ports[HOSTS_MAX];
        size_t n;
        unsigned expected;

        struct {
                int fd;
                size_t host;
        } open[OPEN_MAX_SEEN];
        unsigned n_open, most_open, most_of_host;
        int stop[2];
        pthread_t thread;
} Hosts;

static unsigned count_of_host(const Hosts *h, size_t host) {
        unsigned n = 0;

        for (unsigned i = 0; i < h->n_open; i++)
                n += h->open[i].host == host;
        return n;
}

static void let_in(Hosts *h, size_t host) {
        int fd = accept(h->doors[host].fd, NULL, NULL);

        if (fd < 0 || h->n_open == OPEN_MAX_SEEN) {
                (void) close(fd);
                return;
        }
        h->open[h->n_open].fd = fd;
        h->open[h->n_open++].host = host;
        h->most_open = MAX_OF(h->most_open, h->n_open);
        h->most_of_host = MAX_OF(h->most_of_host, count_of_host(h, host));
}

/* It no longer counts when the client may know. */
static void answer_first(Hosts *h) {
        static const char answer[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nder";
        int fd = h->open[0].fd;
        char question[4096];

        memmove(&h->open[0], &h->open[1], --h->n_open * sizeof(h->open[0]));
        if (read(fd, question, sizeof(question)) > 0)
                (void) send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
        (void) shutdown(fd, SHUT_WR);
        while (read(fd, question, sizeof(question)) > 0)
                ;
        (void) close(fd);
}

static void *serve(void *userdata) {
        Hosts *h = userdata;
        bool full = false;

        for (;;) {
                int n = poll(h->doors, h->n + 1, full && h->n_open > 0 ? 0 : h->n_open >= h->expected ? SETTLE_MSEC : PATIENCE_MSEC);

                if (h->doors[h->n].revents)
                        return NULL;
                for (size_t i = 0; i < h->n && n > 0; i++)
                        if (h->doors[i].revents)
                                let_in(h, i);
                full = full || n == 0;
                if (full && n == 0 && h->n_open > 0)
                        answer_first(h);
        }
}

static bool open_door(Hosts *h, size_t i) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        h->doors[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
        if (bind(fd, (struct sockaddr *) &address, size) < 0 || listen(fd, 128) < 0 || getsockname(fd, (struct sockaddr *) &address, &size) < 0)
                return false;
        h->ports[i] = ntohs(address.sin_port);
        return true;
}

static bool hosts_start(Hosts *h, size_t n, unsigned expected) {
        *h = (Hosts){ .n = n, .expected = expected };
        for (size_t i = 0; i < n; i++)
                if (!open_door(h, i))
                        return false;
        if (pipe(h->stop) < 0)
                return false;
        h->doors[n] = (struct pollfd){ .fd = h->stop[0], .events = POLLIN };
        return pthread_create(&h->thread, NULL, serve, h) == 0;
}

static void hosts_stop(Hosts *h) {
        (void) close(h->stop[1]);
        (void) pthread_join(h->thread, NULL);
        (void) close(h->stop[0]);
        for (size_t i = 0; i < h->n; i++)
                (void) close(h->doors[i].fd);
}

static int on_answer(const FetchAnswer *a, void *userdata) {
        unsigned *answered = userdata;

        *answered += a->data && !a->problem;
        return 0;
}

/* Lists are asked for with nothing. */
static bool ask(Fetcher *f, const Hosts *h, unsigned each, bool lists) {
        FetchRequest request = { .post = { "x", lists ? 0 : 1 }, .get = { "y", lists ? 0 : 1 } };

        for (size_t i = 0; i < h->n; i++)
                for (unsigned k = 0; k < each; k++) {
                        _auto_free_ char *url = str_printf("http://127.0.0.1:%u/", (unsigned) h->ports[i]);

                        request.token++;
                        request.url = url;
                        if (fetcher_add(f, &request) != 0)
                                return false;
                }
        return true;
}

TEST(how_many_are_asked_at_a_time) {
        static const struct {
                const char *what;
                size_t hosts;
                unsigned each;
                bool lists;
                unsigned most, most_of_host;
        } cases[] = {
                { "one host", 1, 20, false, 4, 4 },
                { "some hosts", 5, 6, false, 20, 4 },
                { "many hosts", HOSTS_MAX, 8, false, 32, 4 },
                { "lists, which may be large", 3, 3, true, 2, 2 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(fetcher_freep) Fetcher *f = NULL;
                unsigned answered = 0;
                Hosts h;

                test_case("%s", cases[i].what);
                REQUIRE(hosts_start(&h, cases[i].hosts, cases[i].most));
                REQUIRE(fetcher_new("test", 120 * USEC_PER_SEC, on_answer, &answered, &f) == 0 && ask(f, &h, cases[i].each, cases[i].lists));
                while (!fetcher_is_idle(f))
                        REQUIRE(fetcher_run(f) == 0);
                hosts_stop(&h);
                CHECK_UINT(answered, cases[i].hosts * cases[i].each);
                CHECK_UINT(h.most_open, cases[i].most);
                CHECK(h.most_of_host <= cases[i].most_of_host && h.most_of_host >= cases[i].most_of_host / 2);
        }
}
