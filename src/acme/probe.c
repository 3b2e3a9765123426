/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/probe.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"

enum { REDIRECT_MAX = 2048 };

static void free_curl_url(CURLU **url) {
        curl_url_cleanup(*url);
}

static void free_curl_string(char **s) {
        curl_free(*s);
}

typedef struct Probe {
        CURL *curl;
        struct curl_slist *connect_to;
        Buffer body;
        char error[CURL_ERROR_SIZE];
} Probe;

static void probe_done(Probe *p) {
        curl_easy_cleanup(p->curl);
        curl_slist_free_all(p->connect_to);
        buffer_done(&p->body);
        curl_global_cleanup();
}

void acme_probe_answer_done(AcmeProbeAnswer *answer) {
        free(answer->body);
        free(answer->redirect);
        free(answer->redirect_host);
        free(answer->redirect_path);
        *answer = (AcmeProbeAnswer){};
}

/* Ends the exchange when enough was seen. */
static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        Probe *p = userdata;
        size_t room = p->body.max - p->body.size, length = size * n;

        if (buffer_append(&p->body, data, MIN_OF(length, room)) != 0)
                return 0;
        return length <= room ? length : 0;
}

/* "::ADDRESS:PORT": whatever host and port the URL names. */
static int set_address(Probe *p, const AcmeProbe *probe) {
        bool ipv6 = strchr(probe->address, ':');
        _auto_free_ char *entry =
                str_printf("::%s%s%s:%u", ipv6 ? "[" : "", probe->address, ipv6 ? "]" : "", (unsigned) probe->port);

        p->connect_to = entry ? curl_slist_append(NULL, entry) : NULL;
        return p->connect_to && curl_easy_setopt(p->curl, CURLOPT_CONNECT_TO, p->connect_to) == 0 ? 0 : -ENOMEM;
}

#define set(curl, option, value)                                      \
        do {                                                          \
                if (curl_easy_setopt((curl), (option), (value)) != 0) \
                        return -ENOMEM;                               \
        } while (0)

static int set_up(Probe *p, const AcmeProbe *probe) {
        set(p->curl, CURLOPT_URL, probe->url);
        set(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
        set(p->curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        set(p->curl, CURLOPT_FOLLOWLOCATION, 0L);
        set(p->curl, CURLOPT_PROXY, "");
        /* RFC 8555 8.3 and every CA: what redirects to https may have no good certificate yet. */
        set(p->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        set(p->curl, CURLOPT_SSL_VERIFYHOST, 0L);
        set(p->curl, CURLOPT_USERAGENT, probe->user_agent);
        set(p->curl, CURLOPT_TIMEOUT_MS, (long) MIN_OF(probe->timeout_usec / USEC_PER_MSEC, (uint64_t) INT32_MAX));
        set(p->curl, CURLOPT_NOSIGNAL, 1L);
        set(p->curl, CURLOPT_ERRORBUFFER, p->error);
        set(p->curl, CURLOPT_WRITEFUNCTION, on_body);
        set(p->curl, CURLOPT_WRITEDATA, p);
        return set_address(p, probe);
}

static int failed(Probe *p, CURLcode code, char **ret_why) {
        const char *text = p->error[0] ? p->error : curl_easy_strerror(code);
        curl_off_t connected = 0;

        *ret_why = str_printable(text, strlen(text), CURL_ERROR_SIZE);
        if (!*ret_why)
                return -ENOMEM;
        (void) curl_easy_getinfo(p->curl, CURLINFO_CONNECT_TIME_T, &connected);
        return connected > 0 ? ACME_PROBE_E_NO_ANSWER : ACME_PROBE_E_NO_CONNECTION;
}

static char *url_part(CURLU *url, CURLUPart part) {
        _cleanup_(free_curl_string) char *text = NULL;

        return curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == 0 ? strdup(text) : NULL;
}

/* "[2001:db8::1]" loses its brackets. */
static void strip_brackets(char *host) {
        size_t n = strlen(host);

        if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
                memmove(host, host + 1, n - 2);
                host[n - 2] = '\0';
        }
}

static int take_redirect(const char *redirect, AcmeProbeAnswer *answer) {
        _cleanup_(free_curl_url) CURLU *url = curl_url();
        _auto_free_ char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL;

        answer->redirect = str_printable(redirect, strlen(redirect), REDIRECT_MAX);
        if (!url || !answer->redirect)
                return -ENOMEM;
        /* Longer or stranger than any that we would follow: it has no host. */
        if (!str_equal(answer->redirect, redirect) || curl_url_set(url, CURLUPART_URL, redirect, CURLU_NON_SUPPORT_SCHEME) != 0)
                return 0;
        scheme = url_part(url, CURLUPART_SCHEME);
        host = url_part(url, CURLUPART_HOST);
        port = url_part(url, CURLUPART_PORT);
        path = url_part(url, CURLUPART_PATH);
        if (!host || !port || !path || (!str_equal(scheme, "http") && !str_equal(scheme, "https")) ||
            parse_port(port, &answer->redirect_port) < 0)
                return 0;
        strip_brackets(host);
        answer->redirect_host = take_ptr(host);
        answer->redirect_path = take_ptr(path);
        return 0;
}

static int take_answer(Probe *p, AcmeProbeAnswer *ret) {
        AcmeProbeAnswer answer = {};
        const char *redirect = NULL;
        long status = 0;
        int r = 0;

        (void) curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
        (void) curl_easy_getinfo(p->curl, CURLINFO_REDIRECT_URL, &redirect);
        answer.status = (unsigned) status;
        answer.body = buffer_take(&p->body, &answer.body_size);
        if (redirect)
                r = take_redirect(redirect, &answer);
        if (!answer.body || r < 0) {
                acme_probe_answer_done(&answer);
                return -ENOMEM;
        }
        *ret = answer;
        return 0;
}

int acme_probe(const AcmeProbe *probe, AcmeProbeAnswer *ret, char **ret_why) {
        _cleanup_(probe_done) Probe p = { .body = BUFFER_INIT(ACME_PROBE_BODY_MAX) };
        CURLcode code;
        int r;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
                return -ENOMEM;
        p.curl = curl_easy_init();
        r = p.curl ? set_up(&p, probe) : -ENOMEM;
        if (r < 0)
                return r;

        code = curl_easy_perform(p.curl);
        /* We ended it ourselves. */
        if (code == CURLE_WRITE_ERROR && p.body.size == p.body.max)
                code = CURLE_OK;
        return code == CURLE_OK ? take_answer(&p, ret) : failed(&p, code, ret_why);
}
