/* SPDX-License-Identifier: Apache-2.0 */

/* The yardstick of tests/bench/issuance: one certificate with our own ACME client and nothing around it. No bus, no other process,
 * no store: the keys are in this process, they and the CSR are made before the clock starts, and the answer to http-01 is a file in a
 * directory that a web server has below a DocumentRoot.
 *
 *     bare-client DIRECTORY-URL CA-FILE STATE-DIRECTORY CHALLENGE-DIRECTORY NAME[,NAME…]…
 *
 * Each argument is one order, with all names that commas separate; they are done one after the other, over one connection.
 *
 * The account, key and URL, is kept in the state directory. Prints one JSON object: the whole time, the requests with theirs, and how long
 * the client slept between them because the CA was not done. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/http.h"
#include "acme/renewal.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/string-util.h"
#include "crypto/csr.h"
#include "crypto/jws.h"
#include "crypto/key.h"

#define ACCOUNT_KEY_FILE "account.pem"
#define ACCOUNT_URL_FILE "account.url"

enum {
        URL_MAX = 2048,
        EXCHANGES_MAX = 4096,
};

/* The transport with a stopwatch. */
typedef struct Watch {
        AcmeTransport real;
        struct {
                char *url;
                AcmeMethod method;
                unsigned status;
                uint64_t begin_usec, end_usec;
        } exchanges[EXCHANGES_MAX];
        size_t n;
} Watch;

/* Who holds the keys. */
typedef struct Holder {
        int state_fd, challenge_fd;
        char **names;
        EVP_PKEY *account_key, *key;
        char *account_url, *csr;
        bool delivered;
} Holder;

/* The transport */

static int watch_exchange(void *userdata, const AcmeRequest *request, AcmeAnswer *answer, Problem **ret_problem) {
        Watch *w = userdata;
        uint64_t begin_usec = clock_monotonic_usec();
        int r;

        r = w->real.exchange(w->real.userdata, request, answer, ret_problem);
        if (w->n < EXCHANGES_MAX) {
                w->exchanges[w->n].url = strdup(request->url);
                w->exchanges[w->n].method = request->method;
                w->exchanges[w->n].status = answer->status;
                w->exchanges[w->n].begin_usec = begin_usec;
                w->exchanges[w->n].end_usec = clock_monotonic_usec();
                w->n++;
        }
        return r;
}

static void watch_wait(void *userdata, uint64_t usec) {
        Watch *w = userdata;

        w->real.wait(w->real.userdata, usec);
}

static uint64_t watch_monotonic_usec(void *userdata) {
        return clock_monotonic_usec();
}

static uint64_t watch_now_usec(void *userdata) {
        return clock_now_usec();
}

static void watch_close(void *userdata) {
        Watch *w = userdata;

        w->real.free(w->real.userdata);
}

static int watch_transport(Watch *w, AcmeTransport *ret) {
        int r;

        r = acme_http_new(&w->real);
        if (r < 0)
                return r;
        *ret = (AcmeTransport){
                .userdata = w,
                .exchange = watch_exchange,
                .wait = watch_wait,
                .monotonic_usec = watch_monotonic_usec,
                .now_usec = watch_now_usec,
                .free = watch_close,
        };
        return 0;
}

/* The signer */

static char *order_of(char *const *names) {
        _auto_free_ char *list = NULL;

        STRV_FOREACH(name, names) {
                char *grown = str_printf("%s%s{\"type\":\"dns\",\"value\":\"%s\"}", str_or(list, ""), list ? "," : "", *name);

                free(list);
                list = grown;
        }
        return list ? str_printf("{\"identifiers\":[%s]}", list) : NULL;
}

