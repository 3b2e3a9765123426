/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "lib/test.h"

static JsonObject *parse(const char *text) {
        JsonObject *o = NULL;

        CHECK_INT(json_parse(text, strlen(text), &o, NULL), 0);
        return o;
}

TEST(parse_takes_json) {
        static const char *const cases[] = {
                "{}", " { } ", "[]", "12", "-3", "0", "-0", "1.5e3", "0.5", "-1.25E+7", "1e400", "\"'NaN' Infinity \\\" 01 \\\\\"", "true", "null", "\"text\"", "{\"a\":[1,2,{\"b\":null}]}\n\n", "\t[1]\r\n",
                "\"\xc3\xa9\"", "{\"\xc3\xa9\":[\"\xe2\x82\xac\",\"\xf0\x9f\x94\x92\"]}", "[\",\"]", "[\"/*\", \"//\", \"'\", \"\x7f\"]", "\"\\u00e9\\n\\/\"", "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *where = NULL;
                _auto_json_ JsonObject *o = NULL;

                test_case("%s", cases[i]);
                CHECK_INT(json_parse(cases[i], strlen(cases[i]), &o, &where), 0);
                CHECK_STR(where, NULL);
                CHECK_INT(json_is_object(cases[i], strlen(cases[i])), json_object_is_type(o, json_type_object));
        }
}

TEST(is_object) {
        static const struct {
                const char *text;
                bool is;
        } cases[] = {
                { "{\"a\":[{}, [], \"\\u00e9\\n\", -1.5e+3, true, false, null]}\n", true },
                { "{\"a\":{\"b\":{}},\"c\":\"\xe2\x82\xac\"}", true },
                { "[1]", false }, { "\"{}\"", false }, { "{}}", false }, { "{\"a\":1]", false }, { "{\"a\":[1}", false }, { "{\"a\":1 \"b\":2}", false },
                { "{\"a\":01}", false }, { "{\"a\":1.}", false }, { "{\"a\":-}", false }, { "{\"a\":\"\xff\"}", false }, { "{\"a\":\"\\u12g4\"}", false },
                { "{\"a\":\"\n\"}", false }, { "{\"a\":truth}", false }, { "{\"a\":tru", false }, { "{\"a\":\"", false }, { "{\"a\":\"\\", false },
                { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].text);
                CHECK_INT(json_is_object(cases[i].text, strlen(cases[i].text)), cases[i].is);
        }
        CHECK(!json_is_object("{}\0", 3));
        CHECK(!json_is_object("{\"a\\\0\":1}", 9));
}

