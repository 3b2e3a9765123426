/* SPDX-License-Identifier: Apache-2.0 */
#include "ocsp-worker/fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

/* A responder: one connection after the other, each gets the next answer; NULL: none, until the client goes. */
typedef struct Responder {
        int fd;
        uint16_t port;
        const char *const *answers;
        char seen[8][64]; /* the beginnings of the requests */
        size_t n;
        pthread_t thread;
} Responder;

static void *serve(void *userdata) {
        Responder *r = userdata;

        for (r->n = 0; r->n < ELEMENTSOF(r->seen); r->n++) {
                int fd = accept(r->fd, NULL, NULL);
                const char *answer = r->answers[r->n];
                char buffer[4096] = "";

                if (fd < 0)
                        return NULL;
                if (read(fd, buffer, sizeof(buffer) - 1) > 0)
                        (void) snprintf(r->seen[r->n], sizeof(r->seen[0]), "%.60s", buffer);
                if (answer)
                        for (size_t left = strlen(answer); left > 0;) {
                                ssize_t n = send(fd, answer, left, MSG_NOSIGNAL);

                                if (n <= 0)
                                        break;
                                answer += n;
                                left -= (size_t) n;
                        }
                else
                        while (read(fd, buffer, sizeof(buffer)) > 0)
                                ;
                (void) close(fd);
                if (!r->answers[r->n + 1])
                        return NULL;
        }
        return NULL;
}

static bool responder_start(Responder *r, const char *const *answers) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);

        *r = (Responder){ .answers = answers };
        r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(r->fd, (struct sockaddr *) &address, size) < 0 || listen(r->fd, 8) < 0 || getsockname(r->fd, (struct sockaddr *) &address, &size) < 0)
                return false;
        r->port = ntohs(address.sin_port);
        return pthread_create(&r->thread, NULL, serve, r) == 0;
}

static void responder_stop(Responder *r) {
        (void) shutdown(r->fd, SHUT_RDWR);
        (void) pthread_join(r->thread, NULL);
        (void) close(r->fd);
}

typedef struct Got {
        char der[64], problem[256];
        bool by_get;
        unsigned n;
} Got;

static int on_answer(const FetchAnswer *a, void *userdata) {
        Got *got = userdata;

        got->n++;
        got->by_get = a->by_get;
        (void) snprintf(got->der, sizeof(got->der), "%.*s", a->data ? (int) a->size : 0, a->data ? (const char *) a->data : "");
        (void) snprintf(got->problem, sizeof(got->problem), "%s", a->problem ? a->problem->detail : "");
        return 0;
}

static Got fetch(const char *url, uint64_t timeout_usec) {
        _cleanup_(fetcher_freep) Fetcher *f = NULL;
        Got got = { .n = 0 };

        if (!CHECK_INT(fetcher_new("test", timeout_usec, on_answer, &got, &f), 0))
                return got;
        CHECK_INT(fetcher_add(f, &(FetchRequest){ .token = 1, .url = url, .post = { "\373\360xnonce", 8 }, .get = { "\373\360x", 3 } }), 0);
        while (!fetcher_is_idle(f))
                if (!CHECK_INT(fetcher_run(f), 0))
                        break;
        return got;
}

#define HEAD(status, more) "HTTP/1.1 " status "\r\nConnection: close\r\n" more "\r\n"

TEST(answers) {
        static char huge[200 * 1024];
        const struct {
                const char *what;
                const char *answers[3];
                const char *der, *problem;
                bool by_get;
                const char *first, *second;
        } cases[] = {
                { "by POST", { HEAD("200 OK", "") "der" }, "der", "", false, "POST / ", "" },
                { "by GET, because the other is not liked", { HEAD("405 No", ""), HEAD("200 OK", "") "der" }, "der", "", true, "POST / ", "GET /%2B%2FB4" },
                { "neither", { HEAD("404 No", ""), HEAD("404 No", "") }, "", "HTTP status 404", true, "POST / ", "GET /" },
                { "no error of the request's", { HEAD("500 No", "") }, "", "HTTP status 500", false, "POST / ", "" },
                { "no redirections", { HEAD("302 Found", "Location: http://example.org/\r\n") }, "", "HTTP status 302", false, "POST / ", "" },
                { "too much", { huge }, "", "larger than any", false, "POST / ", "" },
                { "no HTTP", { "hello\r\n\r\n" }, "", "Cannot talk to", false, "POST / ", "" },
        };

        (void) snprintf(huge, sizeof(huge), "%s", HEAD("200 OK", ""));
        memset(huge + strlen(huge), 'x', sizeof(huge) - strlen(huge) - 1);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *url = NULL;
                Responder r;
                Got got;

                test_case("%s", cases[i].what);
                REQUIRE(responder_start(&r, cases[i].answers));
                url = str_printf("http://127.0.0.1:%u/", (unsigned) r.port);
                got = fetch(url, 20 * USEC_PER_SEC);
                responder_stop(&r);
                CHECK_UINT(got.n, 1);
                CHECK_STR(got.der, cases[i].der);
                CHECK(strstr(got.problem, cases[i].problem) && (*cases[i].problem || !*got.problem));
                CHECK(got.by_get == cases[i].by_get);
                CHECK(str_has_prefix(r.seen[0], cases[i].first) && str_has_prefix(r.seen[1], cases[i].second));
        }
}

typedef struct Crowd {
        unsigned answered, failed;
} Crowd;

