/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "crypto/san.h"

enum {
        NAMES_TOLD_MAX = 5, /* in one problem; the rest is counted */
        NAMES_TEXT_MAX = 2048,
};

#define refuse(ret_problem, ...)                                                    \
        ({                                                                          \
                (void) problem_set((ret_problem), PROBLEM_TYPE_CHAIN, __VA_ARGS__); \
                -EBADMSG;                                                           \
        })

void cert_chain_done(CertChain *c) {
        for (size_t i = 0; i < c->n; i++)
                X509_free(c->certs[i]);
        *c = (CertChain){ 0 };
}

/* Reading and writing */

static int read_cert(const char *type, const char *header, const uint8_t *der, long size, size_t number, X509 **ret,
                     Problem **ret_problem) {
        _auto_x509_ X509 *cert = NULL;
        _auto_free_ char *errors = NULL;
        const uint8_t *p = der;

        if (!str_equal(type, PEM_STRING_X509))
                return refuse(ret_problem, "Block %zu of the chain is '%.64s' and no certificate", number, type);
        if (*header)
                return refuse(ret_problem, "Block %zu of the chain has header lines, which a certificate has not", number);
        cert = d2i_X509(NULL, &p, size);
        if (!cert) {
                errors = openssl_errors();
                return refuse(ret_problem, "Certificate %zu of the chain cannot be read: %s", number,
                              str_or(errors, "out of memory"));
        }
        if (p != der + size)
                return refuse(ret_problem, "Certificate %zu of the chain is followed by other bytes", number);
        *ret = take_ptr(cert);
        return 0;
}

/* Positive: that was the last one. */
static int read_next(BIO *bio, CertChain *c, Problem **ret_problem) {
        _auto_openssl_ char *type = NULL, *header = NULL;
        _auto_openssl_ unsigned char *der = NULL;
        _auto_free_ char *errors = NULL;
        long size;
        int r;

        if (PEM_read_bio(bio, &type, &header, &der, &size) != 1) {
                if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
                        return 1;
                errors = openssl_errors();
                return refuse(ret_problem, "Block %zu of the chain is no PEM: %s", c->n + 1, str_or(errors, "out of memory"));
        }
        if (c->n == CERT_CHAIN_MAX)
                return refuse(ret_problem, "The chain has more than %d certificates", CERT_CHAIN_MAX);
        r = read_cert(type, header, der, size, c->n + 1, &c->certs[c->n], ret_problem);
        if (r < 0)
                return r;
        c->n++;
        return 0;
}

int cert_chain_from_pem(const char *pem, size_t size, CertChain *ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_cert_chain_ CertChain c = { 0 };
        _auto_bio_ BIO *bio = NULL;
        int r;

        assert(pem || size == 0);
        assert(ret);

        if (size > CERT_PEM_MAX)
                return refuse(ret_problem, "The chain has %zu bytes, more than %d", size, CERT_PEM_MAX);
        bio = BIO_new_mem_buf(size > 0 ? pem : "", (int) size);
        if (!bio)
                return openssl_failure();
        do
                r = read_next(bio, &c, ret_problem);
        while (r == 0);
        if (r < 0)
                return r;
        if (c.n == 0)
                return refuse(ret_problem, "There is no certificate in PEM");
        *ret = c;
        c = (CertChain){ 0 };
        return 0;
}

int cert_leaf_from_pem(const char *pem, size_t size, X509 **ret, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_bio_ BIO *bio = NULL;
        _auto_free_ char *errors = NULL;
        X509 *leaf;

        assert(pem || size == 0);
        assert(ret);

        if (size == 0 || size > CERT_PEM_MAX)
                return refuse(ret_problem, "A file with a certificate has 1 to %d bytes, not %zu", CERT_PEM_MAX, size);
        bio = BIO_new_mem_buf(pem, (int) size);
        if (!bio)
                return openssl_failure();
        leaf = PEM_read_bio_X509_AUX(bio, NULL, openssl_no_passphrase, NULL);
        if (!leaf) {
                errors = openssl_errors();
                return refuse(ret_problem, "There is no certificate in PEM that can be read: %s", str_or(errors, "out of memory"));
        }
        *ret = leaf;
        return 0;
}

