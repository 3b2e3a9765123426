/* SPDX-License-Identifier: Apache-2.0 */
#include "served-worker/look.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/strv.h"
#include "lib/test.h"

/* A server with certificates of two kinds, which may be another one for its first connections: a child of before a reload that still takes some. */

typedef struct Certificate {
        EVP_PKEY *key;
        X509 *x509;
        char *fingerprint;
} Certificate;

typedef struct Server {
        SSL_CTX *old, *new;
        int n_old; /* connections that the old one takes */
        int n;     /* so many came */
        int fd;
        uint16_t port;
        pthread_t thread;
} Server;

static Certificate make_certificate(EVP_PKEY *key) {
        Certificate c = { .key = key, .x509 = X509_new() };
        unsigned char digest[32];
        unsigned size = 0;

        (void) ASN1_INTEGER_set(X509_get_serialNumber(c.x509), 1);
        (void) X509_gmtime_adj(X509_getm_notBefore(c.x509), 0);
        (void) X509_gmtime_adj(X509_getm_notAfter(c.x509), 3600);
        (void) X509_set_pubkey(c.x509, key);
        (void) X509_sign(c.x509, key, EVP_sha256());
        (void) X509_digest(c.x509, EVP_sha256(), digest, &size);
        c.fingerprint = hex_encode(digest, size);
        return c;
}

static void certificate_done(Certificate *c) {
        EVP_PKEY_free(c->key);
        X509_free(c->x509);
        free(c->fingerprint);
}

static SSL_CTX *make_context(const Certificate *rsa, const Certificate *ec) {
        SSL_CTX *context = SSL_CTX_new(TLS_server_method());

        if (rsa) {
                (void) SSL_CTX_use_certificate(context, rsa->x509);
                (void) SSL_CTX_use_PrivateKey(context, rsa->key);
        }
        if (ec) {
                (void) SSL_CTX_use_certificate(context, ec->x509);
                (void) SSL_CTX_use_PrivateKey(context, ec->key);
        }
        return context;
}

static void *serve(void *userdata) {
        Server *s = userdata;
        int fd;

        while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
                SSL *ssl = SSL_new(s->n++ < s->n_old ? s->old : s->new);

                (void) SSL_set_fd(ssl, fd);
                (void) SSL_accept(ssl);
                SSL_free(ssl);
                (void) close(fd);
        }
        return NULL;
}

static bool server_start(Server *s) {
        struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(where);

        (void) signal(SIGPIPE, SIG_IGN);
        s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (s->fd < 0 || bind(s->fd, (struct sockaddr *) &where, sizeof(where)) < 0 || listen(s->fd, 64) < 0 ||
            getsockname(s->fd, (struct sockaddr *) &where, &size) < 0)
                return false;
        s->port = ntohs(where.sin_port);
        return pthread_create(&s->thread, NULL, serve, s) == 0;
}

static void server_stop(Server *s) {
        (void) shutdown(s->fd, SHUT_RDWR);
        (void) pthread_join(s->thread, NULL);
        (void) close(s->fd);
        SSL_CTX_free(s->old);
        SSL_CTX_free(s->new);
}

typedef struct Ends {
        int n;
        char fingerprint[65], where[200], why[200];
} Ends;

static int on_end(uint64_t token, const char *fingerprint, const char *where, const char *why, void *userdata) {
        Ends *ends = userdata;

        CHECK_UINT(token, 7);
        ends->n++;
        (void) strncpy(ends->fingerprint, fingerprint, sizeof(ends->fingerprint) - 1);
        (void) strncpy(ends->where, where, sizeof(ends->where) - 1);
        (void) strncpy(ends->why, why, sizeof(ends->why) - 1);
        return 0;
}

static Ends look(uint64_t time_usec, const char *kind, uint16_t port, const char *addresses, const char *expected) {
        _auto_strv_ char **list = strv_split(addresses, " "), **right = strv_split(expected, " ");
        LookRequest q = { .token = 7, .addresses = list, .port = port, .name = "a.example.org", .kind = kind, .expected = right };
        _cleanup_(looker_freep) Looker *l = NULL;
        Ends ends = {};

        CHECK_INT(looker_new(time_usec, on_end, &ends, &l), 0);
        CHECK_INT(looker_add(l, &q), 0);
        while (looker_count(l) > 0 && looker_run(l) == 0)
                ;
        CHECK_INT(ends.n, 1);
        return ends;
}

