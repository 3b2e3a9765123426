/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/url.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

static const struct {
        const char *url;
        const char *host; /* NULL: not valid */
} cases[] = {
        { "https://ca.test/dir",               "ca.test"       },
        { "https://ca.test",                   "ca.test"       },
        { "https://ca.test?x=1",               "ca.test"       },
        { "https://ca.test:14000/a/b?c=d&e=%20", "ca.test:14000" },
        { "https://192.0.2.1/dir",             "192.0.2.1"     },
        { "https://[2001:db8::1]:14000/dir",   "[2001:db8::1]:14000" },
        { "https://ca.test/a/../b",            "ca.test"       },
        { "https://ca.test/'(x)'",             "ca.test"       },
        { NULL,                                NULL            },
        { "",                                  NULL            },
        { "http://ca.test/dir",                NULL            },
        { "http://localhost/dir",              NULL            },
        { "http://127.0.0.1:14000/dir",        NULL            },
        { "HTTPS://ca.test/dir",               NULL            },
        { "ftp://ca.test/dir",                 NULL            },
        { "file:///etc/passwd",                NULL            },
        { "https:///dir",                      NULL            },
        { "https://:443/dir",                  NULL            },
        { "https://ca.test:/dir",              NULL            },
        { "https://ca.test:0/dir",             NULL            },
        { "https://ca.test:65536/dir",         NULL            },
        { "https://ca.test:1234567/dir",       NULL            },
        { "https://ca.test:44x/dir",           NULL            },
        { "https://user@ca.test/dir",          NULL            },
        { "https://user:secret@ca.test/dir",   NULL            },
        { "https://ca.test/dir#part",          NULL            },
        { "https://ca.test/d ir",              NULL            },
        { "https://ca.test/dir\n",             NULL            },
        { "https://ca.test/dir\r\nX: y",       NULL            },
        { "https://ca.test/\x7f",              NULL            },
        { "https://ca.test/\xc3\xa4",          NULL            },
        { "https://c\xc3\xa4.test/",           NULL            },
        { "https://ca.test\\@evil.test/",      NULL            },
        { "https://ca.test/\\",                NULL            },
        { "https://ca.test/{x}",               NULL            },
        { "https://[2001:db8::1/dir",          NULL            },
        { "https://[]/dir",                    NULL            },
        { "https://[v1.x]/dir",                NULL            },
        { " https://ca.test/dir",              NULL            },
};

TEST(what_is_a_url) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_free_ char *host = NULL;

                test_case("%s", cases[i].url ? cases[i].url : "NULL");
                if (!CHECK(acme_url_is_valid(cases[i].url) == (cases[i].host != NULL)) || !cases[i].host)
                        continue;
                host = acme_url_host(cases[i].url);
                CHECK_STR(host, cases[i].host);
        }
}

TEST(length) {
        char url[ACME_URL_MAX + 2] = "https://ca.test/";

        memset(url + strlen(url), 'x', ACME_URL_MAX - strlen(url));
        CHECK(acme_url_is_valid(url));
        url[ACME_URL_MAX] = 'x';
        CHECK(!acme_url_is_valid(url));
}

static const struct {
        const char *reference;
        const char *url; /* NULL: of no use */
} references[] = {
        { "https://other.test/x/../y",  "https://other.test/x/../y"        },
        { "//other.test/x",             "https://other.test/x"             },
        { "/x",                         "https://ca.test:1/x"              },
        { "/x/../../y/./z",             "https://ca.test:1/y/z"            },
        { "x",                          "https://ca.test:1/a/b/x"          },
        { "x/",                         "https://ca.test:1/a/b/x/"         },
        { "./x",                        "https://ca.test:1/a/b/x"          },
        { "../x",                       "https://ca.test:1/a/x"            },
        { "..",                         "https://ca.test:1/a/"             },
        { ".",                          "https://ca.test:1/a/b/"           },
        { "../../../../x",              "https://ca.test:1/x"              },
        { "c/../d?e=../f",              "https://ca.test:1/a/b/d?e=../f"   },
        { "?y=2",                       "https://ca.test:1/a/b/c?y=2"      },
        { "1/alt:2",                    "https://ca.test:1/a/b/1/alt:2"    },
        { "",                           NULL                               },
        { "#part",                      NULL                               },
        { "x#part",                     NULL                               },
        { "http://ca.test/x",           NULL                               },
        { "javascript:alert(1)",        NULL                               },
        { "//user@other.test/x",        NULL                               },
        { "///x",                       NULL                               },
        { "x y",                        NULL                               },
        { "x\r\ny",                     NULL                               },
};

TEST(references) {
        for (size_t i = 0; i < ELEMENTSOF(references); i++) {
                _auto_free_ char *url = NULL;

                test_case("'%s'", references[i].reference);
                CHECK_INT(acme_url_resolve("https://ca.test:1/a/b/c?x=1", references[i].reference, &url), references[i].url ? 0 : -EINVAL);
                CHECK_STR(url, references[i].url);
        }
}

TEST(references_from_the_top) {
        _auto_free_ char *a = NULL, *b = NULL, *c = NULL;

        CHECK_INT(acme_url_resolve("https://ca.test", "x", &a), 0);
        CHECK_STR(a, "https://ca.test/x");
        CHECK_INT(acme_url_resolve("https://ca.test?q", "../x", &b), 0);
        CHECK_STR(b, "https://ca.test/x");
        CHECK_INT(acme_url_resolve("https://ca.test", "?x", &c), 0);
        CHECK_STR(c, "https://ca.test?x");
}
