/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/account-request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/strv.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "lib/test.h"

TEST(payloads) {
        char *contacts[] = { (char *) "mailto:a@example.org", (char *) "mailto:b@example.org", NULL };
        _auto_json_ JsonObject *binding = json_object_new_object();
        const struct {
                const char *what;
                AccountRequest request;
                const char *new, *update;
        } cases[] = {
                { "nothing", { 0 }, "{}", "{}" },
                { "contacts", { .contacts = contacts }, "{\"contact\":[\"mailto:a@example.org\",\"mailto:b@example.org\"]}",
                  "{\"contact\":[\"mailto:a@example.org\",\"mailto:b@example.org\"]}" },
                { "consent", { .agreed = true }, "{\"termsOfServiceAgreed\":true}", "{\"termsOfServiceAgreed\":true}" },
                { "everything", { .contacts = contacts + 1, .agreed = true, .binding = binding },
                  "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:b@example.org\"],\"externalAccountBinding\":{\"payload\":\"x\"}}",
                  "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:b@example.org\"]}" },
                { "only an existing one", { .contacts = contacts, .agreed = true, .binding = binding, .only_existing = true }, "{\"onlyReturnExisting\":true}",
                  NULL },
        };

        REQUIRE(json_add_string(binding, "payload", "x") == 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *new = NULL, *update = NULL;

                test_case("%s", cases[i].what);
                CHECK_INT(account_request_new(&cases[i].request, &new), 0);
                CHECK_STR(new, cases[i].new);
                CHECK_INT(account_request_update(&cases[i].request, &update), 0);
                if (cases[i].update)
                        CHECK_STR(update, cases[i].update);
        }
}

TEST(deactivation) {
        _auto_free_ char *text = NULL;

        CHECK_INT(account_request_deactivate(&text), 0);
        CHECK_STR(text, "{\"status\":\"deactivated\"}");
}

TEST(reasons) {
        static const struct {
                const char *name;
                int r;
                unsigned code;
        } cases[] = {
                { "unspecified", 0, 0 },           { "keyCompromise", 0, 1 },  { "KEYCOMPROMISE", 0, 1 },
                { "affiliationChanged", 0, 3 },    { "superseded", 0, 4 },     { "cessationOfOperation", 0, 5 },
                { "cACompromise", -EINVAL, 77 },   { "1", -EINVAL, 77 },       { "", -EINVAL, 77 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                unsigned code = 77;

                test_case("%s", cases[i].name);
                CHECK_INT(revocation_reason_from_string(cases[i].name, &code), cases[i].r);
                CHECK_UINT(code, cases[i].code);
        }
}

TEST(revocation) {
        static const KeySpec spec = { .type = KEY_TYPE_EC, .curve = "P-256" };
        char *names[] = { (char *) "example.org", NULL };
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_x509_ X509 *cert = NULL, *back = NULL;
        const unsigned reason = 4;

        REQUIRE(key_make(&spec, &key, NULL) == 0 && cert_make_self_signed(key, NULL, names, 0, UINT64_C(1000000) * 86400, &cert) == 0);
        for (size_t i = 0; i < 2; i++) {
                _auto_free_ char *text = NULL;
                _auto_free_ void *der = NULL;
                _auto_json_ JsonObject *o = NULL;
                const uint8_t *p;
                uint64_t code = 77;
                const char *encoded;
                size_t size;

                REQUIRE(revocation_request(cert, i > 0 ? &reason : NULL, &text) == 0);
                REQUIRE(json_parse(text, strlen(text), &o, NULL) == 0);
                encoded = json_get_string(o, "certificate");
                REQUIRE(encoded && base64url_decode(encoded, strlen(encoded), &der, &size) == 0);
                p = der;
                X509_free(back);
                back = d2i_X509(NULL, &p, (long) size);
                CHECK(back && X509_cmp(back, cert) == 0);
                CHECK(json_get_uint(o, "reason", &code) == (i > 0));
                CHECK_UINT(code, i > 0 ? 4 : 77);
        }
}
