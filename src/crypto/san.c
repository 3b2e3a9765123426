/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/san.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"

enum {
        ADDRESS_MAX = 16,     /* bytes of an IPv6 address */
        COMMON_NAME_MAX = 63, /* ub-common-name is 64, and some count the NUL byte */
};

void san_list_done(SanList *l) {
        strv_free(l->names);
        *l = (SanList){ 0 };
}

static size_t read_address(const char *text, uint8_t ret[static ADDRESS_MAX]) {
        if (inet_pton(AF_INET, text, ret) == 1)
                return 4;
        if (inet_pton(AF_INET6, text, ret) == 1)
                return 16;
        return 0;
}

static char *format_address(const uint8_t *bytes, size_t size) {
        char text[INET6_ADDRSTRLEN];

        if (!inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)))
                return NULL;
        return strdup(text);
}

bool san_is_address(const char *name) {
        uint8_t bytes[ADDRESS_MAX];

        return read_address(name, bytes) > 0;
}

char *san_normalize(const char *name) {
        uint8_t bytes[ADDRESS_MAX];
        size_t n = read_address(name, bytes);
        char *copy = n > 0 ? format_address(bytes, n) : strdup(name);

        if (copy)
                str_to_lower(copy);
        return copy;
}

static bool is_plain(const uint8_t *data, size_t size) {
        if (size == 0 || size > SAN_NAME_MAX)
                return false;
        for (size_t i = 0; i < size; i++)
                if (data[i] <= 0x20 || data[i] >= 0x7f)
                        return false;
        return true;
}

static int read_dns(const ASN1_STRING *s, char **ret, const char **ret_why) {
        const uint8_t *data = ASN1_STRING_get0_data(s);
        int n = ASN1_STRING_length(s);
        _auto_free_ char *name = NULL;

        if (n < 0 || !data || !is_plain(data, (size_t) n)) {
                *ret_why = "a dNSName is empty, too long, or holds bytes that no name has";
                return -EBADMSG;
        }
        name = strndup((const char *) data, (size_t) n);
        if (!name)
                return -ENOMEM;
        if (san_is_address(name)) {
                *ret_why = "a dNSName is an IP address";
                return -EBADMSG;
        }
        str_to_lower(name);
        *ret = take_ptr(name);
        return 0;
}

static int read_ip(const ASN1_STRING *s, char **ret, const char **ret_why) {
        int n = ASN1_STRING_length(s);
        char *name;

        if (n != 4 && n != 16) {
                *ret_why = "an iPAddress has neither 4 nor 16 bytes";
                return -EBADMSG;
        }
        name = format_address(ASN1_STRING_get0_data(s), (size_t) n);
        if (!name)
                return -ENOMEM;
        *ret = name;
        return 0;
}

static int read_names(const GENERAL_NAMES *general, SanList *l, const char **ret_why) {
        int total = sk_GENERAL_NAME_num(general);
        size_t n = 0;
        int r = 0;

        if (total > SAN_MAX) {
                *ret_why = "it has more names than anybody orders";
                return -EBADMSG;
        }
        l->names = calloc((size_t) total + 1, sizeof(char *));
        if (!l->names)
                return -ENOMEM;
        for (int i = 0; i < total; i++) {
                const GENERAL_NAME *g = sk_GENERAL_NAME_value(general, i);

                if (g->type == GEN_DNS)
                        r = read_dns(g->d.dNSName, &l->names[n], ret_why);
                else if (g->type == GEN_IPADD)
                        r = read_ip(g->d.iPAddress, &l->names[n], ret_why);
                else {
                        l->others++;
                        continue;
                }
                if (r < 0)
                        return r;
                n++;
        }
        return 0;
}

int san_read(X509 *cert, SanList *ret, const char **ret_why) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_general_names_ GENERAL_NAMES *general = NULL;
        _auto_san_list_ SanList l = { 0 };
        int critical, r;

        assert(cert);
        assert(ret);
        assert(ret_why);

        general = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
        if (!general && critical != -1) { /* -1: is not there, -2: more than once */
                *ret_why = critical == -2 ? "it has more than one subjectAltName" : "its subjectAltName cannot be read";
                return -EBADMSG;
        }
        if (general) {
                r = read_names(general, &l, ret_why);
                if (r < 0)
                        return r;
        }
        *ret = l;
        l = (SanList){ 0 };
        return 0;
}

static int make_name(const char *name, GENERAL_NAME **ret) {
        uint8_t address[ADDRESS_MAX];
        size_t n = read_address(name, address);
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_STRING *s = n > 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

        if (!g || !s || ASN1_STRING_set(s, n > 0 ? (const void *) address : name, n > 0 ? (int) n : (int) strlen(name)) != 1) {
                GENERAL_NAME_free(g);
                ASN1_STRING_free(s);
                return openssl_failure();
        }
        GENERAL_NAME_set0_value(g, n > 0 ? GEN_IPADD : GEN_DNS, s);
        *ret = g;
        return 0;
}

static int check_names(char *const *names, Problem **ret_problem) {
        size_t n = strv_length(names);

        if (n == 0 || n > SAN_MAX) {
                problem_set(ret_problem, PROBLEM_TYPE_SETTING, "A certificate has 1 to %d names, not %zu", SAN_MAX, n);
                return -EINVAL;
        }
        STRV_FOREACH(name, names)
                if (!is_plain((const uint8_t *) *name, strlen(*name))) {
                        problem_set(ret_problem, PROBLEM_TYPE_SETTING, "'%s' is no name for a certificate", *name);
                        return -EINVAL;
                }
        return 0;
}

int san_make(char *const *names, GENERAL_NAMES **ret, Problem **ret_problem) {
        _auto_general_names_ GENERAL_NAMES *general = NULL;
        int r;

        assert(ret);

        r = check_names(names, ret_problem);
        if (r < 0)
                return r;
        general = sk_GENERAL_NAME_new_null();
        if (!general)
                return openssl_failure();
        STRV_FOREACH(name, names) {
                GENERAL_NAME *g = NULL;

                r = make_name(*name, &g);
                if (r < 0)
                        return r;
                if (sk_GENERAL_NAME_push(general, g) <= 0) {
                        GENERAL_NAME_free(g);
                        return openssl_failure();
                }
        }
        *ret = take_ptr(general);
        return 0;
}

const char *san_common_name(char *const *names) {
        if (!names || str_is_empty(names[0]) || strlen(names[0]) > COMMON_NAME_MAX || san_is_address(names[0]))
                return NULL;
        return names[0];
}

int san_set_common_name(X509_NAME *name, const char *common_name) {
        if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *) common_name, -1, -1, 0) != 1)
                return openssl_failure();
        return 0;
}
