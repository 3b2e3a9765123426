/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crl.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "issue.h"
#include "lib/test.h"

/* A CA for tests that publishes lists of whatever it is told. */

#define NOW ISSUE_NOW_USEC
#define HOUR ((uint64_t) 3600 * 1000000)
#define URL "http://crl.example/1"

static EVP_PKEY *key, *stranger_key, *leaf_key;
static X509 *issuer, *stranger, *leaf, *expired;

static void add(X509 *cert, int nid, const char *value) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, (char *) value);

        (void) X509_add_ext(cert, e, -1);
        X509_EXTENSION_free(e);
}

static void add_point(X509 *cert) {
        add(cert, NID_crl_distribution_points, "URI:" URL);
}

static void make_ca(void) {
        key = issue_key();
        stranger_key = issue_key();
        leaf_key = issue_key();
        issuer = issue(&(Issue){ .key = key, .subject = "CA", .ca = true });
        stranger = issue(&(Issue){ .key = stranger_key, .subject = "CA", .ca = true });
        leaf = issue(&(Issue){ .key = leaf_key, .issuer = issuer, .issuer_key = key, .serial_hex = "7A01", .names = NAMES("example.org"), .change = add_point });
        expired = issue(&(Issue){ .key = leaf_key, .issuer = issuer, .issuer_key = key, .serial_hex = "7A02", .names = NAMES("example.org"), .change = add_point,
                                  .not_before_usec = NOW - 10 * ISSUE_DAY_USEC, .not_after_usec = NOW - ISSUE_DAY_USEC });
}

static void ca_done(void) {
        EVP_PKEY_free(key);
        EVP_PKEY_free(stranger_key);
        EVP_PKEY_free(leaf_key);
        X509_free(issuer);
        X509_free(stranger);
        X509_free(leaf);
        X509_free(expired);
}

typedef struct List {
        X509 *by;                /* NULL: the CA */
        EVP_PKEY *signer;        /* NULL: its key */
        uint64_t from, until;    /* 0: an hour ago; in a day */
        bool without_end;
        const char *serial;      /* revoked; NULL: none */
        int reason;              /* -1: not said */
        const char *scope;       /* issuing distribution point, as openssl.cnf has it; NULL: none */
} List;

static void add_entry(X509_CRL *crl, const List *l) {
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t) ((NOW - HOUR) / 1000000));
        ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
        ASN1_INTEGER *number;
        BIGNUM *bn = NULL;

        (void) BN_hex2bn(&bn, l->serial);
        number = BN_to_ASN1_INTEGER(bn, NULL);
        (void) X509_REVOKED_set_serialNumber(entry, number);
        (void) X509_REVOKED_set_revocationDate(entry, when);
        (void) ASN1_ENUMERATED_set(reason, l->reason);
        if (l->reason >= 0)
                (void) X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0);
        (void) X509_CRL_add0_revoked(crl, entry);
        ASN1_ENUMERATED_free(reason);
        ASN1_INTEGER_free(number);
        ASN1_TIME_free(when);
        BN_free(bn);
}

static void set_scope(X509_CRL *crl, const char *scope) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_issuing_distribution_point, (char *) scope);

        REQUIRE(e && X509_CRL_add_ext(crl, e, -1) == 1);
        X509_EXTENSION_free(e);
}

static X509_CRL *publish(const List *l) {
        X509_CRL *crl = X509_CRL_new();
        ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t) ((l->from ? l->from : NOW - HOUR) / 1000000)), *until = ASN1_TIME_set(NULL, (time_t) ((l->until ? l->until : NOW + 24 * HOUR) / 1000000));

        (void) X509_CRL_set_version(crl, X509_CRL_VERSION_2);
        (void) X509_CRL_set_issuer_name(crl, X509_get_subject_name(l->by ? l->by : issuer));
        (void) X509_CRL_set1_lastUpdate(crl, from);
        if (!l->without_end)
                (void) X509_CRL_set1_nextUpdate(crl, until);
        if (l->serial)
                add_entry(crl, l);
        if (l->scope)
                set_scope(crl, l->scope);
        (void) X509_CRL_sort(crl);
        (void) X509_CRL_sign(crl, l->signer ? l->signer : key, EVP_sha256());
        ASN1_TIME_free(from);
        ASN1_TIME_free(until);
        return crl;
}

static uint8_t *publish_der(const List *l, size_t *ret_size) {
        X509_CRL *crl = publish(l);
        uint8_t *der = NULL;
        int n = i2d_X509_CRL(crl, &der);

        X509_CRL_free(crl);
        *ret_size = n > 0 ? (size_t) n : 0;
        return der;
}

