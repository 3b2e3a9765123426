/* SPDX-License-Identifier: Apache-2.0 */
#include "ca-name.h"

#include <string.h>

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
