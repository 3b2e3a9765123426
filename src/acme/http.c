/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "acme/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"

enum {
        CONNECT_TIMEOUT_SEC = 30,
        /* A CA may think for a while before it says the first byte. */
        LOW_SPEED_SEC = 60,
        LOW_SPEED_BYTES = 10,
        CONNECTIONS_MAX = 4,
        PROXY_HOST_MAX = 300,
};

typedef struct Http {
        CURL *curl; /* keeps connections and TLS sessions between exchanges */
        char error[CURL_ERROR_SIZE];
} Http;

typedef struct curl_slist CurlList;
DEFINE_CLEANUP(CurlList *, curl_slist_free_all)
#define _auto_curl_list_ _cleanup_(curl_slist_free_allp)

/* What the callbacks found out; libcurl itself only knows that they did not want to go on. */
typedef struct Exchange {
        AcmeAnswer *answer;
        int result; /* of acme_answer_add_…() */
} Exchange;

static size_t on_head(char *data, size_t size, size_t n, void *userdata) {
        Exchange *e = userdata;

        e->result = acme_answer_add_head(e->answer, data, size * n);
        return e->result == 0 ? size * n : 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        Exchange *e = userdata;

        e->result = acme_answer_add_body(e->answer, data, size * n);
        return e->result == 0 ? size * n : 0;
}

