/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/snapshot-staple.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "lib/test.h"

#define ID "0123456789abcdef0123456789abcdef01234567"

static SnapshotStapling example(void) {
        return (SnapshotStapling){ .id = (char *) ID, .domain = (char *) "example.org", .serial = (char *) "0A", .url = (char *) "http://ocsp.test/" };
}

TEST(there_and_back) {
        _cleanup_(snapshot_staplings_done) SnapshotStaplings s = { 0 }, again = { 0 };
        _auto_json_ JsonObject *o = json_object_new_object();
        SnapshotStapling ours = example(), other = example();

        other.domain = NULL;
        other.proxy_url = (char *) "http://proxy.test:3128";
        other.proxy_ca_file = (char *) "/etc/proxy.pem";
        other.must_staple = true;
        REQUIRE(snapshot_staplings_add(&s, &ours, "first") == 0);
        REQUIRE(snapshot_staplings_add(&s, &other, "second") == 0);
        REQUIRE(snapshot_staplings_add(&s, &other, "first") == 0);
        CHECK_UINT(strv_length(s.issuers), 2);
        REQUIRE(snapshot_staplings_to_json(&s, o) == 0);
        REQUIRE(snapshot_staplings_from_json(o, &again, NULL) == 0);
        REQUIRE(again.n == 3);
        CHECK(strv_equal(s.issuers, again.issuers));
        CHECK_STR(again.items[0].id, ID);
        CHECK_STR(again.items[0].domain, "example.org");
        CHECK_STR(again.items[0].proxy_url, NULL);
        CHECK_STR(again.items[1].domain, NULL);
        CHECK_STR(again.items[1].serial, "0A");
        CHECK_STR(again.items[1].url, "http://ocsp.test/");
        CHECK_STR(again.items[1].proxy_url, "http://proxy.test:3128");
        CHECK_STR(again.items[1].proxy_ca_file, "/etc/proxy.pem");
        CHECK_UINT(again.items[1].issuer, 1);
        CHECK(again.items[1].must_staple && !again.items[0].must_staple);
        CHECK_UINT(again.items[2].issuer, 0);
}

TEST(none) {
        _cleanup_(snapshot_staplings_done) SnapshotStaplings s = { 0 };
        _auto_json_ JsonObject *o = json_object_new_object();

        CHECK_INT(snapshot_staplings_to_json(&s, o), 0);
        CHECK_INT(json_object_object_length(o), 0);
        CHECK_INT(snapshot_staplings_from_json(o, &s, NULL), 0);
        CHECK_UINT(s.n, 0);
}

#define ITEM(id, serial, issuer, url, more) "{\"id\": \"" id "\", \"serial\": \"" serial "\", \"issuer\": " issuer ", \"url\": \"" url "\"" more "}"

TEST(nonsense) {
        static const struct {
                const char *what, *item;
        } cases[] = {
                { "no hash", ITEM("0123", "0A", "0", "http://a", "") },
                { "a path", ITEM("../../../../../../../../../../etc/passwd.", "0A", "0", "http://a", "") },
                { "capitals", ITEM("0123456789ABCDEF0123456789ABCDEF01234567", "0A", "0", "http://a", "") },
                { "no serial", ITEM(ID, "", "0", "http://a", "") },
                { "serial is no number", ITEM(ID, "0AG", "0", "http://a", "") },
                { "no such issuer", ITEM(ID, "0A", "1", "http://a", "") },
                { "issuer is text", ITEM(ID, "0A", "\"0\"", "http://a", "") },
                { "another scheme", ITEM(ID, "0A", "0", "file:///etc/passwd", "") },
                { "a blank in the URL", ITEM(ID, "0A", "0", "http://a b", "") },
                { "a line break in the URL", ITEM(ID, "0A", "0", "http://a\\nb", "") },
                { "a domain that is none", ITEM(ID, "0A", "0", "http://a", ", \"domain\": \"../x\"") },
                { "a domain that is no text", ITEM(ID, "0A", "0", "http://a", ", \"domain\": 1") },
                { "a proxy that is none", ITEM(ID, "0A", "0", "http://a", ", \"proxy-url\": \"\"") },
                { "a relative path", ITEM(ID, "0A", "0", "http://a", ", \"proxy-ca-certs\": \"x.pem\"") },
                { "no object", "1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *text = str_printf("{\"issuers\": [\"PEM\"], \"staplings\": [%s]}", cases[i].item);
                _cleanup_(snapshot_staplings_done) SnapshotStaplings s = { 0 };
                _auto_json_ JsonObject *o = NULL;
                _auto_problem_ Problem *p = NULL;

                test_case("%s", cases[i].what);
                REQUIRE(json_parse(text, strlen(text), &o, NULL) == 0);
                CHECK_INT(snapshot_staplings_from_json(o, &s, &p), -EBADMSG);
                CHECK(p && s.n == 0 && !s.issuers);
        }
}
