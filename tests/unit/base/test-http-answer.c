/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http-answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

static const struct {
        const char *text;
        unsigned status; /* 0: malformed, for this reason */
        const char *body;
        uint64_t retry_after_s;
} cases[] = {
        { "HTTP/1.0 200 OK\r\n\r\nbody", 200, "body" },
        { "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody", 404, "body" },
        { "HTTP/1.1 200 OK\r\ncontent-length:\t4 \r\nContent-Length: 4\r\n\r\nbodyrest", 200, "body" },
        { "HTTP/1.0 200\n\n", 200, "" },
        { "HTTP/1.0 429 x\r\nRetry-After: 120\r\n\r\n", 429, "", 120 },
        { "HTTP/1.0 429 x\r\nRetry-After: Mon, 23 Nov 2026 04:00:00 GMT\r\n\r\n", 429, "" },
        { "HTTP/1.0 429 x\r\nRetry-After: -5\r\n\r\n", 429, "" },
        { "", 0, "broke off in its header" },
        { "HTTP/1.0 200 OK", 0, "broke off in its header" },
        { "HTTP/1.0 200 OK\r\nA: b\r\n", 0, "broke off in its header" },
        { "HTTP/2 200\r\n\r\n", 0, "does not begin" },
        { "HTTP/1.0 20x OK\r\n\r\n", 0, "does not begin" },
        { "HTTP/1.0 2000 OK\r\n\r\n", 0, "does not begin" },
        { "HTTP/1.0 099 OK\r\n\r\n", 0, "status" },
        { "HTTP/1.0 600 OK\r\n\r\n", 0, "status" },
        { "\r\nHTTP/1.0 200 OK\r\n\r\n", 0, "does not begin" },
        { "HTTP/1.0 200 OK\r\nno field\r\n\r\n", 0, "line of its header" },
        { "HTTP/1.0 200 OK\r\n: x\r\n\r\n", 0, "line of its header" },
        { "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 0, "encoded" },
        { "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nbody", 0, "broke off in its body" },
        { "HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nbody", 0, "Content-Length" },
        { "HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\nbody", 0, "Content-Length" },
        { "HTTP/1.0 200 OK\r\nContent-Length:\r\n\r\nbody", 0, "Content-Length" },
        { "HTTP/1.0 200 OK\r\nContent-Length: 4\r\nContent-Length: 3\r\n\r\nbody", 0, "Content-Length" },
};

TEST(answers) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t size = strlen(cases[i].text);
                _auto_free_ char *text = malloc(size + 1); /* exactly as large: a sanitizer sees who reads on */
                HttpAnswer a = { 0 };
                const char *why = NULL;

                test_case("'%s'", cases[i].text);
                REQUIRE(text);
                memcpy(text, cases[i].text, size);
                if (cases[i].status == 0) {
                        CHECK_INT(http_answer_parse(text, size, &a, &why), HTTP_ANSWER_E_MALFORMED);
                        REQUIRE(why);
                        CHECK(strstr(why, cases[i].body));
                        CHECK(!a.body);
                        continue;
                }
                REQUIRE(http_answer_parse(text, size, &a, &why) == HTTP_ANSWER_DONE);
                CHECK_UINT(a.status, cases[i].status);
                CHECK_UINT(a.retry_after_s, cases[i].retry_after_s);
                CHECK_UINT(a.body_size, strlen(cases[i].body));
                CHECK_MEM(a.body, cases[i].body, a.body_size);
        }
}

TEST(torn_anywhere) {
        static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody";

        for (size_t n = 0; n + 1 < sizeof(text); n++) {
                _auto_free_ char *torn = malloc(n + 1);
                const char *why = NULL;
                HttpAnswer a;

                test_case("%zu bytes", n);
                REQUIRE(torn);
                memcpy(torn, text, n);
                CHECK_INT(http_answer_parse(torn, n, &a, &why), HTTP_ANSWER_E_MALFORMED);
                CHECK(why);
        }
}

TEST(header_without_end) {
        static const char field[] = "A: b\r\n";
        _auto_free_ char *text = malloc(17 + 200 * 6 + 2);
        const char *why = NULL;
        size_t n = 17;
        HttpAnswer a;

        REQUIRE(text);
        memcpy(text, "HTTP/1.0 200 OK\r\n", 17);
        for (int i = 0; i < 200; i++, n += 6)
                memcpy(text + n, field, 6);
        memcpy(text + n, "\r\n", 2);
        CHECK_INT(http_answer_parse(text, n + 2, &a, &why), HTTP_ANSWER_E_MALFORMED);
        REQUIRE(why);
        CHECK(strstr(why, "too many lines"));
}
