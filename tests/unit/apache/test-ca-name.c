/* SPDX-License-Identifier: Apache-2.0 */
#include "ca-name.h"

#include <string.h>

#include "base/macro.h"

#include "lib/test.h"

TEST(known_names) {
        const CaName *found;

        found = ca_name_find("letsencrypt");
        REQUIRE(found);
        CHECK_STR(found->url, "https://acme-v02.api.letsencrypt.org/directory");
        CHECK(ca_name_find("LETSENCRYPT-test"));
        CHECK(!ca_name_find("letsencrypt2"));
        CHECK(!ca_name_find(""));
}

TEST(gone_ca_is_known_but_not_offered) {
        char text[CA_NAMES_TEXT_MAX];
        const CaName *found;

        found = ca_name_find("Buypass");
        REQUIRE(found);
        CHECK(!found->url);

        CHECK(strstr(ca_names_text(text), "LetsEncrypt, "));
        CHECK(!strstr(text, "Buypass"));
}

TEST(ca_is_known_by_its_url) {
        const CaName *found = ca_name_find_url("https://acme.zerossl.com/v2/DV90");

        REQUIRE(found);
        CHECK_STR(found->name, "ZeroSSL");
        CHECK(found->wants_binding);
        CHECK(!ca_name_find_url("https://ca.test/dir"));
}

TEST(names_of_a_certificate) {
        static const struct {
                const char *ca, *profile;
                unsigned max;
        } cases[] = {
                { "LetsEncrypt", NULL, 100 },
                { "LetsEncrypt", "classic", 100 },
                { "LetsEncrypt-Test", "TLSserver", 25 },
                { "LetsEncrypt", "shortlived", 25 },
                { "LetsEncrypt", "of-tomorrow", 0 },
                { "ZeroSSL", NULL, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s %s", cases[i].ca, cases[i].profile ? cases[i].profile : "-");
                CHECK_INT(ca_names_max(ca_name_find(cases[i].ca), cases[i].profile), cases[i].max);
        }
        CHECK_INT(ca_names_max(NULL, NULL), 0);
}
