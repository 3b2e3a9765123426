/* SPDX-License-Identifier: Apache-2.0 */
#include "arpa.h"

#include "apr_general.h"

#include "base/macro.h"
#include "lib/test.h"

#define ZEROS "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

TEST(addresses) {
        static const struct {
                const char *name, *address;
        } cases[] = {
                { "1.2.0.192.in-addr.arpa", "192.0.2.1" },
                { "1.2.0.192.IN-ADDR.ARPA", "192.0.2.1" },
                { "1." ZEROS "8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::1" },
                { "1." ZEROS "8.B.D.0.1.0.0.2.IP6.ARPA", "2001:db8::1" },
                { "1.2.0.192", NULL },
                { "192.0.2.1", NULL },
                { "2.0.192.in-addr.arpa", NULL },
                { "9.1.2.0.192.in-addr.arpa", NULL },
                { "01.2.0.192.in-addr.arpa", NULL },
                { "256.2.0.192.in-addr.arpa", NULL },
                { "1..2.0.192.in-addr.arpa", NULL },
                { ".1.2.0.192.in-addr.arpa", NULL },
                { "a.2.0.192.in-addr.arpa", NULL },
                { "1.2.0.192.in-addr.arpa.", NULL },
                { ".in-addr.arpa", NULL },
                { "in-addr.arpa", NULL },
                { "1." ZEROS "8.b.d.0.1.0.0.ip6.arpa", NULL },
                { "g." ZEROS "8.b.d.0.1.0.0.2.ip6.arpa", NULL },
                { "1-" ZEROS "8.b.d.0.1.0.0.2.ip6.arpa", NULL },
                { "1." ZEROS "8.b.d.0.1.0.0.2.in-addr.arpa", NULL },
                { "www.example.org", NULL },
                { "", NULL },
        };
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].name);
                CHECK_STR(arpa_address(p, cases[i].name), cases[i].address);
        }
        apr_pool_destroy(p);
}
