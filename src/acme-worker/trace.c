/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/trace.h"

#include <stdlib.h>

#include "acme/http.h"
#include "base/log.h"
#include "base/string-util.h"

typedef struct Trace {
        AcmeTransport inner;
        const Remote *remote;
} Trace;

static const char *const methods[] = {
        [ACME_METHOD_GET] = "GET",
        [ACME_METHOD_HEAD] = "HEAD",
        [ACME_METHOD_POST] = "POST",
};

static void tell(const Trace *t, const AcmeRequest *request, const AcmeAnswer *answer, int outcome, const Problem *problem, uint64_t took_usec) {
        const char *domain = str_or(t->remote->domain, "?");
        LogField fields[] = { { "MD_NAME", t->remote->domain }, { "MD_URL", request->url } };
        unsigned long long msec = (unsigned long long) (took_usec / USEC_PER_MSEC);

        if (outcome < 0)
                log_full(LOG_DEBUG, 0, NULL, fields, ELEMENTSOF(fields), "%s: %s %s: no answer after %llu ms: %s", domain, methods[request->method], request->url, msec,
                         problem ? problem->detail : "no reason given");
        else
                log_full(LOG_DEBUG, 0, NULL, fields, ELEMENTSOF(fields), "%s: %s %s: %u, %s, %zu bytes, %llu ms", domain, methods[request->method], request->url,
                         answer->status, str_or(answer->content_type, "no type"), answer->body.size, msec);
}

static int exchange(void *userdata, const AcmeRequest *request, AcmeAnswer *answer, Problem **ret_problem) {
        Trace *t = userdata;
        uint64_t began = t->inner.monotonic_usec(t->inner.userdata);
        int r = t->inner.exchange(t->inner.userdata, request, answer, ret_problem);

        tell(t, request, answer, r, ret_problem ? *ret_problem : NULL, usec_sub(t->inner.monotonic_usec(t->inner.userdata), began));
        return r;
}

static void trace_wait(void *userdata, uint64_t usec) {
        Trace *t = userdata;

        t->inner.wait(t->inner.userdata, usec);
}

static uint64_t trace_monotonic_usec(void *userdata) {
        Trace *t = userdata;

        return t->inner.monotonic_usec(t->inner.userdata);
}

static uint64_t trace_now_usec(void *userdata) {
        Trace *t = userdata;

        return t->inner.now_usec(t->inner.userdata);
}

static void trace_free(void *userdata) {
        Trace *t = userdata;

        if (t->inner.free)
                t->inner.free(t->inner.userdata);
        free(t);
}

AcmeSession *trace_session_new(const Remote *remote) {
        AcmeTransport transport = {
                .exchange = exchange, .wait = trace_wait, .monotonic_usec = trace_monotonic_usec, .now_usec = trace_now_usec, .free = trace_free,
        };
        Trace *t;

        assert(remote);

        if (log_get_max_level() < LOG_DEBUG)
                return acme_session_new();
        t = calloc(1, sizeof(*t));
        if (!t || acme_http_new(&t->inner) < 0) {
                free(t);
                return NULL;
        }
        t->remote = remote;
        transport.userdata = t;
        return acme_session_new_with(&transport);
}
