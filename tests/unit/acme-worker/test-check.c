/* SPDX-License-Identifier: Apache-2.0 */

/* http-01 against a server of this test, over real sockets on the loopback interface: what a machine's Apache does not do by itself. */

#include "acme-worker/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/string-util.h"
#include "lib/test.h"

#define TOKEN "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
#define ANSWER TOKEN ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"

typedef struct Server {
        int fd;
        uint16_t port;
        const char *answer; /* sent to whoever connects; NULL: connections are closed at once */
        const char *then;   /* sent from the second time on; NULL: the same */
        pthread_t thread;
        bool right_request;
} Server;

static void serve_one(Server *s, int fd) {
        char request[2048] = "";
        size_t n = 0;

        while (n < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
                ssize_t got = read(fd, request + n, sizeof(request) - 1 - n);

                if (got <= 0)
                        break;
                n += (size_t) got;
        }
        s->right_request = str_has_prefix(request, "GET /.well-known/acme-challenge/" TOKEN " HTTP/1.1\r\n") &&
                strstr(request, "\r\nHost: 127.0.0.1\r\n");
        if (s->answer)
                (void) fd_write_all(fd, s->answer, strlen(s->answer));
        if (s->then)
                s->answer = s->then;
}

static void *serve(void *userdata) {
        Server *s = userdata;

        for (;;) {
                _auto_close_ int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        return NULL; /* shut down */
                serve_one(s, fd);
        }
}

