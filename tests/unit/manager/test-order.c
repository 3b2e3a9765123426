/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "lib/test.h"

TEST(payload) {
        static const struct {
                const char *names, *profile, *replaces, *text;
        } cases[] = {
                { "example.org", NULL, NULL, "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"example.org\"}]}" },
                { "example.org *.example.org", "tlsserver", NULL,
                  "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"example.org\"},{\"type\":\"dns\",\"value\":\"*.example.org\"}],\"profile\":\"tlsserver\"}" },
                { "192.0.2.1 2001:db8::1", "short\"lived", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
                  "{\"identifiers\":[{\"type\":\"ip\",\"value\":\"192.0.2.1\"},{\"type\":\"ip\",\"value\":\"2001:db8::1\"}],"
                  "\"profile\":\"short\\\"lived\",\"replaces\":\"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE\"}" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_strv_ char **names = strv_split(cases[i].names, " ");
                _auto_free_ char *text = NULL;

                test_case("%s", cases[i].names);
                CHECK_INT(order_payload(names, cases[i].profile, cases[i].replaces, &text), 0);
                CHECK_STR(text, cases[i].text);
        }
}

TEST(fits) {
        static const struct {
                const char *what, *begun, *wanted;
                bool begun_mandatory, mandatory, fits;
        } cases[] = {
                { "none, as before",             NULL,         NULL,         false, false, true  },
                { "the same",                    "shortlived", "ShortLived", false, false, true  },
                { "one is wanted now",           NULL,         "shortlived", false, false, false },
                { "none is wanted any more",     "shortlived", NULL,         false, false, false },
                { "another one",                 "shortlived", "classic",    true,  true,  false },
                { "it is a must now",            "shortlived", "shortlived", false, true,  false },
                { "it is no must any more",      "shortlived", "shortlived", true,  false, true  },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ManagedDomain begun = { .profile = (char *) cases[i].begun, .profile_mandatory = cases[i].begun_mandatory };
                ManagedDomain wanted = { .profile = (char *) cases[i].wanted, .profile_mandatory = cases[i].mandatory };

                test_case("%s", cases[i].what);
                CHECK_INT(order_fits(&begun, &wanted), cases[i].fits);
        }
}

TEST(profile) {
        static const struct {
                const char *what, *wanted, *profiles;
                bool mandatory;
                int r;
                const char *sent, *detail;
        } cases[] = {
                { "none wanted",              NULL,        "classic shortlived", true,  0,       NULL,         NULL },
                { "listed",                   "classic",   "classic shortlived", false, 0,       "classic",    NULL },
                { "the server's spelling",    "SHORTlived","classic shortLived", true,  0,       "shortLived", NULL },
                { "not listed, not needed",   "tlsserver", "classic shortlived", false, 0,       NULL,         NULL },
                { "not listed, mandatory",    "tlsserver", "classic shortlived", true,  -EINVAL, NULL,         "it has classic, shortlived" },
                { "no profiles, mandatory",   "tlsserver", "",                   true,  -EINVAL, NULL,         "it has no profiles at all" },
                { "no profiles, not needed",  "tlsserver", "",                   false, 0,       NULL,         NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ManagedDomain d = { .profile = (char *) cases[i].wanted, .profile_mandatory = cases[i].mandatory };
                _auto_strv_ char **profiles = strv_split(cases[i].profiles, " ");
                _auto_problem_ Problem *p = NULL;
                const char *sent = NULL;

                test_case("%s", cases[i].what);
                CHECK_INT(order_profile(&d, profiles, "https://ca.test/dir", &sent, &p), cases[i].r);
                CHECK_STR(sent, cases[i].sent);
                CHECK(!p == !cases[i].detail);
                CHECK(!p || (strstr(p->detail, cases[i].detail) && strstr(p->detail, "'tlsserver'")));
        }
}

/* RFC 8555 section 7.4: the request names just what was ordered. */
TEST(request_names_what_is_ordered) {
        char *configured[] = { (char *) "www.example.org", (char *) "*.example.org", (char *) "192.0.2.1", NULL };
        ManagedDomain d = { .names = configured };
        static const KeySpec spec = { .type = KEY_TYPE_EC, .curve = "P-256" };
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_strv_ char **names = NULL;
        _auto_free_ char *text = NULL;
        _auto_free_ void *der = NULL;
        _auto_json_ JsonObject *o = NULL;
        _auto_x509_req_ X509_REQ *req = NULL;
        const uint8_t *p;
        const char *csr;
        size_t size;

        REQUIRE(key_make(&spec, &key, NULL) == 0 && order_names(&d, &names) == 0);
        CHECK_UINT(strv_length(names), 2);
        REQUIRE(order_request(key, names, true, &text, NULL) == 0);
        REQUIRE(json_parse(text, strlen(text), &o, NULL) == 0);
        csr = json_get_string(o, "csr");
        REQUIRE(csr && base64url_decode(csr, strlen(csr), &der, &size) == 0);
        p = der;
        req = d2i_X509_REQ(NULL, &p, (long) size);
        REQUIRE(req);
        CHECK(X509_REQ_verify(req, key) == 1);
        CHECK(memmem(der, size, "*.example.org", 13));
        CHECK(!memmem(der, size, "www.example.org", 15)); /* neither as name nor as common name */
        CHECK(memmem(der, size, "\x05\x05\x07\x01\x18", 5)); /* TLS feature */
}
