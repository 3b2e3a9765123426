/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/endpoint.h"

#include "lib/test.h"

TEST(parse) {
        static const struct {
                const char *text, *address, *name;
                unsigned port;
        } cases[] = {
                { "*:443 example.org", "", "example.org", 443 },
                { "*:0 example.org", "", "example.org", 0 },
                { "192.0.2.1:8443 www.example.org", "192.0.2.1", "www.example.org", 8443 },
                { "[2001:db8::1]:443 example.org", "2001:db8::1", "example.org", 443 },
                { "*:443 192.0.2.1", "", "192.0.2.1", 443 },
                { "*:443 2001:db8::1", "", "2001:db8::1", 443 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                Endpoint e = {};

                test_case("%s", cases[i].text);
                REQUIRE(endpoint_parse(cases[i].text, &e));
                CHECK_STR(e.address, cases[i].address);
                CHECK_UINT(e.port, cases[i].port);
                CHECK_STR(e.name, cases[i].name);
        }
}

TEST(refused) {
        static const char *const cases[] = {
                "", " ", ":", "*:443", "*:443 ", "example.org", "* example.org", "*: example.org", ":443 example.org", "*:65536 example.org", "*:-1 example.org",
                "*:443 *.example.org", "*:443 a b", "2001:db8::1:443 example.org", "[192.0.2.1]:443 example.org", "[]:443 example.org", "[:443 example.org",
                "[*]:443 example.org", "host:443 example.org", "fe80::1%eth0:443 example.org", "[fe80::1%eth0]:443 example.org",
                "[1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]:443 example.org",
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                Endpoint e = { .port = 1 };

                test_case("%s", cases[i]);
                CHECK(!endpoint_parse(cases[i], &e));
                CHECK_UINT(e.port, 1);
        }
}
