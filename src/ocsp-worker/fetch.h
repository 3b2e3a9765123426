/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Many exchanges over HTTP at a time, with OCSP responders (RFC 6960 appendix A) and with whoever publishes CRLs: each with a deadline and a ceiling, and few with one
 * host. A responder is asked by POST, and by GET when it does not like that. A host that does not answer, or wants to be left alone, is not asked for the rest:
 * it must not hold up the others. libcurl is seen by fetch.c only. */

#include "base/problem.h"

typedef struct FetchBody {
        const void *data;
        size_t size;
} FetchBody;

typedef struct FetchRequest {
        uint64_t token; /* the caller's */
        const char *url;
        FetchBody post, get;       /* the OCSP request, for either way; both empty: what lies at the URL is wanted */
        const char *proxy;         /* URL; NULL: what the environment says */
        const char *proxy_ca_file; /* NULL: the system's trust */
        bool by_get;               /* it is known to like that better */
} FetchRequest;

typedef struct FetchAnswer {
        uint64_t token;
        const void *data; /* borrowed; NULL: none came */
        size_t size;
        bool by_get;            /* how it was asked */
        const Problem *problem; /* borrowed; NULL: an answer came */
} FetchAnswer;

/* Negative errno: nothing more is to be fetched. */
typedef int (*FetchHandler)(const FetchAnswer *answer, void *userdata);

typedef struct Fetcher Fetcher;

/* The deadline is for an OCSP response; what may be larger has four times as long. */
int fetcher_new(const char *user_agent, uint64_t timeout_usec, FetchHandler handler, void *userdata, Fetcher **ret);
Fetcher *fetcher_free(Fetcher *f);
DEFINE_CLEANUP(Fetcher *, fetcher_free)

/* Takes copies. */
int fetcher_add(Fetcher *f, const FetchRequest *request);
bool fetcher_wants_more(const Fetcher *f); /* there is little left that could begin, or what is left has to wait for its hosts */
bool fetcher_is_idle(const Fetcher *f);

/* Lets some of it happen; waits a second at the most. */
int fetcher_run(Fetcher *f);

/* The URL to ask by GET. NULL: out of memory. */
char *fetch_get_url(const char *url, const void *body, size_t size);
