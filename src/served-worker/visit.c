/* SPDX-License-Identifier: Apache-2.0 */
#include "served-worker/visit.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/socket-address.h"
#include "base/encoding.h"
#include "base/string-util.h"

struct Visit {
        int fd;
        bool kind_known;
        bool connected;
        bool wants_write;
        uint64_t deadline_usec;
        SSL_CTX *context;
        SSL *ssl;
        char fingerprint[VISIT_FINGERPRINT_MAX]; /* "": not seen yet */
        int error; /* of the connection, as errno has it */
        const char *why;
};

/* A server with several certificates shows the one that the client has signature algorithms for. */
static const struct {
        const char *kind, *algorithms;
} kinds[] = {
        { "rsa", "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512" },
        { "ecdsa", "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512" },
        { "ed25519", "ed25519" },
        { "ed448", "ed448" },
};

static const char *algorithms_of(const char *kind) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (str_equal(kinds[i].kind, kind))
                        return kinds[i].algorithms;
        return NULL;
}

Visit *visit_free(Visit *v) {
        if (!v)
                return NULL;
        SSL_free(v->ssl);
        SSL_CTX_free(v->context);
        cleanup_close(&v->fd);
        free(v);
        return NULL;
}

/* The certificate is all that is wanted: also of a server that breaks off afterwards, because it wants one of ours. */
static int on_certificate(X509_STORE_CTX *store, void *userdata) {
        Visit *v = SSL_get_app_data((SSL *) X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
        unsigned char digest[EVP_MAX_MD_SIZE];
        _auto_free_ char *hex = NULL;
        unsigned size = 0;

        if (X509_digest(X509_STORE_CTX_get0_cert(store), EVP_sha256(), digest, &size) == 1)
                hex = hex_encode(digest, size);
        if (hex && strlen(hex) < sizeof(v->fingerprint))
                strcpy(v->fingerprint, hex);
        return 1;
}

/* What comes of it is seen in the first step: an address that cannot be used here, as one of IPv6 where the kernel has none, is one that nothing listens at. */
static int begin_connection(Visit *v, const char *address, uint16_t port) {
        SocketAddress where;
        socklen_t size = socket_address_parse(address, port, &where);

        if (size == 0)
                return EADDRNOTAVAIL;
        v->fd = socket(where.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (v->fd < 0)
                return errno;
        return connect(v->fd, &where.sa, size) < 0 && errno != EINPROGRESS ? errno : 0;
}

static int set_up_tls(Visit *v, const char *name, const char *algorithms) {
        v->context = SSL_CTX_new(TLS_client_method());
        if (!v->context || SSL_CTX_set_min_proto_version(v->context, TLS1_2_VERSION) != 1 || SSL_CTX_set1_sigalgs_list(v->context, algorithms) != 1)
                return -ENOMEM;
        SSL_CTX_set_verify(v->context, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_cert_verify_callback(v->context, on_certificate, NULL);
        v->ssl = SSL_new(v->context);
        if (!v->ssl || SSL_set_app_data(v->ssl, v) != 1 || SSL_set_fd(v->ssl, v->fd) != 1)
                return -ENOMEM;
        return !name || SSL_set_tlsext_host_name(v->ssl, name) == 1 ? 0 : -ENOMEM;
}

int visit_new(const char *address, uint16_t port, const char *name, const char *kind, uint64_t deadline_usec, Visit **ret) {
        _cleanup_(visit_freep) Visit *v = calloc(1, sizeof(*v));
        const char *algorithms = algorithms_of(kind);
        int r = 0;

        if (!v)
                return -ENOMEM;
        v->fd = -1;
        v->deadline_usec = deadline_usec;
        v->kind_known = algorithms != NULL;
        if (v->kind_known)
                v->error = begin_connection(v, address, port);
        if (v->kind_known && v->error == 0)
                r = set_up_tls(v, name, algorithms);
        if (r < 0)
                return r;
        v->wants_write = true;
        *ret = take_ptr(v);
        return 0;
}

int visit_fd(const Visit *v) {
        return v->fd;
}

short visit_events(const Visit *v) {
        return v->wants_write ? POLLOUT : POLLIN;
}

uint64_t visit_deadline_usec(const Visit *v) {
        return v->deadline_usec;
}

static VisitOutcome fail(Visit *v, VisitOutcome outcome, const char *why) {
        v->why = why;
        return outcome;
}

static VisitOutcome out_of_time(Visit *v) {
        if (clock_monotonic_usec() < v->deadline_usec)
                return VISIT_UNDER_WAY;
        return fail(v, v->connected ? VISIT_FAILED : VISIT_NO_CONNECTION, "no answer came in time");
}

static VisitOutcome connect_step(Visit *v) {
        struct pollfd fd = { .fd = v->fd, .events = POLLOUT };
        socklen_t size = sizeof(int);

        if (v->error != 0)
                return VISIT_NO_CONNECTION;
        if (poll(&fd, 1, 0) <= 0)
                return out_of_time(v);
        if (getsockopt(v->fd, SOL_SOCKET, SO_ERROR, &v->error, &size) < 0)
                v->error = errno;
        if (v->error != 0)
                return VISIT_NO_CONNECTION;
        v->connected = true;
        return VISIT_UNDER_WAY;
}

static VisitOutcome handshake_step(Visit *v) {
        unsigned long error;
        int n;

        ERR_clear_error();
        n = SSL_connect(v->ssl);
        if (v->fingerprint[0] != '\0')
                return VISIT_SEEN;
        if (n == 1)
                return fail(v, VISIT_FAILED, "the server shows no certificate");
        switch (SSL_get_error(v->ssl, n)) {

        case SSL_ERROR_WANT_READ:
                v->wants_write = false;
                return out_of_time(v);

        case SSL_ERROR_WANT_WRITE:
                v->wants_write = true;
                return out_of_time(v);

        default:
                error = ERR_peek_error();
                return fail(v, VISIT_FAILED, error == 0 ? "the server closed the connection" : str_or(ERR_reason_error_string(error), "TLS error"));
        }
}

VisitOutcome visit_step(Visit *v) {
        VisitOutcome outcome;

        assert(v);

        if (!v->kind_known)
                return fail(v, VISIT_FAILED, "keys of this kind are not known here");
        outcome = v->connected ? VISIT_UNDER_WAY : connect_step(v);
        return outcome == VISIT_UNDER_WAY && v->connected ? handshake_step(v) : outcome;
}

const char *visit_fingerprint(const Visit *v) {
        return v->fingerprint;
}

const char *visit_why(const Visit *v) {
        return v->error != 0 ? strerror(v->error) : str_or(v->why, "no reason is known");
}
