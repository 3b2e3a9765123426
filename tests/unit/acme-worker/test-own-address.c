/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/own-address.h"

#include "base/cleanup.h"
#include "lib/test.h"

TEST(ours_and_others) {
        static const struct {
                const char *address;
                bool is_ours;
        } cases[] = {
                { "127.0.0.1", true },
                { "127.1.2.3", true },
                { "::1", true },
                /* Documentation addresses (RFC 5737, RFC 3849) are nobody's. */
                { "192.0.2.77", false },
                { "2001:db8::77", false },
                { "example.org", false },
                { "", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].address);
                CHECK_INT(own_address_is_ours(cases[i].address), cases[i].is_ours);
        }
}

TEST(addresses_as_identifiers) {
        _auto_own_addresses_ OwnAddresses ours = {}, others = {};

        REQUIRE(own_addresses_find("ip", "127.0.0.1", &ours) == 0);
        CHECK(ours.all && ours.resolved);
        CHECK_UINT(strv_length(ours.own), 1);

        REQUIRE(own_addresses_find("ip", "192.0.2.77", &others) == 0);
        CHECK(!others.all && others.resolved);
        CHECK_UINT(strv_length(others.own), 0);
}
