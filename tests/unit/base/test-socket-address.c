/* SPDX-License-Identifier: Apache-2.0 */
#include "base/socket-address.h"

#include <arpa/inet.h>

#include "base/macro.h"
#include "lib/test.h"

TEST(addresses_are_read_as_written) {
        static const struct {
                const char *text;
                int family;
        } cases[] = {
                { "127.0.0.1", AF_INET },
                { "192.0.2.255", AF_INET },
                { "::1", AF_INET6 },
                { "2001:db8::80", AF_INET6 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[INET6_ADDRSTRLEN] = "";
                SocketAddress a;
                bool four;

                test_case("%s", cases[i].text);
                four = cases[i].family == AF_INET;
                CHECK_INT(socket_address_parse(cases[i].text, 443, &a), four ? sizeof(a.in) : sizeof(a.in6));
                CHECK_INT(a.sa.sa_family, cases[i].family);
                CHECK_INT(ntohs(four ? a.in.sin_port : a.in6.sin6_port), 443);
                CHECK(inet_ntop(cases[i].family, four ? (void *) &a.in.sin_addr : &a.in6.sin6_addr, text, sizeof(text)));
                CHECK_STR(text, cases[i].text);
        }
}

TEST(what_is_no_address_is_none) {
        static const char *const cases[] = { "", "localhost", "1.2.3", "1.2.3.4:80", "256.0.0.1", "[::1]", "fe80::1%eth0", " ::1", "01.2.3.4" };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                SocketAddress a = { .sa.sa_family = AF_UNIX };

                test_case("'%s'", cases[i]);
                CHECK_INT(socket_address_parse(cases[i], 443, &a), 0);
                CHECK_INT(a.sa.sa_family, AF_UNIX);
        }
}
