/* SPDX-License-Identifier: Apache-2.0 */
#include "contact.h"

#include "apr_general.h"

#include "base/macro.h"
#include "lib/test.h"

TEST(contacts) {
        static const struct {
                const char *text;
                const char *uri;   /* as MDContactEmail; NULL: refused */
                const char *admin; /* as ServerAdmin */
        } cases[] = {
                { "admin@example.org", "mailto:admin@example.org", "mailto:admin@example.org" },
                { "mailto:admin@example.org", "mailto:admin@example.org", "mailto:admin@example.org" },
                { "MAILTO:Admin@Example.ORG", "mailto:Admin@Example.ORG", "mailto:Admin@Example.ORG" },
                { "a.b+c@x.example.org", "mailto:a.b+c@x.example.org", "mailto:a.b+c@x.example.org" },
                { "webmaster@localhost", "mailto:webmaster@localhost", NULL },
                { "tel:+12015550123", "tel:+12015550123", NULL },
                { "https://example.org/contact", "https://example.org/contact", NULL },
                { "[no address given]", NULL, NULL },
                { "you:me@example.org", "you:me@example.org", NULL },
                { "admin", NULL, NULL },
                { "admin@", NULL, NULL },
                { "@example.org", NULL, NULL },
                { "admin@@example.org", NULL, NULL },
                { "a@b@example.org", NULL, NULL },
                { "a@example.org,b@example.org", NULL, NULL },
                { "a@example.org?subject=x", NULL, NULL },
                { "a b@example.org", NULL, NULL },
                { "admin@*.example.org", NULL, NULL },
                { "admin@exa_mple.org", NULL, NULL },
                { "admin@127.0.0.1", NULL, NULL },
                { "mailto:", NULL, NULL },
                { "mailto:admin", NULL, NULL },
                { "tel:", NULL, NULL },
                { "tel:1\n2", NULL, NULL },
                { "", NULL, NULL },
        };
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].text);
                CHECK_STR(contact_uri(p, cases[i].text), cases[i].uri);
                CHECK_STR(contact_uri_of_admin(p, cases[i].text), cases[i].admin);
        }
        apr_pool_destroy(p);
}