TEST(answers) {
        const struct {
                const char *what;
                List list;
                bool revoked, compromised;
                const char *problem; /* NULL: it is believed */
        } cases[] = {
                { "nobody is revoked", { 0 }, false, false, NULL },
                { "somebody else", { .serial = "7A03", .reason = -1 }, false, false, NULL },
                { "revoked", { .serial = "7A01", .reason = -1 }, true, false, NULL },
                { "revoked for another reason", { .serial = "7A01", .reason = CRL_REASON_SUPERSEDED }, true, false, NULL },
                { "its key is known", { .serial = "7A01", .reason = CRL_REASON_KEY_COMPROMISE }, true, true, NULL },
                { "without end", { .without_end = true }, false, false, NULL },
                { "a clock that is a little ahead", { .from = NOW + HOUR / 60 }, false, false, NULL },
                { "of tomorrow", { .from = NOW + 24 * HOUR, .until = NOW + 48 * HOUR }, false, false, "not yet valid" },
                { "ran out", { .from = NOW - 48 * HOUR, .until = NOW - HOUR }, false, false, "expired" },
                { "signed by somebody of the same name", { .by = NULL, .signer = (EVP_PKEY *) 1 }, false, false, "signature" },
                { "by another issuer", { .by = (X509 *) 1 }, false, false, "another issuer" },
                { "the part that the certificate names", { .scope = "critical,fullname:URI:" URL }, false, false, NULL },
                { "another part", { .scope = "critical,fullname:URI:http://crl.example/2" }, false, false, "another part" },
                { "about CAs", { .scope = "critical,onlyCA:TRUE" }, false, false, "another part" },
                { "about such certificates", { .scope = "critical,onlyuser:TRUE,fullname:URI:" URL }, false, false, NULL },
                { "for some reasons", { .scope = "critical,onlysomereasons:keyCompromise" }, false, false, "another part" },
                { "about certificates of others", { .scope = "critical,indirectCRL:TRUE" }, false, false, "another part" },
        };

        make_ca();
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                List l = cases[i].list;
                _auto_problem_ Problem *p = NULL;
                _auto_openssl_ uint8_t *der = NULL;
                _auto_x509_ X509 *other = issue(&(Issue){ .key = key, .subject = "Other CA", .ca = true });
                _auto_crl_ Crl crl = { 0 };
                CrlAnswer a = { .revoked = true, .key_compromised = true };
                size_t size;

                test_case("%s", cases[i].what);
                l.signer = l.signer ? stranger_key : NULL;
                l.by = l.by ? other : NULL;
                der = publish_der(&l, &size);
                if (!CHECK_INT(crl_read(der, size, &crl, &p), 0))
                        continue;
                CHECK_UINT(crl.until_usec, l.without_end ? 0 : l.until ? l.until : NOW + 24 * HOUR);
                CHECK_INT(crl_check(&crl, leaf, issuer, NOW, &a, &p), cases[i].problem ? -EBADMSG : 0);
                if (cases[i].problem)
                        CHECK(p && strstr(p->detail, cases[i].problem));
                else
                        CHECK(a.revoked == cases[i].revoked && a.key_compromised == cases[i].compromised);
                CHECK(!cases[i].problem || a.revoked); /* untouched */
        }
        CHECK_UINT(ERR_peek_error(), 0);
        ca_done();
}

TEST(expired_certificates) {
        _auto_openssl_ uint8_t *der = NULL;
        _auto_crl_ Crl crl = { 0 };
        CrlAnswer a = { 0 };
        size_t size;

        make_ca();
        der = publish_der(&(List){ .serial = "7A02", .reason = -1 }, &size);
        REQUIRE(crl_read(der, size, &crl, NULL) == 0);
        CHECK_INT(crl_check(&crl, expired, issuer, NOW, &a, NULL), 0);
        CHECK(a.revoked);
        ca_done();
}

TEST(pem) {
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        _auto_crl_ Crl crl = { 0 };
        CrlAnswer a = { 0 };
        X509_CRL *list;
        char *text;
        long n;

        make_ca();
        list = publish(&(List){ .serial = "7A01", .reason = -1 });
        REQUIRE(PEM_write_bio_X509_CRL(bio, list) == 1);
        X509_CRL_free(list);
        n = BIO_get_mem_data(bio, &text);
        if (CHECK_INT(crl_read(text, (size_t) n, &crl, NULL), 0)) {
                CHECK_INT(crl_check(&crl, leaf, issuer, NOW, &a, NULL), 0);
                CHECK(a.revoked);
        }
        ca_done();
}

TEST(garbage) {
        _auto_openssl_ uint8_t *der = NULL;
        Crl crl = { 0 };
        size_t size;

        make_ca();
        der = publish_der(&(List){ .serial = "7A01", .reason = -1 }, &size);
        for (size_t n = 0; n < size; n++) {
                _auto_problem_ Problem *p = NULL;

                if (!CHECK_INT(crl_read(der, n, &crl, &p), -EBADMSG) || !CHECK(p && !crl.crl))
                        break;
        }
        for (size_t i = 0; i < size; i++) {
                _auto_crl_ Crl torn = { 0 };
                CrlAnswer a = { 0 };

                der[i] ^= 0x41;
                test_case("byte %zu", i);
                if (crl_read(der, size, &torn, NULL) == 0)
                        CHECK(crl_check(&torn, leaf, issuer, NOW, &a, NULL) < 0);
                der[i] ^= 0x41;
        }
        CHECK_INT(crl_read("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", 53, &crl, NULL), -EBADMSG);
        CHECK_INT(crl_read(NULL, 0, &crl, NULL), -EBADMSG);
        CHECK_UINT(ERR_peek_error(), 0);
        ca_done();
}
