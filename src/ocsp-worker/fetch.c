/* SPDX-License-Identifier: Apache-2.0 */
#include "ocsp-worker/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/string-util.h"

enum {
        PARALLEL_MAX = 32,
        PER_HOST_MAX = 4,
        BODY_MAX = 64 * 1024,
        HOST_MAX = 300,
        CONNECT_TIMEOUT_SEC = 10,
        POLL_MSEC = 1000,
};

typedef struct Transfer Transfer;
struct Transfer {
        Transfer *next;
        Fetcher *fetcher;
        uint64_t token;
        char *url, *host, *proxy, *proxy_ca_file;
        void *request;
        size_t request_size;
        bool by_get, running, too_large;
        CURL *curl;
        struct curl_slist *headers;
        Buffer body;
        char error[CURL_ERROR_SIZE];
};

struct Fetcher {
        CURLM *multi;
        char *user_agent;
        uint64_t timeout_usec;
        FetchHandler handler;
        void *userdata;
        Transfer *first, *last;
        size_t n_running, n_waiting;
};

static void transfer_stop(Transfer *t) {
        if (t->curl && t->running)
                (void) curl_multi_remove_handle(t->fetcher->multi, t->curl);
        if (t->running)
                t->fetcher->n_running--;
        t->running = false;
        curl_easy_cleanup(t->curl);
        t->curl = NULL;
        curl_slist_free_all(t->headers);
        t->headers = NULL;
        buffer_done(&t->body);
}

