/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/sign-url.h"

#include "lib/test.h"

TEST(same_origin) {
        static const struct {
                const char *what, *a, *b;
                bool same;
        } cases[] = {
                { "another path", "https://ca.test/a", "https://ca.test/b?c", true },
                { "no path", "https://ca.test", "https://CA.test/x", true },
                { "the port", "https://ca.test:14000/a", "https://ca.test:14000/b", true },
                { "another port", "https://ca.test/a", "https://ca.test:444/a", false },
                { "a longer host", "https://ca.test/a", "https://ca.test.evil.example/a", false },
                { "a user", "https://ca.test/a", "https://ca.test@evil.example/a", false },
                { "another scheme", "https://ca.test/a", "http://ca.test/a", false },
                { "nothing to compare with", NULL, "https://ca.test/", false },
                { "nothing to compare", "https://ca.test/", NULL, false },
                { "no URL to compare with", "", "https://ca.test/", false },
                { "nothing at all", NULL, NULL, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                test_check(sign_same_origin(cases[i].a, cases[i].b) == cases[i].same, cases[i].what, __FILE__, __LINE__);
}