static int payload(const Holder *h, AcmeRequestKind kind, char **ret) {
        switch (kind) {
        case ACME_REQUEST_NEW_ACCOUNT:
                *ret = strdup("{\"termsOfServiceAgreed\":true}");
                break;
        case ACME_REQUEST_NEW_ORDER:
                *ret = order_of(h->names);
                break;
        case ACME_REQUEST_CHALLENGE:
                *ret = strdup("{}");
                break;
        case ACME_REQUEST_FINALIZE:
                *ret = str_printf("{\"csr\":\"%s\"}", h->csr);
                break;
        default:
                *ret = strdup("");
        }
        return *ret ? 0 : -ENOMEM;
}

static int holder_sign(void *userdata, AcmeRequestKind kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        const Holder *h = userdata;
        JwsHeader header = { .url = url, .nonce = nonce, .kid = kind == ACME_REQUEST_NEW_ACCOUNT ? NULL : h->account_url };
        _auto_free_ char *text = NULL;
        int r;

        r = payload(h, kind, &text);
        return r < 0 ? r : jws_sign(h->account_key, &header, text, ret_body);
}

static int holder_directory(void *userdata, const AcmeDirectory *directory, Problem **ret_problem) {
        return 0;
}

static int write_file(int dir_fd, const char *name, const char *text, mode_t mode) {
        _auto_close_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) == (ssize_t) strlen(text) ? 0 : -EIO;
}

static int holder_account_created(void *userdata, const char *url, Problem **ret_problem) {
        Holder *h = userdata;
        int r;

        r = str_replace(&h->account_url, url);
        return r < 0 ? r : write_file(h->state_fd, ACCOUNT_URL_FILE, url, 0600);
}

static int holder_account_rejected(void *userdata, const Problem *why, bool *ret_register, Problem **ret_problem) {
        return 0;
}

static int holder_order_created(void *userdata, const char *url, const char *finalize, char *const *authorizations, uint64_t expires_usec,
                                Problem **ret_problem) {
        return 0;
}

static int holder_order_gone(void *userdata, const char *why, Problem **ret_problem) {
        return 0;
}

static int holder_set_up_challenge(void *userdata, const char *identifier_type, const char *identifier, const char *type,
                                   const char *token, const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem) {
        const Holder *h = userdata;
        _auto_free_ char *answer = NULL;
        int r;

        r = jws_key_authorization(h->account_key, token, &answer);
        return r < 0 ? r : write_file(h->challenge_fd, token, answer, 0644);
}

static int holder_deliver(void *userdata, char *const *chains, Problem **ret_problem) {
        Holder *h = userdata;

        h->delivered = true;
        return 0;
}

/* What is ready before the clock starts */

static int make_key(EVP_PKEY **ret) {
        KeySpec spec = { .type = KEY_TYPE_EC, .curve = "P-256" };

        return key_make(&spec, ret, NULL);
}

static int load_account(Holder *h) {
        _auto_free_ char *pem = NULL;
        _auto_secret_ Secret *fresh = NULL;
        size_t size;
        int r;

        r = file_read_at(h->state_fd, ACCOUNT_KEY_FILE, KEY_PEM_MAX, &pem, &size);
        if (r == FILE_E_NOT_FOUND) {
                r = make_key(&h->account_key);
                if (r == 0)
                        r = key_to_pem(h->account_key, &fresh);
                return r < 0 ? r : write_file(h->state_fd, ACCOUNT_KEY_FILE, fresh->data, 0600);
        }
        if (r == 0)
                r = key_from_pem(pem, size, &h->account_key, NULL);
        if (r != 0)
                return r < 0 ? r : -EBADMSG;
        r = file_read_at(h->state_fd, ACCOUNT_URL_FILE, URL_MAX, &h->account_url, &size);
        return r == FILE_E_NOT_FOUND ? 0 : r;
}

