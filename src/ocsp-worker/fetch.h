/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Many exchanges with OCSP responders at a time, over HTTP (RFC 6960 appendix A): each with a deadline and a ceiling, and few with one host. It is asked by
 * POST, and by GET when the responder does not like that. libcurl is seen by fetch.c only. */

#include "base/problem.h"

typedef struct FetchRequest {
        uint64_t token; /* the caller's */
        const char *url;
        const void *body; /* the request */
        size_t size;
        const char *proxy;         /* URL; NULL: what the environment says */
        const char *proxy_ca_file; /* NULL: the system's trust */
        bool by_get;               /* it is known to like that better */
} FetchRequest;

typedef struct FetchAnswer {
        uint64_t token;
        const void *der; /* borrowed; NULL: none came */
        size_t size;
        bool by_get;            /* how it was asked */
        const Problem *problem; /* borrowed; NULL: an answer came */
} FetchAnswer;

/* Negative errno: nothing more is to be fetched. */
typedef int (*FetchHandler)(const FetchAnswer *answer, void *userdata);

typedef struct Fetcher Fetcher;

int fetcher_new(const char *user_agent, uint64_t timeout_usec, FetchHandler handler, void *userdata, Fetcher **ret);
Fetcher *fetcher_free(Fetcher *f);
DEFINE_CLEANUP(Fetcher *, fetcher_free)

/* Takes copies. */
int fetcher_add(Fetcher *f, const FetchRequest *request);
size_t fetcher_waiting(const Fetcher *f); /* not begun yet */
bool fetcher_is_idle(const Fetcher *f);

/* Lets some of it happen; waits a second at the most. */
int fetcher_run(Fetcher *f);

/* The URL to ask by GET. NULL: out of memory. */
char *fetch_get_url(const char *url, const void *body, size_t size);
