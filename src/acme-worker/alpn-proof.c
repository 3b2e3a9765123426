/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/alpn-proof.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"

#define ACME_IDENTIFIER_OID "1.3.6.1.5.5.7.1.31"
enum { DIGEST_SIZE = 32, SUBJECT_MAX = 256 };

static char *reverse_ipv4(const unsigned char a[static 4]) {
        return str_printf("%u.%u.%u.%u.in-addr.arpa", a[3], a[2], a[1], a[0]);
}

static char *reverse_ipv6(const unsigned char a[static 16]) {
        _auto_buffer_ Buffer b = BUFFER_INIT(128);

        for (int i = 15; i >= 0; i--)
                if (buffer_printf(&b, "%x.%x.", (unsigned) (a[i] & 15), (unsigned) (a[i] >> 4)) != 0)
                        return NULL;
        return buffer_append_string(&b, "ip6.arpa") == 0 ? buffer_take(&b, NULL) : NULL;
}

/* 4 or 16; 0: a name. */
static size_t read_address(const char *identifier, unsigned char address[static 16]) {
        if (inet_pton(AF_INET, identifier, address) == 1)
                return 4;
        return inet_pton(AF_INET6, identifier, address) == 1 ? 16 : 0;
}

char *alpn_proof_server_name(const char *identifier) {
        unsigned char address[16];

        switch (read_address(identifier, address)) {
        case 4:
                return reverse_ipv4(address);
        case 16:
                return reverse_ipv6(address);
        default:
                return strdup(identifier);
        }
}

/* What it says instead of what was expected, for people: whose certificate it is tells which virtual host answered. */
static int wrong(const X509 *certificate, const char *what, char **ret_why) {
        char subject[SUBJECT_MAX] = "";
        _auto_free_ char *printable = NULL;

        (void) X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
        printable = str_printable(subject, strlen(subject), sizeof(subject));
        *ret_why = printable ? str_printf("shows a certificate%s%s %s", *subject ? " of " : "", printable, what) : NULL;
        return *ret_why ? ALPN_PROOF_E_WRONG : -ENOMEM;
}

static int find_extension(const X509 *certificate) {
        ASN1_OBJECT *oid = OBJ_txt2obj(ACME_IDENTIFIER_OID, 1);
        int at = -1;

        if (oid)
                at = X509_get_ext_by_OBJ(certificate, oid, -1);
        ASN1_OBJECT_free(oid);
        return at;
}

/* RFC 8737 3: an OCTET STRING with the 32 bytes of the digest; there is only one way to write that. */
static bool has_digest(X509_EXTENSION *extension, const void *digest) {
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
        const unsigned char *data = ASN1_STRING_get0_data(value);

        return ASN1_STRING_length(value) == 2 + DIGEST_SIZE && data[0] == V_ASN1_OCTET_STRING && data[1] == DIGEST_SIZE &&
                memcmp(data + 2, digest, DIGEST_SIZE) == 0;
}

static bool is_identifier(const GENERAL_NAME *name, const char *identifier) {
        unsigned char address[16];
        size_t size = read_address(identifier, address);
        const ASN1_STRING *s;
        int type;

        s = GENERAL_NAME_get0_value(name, &type);
        if (size > 0)
                return type == GEN_IPADD && (size_t) ASN1_STRING_length(s) == size &&
                        memcmp(ASN1_STRING_get0_data(s), address, size) == 0;
        return type == GEN_DNS && (size_t) ASN1_STRING_length(s) == strlen(identifier) &&
                strncasecmp((const char *) ASN1_STRING_get0_data(s), identifier, strlen(identifier)) == 0;
}

static bool is_for(const X509 *certificate, const char *identifier) {
        GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        bool is = names && sk_GENERAL_NAME_num(names) == 1 && is_identifier(sk_GENERAL_NAME_value(names, 0), identifier);

        GENERAL_NAMES_free(names);
        return is;
}

static int check(const X509 *certificate, const char *identifier, const void *digest, char **ret_why) {
        int at = find_extension(certificate);
        X509_EXTENSION *extension;

        if (at < 0)
                return wrong(certificate, "that answers no challenge (it has no acmeIdentifier extension)", ret_why);
        extension = X509_get_ext(certificate, at);
        if (!X509_EXTENSION_get_critical(extension))
                return wrong(certificate, "whose acmeIdentifier extension is not critical", ret_why);
        if (!is_for(certificate, identifier))
                return wrong(certificate, "that is not for this name alone", ret_why);
        if (!has_digest(extension, digest))
                return wrong(certificate, "that answers another challenge, perhaps an older one", ret_why);
        return ALPN_PROOF_DONE;
}

int alpn_proof_check(const X509 *certificate, const char *identifier, const char *expect, char **ret_why) {
        _auto_free_ void *digest = NULL;
        size_t size = 0;

        if (hex_decode(expect, &digest, &size) < 0 || size != DIGEST_SIZE)
                return -EINVAL;
        return check(certificate, identifier, digest, ret_why);
}
