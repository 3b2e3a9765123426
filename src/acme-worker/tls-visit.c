/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/tls-visit.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/socket-address.h"
#include "base/string-util.h"

#define TIMEOUT_USEC (5 * USEC_PER_SEC)
/* RFC 8737 6.2; in front its length, as ALPN lists want it. */
#define PROTOCOL "acme-tls/1"
#define PROTOCOL_LIST "\x0a" PROTOCOL
#define OTHER_PROTOCOL "the server does not speak that protocol: is acme-tls/1 among its Protocols?"

typedef struct Visit {
        int fd;
        uint64_t deadline_usec;
        SSL_CTX *context;
        SSL *ssl;
} Visit;

static void visit_done(Visit *v) {
        SSL_free(v->ssl);
        SSL_CTX_free(v->context);
        cleanup_close(&v->fd);
}

/* 0, or a negative errno, which is -ETIMEDOUT when the time is over. */
static int wait_for(Visit *v, short events) {
        struct pollfd fd = { .fd = v->fd, .events = events };
        int n;

        do {
                uint64_t left_usec = usec_sub(v->deadline_usec, clock_monotonic_usec());

                n = poll(&fd, 1, (int) (left_usec / USEC_PER_MSEC));
        } while (n < 0 && errno == EINTR);
        return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int finish_connect(Visit *v) {
        socklen_t size = sizeof(int);
        int r, error = 0;

        r = wait_for(v, POLLOUT);
        if (r < 0)
                return r;
        if (getsockopt(v->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return -errno;
        return -error;
}

static int open_connection(Visit *v, const char *address, uint16_t port) {
        SocketAddress where;
        socklen_t size;

        size = socket_address_parse(address, port, &where);
        if (size == 0)
                return -EINVAL;
        v->fd = socket(where.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (v->fd < 0)
                return -errno;
        if (connect(v->fd, &where.sa, size) == 0)
                return 0;
        return errno == EINPROGRESS ? finish_connect(v) : -errno;
}

static int set_up_tls(Visit *v, const char *server_name) {
        v->context = SSL_CTX_new(TLS_client_method());
        /* RFC 8737 3: TLS 1.2 or newer. */
        if (!v->context || SSL_CTX_set_min_proto_version(v->context, TLS1_2_VERSION) != 1)
                return -ENOMEM;
        SSL_CTX_set_verify(v->context, SSL_VERIFY_NONE, NULL);
        v->ssl = SSL_new(v->context);
        if (!v->ssl || SSL_set_tlsext_host_name(v->ssl, server_name) != 1 ||
            SSL_set_alpn_protos(v->ssl, (const unsigned char *) PROTOCOL_LIST, strlen(PROTOCOL_LIST)) != 0 ||
            SSL_set_fd(v->ssl, v->fd) != 1)
                return -ENOMEM;
        return 0;
}

static int failed(char **ret_why, const char *why) {
        _auto_free_ char *printable = str_printable(why, strlen(why), 200);

        *ret_why = printable ? str_printf("fails (%s)", printable) : NULL;
        return *ret_why ? TLS_VISIT_E_FAILED : -ENOMEM;
}

/* Servers that do not know the protocol say so, or take one that was not offered. */
static const char *describe(unsigned long error) {
        int code = ERR_GET_REASON(error);

        if (code == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL || code == SSL_R_BAD_EXTENSION)
                return OTHER_PROTOCOL;
        return error == 0 ? "the server closed the connection" : str_or(ERR_reason_error_string(error), "TLS error");
}

static int handshake(Visit *v, char **ret_why) {
        for (;;) {
                int r, n;

                ERR_clear_error();
                n = SSL_connect(v->ssl);
                if (n == 1)
                        return 0;
                switch (SSL_get_error(v->ssl, n)) {
                case SSL_ERROR_WANT_READ:
                        r = wait_for(v, POLLIN);
                        break;
                case SSL_ERROR_WANT_WRITE:
                        r = wait_for(v, POLLOUT);
                        break;
                default:
                        return failed(ret_why, describe(ERR_peek_error()));
                }
                if (r < 0)
                        return failed(ret_why, strerror(-r));
        }
}

static int take_certificate(Visit *v, X509 **ret_certificate, char **ret_why) {
        const unsigned char *protocol;
        unsigned length;
        X509 *certificate;

        SSL_get0_alpn_selected(v->ssl, &protocol, &length);
        if (length != strlen(PROTOCOL) || memcmp(protocol, PROTOCOL, length) != 0)
                return failed(ret_why, OTHER_PROTOCOL);
        certificate = SSL_get1_peer_certificate(v->ssl);
        if (!certificate)
                return failed(ret_why, "the server shows no certificate");
        *ret_certificate = certificate;
        return TLS_VISIT_DONE;
}

int tls_visit(const char *address, uint16_t port, const char *server_name, X509 **ret_certificate, char **ret_why) {
        _cleanup_(visit_done) Visit v = { .fd = -1, .deadline_usec = usec_add(clock_monotonic_usec(), TIMEOUT_USEC) };
        int r;

        r = open_connection(&v, address, port);
        if (r < 0) {
                *ret_why = strdup(strerror(-r));
                return *ret_why ? TLS_VISIT_E_NO_CONNECTION : -ENOMEM;
        }
        r = set_up_tls(&v, server_name);
        if (r == 0)
                r = handshake(&v, ret_why);
        return r != 0 ? r : take_certificate(&v, ret_certificate, ret_why);
}
