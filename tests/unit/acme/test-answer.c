/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/answer.h"

#include <string.h>

#include "lib/test.h"

static int add(AcmeAnswer *a, const char *line) {
        return acme_answer_add_head(a, line, strlen(line));
}

TEST(head) {
        _auto_acme_answer_ AcmeAnswer a = {};

        acme_answer_init(&a, 100);
        CHECK_INT(add(&a, "HTTP/1.1 201 Created\r\n"), 0);
        CHECK_INT(add(&a, "location:  https://ca.test/o/1 \t\r\n"), 0);
        CHECK_INT(add(&a, "Location: https://evil.test/\r\n"), 0);
        CHECK_INT(add(&a, "REPLAY-NONCE:abc\n"), 0);
        CHECK_INT(add(&a, "Retry-After: 3"), 0);
        CHECK_INT(add(&a, "Date: Sun, 22 Nov 2026 23:36:00 GMT"), 0);
        CHECK_INT(add(&a, "X-Location: no"), 0);
        CHECK_INT(add(&a, "Content-Type:"), 0);
        CHECK_INT(add(&a, "no colon"), 0);
        CHECK_INT(add(&a, ""), 0);
        CHECK_INT(add(&a, "\r\n"), 0);
        CHECK_UINT(a.status, 201);
        CHECK(acme_answer_is_success(&a));
        CHECK_STR(a.location, "https://ca.test/o/1");
        CHECK_STR(a.nonce, "abc");
        CHECK_STR(a.retry_after, "3");
        CHECK_STR(a.date, "Sun, 22 Nov 2026 23:36:00 GMT");
        CHECK_STR(a.content_type, NULL);
}

TEST(last_head_counts) {
        _auto_acme_answer_ AcmeAnswer a = {};

        acme_answer_init(&a, 100);
        CHECK_INT(add(&a, "HTTP/1.1 103 Early Hints\r\n"), 0);
        CHECK_INT(add(&a, "Replay-Nonce: early\r\n"), 0);
        CHECK_INT(add(&a, "HTTP/2 503 \r\n"), 0);
        CHECK_UINT(a.status, 503);
        CHECK_STR(a.nonce, NULL);
        CHECK(!acme_answer_is_success(&a));
}

TEST(foreign_bytes_in_fields) {
        _auto_acme_answer_ AcmeAnswer a = {};

        acme_answer_init(&a, 100);
        CHECK_INT(acme_answer_add_head(&a, "Location: https://ca.test/\0x", 28), 0);
        CHECK_INT(add(&a, "Replay-Nonce: a\x1b[31m"), 0);
        CHECK_INT(add(&a, "Content-Type: text/\xc3\xa4"), 0);
        CHECK_STR(a.location, NULL);
        CHECK_STR(a.nonce, NULL);
        CHECK_STR(a.content_type, NULL);
}

TEST(ceilings) {
        _auto_acme_answer_ AcmeAnswer long_line = {}, many = {}, much = {}, body = {};
        static char line[ACME_HEADER_SIZE_MAX + 1];
        int r = 0;

        memset(line, 'x', sizeof(line));
        acme_answer_init(&long_line, 10);
        CHECK_INT(acme_answer_add_head(&long_line, line, sizeof(line)), ACME_ANSWER_E_TOO_LARGE);
        CHECK_INT(acme_answer_add_head(&long_line, line, sizeof(line) - 1), 0);

        acme_answer_init(&many, 10);
        for (unsigned i = 0; i < ACME_HEADERS_MAX && r == 0; i++)
                r = add(&many, "A: b");
        CHECK_INT(r, 0);
        CHECK_INT(add(&many, "A: b"), ACME_ANSWER_E_TOO_LARGE);

        acme_answer_init(&much, 10);
        r = 0;
        for (unsigned i = 0; i < ACME_HEADERS_SIZE_MAX / ACME_HEADER_SIZE_MAX && r == 0; i++)
                r = acme_answer_add_head(&much, line, ACME_HEADER_SIZE_MAX);
        CHECK_INT(r, 0);
        CHECK_INT(add(&much, "A: b"), ACME_ANSWER_E_TOO_LARGE);

        acme_answer_init(&body, 10);
        CHECK_INT(acme_answer_add_body(&body, "12345", 5), 0);
        CHECK_INT(acme_answer_add_body(&body, "12345", 5), 0);
        CHECK_INT(acme_answer_add_body(&body, "1", 1), ACME_ANSWER_E_TOO_LARGE);
        CHECK_STR(body.body.data, "1234512345");
}

TEST(media_types) {
        static const struct {
                const char *line;
                bool is;
        } cases[] = {
                { "Content-Type: application/problem+json",                 true  },
                { "Content-Type: application/problem+json; charset=utf-8",  true  },
                { "Content-Type: application/problem+json;charset=utf-8",   true  },
                { "Content-Type: Application/Problem+JSON ; x",             true  },
                { "Content-Type: application/problem+jsonx",                false },
                { "Content-Type: application/json",                         false },
                { "X: y",                                                   false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_acme_answer_ AcmeAnswer a = {};

                test_case("%s", cases[i].line);
                acme_answer_init(&a, 1);
                CHECK_INT(add(&a, cases[i].line), 0);
                CHECK(acme_answer_has_type(&a, "application/problem+json") == cases[i].is);
        }
}

TEST(status_lines) {
        static const struct {
                const char *line;
                unsigned status;
        } cases[] = {
                { "HTTP/1.0 200 OK", 200 }, { "HTTP/2 404", 404 },  { "HTTP/3 500 ", 500 }, { "HTTP/1.1 99 x", 0 },
                { "HTTP/1.1 2000", 0 },     { "HTTP/1.1 abc", 0 },  { "HTTP/1.1", 0 },      { "HTTP/1.1     ", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_acme_answer_ AcmeAnswer a = {};

                test_case("%s", cases[i].line);
                acme_answer_init(&a, 1);
                CHECK_INT(add(&a, cases[i].line), 0);
                CHECK_UINT(a.status, cases[i].status);
        }
}