TEST(find_list) {
        static const struct {
                const char *text;
                const char *entries; /* joined by blanks; NULL: there is no such list */
        } cases[] = {
                { "{\"l\":[]}", "" },
                { " { \"a\" : [ 7 ] , \"l\" : [ 1 , {\"l\":[2]},[3],\"]\" , null ] , \"b\":{\"l\":[4]} } ", "1 {\"l\":[2]} [3] \"]\" null" },
                { "{\"l\":[1],\"l\":[2]}", NULL },
                { "{\"\\u006c\":[1],\"l\":[2]}", NULL }, /* the same name */
                { "{\"l\":{}}", NULL },
                { "{\"ll\":[]}", NULL },
                { "{}", NULL },
                { "[\"l\",[1]]", NULL },
                { "{\"l\":[1,]}", NULL },
                { "{\"l\":[1}", NULL },
                { "{\"l\":[1]} x", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                JsonSpan list = { 0 }, entry = { 0 };
                _auto_strv_ char **found = NULL;
                _auto_free_ char *joined = NULL;

                test_case("%s", cases[i].text);
                CHECK_INT(json_find_list(cases[i].text, strlen(cases[i].text), "l", &list), cases[i].entries != NULL);
                CHECK_INT(list.begin != NULL, cases[i].entries != NULL);
                while (list.begin && json_next_entry(&list, &entry))
                        CHECK_INT(strv_consume(&found, strndup(entry.begin, (size_t) (entry.end - entry.begin))), 0);
                joined = strv_join(found, " ");
                CHECK_STR(joined, cases[i].entries ? cases[i].entries : "");
        }
}

TEST(parse_refuses) {
        static const struct {
                const char *text;
                size_t size; /* 0: the string's */
        } cases[] = {
                { "" }, { " " }, { "{" }, { "[1,2" }, { "\"abc" }, { "{\"a\":1" }, { "tru" }, { "nul" }, { "-" },
                { "{} x" }, { "{}{}" }, { "1 2" }, { "[1],", }, { "{\"a\":1,}" }, { "[1,]" }, { "[,1]" }, { "{'a':1}" }, { "{a:1}" },
                { "[1, ]" }, { "{\"a\":1\n,\n}" }, { "[{},]" }, { "[\"a\",]" }, { "{,}" }, { "[1,,2]" }, { "{\"a\":,}" }, { "{1:2}" }, { "{\"a\" 1}" },
                { "'a'" }, { "['a']" }, { "{\"a\":'b\"'}" }, { "{'a\"':1}" }, { "{\"a\":b}" },
                { "[1,/* c */2]" }, { "[1] // c" }, { "// c\n[1]" }, { "/**/" }, { "[1/**/]" }, { "{\"a\"/**/:1}" },
                { "True" }, { "[tRUE]" }, { "[FALSE]" }, { "[NULL]" }, { "[nan]" }, { "[infinity]" }, { "-NaN" }, { "truefalse" }, { "[truefalse]" },
                { "\"\x01\"" }, { "\"a\tb\"" }, { "\"\x1f\"" }, { "[\v1]" }, { "\f{}" }, { "{\"a\x02\":1}" }, { "\"\\x\"" }, { "\"\\u12g4\"" },
                { "{\"a\":'b'}" }, { "['']" },
                { "18446744073709551616" }, { "[99999999999999999999999]" }, { "-9223372036854775809" },
                { "1." }, { "1.e3" }, { "1e" }, { "1e+" }, { "-01" }, { "00" }, { "+1" }, { ".5" }, { "1.2.3" }, { "1-2" },
                { "NaN" }, { "[NaN]" }, { "Infinity" }, { "[-Infinity]" }, { "nan" },
                { "/* c */ {}" }, { "{} // c" }, { "TRUE" }, { "Null" }, { "01" }, { "\"\xff\"" }, { "\"\xc0\xaf\"" }, { "\"a\nb\"" },
                { "{\"a\"}" }, { "}" }, { "{}\0", 3 }, { "[1\0]", 4 }, { "\0", 1 },
                { "\xef\xbb\xbf{}" },
                { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t size = cases[i].size > 0 ? cases[i].size : strlen(cases[i].text);
                _auto_free_ char *where = NULL;
                JsonObject *untouched = (JsonObject *) cases;

                test_case("%s", cases[i].text);
                CHECK_INT(json_parse(cases[i].text, size, &untouched, &where), JSON_E_INVALID);
                CHECK(untouched == (JsonObject *) cases);
                CHECK(str_has_prefix(where, "line "));
                CHECK_INT(json_parse(cases[i].text, size, &untouched, NULL), JSON_E_INVALID);
                CHECK(!json_is_object(cases[i].text, size));
        }
}

TEST(parse_tells_where) {
        static const char text[] = "{\n  \"a\": 1,\n  \"b\": x\n}";
        _auto_free_ char *where = NULL, *at_end = NULL;
        JsonObject *o = NULL;

        CHECK_INT(json_parse(text, strlen(text), &o, &where), JSON_E_INVALID);
        CHECK(str_has_prefix(where, "line 3, column 8: "));
        CHECK_INT(json_parse("[1,\n", 4, &o, &at_end), JSON_E_INVALID);
        CHECK_STR(at_end, "line 2, column 1: unexpected end");
        CHECK(!o);
}

TEST(parse_reads_no_further_than_told) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;

        CHECK_INT(json_parse("123456", 3, &o, NULL), 0);
        text = json_format_short(o);
        CHECK_STR(text, "123");
}

/* Each piece in memory of exactly its size, so that a sanitizer sees every byte too many. */
TEST(parse_of_pieces_stays_inside) {
        static const char text[] = "{\"a\\\\\\u00e9\": [1.5e+3, -17, \"\xe2\x82\xac\", true, false, null], \"b\": {\"c\": \"\\\"\"}}";

        for (size_t start = 0; start < strlen(text); start++)
                for (size_t size = 0; size <= strlen(text) - start; size++) {
                        _auto_free_ char *piece = malloc(size), *where = NULL;
                        _auto_json_ JsonObject *o = NULL;
                        int r;

                        memcpy(piece, text + start, size);
                        r = json_parse(piece, size, &o, &where);
                        CHECK(r == 0 || r == JSON_E_INVALID);
                        CHECK((r == 0) == (where == NULL));
                }
}

TEST(getters_want_their_type) {
        static const char *const keys[] = { "string", "int", "double", "true", "null", "array", "object", "missing", "nul", "digits" };
        _auto_json_ JsonObject *o = parse("{\"string\":\"s\",\"int\":7,\"double\":7.0,\"true\":true,\"null\":null,\"array\":[1],"
                                          "\"object\":{\"x\":1},\"nul\":\"a\\u0000b\",\"digits\":\"7\"}");

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const char *key = keys[i];
                uint64_t uint_value = 99;
                int64_t int_value = 99;
                bool is_int = str_equal(key, "int");

                test_case("%s", key);
                CHECK_STR(json_get_string(o, key), str_equal(key, "string") ? "s" : str_equal(key, "digits") ? "7" : NULL);
                CHECK_INT(json_get_int(o, key, &int_value), is_int);
                CHECK_INT(int_value, is_int ? 7 : 99);
                CHECK_INT(json_get_uint(o, key, &uint_value), is_int);
                CHECK_UINT(uint_value, is_int ? 7 : 99);
                CHECK_INT(json_get_bool(o, key, false), str_equal(key, "true"));
                CHECK_INT(json_get_bool(o, key, true), true);
                CHECK((json_get_object(o, key) != NULL) == str_equal(key, "object"));
                CHECK((json_get_array(o, key) != NULL) == str_equal(key, "array"));
                CHECK_INT(json_has(o, key), !str_equal(key, "missing"));
                CHECK_UINT(json_get_time(o, key), 0);
        }
}

