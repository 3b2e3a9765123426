/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A whole answer over HTTP/1.x, as it came until the connection was closed: what a local daemon says to a request of HTTP/1.0. For CAs there is libcurl. */

#include "base/macro.h"

typedef struct HttpAnswer {
        unsigned status;        /* 100 to 599 */
        uint64_t retry_after_s; /* Retry-After in seconds; 0: it does not say, or something else */
        const char *body;       /* points into what was parsed */
        size_t body_size;
} HttpAnswer;

enum {
        HTTP_ANSWER_DONE,
        HTTP_ANSWER_E_MALFORMED, /* *ret_why (a static text) says what is wrong */
};

/* A body that is shorter than it said, or comes in chunks (which nobody may send who was asked in HTTP/1.0), is malformed. */
int http_answer_parse(const char *data, size_t size, HttpAnswer *ret, const char **ret_why);
