/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/dns-answer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "lib/test.h"

#define _auto_answer_ _cleanup_(dns_answer_freep)

#define AA 0x8400
#define NO_AA 0x8000

/* Messages are put together by hand, name by name. */

static void put16(Buffer *b, unsigned value) {
        const unsigned char bytes[] = { (unsigned char) (value >> 8), (unsigned char) value };

        CHECK_INT(buffer_append(b, bytes, sizeof(bytes)), 0);
}

static void put_name(Buffer *b, const char *name) {
        while (*name) {
                size_t n = strcspn(name, ".");
                const unsigned char length = (unsigned char) n;

                CHECK_INT(buffer_append(b, &length, 1), 0);
                CHECK_INT(buffer_append(b, name, n), 0);
                name += n + (name[n] == '.');
        }
        CHECK_INT(buffer_append(b, "", 1), 0);
}

static void put_question(Buffer *b, unsigned flags, unsigned n_answers, unsigned n_authority, const char *name, unsigned type) {
        put16(b, 0x1234);
        put16(b, flags);
        put16(b, 1);
        put16(b, n_answers);
        put16(b, n_authority);
        put16(b, 0);
        put_name(b, name);
        put16(b, type);
        put16(b, ns_c_in);
}

static void put_record(Buffer *b, const char *name, unsigned type, const void *data, size_t size) {
        put_name(b, name);
        put16(b, type);
        put16(b, ns_c_in);
        put16(b, 0);
        put16(b, 60);
        put16(b, (unsigned) size);
        CHECK_INT(buffer_append(b, data, size), 0);
}

#define put_bytes(b, name, type, literal) put_record((b), (name), (type), (literal), sizeof(literal) - 1)

static void put_name_record(Buffer *b, const char *owner, unsigned type, const char *name) {
        _auto_buffer_ Buffer data = BUFFER_INIT(300);

        put_name(&data, name);
        put_record(b, owner, type, data.data, data.size);
}

static void put_soa(Buffer *b, const char *zone) {
        _auto_buffer_ Buffer data = BUFFER_INIT(600);

        put_name(&data, "ns.example.org");
        put_name(&data, "hostmaster.example.org");
        for (int i = 0; i < 10; i++)
                put16(&data, 1);
        put_record(b, zone, ns_t_soa, data.data, data.size);
}

#define MESSAGE BUFFER_INIT(65535)

TEST(several_texts) {
        _auto_buffer_ Buffer b = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&b, AA, 4, 0, "_acme-challenge.example.org", ns_t_txt);
        put_bytes(&b, "_acme-challenge.example.org", ns_t_txt, "\x05" "first");
        put_bytes(&b, "_ACME-Challenge.Example.org", ns_t_txt, "\x03" "sec" "\x03" "ond");
        put_bytes(&b, "other.example.org", ns_t_txt, "\x05" "other");
        put_bytes(&b, "_acme-challenge.example.org", ns_t_txt, "\x06" "a\0b\x1b\"c");

        REQUIRE(dns_answer_parse(b.data, b.size, "_acme-challenge.example.org", ns_t_txt, &answer) == 0);
        CHECK_UINT(answer->code, ns_r_noerror);
        CHECK(answer->authoritative);
        CHECK_STR(answer->name, "_acme-challenge.example.org");
        REQUIRE(strv_length(answer->values) == 3);
        CHECK_STR(answer->values[0], "first");
        CHECK_STR(answer->values[1], "second");
        CHECK_STR(answer->values[2], "a?b?\"c");
        CHECK_STR(answer->zone, NULL);
}

TEST(aliases_in_any_order) {
        _auto_buffer_ Buffer b = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&b, NO_AA, 3, 1, "_acme-challenge.example.org", ns_t_txt);
        put_bytes(&b, "c.example.net", ns_t_txt, "\x05" "value");
        put_name_record(&b, "b.example.net", ns_t_cname, "c.example.net");
        put_name_record(&b, "_acme-challenge.example.org", ns_t_cname, "B.example.net");
        put_soa(&b, "example.net");

        REQUIRE(dns_answer_parse(b.data, b.size, "_acme-challenge.example.org", ns_t_txt, &answer) == 0);
        CHECK(!answer->authoritative);
        CHECK_STR(answer->name, "c.example.net");
        CHECK_STR(answer->values ? answer->values[0] : NULL, "value");
        CHECK_STR(answer->zone, "example.net");
}

TEST(no_such_name) {
        _auto_buffer_ Buffer b = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&b, AA | ns_r_nxdomain, 0, 2, "x.example.org", ns_t_txt);
        put_soa(&b, "elsewhere.invalid"); /* of no concern to this name */
        put_soa(&b, "example.org");
        REQUIRE(dns_answer_parse(b.data, b.size, "x.example.org", ns_t_txt, &answer) == 0);
        CHECK_UINT(answer->code, ns_r_nxdomain);
        CHECK(!answer->values);
        CHECK_STR(answer->zone, "example.org");
}

