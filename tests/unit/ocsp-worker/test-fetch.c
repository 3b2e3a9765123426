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
        (void) snprintf(got->der, sizeof(got->der), "%.*s", a->der ? (int) a->size : 0, a->der ? (const char *) a->der : "");
        (void) snprintf(got->problem, sizeof(got->problem), "%s", a->problem ? a->problem->detail : "");
        return 0;
}

static Got fetch(const char *url, uint64_t timeout_usec) {
        _cleanup_(fetcher_freep) Fetcher *f = NULL;
        Got got = { .n = 0 };

        if (!CHECK_INT(fetcher_new("test", timeout_usec, on_answer, &got, &f), 0))
                return got;
        CHECK_INT(fetcher_add(f, &(FetchRequest){ .token = 1, .url = url, .body = "\373\360x", .size = 3 }), 0);
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