static bool server_start(Server *s, const char *answer, const char *then) {
        struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(where);

        *s = (Server){ .answer = answer, .then = then };
        s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (!CHECK(s->fd >= 0 && bind(s->fd, (struct sockaddr *) &where, size) == 0 && listen(s->fd, 8) == 0 &&
                   getsockname(s->fd, (struct sockaddr *) &where, &size) == 0))
                return false;
        s->port = ntohs(where.sin_port);
        return CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void server_stop(Server *s) {
        (void) shutdown(s->fd, SHUT_RDWR);
        (void) pthread_join(s->thread, NULL);
        (void) close(s->fd);
}

static int no_wait(void *userdata, uint64_t usec, Problem **ret_problem) {
        unsigned *n_waits = userdata;

        (*n_waits)++;
        return 0;
}

static int check_with(const AcmeChallengeCheck *what, unsigned *n_waits, Problem **ret_problem) {
        const ChallengeCheck check = {
                .what = what,
                .identifier_type = "ip",
                .identifier = "127.0.0.1",
                .token = TOKEN,
                .domain = "example.org",
                .userdata = n_waits,
                .wait = no_wait,
        };

        return check_challenge(&check, ret_problem);
}

static const struct {
        const char *what, *answer;
        const char *said; /* NULL: it is good */
} cases[] = {
        { "the answer", "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n" ANSWER, NULL },
        { "white space after it", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" ANSWER " \r\n", NULL },
        { "white space before it", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n " ANSWER, "something else" },
        { "its beginning", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" TOKEN, "something else" },
        { "another page", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>Welcome\x1b!", "\"<html>Welcome?!\"" },
        { "the right text with an error", "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n" ANSWER, "status 404" },
        { "an error", "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", "status 503 instead of 200: \"busy\"" },
        { "another protocol", "220 mail.example.org ESMTP\r\n", "is not answered" },
        { "nothing", NULL, "is not answered" },
        { "round and round",
          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/.well-known/acme-challenge/" TOKEN "\r\nContent-Length: 0\r\n\r\n",
          "from one redirection to the next" },
        { "another port", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:8080/\r\nContent-Length: 0\r\n\r\n", "another port" },
        { "another scheme", "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "no http or https" },
        { "somebody else", "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.77/\r\nContent-Length: 0\r\n\r\n", NULL },
        { "another page of this machine", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/server-status\r\nContent-Length: 0\r\n\r\n", NULL },
        { "another page, with the path behind it",
          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/cgi?/.well-known/acme-challenge/" TOKEN "\r\nContent-Length: 0\r\n\r\n", NULL },
        { "another token", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/.well-known/acme-challenge/" TOKEN "x\r\nContent-Length: 0\r\n\r\n", NULL },
        { "another address of this machine",
          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/.well-known/acme-challenge/" TOKEN "\r\nContent-Length: 0\r\n\r\n", NULL },
        { "https, where 443 is not known", "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", NULL },
};

TEST(answers_to_http_01) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_problem_ Problem *problem = NULL;
                unsigned n_waits = 0;
                Server server;
                int r;

                test_case("%s", cases[i].what);
                REQUIRE(server_start(&server, cases[i].answer, NULL));
                const AcmeChallengeCheck what = { .type = (char *) "http-01", .expect = (char *) ANSWER, .port = server.port };
                r = check_with(&what, &n_waits, &problem);
                server_stop(&server);

                CHECK(server.right_request);
                CHECK_UINT(n_waits, 0);
                CHECK_INT(r, cases[i].said ? CHECK_E_FAILED : CHECK_DONE);
                if (!cases[i].said) {
                        CHECK(!problem);
                        continue;
                }
                REQUIRE(problem);
                CHECK_STR(problem->type, PROBLEM_TYPE_CHALLENGE_SETUP);
                if (!CHECK(strstr(problem->detail, cases[i].said)))
                        CHECK_STR(problem->detail, cases[i].said);
        }
}

/* Who has a site redirected does not get to see what this machine answers to itself alone. */
TEST(nothing_is_told_of_behind_a_redirection) {
        static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret", "HTTP/1.1 403 No\r\nContent-Length: 6\r\n\r\nsecret" };

        for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
                _auto_problem_ Problem *problem = NULL;
                unsigned n_waits = 0;
                Server server;
                int r;

                test_case("%s", answers[i]);
                REQUIRE(server_start(&server, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/.well-known/acme-challenge/" TOKEN "\r\nContent-Length: 0\r\n\r\n", answers[i]));
                const AcmeChallengeCheck what = { .type = (char *) "http-01", .expect = (char *) ANSWER, .port = server.port };
                r = check_with(&what, &n_waits, &problem);
                server_stop(&server);

                CHECK_INT(r, CHECK_E_FAILED);
                REQUIRE(problem);
                CHECK(strstr(problem->detail, "It is redirected, and "));
                CHECK(strstr(problem->detail, i == 0 ? "is answered with something else, as by another server or application: the CA" : "is answered with status 403 instead of 200: the CA"));
                CHECK(!strstr(problem->detail, "secret"));
        }
}

TEST(nobody_there) {
        static const char *const types[] = { "http-01", "tls-alpn-01" };
        Server server;

        /* A port that was free a moment ago. */
        REQUIRE(server_start(&server, NULL, NULL));
        server_stop(&server);
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                const AcmeChallengeCheck what = { .type = (char *) types[i], .expect = (char *) ANSWER, .port = server.port };
                _auto_problem_ Problem *problem = NULL;
                unsigned n_waits = 0;

                test_case("%s", types[i]);
                CHECK_INT(check_with(&what, &n_waits, &problem), CHECK_E_FAILED);
                CHECK(n_waits <= 1); /* a second look, in case the server is just being restarted; none where this machine has a server at the CA's port */
                REQUIRE(problem);
                CHECK_STR(problem->type, PROBLEM_TYPE_CHALLENGE_SETUP);
                CHECK(strstr(problem->detail, " 127.0.0.1 port "));
        }
}

TEST(no_tls_there) {
        _auto_problem_ Problem *problem = NULL;
        unsigned n_waits = 0;
        Server server;
        int r;

        REQUIRE(server_start(&server, "HTTP/1.1 400 Bad Request\r\n\r\n", NULL));
        const AcmeChallengeCheck what = { .type = (char *) "tls-alpn-01", .expect = (char *) "00", .port = server.port };
        r = check_with(&what, &n_waits, &problem);
        server_stop(&server);
        CHECK_INT(r, CHECK_E_FAILED);
        CHECK(problem && strstr(problem->detail, "A TLS handshake for 127.0.0.1 with the protocol acme-tls/1"));
}

/* Nothing to look at, or nothing that can be looked at. */
TEST(nothing_to_try) {
        static const AcmeChallengeCheck whats[] = {
                { .type = (char *) "http-01", .expect = (char *) ANSWER },                   /* no port */
                { .type = (char *) "http-01", .expect = (char *) "", .port = 1 },            /* no answer */
                { .type = (char *) "dns-01", .expect = (char *) "x", .wait_usec = 1000000 }, /* no record */
                { .type = (char *) "dns-01", .expect = (char *) "x", .record = (char *) "_acme-challenge.example.org" }, /* no time */
                { .type = (char *) "of-tomorrow-01", .expect = (char *) "x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(whats); i++) {
                _auto_problem_ Problem *problem = NULL;
                unsigned n_waits = 0;

                test_case("%zu", i);
                CHECK_INT(check_with(&whats[i], &n_waits, &problem), CHECK_DONE);
                CHECK(!problem);
        }
}
