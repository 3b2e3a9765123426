/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/san.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "issue.h"
#include "lib/test.h"

static int read_list(GENERAL_NAMES *general, SanList *ret, const char **ret_why) {
        _auto_pkey_ EVP_PKEY *key = issue_key();
        _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .san = general });

        return san_read(cert, ret, ret_why);
}

TEST(round_trip) {
        _auto_general_names_ GENERAL_NAMES *general = NULL;
        _auto_san_list_ SanList l = { 0 };
        const char *why = NULL;

        REQUIRE(san_make(NAMES("Example.ORG", "*.Example.org", "192.0.2.1", "2001:DB8:0::1"), &general, NULL) == 0);
        REQUIRE(read_list(general, &l, &why) == 0);
        REQUIRE(strv_length(l.names) == 4);
        CHECK_STR(l.names[0], "example.org");
        CHECK_STR(l.names[1], "*.example.org");
        CHECK_STR(l.names[2], "192.0.2.1");
        CHECK_STR(l.names[3], "2001:db8::1");
        CHECK_UINT(l.others, 0);
        CHECK(!why);
}

TEST(no_extension) {
        _auto_san_list_ SanList l = { 0 };
        const char *why = NULL;

        CHECK_INT(read_list(NULL, &l, &why), 0);
        CHECK_UINT(strv_length(l.names), 0);
}

#define DNS(text) { text, sizeof(text) - 1 }

TEST(dns_names_that_are_none) {
        static const struct {
                const char *bytes;
                size_t size;
        } cases[] = {
                DNS("example.org\0.evil.example"),
                DNS("\0"),
                DNS("example.org\0"),
                DNS(""),
                DNS(" "),
                DNS("example.org "),
                DNS("a\nb.example"),
                DNS("a\x1b[31m.example"),
                DNS("b\xc3\xbc" "cher.example"),
                DNS("\x7f.example"),
                DNS("192.0.2.1"),
                DNS("2001:db8::1"),
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_general_names_ GENERAL_NAMES *general = NULL;
                SanList l = { 0 };
                const char *why = NULL;

                test_case("name %zu", i);
                REQUIRE(san_make(NAMES("good.example"), &general, NULL) == 0);
                issue_add_dns(general, cases[i].bytes, cases[i].size);
                CHECK_INT(read_list(general, &l, &why), -EBADMSG);
                CHECK(why);
                CHECK(!l.names);
                CHECK_UINT(ERR_peek_error(), 0);
        }
}

TEST(length_of_a_name) {
        char name[SAN_NAME_MAX + 1];

        memset(name, 'a', sizeof(name));
        for (size_t size = SAN_NAME_MAX; size <= SAN_NAME_MAX + 1; size++) {
                _auto_general_names_ GENERAL_NAMES *general = sk_GENERAL_NAME_new_null();
                _auto_san_list_ SanList l = { 0 };
                const char *why;

                test_case("%zu bytes", size);
                issue_add_dns(general, name, size);
                CHECK_INT(read_list(general, &l, &why), size > SAN_NAME_MAX ? -EBADMSG : 0);
        }
}

TEST(number_of_names) {
        _auto_general_names_ GENERAL_NAMES *general = sk_GENERAL_NAME_new_null();
        _auto_san_list_ SanList l = { 0 };
        SanList none = { 0 };
        const char *why;

        for (size_t i = 0; i < SAN_MAX; i++)
                issue_add_dns(general, "a.example", 9);
        CHECK_INT(read_list(general, &l, &why), 0);
        CHECK_UINT(strv_length(l.names), SAN_MAX);
        issue_add_dns(general, "a.example", 9);
        CHECK_INT(read_list(general, &none, &why), -EBADMSG);
        CHECK(!none.names);
}

static void add_other(GENERAL_NAMES *general, int type, const char *bytes, int size) {
        GENERAL_NAME *g = GENERAL_NAME_new();
        ASN1_STRING *s = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

        ASN1_STRING_set(s, bytes, size);
        GENERAL_NAME_set0_value(g, type, s);
        sk_GENERAL_NAME_push(general, g);
}

TEST(other_kinds_are_counted) {
        _auto_general_names_ GENERAL_NAMES *general = sk_GENERAL_NAME_new_null();
        _auto_san_list_ SanList l = { 0 };
        const char *why;

        add_other(general, GEN_EMAIL, "a@b.example", 11);
        issue_add_dns(general, "a.example", 9);
        add_other(general, GEN_URI, "https://b.example/", 18);
        CHECK_INT(read_list(general, &l, &why), 0);
        CHECK_UINT(l.others, 2);
        REQUIRE(strv_length(l.names) == 1);
        CHECK_STR(l.names[0], "a.example");
}

TEST(addresses_of_odd_size) {
        static const int sizes[] = { 0, 1, 5, 8, 17, 32 };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _auto_general_names_ GENERAL_NAMES *general = sk_GENERAL_NAME_new_null();
                SanList l = { 0 };
                const char *why;

                test_case("%d bytes", sizes[i]);
                add_other(general, GEN_IPADD, "12345678901234567890123456789012", sizes[i]);
                CHECK_INT(read_list(general, &l, &why), -EBADMSG);
        }
}

static void add_garbage(X509 *cert) {
        issue_add_der(cert, NID_subject_alt_name, "\x30\x7f\x82", 3);
}

static void add_two(X509 *cert) {
        issue_add_der(cert, NID_subject_alt_name, "\x30\x03\x82\x01" "a", 5);
        issue_add_der(cert, NID_subject_alt_name, "\x30\x03\x82\x01" "b", 5);
}

TEST(garbled_and_doubled) {
        static const struct {
                const char *what;
                void (*change)(X509 *cert);
        } cases[] = {
                { "garbage", add_garbage },
                { "two",     add_two     },
        };
        _auto_pkey_ EVP_PKEY *key = issue_key();

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_x509_ X509 *cert = issue(&(Issue){ .key = key, .change = cases[i].change });
                SanList l = { 0 };
                const char *why = NULL;

                test_case("%s", cases[i].what);
                CHECK_INT(san_read(cert, &l, &why), -EBADMSG);
                CHECK(why);
                CHECK_UINT(ERR_peek_error(), 0);
        }
}

TEST(normalize) {
        static const struct {
                const char *name, *normalized;
        } cases[] = {
                { "Example.ORG",             "example.org" },
                { "2001:DB8:0:0:0:0:0:0001", "2001:db8::1" },
                { "192.0.2.1",               "192.0.2.1"   },
                { "",                        ""            },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *normalized = san_normalize(cases[i].name);

                CHECK_STR(normalized, cases[i].normalized);
        }
}
