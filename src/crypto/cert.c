/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "crypto/digest.h"
#include "crypto/ocsp.h"
#include "crypto/san.h"

enum {
        TEXT_MAX = 256,        /* what people are shown of a name */
        SERIAL_BYTES_MAX = 64, /* RFC 5280 section 4.1.2.2 allows 20 */
        KEY_ID_BYTES_MAX = 64,
        URL_MAX = 1024,
        LINE_MAX_BYTES = 1024, /* a whole name */
        TLS_FEATURE_STATUS_REQUEST = 5,
};

void cert_info_done(CertInfo *i) {
        strv_free(i->names);
        free(i->issuer);
        free(i->subject);
        free(i->serial);
        free(i->sha256);
        free(i->key_sha256);
        free(i->ari_id);
        free(i->ocsp_id);
        free(i->ocsp_url);
        free(i->crl_url);
        free(i->issuer_name);
        free(i->issuer_url);
        *i = (CertInfo){ 0 };
}

/* An attribute's text; the last one is the most specific. *ret stays as it is when there is none. */
static int read_attribute(const X509_NAME *name, int nid, char **ret) {
        _auto_openssl_ unsigned char *utf8 = NULL;
        int position = -1, last = -1, n;
        char *text;

        while ((position = X509_NAME_get_index_by_NID(name, nid, position)) >= 0)
                last = position;
        if (last < 0)
                return 0;
        n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
        if (n <= 0)
                return 0;
        text = str_printable((const char *) utf8, (size_t) n, TEXT_MAX);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static int read_whole_name(const X509_NAME *name, char **ret) {
        _auto_bio_ BIO *bio = BIO_new(BIO_s_mem());
        char *data = NULL, *text;
        long n;

        if (!bio)
                return openssl_failure();
        if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
                return -EBADMSG;
        n = BIO_get_mem_data(bio, &data);
        text = str_printable(n > 0 ? data : "", n > 0 ? (size_t) n : 0, TEXT_MAX);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static int read_name(const X509_NAME *name, char **ret) {
        int r;

        r = read_attribute(name, NID_commonName, ret);
        if (r == 0 && !*ret)
                r = read_attribute(name, NID_organizationName, ret);
        if (r == 0 && !*ret)
                r = read_whole_name(name, ret);
        return r;
}

static int read_line(const X509_NAME *name, char **ret) {
        _auto_openssl_ char *line = X509_NAME_oneline(name, NULL, 0);

        if (!line)
                return openssl_failure();
        *ret = str_printable(line, strlen(line), LINE_MAX_BYTES);
        return *ret ? 0 : -ENOMEM;
}

static int read_time(const ASN1_TIME *t, uint64_t *ret_usec) {
        struct tm tm = { 0 };
        time_t seconds;

        if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
                return -EBADMSG;
        seconds = timegm(&tm);
        *ret_usec = seconds > 0 ? (uint64_t) seconds * USEC_PER_SEC : 1; /* 0 would be "none" */
        return 0;
}

static int read_dates(X509 *cert, CertInfo *i) {
        int r;

        r = read_time(X509_get0_notBefore(cert), &i->not_before_usec);
        if (r == 0)
                r = read_time(X509_get0_notAfter(cert), &i->not_after_usec);
        return r;
}

static int read_serial(X509 *cert, char **ret) {
        const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
        _auto_bn_ BIGNUM *bn = NULL;
        _auto_openssl_ char *hex = NULL;

        if (ASN1_STRING_length(serial) > SERIAL_BYTES_MAX)
                return -EBADMSG;
        bn = ASN1_INTEGER_to_BN(serial, NULL);
        hex = bn ? BN_bn2hex(bn) : NULL;
        if (!hex)
                return openssl_failure();
        *ret = strdup(hex);
        return *ret ? 0 : -ENOMEM;
}

/* The octets inside the serial's DER: with a leading zero when the first bit is set, as RFC 9773 section 4.1 wants them. */
static int encode_serial(X509 *cert, char **ret_base64url) {
        _auto_openssl_ uint8_t *der = NULL;
        int n = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &der);
        const uint8_t *p = der;
        long length;
        int tag, class;

        if (n <= 0 || (ASN1_get_object(&p, &length, &tag, &class, n) & 0x80))
                return openssl_failure();
        *ret_base64url = base64url_encode(p, (size_t) length);
        return *ret_base64url ? 0 : -ENOMEM;
}

/* An extension that may be missing, but not come twice or be garbled. */
static int get_extension(X509 *cert, int nid, void **ret) {
        int critical;

        *ret = X509_get_ext_d2i(cert, nid, &critical, NULL);
        return *ret || critical == -1 ? 0 : -EBADMSG;
}

static int read_key_id(X509 *cert, char **ret_base64url) {
        AUTHORITY_KEYID *akid;
        void *extension;
        int n, r;

        r = get_extension(cert, NID_authority_key_identifier, &extension);
        if (r < 0 || !extension)
                return r;
        akid = extension;
        n = akid->keyid ? ASN1_STRING_length(akid->keyid) : 0;
        if (n > KEY_ID_BYTES_MAX)
                r = -EBADMSG;
        else if (n > 0) {
                *ret_base64url = base64url_encode(ASN1_STRING_get0_data(akid->keyid), (size_t) n);
                r = *ret_base64url ? 0 : -ENOMEM;
        }
        AUTHORITY_KEYID_free(akid);
        return r;
}

static int read_ari_id(X509 *cert, char **ret) {
        _auto_free_ char *key_id = NULL, *serial = NULL;
        int r;

        r = read_key_id(cert, &key_id);
        if (r < 0 || !key_id)
                return r;
        r = encode_serial(cert, &serial);
        if (r < 0)
                return r;
        *ret = str_printf("%s.%s", key_id, serial);
        return *ret ? 0 : -ENOMEM;
}

static bool is_http_url(const char *s) {
        size_t n = strnlen(s, URL_MAX + 1);

        if (n > URL_MAX || (strncasecmp(s, "http://", 7) != 0 && strncasecmp(s, "https://", 8) != 0))
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) s[i] <= 0x20 || (unsigned char) s[i] >= 0x7f)
                        return false;
        return true;
}

