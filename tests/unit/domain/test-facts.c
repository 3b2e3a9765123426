/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/facts.h"

#include <string.h>

#include "base/strv.h"
#include "lib/test.h"

TEST(list_takes_and_finds) {
        CertFactsList l = {};
        CertFacts f = { .spec = strdup("rsa"), .issuer = strdup("CA"), .key_bits = 2048 };

        REQUIRE(strv_extend(&f.names, "example.org") == 0);
        CHECK(cert_facts_find(&l, "rsa") == NULL);
        CHECK_INT(cert_facts_list_take(&l, &f), 0);
        CHECK(f.spec == NULL); /* moved: releasing it again does no harm */
        cert_facts_done(&f);
        f = (CertFacts){ .spec = strdup("p-256") };
        CHECK_INT(cert_facts_list_take(&l, &f), 0);

        CHECK_UINT(l.n, 2);
        REQUIRE(cert_facts_find(&l, "rsa"));
        CHECK_UINT(cert_facts_find(&l, "rsa")->key_bits, 2048);
        CHECK_STR(cert_facts_find(&l, "rsa")->names[0], "example.org");
        CHECK(cert_facts_find(&l, "p-256") == &l.items[1]);
        CHECK(cert_facts_find(&l, "p-384") == NULL);

        cert_facts_list_done(&l);
        CHECK_UINT(l.n, 0);
        cert_facts_list_done(&l);
        cert_facts_list_done(NULL);
        cert_facts_done(NULL);
}