static Transfer *transfer_free(Transfer *t) {
        if (!t)
                return NULL;
        transfer_stop(t);
        free(t->url);
        free(t->host);
        free(t->proxy);
        free(t->proxy_ca_file);
        free(t->request);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(Transfer *, transfer_free)

int fetcher_new(const char *user_agent, uint64_t timeout_usec, FetchHandler handler, void *userdata, Fetcher **ret) {
        Fetcher *f;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
                return -ENOMEM;
        f = calloc(1, sizeof(*f));
        if (!f) {
                curl_global_cleanup();
                return -ENOMEM;
        }
        f->timeout_usec = timeout_usec;
        f->handler = handler;
        f->userdata = userdata;
        f->multi = curl_multi_init();
        if (!f->multi || str_replace(&f->user_agent, user_agent) < 0) {
                fetcher_free(f);
                return -ENOMEM;
        }
        *ret = f;
        return 0;
}

Fetcher *fetcher_free(Fetcher *f) {
        if (!f)
                return NULL;
        while (f->first) {
                Transfer *t = f->first;

                f->first = t->next;
                transfer_free(t);
        }
        (void) curl_multi_cleanup(f->multi);
        free(f->user_agent);
        free(f);
        curl_global_cleanup();
        return NULL;
}

size_t fetcher_waiting(const Fetcher *f) {
        return f->n_waiting;
}

bool fetcher_is_idle(const Fetcher *f) {
        return !f->first;
}

/* Host and port: what limits are counted for, and what people are told. */
static char *host_of(const char *url) {
        const char *host = strstr(url, "://");
        size_t n;

        host = host ? host + 3 : url;
        n = strcspn(host, "/?#");
        return str_printable(host, n, HOST_MAX);
}

int fetcher_add(Fetcher *f, const FetchRequest *request) {
        _cleanup_(transfer_freep) Transfer *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->fetcher = f;
        t->token = request->token;
        t->by_get = request->by_get;
        t->host = host_of(request->url);
        t->request = malloc(request->size);
        if (!t->host || !t->request || str_replace(&t->url, request->url) < 0 || str_replace(&t->proxy, request->proxy) < 0 ||
            str_replace(&t->proxy_ca_file, request->proxy_ca_file) < 0)
                return -ENOMEM;
        memcpy(t->request, request->body, request->size);
        t->request_size = request->size;
        if (f->last)
                f->last->next = t;
        else
                f->first = t;
        f->last = take_ptr(t);
        f->n_waiting++;
        return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;

        if (buffer_append(&t->body, data, size * n) == 0)
                return size * n;
        t->too_large = true;
        return 0;
}

/* Setting up one exchange */

/* RFC 6960 appendix A.1: base64 with padding, and what means something in a path escaped. */
char *fetch_get_url(const char *url, const void *body, size_t size) {
        _auto_free_ char *text = base64url_encode(body, size);
        _auto_buffer_ Buffer b = BUFFER_INIT(8 * 1024);
        int r;

        if (!text)
                return NULL;
        r = buffer_printf(&b, "%s%s", url, str_has_suffix(url, "/") ? "" : "/");
        for (const char *c = text; *c && r == 0; c++)
                r = *c == '-' ? buffer_append_string(&b, "%2B") : *c == '_' ? buffer_append_string(&b, "%2F") : buffer_append(&b, c, 1);
        for (size_t n = strlen(text); n % 4 != 0 && r == 0; n++)
                r = buffer_append_string(&b, "%3D");
        return r == 0 ? buffer_take(&b, NULL) : NULL;
}

#define set(curl, option, value)                                        \
        do {                                                            \
                if (curl_easy_setopt((curl), (option), (value)) != 0)   \
                        return -ENOMEM;                                 \
        } while (0)

static int add_header(Transfer *t, const char *line) {
        struct curl_slist *longer = curl_slist_append(t->headers, line);

        if (!longer)
                return -ENOMEM;
        t->headers = longer;
        return 0;
}

static int set_bounds(Transfer *t) {
        set(t->curl, CURLOPT_TIMEOUT_MS, (long) MIN_OF(t->fetcher->timeout_usec / USEC_PER_MSEC, (uint64_t) INT32_MAX));
        set(t->curl, CURLOPT_CONNECTTIMEOUT, (long) CONNECT_TIMEOUT_SEC);
        set(t->curl, CURLOPT_FOLLOWLOCATION, 0L);
        set(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
        set(t->curl, CURLOPT_NOSIGNAL, 1L);
        set(t->curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        return 0;
}

/* Without one of ours, libcurl looks into the environment (http_proxy, all_proxy, no_proxy). */
static int set_proxy(Transfer *t) {
        set(t->curl, CURLOPT_PROXY_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        set(t->curl, CURLOPT_PROXYAUTH, (long) (CURLAUTH_BASIC | CURLAUTH_DIGEST));
        if (t->proxy_ca_file) {
                set(t->curl, CURLOPT_PROXY_CAINFO, t->proxy_ca_file);
                set(t->curl, CURLOPT_PROXY_CAPATH, NULL);
        }
        if (!t->proxy)
                return 0;
        set(t->curl, CURLOPT_PROXY, t->proxy);
        set(t->curl, CURLOPT_NOPROXY, "");
        return 0;
}

static int set_request(Transfer *t) {
        _auto_free_ char *url = NULL;

        if (add_header(t, "Accept: application/ocsp-response") < 0)
                return -ENOMEM;
        if (t->by_get) {
                url = fetch_get_url(t->url, t->request, t->request_size);
                if (!url)
                        return -ENOMEM;
        } else if (add_header(t, "Content-Type: application/ocsp-request") < 0 || add_header(t, "Expect:") < 0)
                return -ENOMEM;
        set(t->curl, CURLOPT_URL, str_or(url, t->url));
        if (!t->by_get) {
                set(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) t->request_size);
                set(t->curl, CURLOPT_POSTFIELDS, t->request);
        }
        set(t->curl, CURLOPT_HTTPHEADER, t->headers);
        set(t->curl, CURLOPT_USERAGENT, t->fetcher->user_agent);
        return 0;
}

static int set_callbacks(Transfer *t) {
        set(t->curl, CURLOPT_ERRORBUFFER, t->error);
        set(t->curl, CURLOPT_WRITEFUNCTION, on_body);
        set(t->curl, CURLOPT_WRITEDATA, t);
        set(t->curl, CURLOPT_PRIVATE, t);
        return 0;
}

static int start(Transfer *t) {
        t->body = BUFFER_INIT(BODY_MAX);
        t->too_large = false;
        t->error[0] = '\0';
        t->curl = curl_easy_init();
        if (!t->curl || set_bounds(t) < 0 || set_proxy(t) < 0 || set_request(t) < 0 || set_callbacks(t) < 0)
                return -ENOMEM;
        if (curl_multi_add_handle(t->fetcher->multi, t->curl) != CURLM_OK)
                return -ENOMEM;
        t->running = true;
        t->fetcher->n_running++;
        return 0;
}

static unsigned count_at_host(const Fetcher *f, const char *host) {
        unsigned n = 0;

        for (const Transfer *t = f->first; t; t = t->next)
                n += t->running && str_equal_nocase(t->host, host);
        return n;
}

static int start_waiting(Fetcher *f) {
        for (Transfer *t = f->first; t && f->n_running < PARALLEL_MAX && f->n_waiting > 0; t = t->next) {
                int r;

                if (t->running || count_at_host(f, t->host) >= PER_HOST_MAX)
                        continue;
                r = start(t);
                if (r < 0)
                        return r;
                f->n_waiting--;
        }
        return 0;
}

/* What came of it */

static uint64_t retry_after(const Transfer *t) {
        curl_off_t seconds = 0;

        if (curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
                return 0;
        return usec_add(clock_now_usec(), (uint64_t) MIN_OF(seconds, (curl_off_t) 86400) * USEC_PER_SEC);
}

static Problem *judge(const Transfer *t, CURLcode code, long status) {
        Problem *p;

        if (t->too_large)
                return problem_new(PROBLEM_TYPE_BAD_ANSWER, "The answer of the OCSP responder %s is larger than any that belongs there", t->host);
        if (code != CURLE_OK)
                return problem_new(PROBLEM_TYPE_CONNECTION, "Cannot talk to the OCSP responder %s: %s", t->host, t->error[0] ? t->error : curl_easy_strerror(code));
        if (status == 200)
                return NULL;
        p = problem_new(PROBLEM_TYPE_HTTP, "The OCSP responder %s answers with HTTP status %ld", t->host, status);
        if (p) {
                p->status = (unsigned) status;
                p->retry_after_usec = retry_after(t);
        }
        return p;
}

/* Responders behind a cache may know GET only (RFC 5019 section 5). */
static bool dislikes_post(const Transfer *t, CURLcode code, long status) {
        static const long statuses[] = { 400, 403, 404, 405, 411, 415, 501 };

        if (t->by_get || code != CURLE_OK)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(statuses); i++)
                if (status == statuses[i])
                        return true;
        return false;
}

static void forget(Fetcher *f, Transfer *t) {
        Transfer **p = &f->first, *before = NULL;

        while (*p != t) {
                before = *p;
                p = &before->next;
        }
        *p = t->next;
        if (f->last == t)
                f->last = before;
        transfer_free(t);
}

static int finish(Fetcher *f, Transfer *t, CURLcode code) {
        _auto_problem_ Problem *problem = NULL;
        FetchAnswer answer = { .token = t->token, .by_get = t->by_get };
        long status = 0;
        int r;

        (void) curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        if (dislikes_post(t, code, status)) {
                transfer_stop(t);
                t->by_get = true;
                f->n_waiting++;
                return 0;
        }
        problem = judge(t, code, status);
        answer.problem = problem;
        if (!problem) {
                answer.der = str_or(t->body.data, "");
                answer.size = t->body.size;
        }
        r = f->handler(&answer, f->userdata);
        forget(f, t);
        return r;
}

static int finish_all(Fetcher *f) {
        const CURLMsg *message;
        int left;

        while ((message = curl_multi_info_read(f->multi, &left))) {
                char *t = NULL;
                int r;

                if (message->msg != CURLMSG_DONE)
                        continue;
                (void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
                r = finish(f, (Transfer *) (void *) t, message->data.result);
                if (r < 0)
                        return r;
        }
        return 0;
}

int fetcher_run(Fetcher *f) {
        int running, r;

        r = start_waiting(f);
        if (r < 0)
                return r;
        if (curl_multi_perform(f->multi, &running) != CURLM_OK)
                return -EIO;
        r = finish_all(f);
        if (r < 0 || f->n_running == 0)
                return r;
        r = start_waiting(f); /* places may have become free */
        if (r < 0)
                return r;
        return curl_multi_poll(f->multi, NULL, 0, POLL_MSEC, NULL) == CURLM_OK ? 0 : -EIO;
}