static int add_header(CurlList **list, const char *name, const char *value) {
        _auto_free_ char *line = NULL;
        CurlList *longer;

        if (!value)
                return 0;
        line = str_printf("%s%s", name, value);
        longer = line ? curl_slist_append(*list, line) : NULL;
        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

static int make_headers(const AcmeRequest *request, CurlList **ret) {
        _auto_curl_list_ CurlList *list = NULL;

        if (add_header(&list, "Accept: ", str_or(request->accept, "*/*")) < 0 || add_header(&list, "Accept-Language: ", "en") < 0 ||
            add_header(&list, "Content-Type: ", request->content_type) < 0 ||
            /* Without it, libcurl asks the CA for permission and waits before it sends a longer body. */
            add_header(&list, "Expect:", "") < 0)
                return -ENOMEM;
        *ret = take_ptr(list);
        return 0;
}

#define set(curl, option, value)                                        \
        do {                                                            \
                if (curl_easy_setopt((curl), (option), (value)) != 0)   \
                        return -ENOMEM;                                 \
        } while (0)

static int set_bounds(CURL *curl, const AcmeRequest *request) {
        set(curl, CURLOPT_TIMEOUT_MS, (long) MIN_OF(request->timeout_usec / USEC_PER_MSEC, (uint64_t) INT32_MAX));
        set(curl, CURLOPT_CONNECTTIMEOUT, (long) CONNECT_TIMEOUT_SEC);
        set(curl, CURLOPT_LOW_SPEED_TIME, (long) LOW_SPEED_SEC);
        set(curl, CURLOPT_LOW_SPEED_LIMIT, (long) LOW_SPEED_BYTES);
        set(curl, CURLOPT_MAXCONNECTS, (long) CONNECTIONS_MAX);
        set(curl, CURLOPT_FOLLOWLOCATION, 0L);
        set(curl, CURLOPT_PROTOCOLS_STR, "https");
        set(curl, CURLOPT_NOSIGNAL, 1L);
        return 0;
}

static int set_tls(CURL *curl, const AcmeRequest *request) {
        set(curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        set(curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
        if (!request->ca_file)
                return 0;
        set(curl, CURLOPT_CAINFO, request->ca_file);
        /* In place of the system's certificates, not beside them. */
        set(curl, CURLOPT_CAPATH, NULL);
        return 0;
}

/* Without a proxy in the request, libcurl looks into the environment (https_proxy, all_proxy, no_proxy). */
static int set_proxy(CURL *curl, const AcmeRequest *request) {
        set(curl, CURLOPT_PROXY_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        set(curl, CURLOPT_PROXYAUTH, (long) (CURLAUTH_BASIC | CURLAUTH_DIGEST));
        if (request->proxy_ca_file) {
                set(curl, CURLOPT_PROXY_CAINFO, request->proxy_ca_file);
                set(curl, CURLOPT_PROXY_CAPATH, NULL);
        }
        if (!request->proxy)
                return 0;
        set(curl, CURLOPT_PROXY, request->proxy);
        /* What is configured for this domain is meant for every CA, whatever the environment says. */
        set(curl, CURLOPT_NOPROXY, "");
        return 0;
}

static int set_request(CURL *curl, const AcmeRequest *request, CurlList *headers) {
        set(curl, CURLOPT_URL, request->url);
        /* The signature holds the URL byte for byte. */
        set(curl, CURLOPT_PATH_AS_IS, 1L);
        set(curl, CURLOPT_USERAGENT, request->user_agent);
        set(curl, CURLOPT_HTTPHEADER, headers);
        if (request->method == ACME_METHOD_HEAD)
                set(curl, CURLOPT_NOBODY, 1L);
        if (request->method == ACME_METHOD_POST) {
                set(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(request->body));
                set(curl, CURLOPT_POSTFIELDS, request->body);
        }
        return 0;
}

static int set_callbacks(Http *h, Exchange *e) {
        set(h->curl, CURLOPT_ERRORBUFFER, h->error);
        set(h->curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        set(h->curl, CURLOPT_HEADERFUNCTION, on_head);
        set(h->curl, CURLOPT_HEADERDATA, e);
        set(h->curl, CURLOPT_WRITEFUNCTION, on_body);
        set(h->curl, CURLOPT_WRITEDATA, e);
        return 0;
}

/* libcurl would call it an error of TLS. */
static int check_ca_file(const char *path, const char *whose, Problem **ret_problem) {
        _auto_close_ int fd = -1;
        int r;

        if (!path)
                return 0;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0)
                return 0;
        r = -errno;
        problem_set(ret_problem, PROBLEM_TYPE_SETTING,
                    "Cannot read the file %s with the certificates that the %s is verified with: %s", path, whose, strerror(-r));
        return r;
}

/* Host and port of a proxy's URL: never what is in front of '@'. */
static char *proxy_host(const char *proxy) {
        const char *s = strstr(proxy, "://"), *at;
        size_t n;

        s = s ? s + 3 : proxy;
        n = strcspn(s, "/?#");
        at = memrchr(s, '@', n);
        if (at) {
                n -= (size_t) (at + 1 - s);
                s = at + 1;
        }
        return str_printable(s, n, PROXY_HOST_MAX);
}

/* " through the proxy HOST", or nothing. */
static char *proxy_words(const AcmeRequest *request) {
        _auto_free_ char *host = request->proxy ? proxy_host(request->proxy) : NULL;

        if (!request->proxy)
                return strdup("");
        return host ? str_printf(" through the proxy %s (MDHttpProxy)", host) : NULL;
}

static int connection_failed(Http *h, const AcmeRequest *request, CURLcode code, Problem **ret_problem) {
        _auto_free_ char *host = acme_url_host(request->url), *proxy = proxy_words(request);
        const char *text = h->error[0] ? h->error : curl_easy_strerror(code);
        long verify = 0;

        if (!host || !proxy)
                return -ENOMEM;
        if (code == CURLE_SSL_CACERT_BADFILE) {
                problem_set(ret_problem, PROBLEM_TYPE_SETTING,
                            "The file %s with the certificates that the CA is verified with is of no use: %s",
                            str_or(request->ca_file, "of the system"), text);
                return -EBADMSG;
        }
        if (code == CURLE_PEER_FAILED_VERIFICATION) {
                (void) curl_easy_getinfo(h->curl, CURLINFO_SSL_VERIFYRESULT, &verify);
                problem_set(ret_problem, PROBLEM_TYPE_CONNECTION,
                            "The certificate of %s%s could not be verified with %s: %s (verify result %ld)", host, proxy,
                            str_or(request->ca_file, "the certificates of the system"), text, verify);
                return -ECONNREFUSED;
        }
        problem_set(ret_problem, PROBLEM_TYPE_CONNECTION, "Cannot talk to %s%s: %s", host, proxy, text);
        return -ECONNREFUSED;
}

/* A setting that libcurl cannot follow is better told than left without effect. */
static int check_proxy(const char *proxy, Problem **ret_problem) {
        static const char *const schemes[] = { "http://", "https://" };
        const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
        _auto_free_ char *host = NULL;

        if (!proxy)
                return 0;
        host = proxy_host(proxy);
        if (!host)
                return -ENOMEM;
        if (!strstr(proxy, "://") && *host)
                return 0; /* as mod_md takes it: http */
        if (str_has_prefix(proxy, schemes[0]) && *host)
                return 0;
        if (str_has_prefix(proxy, schemes[1]) && *host && (version->features & CURL_VERSION_HTTPS_PROXY))
                return 0;
        problem_set(ret_problem, PROBLEM_TYPE_SETTING, "The proxy at '%s' cannot be used: its URL must begin with http:// or https:// (MDHttpProxy)", host);
        return -EINVAL;
}

static int too_large(const AcmeRequest *request, Problem **ret_problem) {
        problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER,
                    "The answer of %s is larger than anything that belongs there (%d bytes are allowed)", request->url,
                    ACME_BODY_MAX);
        return -EFBIG;
}

static int http_exchange(void *userdata, const AcmeRequest *request, AcmeAnswer *answer, Problem **ret_problem) {
        _auto_curl_list_ CurlList *headers = NULL;
        Exchange e = { .answer = answer };
        Http *h = userdata;
        CURLcode code;
        int r;

        assert(acme_url_is_valid(request->url));

        r = check_ca_file(request->ca_file, "CA", ret_problem);
        if (r == 0)
                r = check_ca_file(request->proxy_ca_file, "proxy", ret_problem);
        if (r == 0)
                r = check_proxy(request->proxy, ret_problem);
        if (r < 0)
                return r;

        curl_easy_reset(h->curl); /* options only: connections stay */
        if (make_headers(request, &headers) < 0 || set_bounds(h->curl, request) < 0 || set_tls(h->curl, request) < 0 ||
            set_proxy(h->curl, request) < 0 || set_request(h->curl, request, headers) < 0 || set_callbacks(h, &e) < 0)
                return -ENOMEM;

        h->error[0] = '\0';
        code = curl_easy_perform(h->curl);
        if (e.result > 0)
                return too_large(request, ret_problem);
        if (e.result < 0)
                return e.result;
        return code == 0 ? 0 : connection_failed(h, request, code, ret_problem);
}

static void http_wait(void *userdata, uint64_t usec) {
        struct timespec t = { .tv_sec = (time_t) (usec / USEC_PER_SEC), .tv_nsec = (long) (usec % USEC_PER_SEC * 1000) };

        while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
                ;
}

static uint64_t http_monotonic_usec(void *userdata) {
        return clock_monotonic_usec();
}

static uint64_t http_now_usec(void *userdata) {
        return clock_now_usec();
}

static void http_free(void *userdata) {
        Http *h = userdata;

        curl_easy_cleanup(h->curl);
        free(h);
        curl_global_cleanup();
}

int acme_http_new(AcmeTransport *ret) {
        Http *h;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
                return -ENOMEM;
        h = calloc(1, sizeof(*h));
        if (h)
                h->curl = curl_easy_init();
        if (!h || !h->curl) {
                free(h);
                curl_global_cleanup();
                return -ENOMEM;
        }
        *ret = (AcmeTransport){
                .userdata = h,
                .exchange = http_exchange,
                .wait = http_wait,
                .monotonic_usec = http_monotonic_usec,
                .now_usec = http_now_usec,
                .free = http_free,
        };
        return 0;
}