TEST(kinds) {
        Certificate rsa = make_certificate(EVP_RSA_gen(2048)), ec = make_certificate(EVP_EC_gen("P-256")), other = make_certificate(EVP_EC_gen("P-384"));
        Server s = { .new = make_context(&rsa, &ec) };
        Ends ends;

        REQUIRE(server_start(&s));
        ends = look(USEC_PER_SEC, "rsa", s.port, "127.0.0.1", rsa.fingerprint);
        CHECK_STR(ends.fingerprint, rsa.fingerprint);
        CHECK_STR(ends.why, "");
        CHECK_INT(s.n, 3); /* times in a row */
        ends = look(USEC_PER_SEC, "ecdsa", s.port, "127.0.0.1", ec.fingerprint);
        CHECK_STR(ends.fingerprint, ec.fingerprint);
        CHECK_STR(ends.why, "");

        test_case("another one");
        ends = look(USEC_PER_SEC, "ecdsa", s.port, "127.0.0.1", other.fingerprint);
        CHECK_STR(ends.fingerprint, ec.fingerprint);
        CHECK_STR(ends.why, "another certificate is shown");
        CHECK(strstr(ends.where, "127.0.0.1 port") && strstr(ends.where, "a.example.org"));

        test_case("a kind that the server has not");
        ends = look(USEC_PER_SEC, "ed25519", s.port, "127.0.0.1", other.fingerprint);
        CHECK_STR(ends.fingerprint, "");
        CHECK(ends.why[0] != '\0');

        test_case("a kind that nobody knows");
        ends = look(USEC_PER_SEC, "dsa", s.port, "127.0.0.1", other.fingerprint);
        CHECK_STR(ends.fingerprint, "");
        CHECK_STR(ends.why, "keys of this kind are not known here");

        test_case("an address of no use, beside one that is");
        ends = look(USEC_PER_SEC, "rsa", s.port, "fe80::1%lo nonsense 127.0.0.1", rsa.fingerprint);
        CHECK_STR(ends.fingerprint, rsa.fingerprint);
        CHECK_STR(ends.why, "");

        test_case("addresses of no use");
        ends = look(USEC_PER_SEC, "rsa", s.port, "fe80::1%lo", rsa.fingerprint);
        CHECK_STR(ends.fingerprint, "");
        CHECK_STR(ends.why, "Cannot assign requested address");

        test_case("one of two addresses takes connections");
        ends = look(USEC_PER_SEC, "rsa", s.port, "127.0.0.9 127.0.0.1", rsa.fingerprint);
        CHECK_STR(ends.fingerprint, rsa.fingerprint);
        CHECK_STR(ends.why, "");

        server_stop(&s);
        test_case("none does");
        ends = look(USEC_PER_SEC, "rsa", s.port, "127.0.0.1", rsa.fingerprint);
        CHECK_STR(ends.fingerprint, "");
        CHECK_STR(ends.why, "Connection refused");
        certificate_done(&rsa);
        certificate_done(&ec);
        certificate_done(&other);
}

TEST(until_old_children_have_gone) {
        Certificate before = make_certificate(EVP_EC_gen("P-256")), after = make_certificate(EVP_EC_gen("P-256"));
        Server s = { .old = make_context(NULL, &before), .new = make_context(NULL, &after), .n_old = 2 };
        Ends ends;

        REQUIRE(server_start(&s));
        ends = look(30 * USEC_PER_SEC, "ecdsa", s.port, "127.0.0.1", after.fingerprint);
        CHECK_STR(ends.fingerprint, after.fingerprint);
        CHECK_STR(ends.why, "");
        CHECK_INT(s.n, 2 + 3);
        server_stop(&s);
        certificate_done(&before);
        certificate_done(&after);
}

TEST(refused) {
        _cleanup_(looker_freep) Looker *l = NULL;
        char *one[] = { (char *) "127.0.0.1", NULL }, *none[] = { NULL };
        Ends ends = {};

        REQUIRE(looker_new(USEC_PER_SEC, on_end, &ends, &l) == 0);
        CHECK_INT(looker_add(l, &(LookRequest){ .addresses = none, .port = 443, .name = "", .kind = "rsa", .expected = one }), -EINVAL);
        CHECK_INT(looker_add(l, &(LookRequest){ .addresses = one, .port = 0, .name = "", .kind = "rsa", .expected = one }), -EINVAL);
        CHECK_INT(looker_add(l, &(LookRequest){ .addresses = one, .port = 443, .name = "", .kind = "rsa", .expected = none }), -EINVAL);
        CHECK_UINT(looker_count(l), 0);
}