TEST(getters_take_anything_for_the_object) {
        _auto_json_ JsonObject *array = parse("[1]");
        char **list = NULL;
        int64_t n = 99;

        CHECK_STR(json_get_string(NULL, "a"), NULL);
        CHECK_STR(json_get_string(array, "a"), NULL);
        CHECK(!json_get_int(array, "0", &n));
        CHECK(!json_has(NULL, "a"));
        CHECK_INT(json_get_strv(array, "a", 5, &list), 0);
        CHECK(!list);
        CHECK_INT(n, 99);
}

TEST(integers_do_not_wrap) {
        static const struct {
                const char *text;
                bool is_int, is_uint;
                int64_t int_value;
                uint64_t uint_value;
        } cases[] = {
                { "{\"n\":0}",                      true,  true,  0,         0 },
                { "{\"n\":-1}",                     true,  false, -1,        0 },
                { "{\"n\":9223372036854775807}",    true,  true,  INT64_MAX, INT64_MAX },
                { "{\"n\":-9223372036854775808}",   true,  false, INT64_MIN, 0 },
                { "{\"n\":9223372036854775808}",    false, true,  0,         UINT64_C(9223372036854775808) },
                { "{\"n\":18446744073709551615}",   false, true,  0,         UINT64_MAX },
                { "{\"n\":1e3}",                    false, false, 0,         0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_json_ JsonObject *o = parse(cases[i].text);
                uint64_t uint_value = 0;
                int64_t int_value = 0;

                test_case("%s", cases[i].text);
                CHECK_INT(json_get_int(o, "n", &int_value), cases[i].is_int);
                CHECK_INT(int_value, cases[i].int_value);
                CHECK_INT(json_get_uint(o, "n", &uint_value), cases[i].is_uint);
                CHECK_UINT(uint_value, cases[i].uint_value);
        }
}

TEST(string_lists) {
        static const struct {
                const char *text;
                int expected;
                const char *joined;
        } cases[] = {
                { "{}",                                 0,        "" },
                { "{\"l\":null}",                       0,        "" },
                { "{\"l\":[]}",                         0,        "" },
                { "{\"l\":[\"a\"]}",                    0,        "a" },
                { "{\"l\":[\"a\",\"\",\"c\"]}",         0,        "a,,c" },
                { "{\"l\":[\"a\",\"b\",\"c\",\"d\"]}",  -EBADMSG, NULL },
                { "{\"l\":[\"a\",1]}",                  -EBADMSG, NULL },
                { "{\"l\":[null]}",                     -EBADMSG, NULL },
                { "{\"l\":[\"a\\u0000\"]}",             -EBADMSG, NULL },
                { "{\"l\":\"a\"}",                      -EBADMSG, NULL },
                { "{\"l\":{}}",                         -EBADMSG, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_json_ JsonObject *o = parse(cases[i].text);
                char **list = (char **) cases;
                _auto_free_ char *joined = NULL;

                test_case("%s", cases[i].text);
                CHECK_INT(json_get_strv(o, "l", 3, &list), cases[i].expected);
                if (cases[i].expected != 0) {
                        CHECK(list == (char **) cases);
                        continue;
                }
                joined = strv_join(list, ",");
                CHECK_STR(joined, cases[i].joined);
                CHECK((list == NULL) == (*cases[i].joined == '\0'));
                strv_free(list);
        }
}

TEST(builders) {
        static char *const names[] = { (char *) "a", (char *) "b", NULL };
        _auto_json_ JsonObject *o = json_object_new_object();
        _auto_free_ char *text = NULL;

        REQUIRE(o);
        CHECK_INT(json_add_string(o, "string", "a/\"b\""), 0);
        CHECK_INT(json_add_string(o, "no-string", NULL), 0);
        CHECK_INT(json_add_bool(o, "bool", true), 0);
        CHECK_INT(json_add_int(o, "int", INT64_MIN), 0);
        CHECK_INT(json_add_uint(o, "uint", UINT64_MAX), 0);
        CHECK_INT(json_add_strv(o, "list", names), 0);
        CHECK_INT(json_add_strv(o, "no-list", NULL), 0);
        CHECK_INT(json_add_strv(o, "empty-list", names + 2), 0);
        CHECK_INT(json_add_object(o, "object", json_object_new_object()), 0);
        CHECK_INT(json_add_object(o, "no-memory", NULL), -ENOMEM);
        CHECK_INT(json_add_time(o, "time", UINT64_C(1795390560) * USEC_PER_SEC), 0);
        CHECK_INT(json_add_time(o, "no-time", 0), 0);

        text = json_format_short(o);
        CHECK_STR(text, "{\"string\":\"a/\\\"b\\\"\",\"bool\":true,\"int\":-9223372036854775808,\"uint\":18446744073709551615,"
                        "\"list\":[\"a\",\"b\"],\"object\":{},\"time\":\"Sun, 22 Nov 2026 23:36:00 GMT\"}");
        CHECK_UINT(json_get_time(o, "time"), UINT64_C(1795390560) * USEC_PER_SEC);
        CHECK_INT(json_add_string(o, "string", "replaced"), 0);
        CHECK_STR(json_get_string(o, "string"), "replaced");
}

TEST(format_for_people) {
        _auto_json_ JsonObject *o = parse("{\"a\":1,\"b\":[\"x\"]}");
        _auto_free_ char *text = json_format(o);

        CHECK_STR(text, "{\n  \"a\": 1,\n  \"b\": [\n    \"x\"\n  ]\n}\n");
}

TEST(what_is_written_can_be_read) {
        static const char *const cases[][2] = {
                { "plain", "plain" },
                { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92" },
                { "tab\tline\nbell\a\x7f", "tab\tline\nbell\a\x7f" },
                { "latin \xe9!", "latin \xef\xbf\xbd!" },
                { "\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_json_ JsonObject *o = json_object_new_object(), *back = NULL;
                _auto_free_ char *text = NULL;

                test_case("%zu", i);
                CHECK_INT(json_add_string(o, "s", cases[i][0]), 0);
                text = json_format(o);
                REQUIRE(text);
                CHECK_INT(json_parse(text, strlen(text), &back, NULL), 0);
                CHECK_STR(json_get_string(back, "s"), cases[i][1]);
        }
}