static int read_ocsp_url(X509 *cert, char **ret) {
        STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert);
        int r = 0;

        if (sk_OPENSSL_STRING_num(urls) > 0 && is_http_url(sk_OPENSSL_STRING_value(urls, 0))) {
                *ret = strdup(sk_OPENSSL_STRING_value(urls, 0));
                r = *ret ? 0 : -ENOMEM;
        }
        X509_email_free(urls);
        return r;
}

/* *ret stays as it is when that is no URL of ours. */
static int take_http_url(const GENERAL_NAME *name, char **ret) {
        const ASN1_IA5STRING *text = name->d.uniformResourceIdentifier;
        _auto_free_ char *url = NULL;

        if (name->type != GEN_URI)
                return 0;
        url = strndup((const char *) ASN1_STRING_get0_data(text), (size_t) ASN1_STRING_length(text));
        if (!url)
                return -ENOMEM;
        if (strlen(url) == (size_t) ASN1_STRING_length(text) && is_http_url(url))
                *ret = take_ptr(url);
        return 0;
}

/* A list for some reasons only, or one that somebody else signs, says too little. */
static bool is_whole(const DIST_POINT *point) {
        return point->distpoint && point->distpoint->type == 0 && !point->reasons && !point->CRLissuer;
}

/* RFC 5280 section 4.2.1.13. */
static int read_crl_url(X509 *cert, char **ret) {
        CRL_DIST_POINTS *points;
        void *extension;
        int r;

        r = get_extension(cert, NID_crl_distribution_points, &extension);
        if (r < 0 || !extension)
                return r;
        points = extension;
        for (int i = 0; r == 0 && !*ret && i < sk_DIST_POINT_num(points); i++) {
                const DIST_POINT *point = sk_DIST_POINT_value(points, i);
                const GENERAL_NAMES *names = is_whole(point) ? point->distpoint->name.fullname : NULL;

                for (int k = 0; r == 0 && !*ret && names && k < sk_GENERAL_NAME_num(names); k++)
                        r = take_http_url(sk_GENERAL_NAME_value(names, k), ret);
        }
        CRL_DIST_POINTS_free(points);
        return r;
}

