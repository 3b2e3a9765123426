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
#include "base/map.h"
#include "base/string-util.h"

enum {
        PARALLEL_MAX = 32,
        PER_HOST_MAX = 4,
        LARGE_MAX = 2,          /* at a time, of what may be large */
        FAILURES_MAX = 4,       /* in a row, and the host is left alone */
        WAITING_LOW = 64,
        WAITING_MAX = 10000,
        RESPONSE_MAX = 64 * 1024,
        LARGE_BODY_MAX = 8 * 1024 * 1024,
        LARGE_TIMES = 4,        /* as long as a response */
        HOST_MAX = 300,
        CONNECT_TIMEOUT_SEC = 10,
        POLL_MSEC = 1000,
};

typedef struct Transfer Transfer;
typedef struct Host Host;

struct Transfer {
        Transfer *next; /* of those that wait for the host */
        Fetcher *fetcher;
        Host *host;
        uint64_t token;
        char *url, *proxy, *proxy_ca_file;
        void *post, *get;
        size_t post_size, get_size;
        bool by_get, large, running, too_large;
        CURL *curl;
        struct curl_slist *headers;
        Buffer body;
        char error[CURL_ERROR_SIZE];
};

struct Host {
        char *name; /* with its port: what limits are counted for, and what people are told */
        Transfer *first, **end; /* waiting */
        unsigned n_running, n_failed;
        Problem *down; /* why it is not asked any more; NULL: it is */
};

struct Fetcher {
        CURLM *multi;
        char *user_agent;
        uint64_t timeout_usec;
        FetchHandler handler;
        void *userdata;
        Map *hosts;
        Transfer *running[PARALLEL_MAX];
        size_t n_running, n_large, n_waiting;
};

static void transfer_stop(Transfer *t) {
        Fetcher *f = t->fetcher;

        for (size_t i = 0; t->running && i < f->n_running; i++)
                if (f->running[i] == t) {
                        f->running[i] = f->running[--f->n_running];
                        f->n_large -= t->large;
                        t->host->n_running--;
                        (void) curl_multi_remove_handle(f->multi, t->curl);
                        break;
                }
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
        free(t->proxy);
        free(t->proxy_ca_file);
        free(t->post);
        free(t->get);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(Transfer *, transfer_free)

static void host_free(void *host) {
        Host *h = host;

        while (h->first) {
                Transfer *t = h->first;

                h->first = t->next;
                transfer_free(t);
        }
        problem_free(h->down);
        free(h->name);
        free(h);
}

static Host *host_new(const char *name) {
        Host *h = calloc(1, sizeof(*h));

        if (!h)
                return NULL;
        h->end = &h->first;
        h->name = strdup(name);
        if (!h->name) {
                host_free(h);
                return NULL;
        }
        return h;
}

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
        f->hosts = map_new();
        if (!f->multi || !f->hosts || str_replace(&f->user_agent, user_agent) < 0) {
                fetcher_free(f);
                return -ENOMEM;
        }
        *ret = f;
        return 0;
}

Fetcher *fetcher_free(Fetcher *f) {
        if (!f)
                return NULL;
        while (f->n_running > 0)
                transfer_free(f->running[0]);
        if (f->hosts)
                map_free_with(f->hosts, host_free);
        (void) curl_multi_cleanup(f->multi);
        free(f->user_agent);
        free(f);
        curl_global_cleanup();
        return NULL;
}

bool fetcher_wants_more(const Fetcher *f) {
        return f->n_waiting < WAITING_LOW || (f->n_running < PARALLEL_MAX && f->n_waiting < WAITING_MAX);
}

bool fetcher_is_idle(const Fetcher *f) {
        return f->n_running == 0 && f->n_waiting == 0;
}

static int find_host(Fetcher *f, const char *url, Host **ret) {
        const char *begin = strstr(url, "://");
        _auto_free_ char *name = NULL;
        Host *h;
        int r;

        begin = begin ? begin + 3 : url;
        name = str_printable(begin, strcspn(begin, "/?#"), HOST_MAX);
        if (!name)
                return -ENOMEM;
        for (char *c = name; *c; c++)
                *c = *c >= 'A' && *c <= 'Z' ? (char) (*c - 'A' + 'a') : *c;
        h = map_get(f->hosts, name);
        if (!h) {
                h = host_new(name);
                r = h ? map_put(f->hosts, name, h) : -ENOMEM;
                if (r < 0) {
                        if (h)
                                host_free(h);
                        return r;
                }
        }
        *ret = h;
        return 0;
}

static int copy_body(const FetchBody *body, void **ret, size_t *ret_size) {
        if (body->size == 0)
                return 0;
        *ret = malloc(body->size);
        if (!*ret)
                return -ENOMEM;
        memcpy(*ret, body->data, body->size);
        *ret_size = body->size;
        return 0;
}

static void enqueue(Transfer *t) {
        t->next = NULL;
        *t->host->end = t;
        t->host->end = &t->next;
        t->fetcher->n_waiting++;
}

static Transfer *dequeue(Host *h) {
        Transfer *t = h->first;

        h->first = t->next;
        if (!h->first)
                h->end = &h->first;
        t->fetcher->n_waiting--;
        return t;
}