static int on_crowd(const FetchAnswer *a, void *userdata) {
        Crowd *crowd = userdata;

        *(a->data ? &crowd->answered : &crowd->failed) += 1;
        return 0;
}

static bool add_crowd(Fetcher *f, const char *url, unsigned n, uint64_t *token) {
        for (unsigned i = 0; i < n; i++)
                if (fetcher_add(f, &(FetchRequest){ .token = ++*token, .url = url, .post = { "x", 1 }, .get = { "y", 1 } }) != 0)
                        return false;
        return true;
}

/* Hundreds wait for a host that says nothing: they are given up with the first ones, and hold up nobody. */
TEST(a_dead_host) {
        static const char *const silence[] = { NULL, NULL };
        static const char *const answers[] = { HEAD("200 OK", "") "der", NULL };
        _cleanup_(fetcher_freep) Fetcher *f = NULL;
        _auto_free_ char *dead_url = NULL, *url = NULL;
        uint64_t token = 0, before = clock_monotonic_usec();
        Responder dead, good;
        Crowd crowd = { 0 };

        REQUIRE(responder_start(&dead, silence) && responder_start(&good, answers));
        dead_url = str_printf("http://127.0.0.1:%u/", (unsigned) dead.port);
        url = str_printf("http://LOCALHOST:%u/", (unsigned) good.port);
        REQUIRE(fetcher_new("test", USEC_PER_SEC, on_crowd, &crowd, &f) == 0);
        REQUIRE(add_crowd(f, dead_url, 500, &token));
        CHECK(fetcher_wants_more(f));
        REQUIRE(add_crowd(f, url, 1, &token));
        while (!fetcher_is_idle(f) && crowd.answered == 0)
                REQUIRE(fetcher_run(f) == 0);
        CHECK_UINT(crowd.answered, 1);
        CHECK(fetcher_wants_more(f)); /* what is left has to wait for its host */
        while (!fetcher_is_idle(f))
                REQUIRE(fetcher_run(f) == 0);
        CHECK_UINT(crowd.failed, 500);
        CHECK(clock_monotonic_usec() - before < 30 * USEC_PER_SEC);
        responder_stop(&dead);
        responder_stop(&good);
}

/* Who asks for time gets it, from all. */
TEST(a_host_that_asks_for_time) {
#define BUSY HEAD("503 Busy", "Retry-After: 60\r\n")
        static const char *const answers[] = { BUSY, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY };
        _cleanup_(fetcher_freep) Fetcher *f = NULL;
        _auto_free_ char *url = NULL;
        uint64_t token = 0;
        Crowd crowd = { 0 };
        Responder r;

        REQUIRE(responder_start(&r, answers));
        url = str_printf("http://127.0.0.1:%u/", (unsigned) r.port);
        REQUIRE(fetcher_new("test", 10 * USEC_PER_SEC, on_crowd, &crowd, &f) == 0 && add_crowd(f, url, 100, &token));
        while (!fetcher_is_idle(f))
                REQUIRE(fetcher_run(f) == 0);
        CHECK_UINT(crowd.failed, 100);
        responder_stop(&r);
        CHECK(r.n <= 4); /* those that were on their way */
}

TEST(lists) {
        static char large[300 * 1024];
        const char *const answers[] = { large, NULL };
        _cleanup_(fetcher_freep) Fetcher *f = NULL;
        _auto_free_ char *url = NULL;
        Got got = { .n = 0 };
        Responder r;

        (void) snprintf(large, sizeof(large), "%s", HEAD("200 OK", ""));
        memset(large + strlen(large), 'x', sizeof(large) - strlen(large) - 1);
        REQUIRE(responder_start(&r, answers));
        url = str_printf("http://127.0.0.1:%u/list.crl", (unsigned) r.port);
        REQUIRE(fetcher_new("test", 10 * USEC_PER_SEC, on_answer, &got, &f) == 0);
        REQUIRE(fetcher_add(f, &(FetchRequest){ .token = 1, .url = url }) == 0);
        while (!fetcher_is_idle(f))
                REQUIRE(fetcher_run(f) == 0);
        responder_stop(&r);
        CHECK(got.n == 1 && !*got.problem);
        CHECK(str_has_prefix(r.seen[0], "GET /list.crl HTTP/1.1"));
}

TEST(a_slow_responder) {
        static const char *const answers[] = { NULL, NULL };
        uint64_t before = clock_monotonic_usec();
        _auto_free_ char *url = NULL;
        Responder r;
        Got got;

        REQUIRE(responder_start(&r, answers));
        url = str_printf("http://127.0.0.1:%u/", (unsigned) r.port);
        got = fetch(url, USEC_PER_SEC / 2);
        responder_stop(&r);
        CHECK(*got.problem && clock_monotonic_usec() - before < 20 * USEC_PER_SEC);
}

TEST(get_urls) {
        static const struct {
                const char *url, *body, *expected;
        } cases[] = {
                { "http://ocsp.test", "\373\360x", "http://ocsp.test/%2B%2FB4" },
                { "http://ocsp.test/", "a", "http://ocsp.test/YQ%3D%3D" },
                { "http://ocsp.test/ca", "ab", "http://ocsp.test/ca/YWI%3D" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *url = fetch_get_url(cases[i].url, cases[i].body, strlen(cases[i].body));

                CHECK_STR(url, cases[i].expected);
        }
}