/* RFC 5280 section 4.2.2.1, id-ad-caIssuers: the first http URL. */
static int read_issuer_url(X509 *cert, char **ret) {
        AUTHORITY_INFO_ACCESS *access;
        void *extension;
        int r;

        r = get_extension(cert, NID_info_access, &extension);
        if (r < 0 || !extension)
                return r;
        access = extension;
        for (int i = 0; r == 0 && !*ret && i < sk_ACCESS_DESCRIPTION_num(access); i++) {
                const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(access, i);

                if (OBJ_obj2nid(d->method) == NID_ad_ca_issuers)
                        r = take_http_url(d->location, ret);
        }
        AUTHORITY_INFO_ACCESS_free(access);
        return r;
}

static int read_must_staple(X509 *cert, bool *ret) {
        TLS_FEATURE *features;
        void *extension;
        int r;

        r = get_extension(cert, NID_tlsfeature, &extension);
        if (r < 0 || !extension)
                return r;
        features = extension;
        for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
                if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLS_FEATURE_STATUS_REQUEST)
                        *ret = true;
        TLS_FEATURE_free(features);
        return 0;
}

/* The bytes that stand in the certificate: another form of the same key would have another hash. */
static int hash_key(X509 *cert, char **ret_hex) {
        _auto_openssl_ uint8_t *der = NULL;
        int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

        return n > 0 ? digest_sha256_hex(der, (size_t) n, ret_hex) : openssl_failure();
}

static int read_key(X509 *cert, CertInfo *i) {
        EVP_PKEY *key = X509_get0_pubkey(cert); /* NULL: a kind that OpenSSL does not know */
        int bits = key ? EVP_PKEY_get_bits(key) : 0;

        i->key_type = KEY_TYPE_DEFAULT;
        i->key_bits = bits > 0 ? (unsigned) bits : 0;
        if (key && EVP_PKEY_is_a(key, "RSA"))
                i->key_type = KEY_TYPE_RSA;
        else if (key && EVP_PKEY_is_a(key, "EC"))
                i->key_type = KEY_TYPE_EC;
        return hash_key(cert, &i->key_sha256);
}

static int read_names(X509 *cert, char ***ret) {
        SanList l;
        const char *why;
        int r;

        r = san_read(cert, &l, &why);
        if (r < 0)
                return r;
        *ret = l.names;
        return 0;
}

static int read_extensions(X509 *cert, CertInfo *i) {
        int r;

        r = read_names(cert, &i->names);
        if (r == 0)
                r = read_ari_id(cert, &i->ari_id);
        if (r == 0)
                r = read_ocsp_url(cert, &i->ocsp_url);
        if (r == 0)
                r = read_crl_url(cert, &i->crl_url);
        if (r == 0)
                r = read_issuer_url(cert, &i->issuer_url);
        if (r == 0)
                r = read_must_staple(cert, &i->must_staple);
        return r;
}

int cert_info_read(X509 *cert, CertInfo *ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _cleanup_(cert_info_done) CertInfo i = { 0 };
        int r;

        assert(cert);
        assert(ret);

        r = read_name(X509_get_issuer_name(cert), &i.issuer);
        if (r == 0)
                r = read_line(X509_get_issuer_name(cert), &i.issuer_name);
        if (r == 0)
                r = read_name(X509_get_subject_name(cert), &i.subject);
        if (r == 0)
                r = read_dates(cert, &i);
        if (r == 0)
                r = read_serial(cert, &i.serial);
        if (r == 0)
                r = cert_sha256(cert, &i.sha256);
        if (r == 0)
                r = ocsp_certificate_id(cert, &i.ocsp_id);
        if (r == 0)
                r = read_extensions(cert, &i);
        if (r == 0)
                r = read_key(cert, &i);
        if (r < 0)
                return r;
        *ret = i;
        i = (CertInfo){ 0 };
        return 0;
}

int cert_sha256(X509 *cert, char **ret_hex) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_openssl_ uint8_t *der = NULL;
        int n;

        assert(cert);
        assert(ret_hex);

        n = i2d_X509(cert, &der);
        if (n <= 0)
                return openssl_failure();
        return digest_sha256_hex(der, (size_t) n, ret_hex);
}

bool cert_matches_key(X509 *cert, EVP_PKEY *key) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        EVP_PKEY *own;

        assert(cert);
        assert(key);

        own = X509_get0_pubkey(cert);
        return own && EVP_PKEY_eq(own, key) == 1;
}
