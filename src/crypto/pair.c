/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pair.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/openssl-util.h"

/* DER (X.690), as far as certificates and keys use it: tags of one byte, definite lengths. */

enum {
        TAG_INTEGER = 0x02,
        TAG_BIT_STRING = 0x03,
        TAG_OCTET_STRING = 0x04,
        TAG_SEQUENCE = 0x30,
        TAG_CONTEXT_0 = 0xa0,
        TAG_CONTEXT_1 = 0xa1,
        TAG_CONSTRUCTED = 0x20,
        TAG_LONG = 0x1f,
        DEPTH_MAX = 16,
};

typedef struct Bytes {
        const uint8_t *data;
        size_t size;
} Bytes;

typedef struct Element {
        uint8_t tag;
        Bytes whole, content;
} Element;

static bool bytes_equal(Bytes a, Bytes b) {
        return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static Bytes skip(Bytes b, size_t n) {
        return (Bytes){ .data = b.data + n, .size = b.size - n };
}

/* The length behind a tag, and how many bytes it takes. */
static bool read_length(Bytes in, size_t *ret_length, size_t *ret_taken) {
        size_t n, length = 0;

        if (in.size < 1)
                return false;
        if (in.data[0] < 0x80) {
                *ret_length = in.data[0];
                *ret_taken = 1;
                return true;
        }

        n = in.data[0] & 0x7f;
        if (n < 1 || n > 4 || in.size < 1 + n || in.data[1] == 0)
                return false;
        for (size_t i = 1; i <= n; i++)
                length = length << 8 | in.data[i];
        *ret_length = length;
        *ret_taken = 1 + n;
        return length >= 0x80;
}

/* Takes the next element off 'in'. */
static bool take_element(Bytes *in, Element *ret) {
        size_t length, taken;
        Bytes rest;

        if (in->size < 2 || (in->data[0] & TAG_LONG) == TAG_LONG)
                return false;
        if (!read_length(skip(*in, 1), &length, &taken))
                return false;
        rest = skip(*in, 1 + taken);
        if (length > rest.size)
                return false;

        *ret = (Element){
                .tag = in->data[0],
                .whole = { .data = in->data, .size = 1 + taken + length },
                .content = { .data = rest.data, .size = length },
        };
        *in = skip(rest, length);
        return true;
}

static bool take(Bytes *in, uint8_t tag, Element *ret) {
        return take_element(in, ret) && ret->tag == tag;
}

static bool is_well_formed(Bytes in, unsigned depth) {
        Element e;

        if (depth > DEPTH_MAX)
                return false;
        while (in.size > 0)
                if (!take_element(&in, &e) || ((e.tag & TAG_CONSTRUCTED) && !is_well_formed(e.content, depth + 1)))
                        return false;
        return true;
}

/* One sequence and nothing behind it. */
static bool take_all(Bytes in, Bytes *ret) {
        Element e;

        if (!take(&in, TAG_SEQUENCE, &e) || in.size > 0 || !is_well_formed(e.content, 0))
                return false;
        *ret = e.content;
        return true;
}

/* Certificate and key: an algorithm and what belongs to it */

typedef struct PublicKey {
        Bytes algorithm; /* AlgorithmIdentifier */
        Element bits;
} PublicKey;

/* RFC 5280 section 4.1: Certificate, TBSCertificate, SubjectPublicKeyInfo. */
static bool find_public_key(Bytes certificate, PublicKey *ret) {
        Element tbs, e, algorithm;
        Bytes in, version;

        if (!take_all(certificate, &in) || !take(&in, TAG_SEQUENCE, &tbs))
                return false;

        in = version = tbs.content;
        if (take(&version, TAG_CONTEXT_0, &e))
                in = version;
        if (!take(&in, TAG_INTEGER, &e) ||  /* serialNumber */
            !take(&in, TAG_SEQUENCE, &e) || /* signature */
            !take(&in, TAG_SEQUENCE, &e) || /* issuer */
            !take(&in, TAG_SEQUENCE, &e) || /* validity */
            !take(&in, TAG_SEQUENCE, &e) || /* subject */
            !take(&in, TAG_SEQUENCE, &e))   /* subjectPublicKeyInfo */
                return false;

        in = e.content;
        if (!take(&in, TAG_SEQUENCE, &algorithm) || !take(&in, TAG_BIT_STRING, &ret->bits) || in.size > 0)
                return false;
        ret->algorithm = algorithm.whole;
        return true;
}

/* RFC 5915: ECPrivateKey, with the public key in [1]. */
static bool ec_matches(Bytes key, const Element *bits) {
        Element e, own;

        if (!take(&key, TAG_INTEGER, &e) || !take(&key, TAG_OCTET_STRING, &e) || e.content.size == 0)
                return false;
        while (take_element(&key, &e))
                if (e.tag == TAG_CONTEXT_1)
                        return take(&e.content, TAG_BIT_STRING, &own) && bytes_equal(own.whole, bits->whole);
        return false;
}

/* RFC 8017 appendix A.1: RSAPrivateKey goes on behind its version as RSAPublicKey does: modulus, exponent. */
static bool rsa_matches(Bytes key, const Element *bits) {
        Element e, public;
        Bytes in;

        if (bits->content.size < 1 || bits->content.data[0] != 0)
                return false;
        in = skip(bits->content, 1);
        if (!take(&in, TAG_SEQUENCE, &public) || in.size > 0 || !take(&key, TAG_INTEGER, &e))
                return false;
        return key.size > public.content.size && memcmp(key.data, public.content.data, public.content.size) == 0;
}

static const uint8_t oid_rsa[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_ec[] = { 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };

static bool starts_with(Bytes b, const uint8_t *data, size_t size) {
        return b.size >= size && memcmp(b.data, data, size) == 0;
}

/* RFC 5958: OneAsymmetricKey. */
static bool key_belongs(Bytes key, const PublicKey *public) {
        Element e, algorithm, private;
        Bytes in, inner;

        if (!take_all(key, &in) || !take(&in, TAG_INTEGER, &e) || !take(&in, TAG_SEQUENCE, &algorithm) ||
            !take(&in, TAG_OCTET_STRING, &private) || !take_all(private.content, &inner))
                return false;
        if (!bytes_equal(algorithm.whole, public->algorithm))
                return false;

        if (starts_with(algorithm.content, oid_ec, sizeof(oid_ec)))
                return ec_matches(inner, &public->bits);
        if (starts_with(algorithm.content, oid_rsa, sizeof(oid_rsa)))
                return rsa_matches(inner, &public->bits);
        return false;
}

/* PEM */

/* Positive: there is no further block, or another one than was expected. */
static int read_block(BIO *bio, const char *type, Bytes *ret) {
        _auto_openssl_ char *found = NULL, *header = NULL;
        unsigned char *data = NULL;
        long size = 0;

        *ret = (Bytes){ 0 };
        if (PEM_read_bio(bio, &found, &header, &data, &size) != 1)
                return 1;
        *ret = (Bytes){ .data = data, .size = (size_t) size };
        return str_equal(found, type) && str_is_empty(header) ? 0 : 1;
}

static void bytes_wipe(Bytes *b) {
        OPENSSL_clear_free((void *) b->data, b->size);
}
#define _auto_bytes_ _cleanup_(bytes_wipe)

/* The leaf, and every certificate behind it well-formed, and then nothing that a reader could take for another one. */
static bool read_chain(const char *pem, size_t size, Bytes *ret_leaf) {
        _auto_bio_ BIO *bio = BIO_new_mem_buf(pem, (int) size);

        if (!bio || read_block(bio, PEM_STRING_X509, ret_leaf) != 0)
                return false;
        for (size_t n = 1; n < CERT_CHAIN_MAX; n++) {
                _auto_bytes_ Bytes next = { 0 };
                Bytes content;

                if (read_block(bio, PEM_STRING_X509, &next) != 0)
                        return !next.data && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
                if (!take_all(next, &content))
                        return false;
        }
        return false;
}

static bool read_key(const char *pem, size_t size, Bytes *ret) {
        _auto_bio_ BIO *bio = BIO_new_mem_buf(pem, (int) size);

        return bio && read_block(bio, PEM_STRING_PKCS8INF, ret) == 0;
}

int pair_look(const char *chain_pem, size_t chain_size, const char *key_pem, size_t key_size, char **ret_sha256) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_bytes_ Bytes leaf = { 0 }, key = { 0 };
        PublicKey public;

        assert(chain_pem || chain_size == 0);
        assert(key_pem || key_size == 0);
        assert(ret_sha256);

        if (chain_size == 0 || chain_size > CERT_PEM_MAX || key_size == 0 || key_size > KEY_PEM_MAX)
                return PAIR_E_UNKNOWN;
        if (!read_chain(chain_pem, chain_size, &leaf) || !read_key(key_pem, key_size, &key))
                return PAIR_E_UNKNOWN;
        if (!find_public_key(leaf, &public) || !key_belongs(key, &public))
                return PAIR_E_UNKNOWN;
        return digest_sha256_hex(leaf.data, leaf.size, ret_sha256) == 0 ? PAIR_MATCHES : -ENOMEM;
}