static int prepare(Holder *h, const char *state, const char *challenges) {
        h->state_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        h->challenge_fd = open(challenges, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (h->state_fd < 0 || h->challenge_fd < 0)
                return -errno;
        return load_account(h);
}

/* Key and request of one order: made before the clock starts. */
static int prepare_order(const Holder *common, const char *names, Holder *ret) {
        *ret = *common;
        ret->names = strv_split(names, ",");
        if (!ret->names || make_key(&ret->key) < 0)
                return -ENOMEM;
        return csr_make(ret->key, ret->names, false, &ret->csr, NULL);
}

/* The run */

static int run(AcmeSession *session, Holder *h, const char *directory_url, const char *ca_file, Problem **ret_problem) {
        char *types[] = { (char *) "http-01", NULL };
        const AcmeRenewal renewal = {
                .ca.directory_url = directory_url,
                .ca.ca_file = ca_file,
                .account_url = h->account_url,
                .challenge_types = types,
        };
        const AcmeSigner signer = {
                .userdata = h,
                .directory = holder_directory,
                .sign = holder_sign,
                .account_created = holder_account_created,
                .account_rejected = holder_account_rejected,
                .order_created = holder_order_created,
                .order_gone = holder_order_gone,
                .set_up_challenge = holder_set_up_challenge,
                .deliver = holder_deliver,
        };

        return acme_renewal_run(session, &renewal, &signer, ret_problem);
}

static int run_all(AcmeSession *session, Holder *orders, size_t n, char *argv[], Problem **ret_problem) {
        for (size_t i = 0; i < n; i++) {
                int r;

                if (i > 0)
                        orders[i].account_url = orders[i - 1].account_url;
                r = run(session, &orders[i], argv[1], argv[2], ret_problem);
                if (r < 0 || !orders[i].delivered)
                        return r < 0 ? r : -EIO;
        }
        return 0;
}

static void print_result(const Watch *w, uint64_t total_usec) {
        static const char *const methods[] = { [ACME_METHOD_GET] = "GET", [ACME_METHOD_HEAD] = "HEAD", [ACME_METHOD_POST] = "POST" };
        uint64_t waited_usec = 0, spent_usec = 0;

        printf("{\"requests\":[");
        for (size_t i = 0; i < w->n; i++) {
                uint64_t usec = w->exchanges[i].end_usec - w->exchanges[i].begin_usec;

                spent_usec += usec;
                printf("%s{\"method\":\"%s\",\"url\":\"%s\",\"status\":%u,\"usec\":%llu}", i > 0 ? "," : "",
                       methods[w->exchanges[i].method], str_or(w->exchanges[i].url, ""), w->exchanges[i].status, (unsigned long long) usec);
        }
        waited_usec = total_usec - spent_usec;
        printf("],\"total_usec\":%llu,\"requests_usec\":%llu,\"between_usec\":%llu}\n", (unsigned long long) total_usec,
               (unsigned long long) spent_usec, (unsigned long long) waited_usec);
}

int main(int argc, char *argv[]) {
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_free_ Holder *orders = NULL;
        Holder common = { .state_fd = -1, .challenge_fd = -1 };
        static Watch watch;
        size_t n = argc > 5 ? (size_t) argc - 5 : 0;
        AcmeTransport transport;
        uint64_t begin_usec;
        int r;

        if (n == 0) {
                fprintf(stderr, "Usage: bare-client DIRECTORY-URL CA-FILE STATE-DIRECTORY CHALLENGE-DIRECTORY NAME[,NAME…]…\n");
                return EXIT_FAILURE;
        }
        orders = calloc(n, sizeof(*orders));
        r = orders ? prepare(&common, argv[3], argv[4]) : -ENOMEM;
        for (size_t i = 0; r == 0 && i < n; i++)
                r = prepare_order(&common, argv[5 + i], &orders[i]);
        if (r == 0)
                r = watch_transport(&watch, &transport);
        if (r == 0)
                session = acme_session_new_with(&transport);
        if (!session) {
                fprintf(stderr, "Cannot prepare: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        begin_usec = clock_monotonic_usec();
        r = run_all(session, orders, n, argv, &problem);
        if (r < 0) {
                fprintf(stderr, "No certificate: %s\n", problem ? problem->detail : strerror(-r));
                return EXIT_FAILURE;
        }
        print_result(&watch, clock_monotonic_usec() - begin_usec);
        return EXIT_SUCCESS;
}