TEST(addresses_and_names) {
        _auto_buffer_ Buffer v4 = MESSAGE, v6 = MESSAGE, ns = MESSAGE, bad = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&v4, AA, 1, 0, "example.org", ns_t_a);
        put_bytes(&v4, "example.org", ns_t_a, "\xc0\x00\x02\x07");
        REQUIRE(dns_answer_parse(v4.data, v4.size, "example.org", ns_t_a, &answer) == 0);
        CHECK_STR(answer->values ? answer->values[0] : NULL, "192.0.2.7");
        answer = dns_answer_free(answer);

        put_question(&v6, AA, 1, 0, "example.org", ns_t_aaaa);
        put_bytes(&v6, "example.org", ns_t_aaaa, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01");
        REQUIRE(dns_answer_parse(v6.data, v6.size, "example.org", ns_t_aaaa, &answer) == 0);
        CHECK_STR(answer->values ? answer->values[0] : NULL, "2001:db8::1");
        answer = dns_answer_free(answer);

        put_question(&ns, AA, 1, 0, "example.org", ns_t_ns);
        put_name_record(&ns, "example.org", ns_t_ns, "ns1.example.org");
        REQUIRE(dns_answer_parse(ns.data, ns.size, "example.org", ns_t_ns, &answer) == 0);
        CHECK_STR(answer->values ? answer->values[0] : NULL, "ns1.example.org");
        answer = dns_answer_free(answer);

        put_question(&bad, AA, 1, 0, "example.org", ns_t_a);
        put_bytes(&bad, "example.org", ns_t_a, "\xc0\x00\x02");
        CHECK_INT(dns_answer_parse(bad.data, bad.size, "example.org", ns_t_a, &answer), DNS_ANSWER_E_MALFORMED);
        CHECK(!answer);
}

TEST(other_questions) {
        _auto_buffer_ Buffer b = MESSAGE, question = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&b, AA, 0, 0, "example.org", ns_t_txt);
        CHECK_INT(dns_answer_parse(b.data, b.size, "example.net", ns_t_txt, &answer), DNS_ANSWER_E_MALFORMED);
        CHECK_INT(dns_answer_parse(b.data, b.size, "example.org", ns_t_a, &answer), DNS_ANSWER_E_MALFORMED);
        CHECK_INT(dns_answer_parse(b.data, 0, "example.org", ns_t_txt, &answer), DNS_ANSWER_E_MALFORMED);

        put_question(&question, 0, 0, 0, "example.org", ns_t_txt);
        CHECK_INT(dns_answer_parse(question.data, question.size, "example.org", ns_t_txt, &answer), DNS_ANSWER_E_MALFORMED);
        CHECK(!answer);
}

TEST(alias_circle) {
        _auto_buffer_ Buffer b = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&b, AA, 2, 0, "a.example.org", ns_t_txt);
        put_name_record(&b, "a.example.org", ns_t_cname, "b.example.org");
        put_name_record(&b, "b.example.org", ns_t_cname, "a.example.org");
        CHECK_INT(dns_answer_parse(b.data, b.size, "a.example.org", ns_t_txt, &answer), DNS_ANSWER_E_MALFORMED);
        CHECK(!answer);
}

TEST(text_length_that_lies) {
        _auto_buffer_ Buffer b = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&b, AA, 1, 0, "a.example.org", ns_t_txt);
        put_bytes(&b, "a.example.org", ns_t_txt, "\x09" "short");
        CHECK_INT(dns_answer_parse(b.data, b.size, "a.example.org", ns_t_txt, &answer), DNS_ANSWER_E_MALFORMED);
        CHECK(!answer);
}

TEST(more_values_than_are_kept) {
        _auto_buffer_ Buffer b = MESSAGE;
        _auto_answer_ DnsAnswer *answer = NULL;

        put_question(&b, AA, DNS_VALUES_MAX + 10, 0, "a.example.org", ns_t_txt);
        for (int i = 0; i < DNS_VALUES_MAX + 10; i++)
                put_bytes(&b, "a.example.org", ns_t_txt, "\x01" "v");
        REQUIRE(dns_answer_parse(b.data, b.size, "a.example.org", ns_t_txt, &answer) == 0);
        CHECK_UINT(strv_length(answer->values), DNS_VALUES_MAX);
}

/* Every cut, and every byte changed: nothing may be read that is not there (the sanitizers look), and what is read is a whole answer. */
TEST(torn_and_bent) {
        _auto_buffer_ Buffer b = MESSAGE;

        put_question(&b, AA, 2, 1, "a.example.org", ns_t_txt);
        put_name_record(&b, "a.example.org", ns_t_cname, "b.example.org");
        put_bytes(&b, "b.example.org", ns_t_txt, "\x05" "value");
        put_soa(&b, "example.org");

        for (size_t n = 0; n < b.size; n++) {
                _auto_free_ char *copy = malloc(n + 1);
                _auto_answer_ DnsAnswer *answer = NULL;

                REQUIRE(copy);
                memcpy(copy, b.data, n);
                CHECK_INT(dns_answer_parse(copy, n, "a.example.org", ns_t_txt, &answer), DNS_ANSWER_E_MALFORMED);
        }
        for (size_t i = 0; i < b.size; i++)
                for (int bit = 0; bit < 8; bit++) {
                        _auto_answer_ DnsAnswer *answer = NULL;
                        int r;

                        b.data[i] = (char) (b.data[i] ^ (1 << bit));
                        r = dns_answer_parse(b.data, b.size, "a.example.org", ns_t_txt, &answer);
                        CHECK(r == DNS_ANSWER_E_MALFORMED ? !answer : r == 0 && answer && answer->name);
                        b.data[i] = (char) (b.data[i] ^ (1 << bit));
                }
}

TEST(zones) {
        static const struct {
                const char *name, *zone;
                bool is_in;
        } cases[] = {
                { "_acme-challenge.example.org", "example.org", true },
                { "example.org", "example.org", true },
                { "EXAMPLE.org", "example.ORG", true },
                { "example.org", ".", true },
                { "badexample.org", "example.org", false },
                { "org", "example.org", false },
                { "example.org", "example.net", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s in %s", cases[i].name, cases[i].zone);
                CHECK_INT(dns_name_is_in_zone(cases[i].name, cases[i].zone), cases[i].is_in);
        }
}