int cert_chain_to_pem(const CertChain *c, char **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        char *data = NULL, *text;
        long n;

        assert(c);
        assert(ret);

        if (!bio)
                return openssl_failure();
        for (size_t i = 0; i < c->n; i++)
                if (PEM_write_bio_X509(bio, c->certs[i]) != 1)
                        return openssl_failure();
        n = BIO_get_mem_data(bio, &data);
        text = strndup(n > 0 ? data : "", n > 0 ? (size_t) n : 0);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/* Names */

/* "a.example, b.example and 3 more" */
typedef struct NameText {
        Buffer text;
        size_t n;
} NameText;

static void name_text_done(NameText *t) {
        buffer_done(&t->text);
}

static int name_text_add(NameText *t, const char *name) {
        int r = 0;

        if (t->n < NAMES_TOLD_MAX)
                r = buffer_printf(&t->text, "%s%.*s", t->n > 0 ? ", " : "", SAN_NAME_MAX, name);
        t->n++;
        return r;
}

static int name_text_end(NameText *t) {
        if (t->n <= NAMES_TOLD_MAX)
                return 0;
        return buffer_printf(&t->text, " and %zu more", t->n - NAMES_TOLD_MAX);
}

static int name_set(char *const *names, Map **ret) {
        _auto_map_ Map *set = map_new();

        if (!set)
                return -ENOMEM;
        STRV_FOREACH(name, names) {
                _auto_free_ char *normalized = san_normalize(*name);
                int r;

                if (!normalized)
                        return -ENOMEM;
                r = map_put(set, normalized, set);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        *ret = take_ptr(set);
        return 0;
}

/* RFC 6125 section 6.4.3: "*." stands for exactly one label, and only as the leftmost one. */
static int is_covered(const Map *set, const char *name, bool *ret) {
        const char *dot = strchr(name, '.');
        _auto_free_ char *wildcard = NULL;

        *ret = map_get(set, name);
        if (*ret || !dot || dot == name || str_has_prefix(name, "*.") || san_is_address(name))
                return 0;
        wildcard = str_printf("*%s", dot);
        if (!wildcard)
                return -ENOMEM;
        *ret = map_get(set, wildcard);
        return 0;
}

static int refuse_names(NameText *t, const char *what, Problem **ret_problem) {
        int r;

        if (t->n == 0)
                return 0;
        r = name_text_end(t);
        if (r != 0)
                return r;
        return refuse(ret_problem, "%s %s", what, t->text.data);
}

static int check_missing(const Map *have, const Map *want, Problem **ret_problem) {
        _cleanup_(name_text_done) NameText missing = { .text = BUFFER_INIT(NAMES_TEXT_MAX) };
        const char *name;
        void *value;

        MAP_FOREACH(want, name, value) {
                bool covered;
                int r;

                r = is_covered(have, name, &covered);
                if (r == 0 && !covered)
                        r = name_text_add(&missing, name);
                if (r != 0)
                        return r;
        }
        return refuse_names(&missing, "The certificate is not valid for", ret_problem);
}

static int check_extra(const Map *have, const Map *want, Problem **ret_problem) {
        _cleanup_(name_text_done) NameText extra = { .text = BUFFER_INIT(NAMES_TEXT_MAX) };
        const char *name;
        void *value;

        MAP_FOREACH(have, name, value) {
                int r = map_get(want, name) ? 0 : name_text_add(&extra, name);

                if (r != 0)
                        return r;
        }
        return refuse_names(&extra, "The certificate has names that were not ordered:", ret_problem);
}

static int compare_names(char *const *have_names, char *const *want_names, Problem **ret_problem) {
        _auto_map_ Map *have = NULL, *want = NULL;
        int r;

        r = name_set(have_names, &have);
        if (r < 0)
                return r;
        r = name_set(want_names, &want);
        if (r < 0)
                return r;
        r = check_missing(have, want, ret_problem);
        if (r < 0)
                return r;
        return check_extra(have, want, ret_problem);
}

static int check_names(X509 *leaf, char *const *names, Problem **ret_problem) {
        _auto_san_list_ SanList san = { 0 };
        const char *why = NULL;
        int r;

        r = san_read(leaf, &san, &why);
        if (r == -EBADMSG)
                return refuse(ret_problem, "The names of the certificate cannot be believed: %s", why);
        if (r < 0)
                return r;
        r = compare_names(san.names, names, ret_problem);
        if (r < 0)
                return r;
        if (san.others > 0)
                return refuse(ret_problem, "The certificate has %zu names that are neither DNS names nor addresses", san.others);
        return 0;
}

/* The rest of the verification */

static int check_dates(const CertInfo *leaf, uint64_t now_usec, Problem **ret_problem) {
        char text[CLOCK_HUMAN_MAX];

        if (leaf->not_after_usec <= leaf->not_before_usec)
                return refuse(ret_problem, "The certificate ends before it begins");
        if (leaf->not_after_usec <= now_usec)
                return refuse(ret_problem, "The certificate has expired at %s", clock_format_utc(text, leaf->not_after_usec));
        if (leaf->not_before_usec > usec_add(now_usec, USEC_PER_DAY))
                return refuse(ret_problem, "The certificate is not valid before %s", clock_format_utc(text, leaf->not_before_usec));
        return 0;
}

static int check_leaf(X509 *leaf, const CertExpectation *expected, Problem **ret_problem) {
        _cleanup_(cert_info_done) CertInfo info = { 0 };
        int r;

        if (!cert_matches_key(leaf, expected->key))
                return refuse(ret_problem, "The certificate is for another key than the one in the request");
        r = check_names(leaf, expected->names, ret_problem);
        if (r < 0)
                return r;
        r = cert_info_read(leaf, &info);
        if (r == -EBADMSG || (X509_get_extension_flags(leaf) & EXFLAG_INVALID))
                return refuse(ret_problem, "The certificate has times, a serial number or extensions that cannot be read");
        if (r < 0)
                return r;
        r = check_dates(&info, expected->now_usec, ret_problem);
        if (r < 0)
                return r;
        if (X509_check_ca(leaf) != 0)
                return refuse(ret_problem, "The certificate is a CA's, not a server's");
        if (expected->must_staple && !info.must_staple)
                return refuse(ret_problem, "The certificate does not have the must-staple extension that was ordered");
        return 0;
}

/* For people; an empty text when memory is short or it cannot be read. */
static char *subject_of(X509 *cert) {
        _cleanup_(cert_info_done) CertInfo info = { 0 };

        if (cert_info_read(cert, &info) < 0)
                return strdup("");
        return take_ptr(info.subject);
}

static int check_link(X509 *cert, X509 *issuer, size_t number, Problem **ret_problem) {
        EVP_PKEY *key = X509_get0_pubkey(issuer);
        _auto_free_ char *subject = NULL, *issuer_subject = NULL;

        if (key && X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(issuer)) == 0 && X509_verify(cert, key) == 1)
                return 0;
        subject = subject_of(cert);
        issuer_subject = subject_of(issuer);
        return refuse(ret_problem, "Certificate %zu of the chain (%s) is not signed by the one that follows (%s)", number,
                      str_or(subject, "without a name"), str_or(issuer_subject, "without a name"));
}

int cert_chain_verify(const CertChain *c, const CertExpectation *expected, Problem **ret_problem) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        int r;

        assert(c);
        assert(expected && expected->key);

        if (c->n == 0)
                return refuse(ret_problem, "The chain is empty");
        r = check_leaf(c->certs[0], expected, ret_problem);
        for (size_t i = 0; r == 0 && i + 1 < c->n; i++)
                r = check_link(c->certs[i], c->certs[i + 1], i + 1, ret_problem);
        return r;
}
