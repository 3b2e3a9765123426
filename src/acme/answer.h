/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What came back over HTTP, collected from bytes as they arrive: the status, the few header fields that ACME speaks with, and the body.
 * Everything has a ceiling. */

#include "base/buffer.h"
#include "base/strv.h"

enum {
        ACME_HEADERS_MAX = 100,
        ACME_HEADER_SIZE_MAX = 8 * 1024,
        ACME_HEADERS_SIZE_MAX = 64 * 1024,
        ACME_BODY_MAX = 1024 * 1024,
        ACME_LINKS_MAX = 32,
};

typedef struct AcmeAnswer {
        unsigned status;
        char *content_type, *location, *nonce, *retry_after, *date; /* NULL: not there, or not printable ASCII */
        char **links; /* each Link field; those that are not printable ASCII are left out */
        Buffer body;
        unsigned n_headers;
        size_t headers_size;
} AcmeAnswer;

enum {
        ACME_ANSWER_DONE,
        ACME_ANSWER_E_TOO_LARGE, /* the answer passes a ceiling: the exchange is to be ended */
};

void acme_answer_init(AcmeAnswer *a, size_t body_max);
void acme_answer_done(AcmeAnswer *a);
#define _auto_acme_answer_ _cleanup_(acme_answer_done)

/* One line of the head, with or without its line end. A status line starts over: the last head counts. The first field of a name counts. */
int acme_answer_add_head(AcmeAnswer *a, const char *line, size_t size);
int acme_answer_add_body(AcmeAnswer *a, const void *data, size_t size);

bool acme_answer_is_success(const AcmeAnswer *a) _pure_; /* 2xx */

/* Compares the media type; parameters and letter case do not matter. */
bool acme_answer_has_type(const AcmeAnswer *a, const char *media_type) _pure_;