int fetcher_add(Fetcher *f, const FetchRequest *request) {
        _cleanup_(transfer_freep) Transfer *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->fetcher = f;
        t->token = request->token;
        t->by_get = request->by_get;
        t->large = request->post.size == 0 && request->get.size == 0;
        if (copy_body(&request->post, &t->post, &t->post_size) < 0 || copy_body(&request->get, &t->get, &t->get_size) < 0 ||
            str_replace(&t->url, request->url) < 0 || str_replace(&t->proxy, request->proxy) < 0 || str_replace(&t->proxy_ca_file, request->proxy_ca_file) < 0 ||
            find_host(f, t->url, &t->host) < 0)
                return -ENOMEM;
        enqueue(take_ptr(t));
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
        uint64_t timeout = t->fetcher->timeout_usec * (t->large ? LARGE_TIMES : 1);

        set(t->curl, CURLOPT_TIMEOUT_MS, (long) MIN_OF(timeout / USEC_PER_MSEC, (uint64_t) INT32_MAX));
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

static int set_get(Transfer *t) {
        _auto_free_ char *url = NULL;

        if (!t->large) {
                url = fetch_get_url(t->url, t->get, t->get_size);
                if (!url)
                        return -ENOMEM;
        }
        set(t->curl, CURLOPT_URL, str_or(url, t->url));
        return 0;
}

static int set_post(Transfer *t) {
        if (add_header(t, "Content-Type: application/ocsp-request") < 0 || add_header(t, "Expect:") < 0)
                return -ENOMEM;
        set(t->curl, CURLOPT_URL, t->url);
        set(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) t->post_size);
        set(t->curl, CURLOPT_POSTFIELDS, t->post);
        return 0;
}

static int set_request(Transfer *t) {
        if (add_header(t, t->large ? "Accept: application/pkix-crl, */*;q=0.1" : "Accept: application/ocsp-response") < 0 ||
            (t->large || t->by_get ? set_get(t) : set_post(t)) < 0)
                return -ENOMEM;
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
        Fetcher *f = t->fetcher;

        t->body = BUFFER_INIT(t->large ? LARGE_BODY_MAX : RESPONSE_MAX);
        t->too_large = false;
        t->error[0] = '\0';
        t->curl = curl_easy_init();
        if (!t->curl || set_bounds(t) < 0 || set_proxy(t) < 0 || set_request(t) < 0 || set_callbacks(t) < 0)
                return -ENOMEM;
        if (curl_multi_add_handle(f->multi, t->curl) != CURLM_OK)
                return -ENOMEM;
        t->running = true;
        f->running[f->n_running++] = t;
        f->n_large += t->large;
        t->host->n_running++;
        return 0;
}

static bool has_place(const Fetcher *f, const Host *h) {
        return h->first && f->n_running < PARALLEL_MAX && h->n_running < PER_HOST_MAX && !(h->first->large && f->n_large >= LARGE_MAX);
}

static int tell_down(Fetcher *f, Host *h) {
        while (h->first) {
                Transfer *t = dequeue(h);
                FetchAnswer answer = { .token = t->token, .by_get = t->by_get, .problem = h->down };
                int r = f->handler(&answer, f->userdata);

                transfer_free(t);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int start_waiting(Fetcher *f) {
        const char *name;
        Host *h;
        int r = 0;

        MAP_FOREACH(f->hosts, name, h) {
                if (h->down)
                        r = tell_down(f, h);
                while (r == 0 && has_place(f, h)) {
                        Transfer *t = dequeue(h);

                        r = start(t);
                        if (r < 0)
                                transfer_free(t);
                }
                if (r < 0)
                        return r;
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
                return problem_new(PROBLEM_TYPE_BAD_ANSWER, "The answer of %s is larger than any that belongs there", t->host->name);
        if (code != CURLE_OK)
                return problem_new(PROBLEM_TYPE_CONNECTION, "Cannot talk to %s: %s", t->host->name, t->error[0] ? t->error : curl_easy_strerror(code));
        if (status == 200)
                return NULL;
        p = problem_new(PROBLEM_TYPE_HTTP, "%s answers with HTTP status %ld", t->host->name, status);
        if (p) {
                p->status = (unsigned) status;
                p->retry_after_usec = retry_after(t);
        }
        return p;
}

/* Responders behind a cache may know GET only (RFC 5019 section 5). */
static bool dislikes_post(const Transfer *t, CURLcode code, long status) {
        static const long statuses[] = { 400, 403, 404, 405, 411, 415, 501 };

        if (t->large || t->by_get || code != CURLE_OK)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(statuses); i++)
                if (status == statuses[i])
                        return true;
        return false;
}

/* Nobody is asked again who does not answer several in a row, or who asks for time. */
static void judge_host(Host *h, CURLcode code, const Problem *problem) {
        bool unanswered = code != CURLE_OK && code != CURLE_WRITE_ERROR, wants_time = problem && problem->retry_after_usec > 0;

        h->n_failed = unanswered ? h->n_failed + 1 : 0;
        if (!h->down && problem && (h->n_failed >= FAILURES_MAX || wants_time))
                h->down = problem_copy(problem);
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
                enqueue(t);
                return 0;
        }
        problem = judge(t, code, status);
        judge_host(t->host, code, problem);
        answer.problem = problem;
        if (!problem) {
                answer.data = str_or(t->body.data, "");
                answer.size = t->body.size;
        }
        r = f->handler(&answer, f->userdata);
        transfer_free(t);
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
