/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/link.h"

#include <stdio.h>

#include "acme/answer.h"
#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

#define BASE "https://ca.test/cert/1"

static const struct {
        const char *field;
        const char *targets;
} cases[] = {
        { "<https://ca.test/2>;rel=\"alternate\"",                       "https://ca.test/2"                   },
        { "<https://ca.test/2>;rel=alternate",                           "https://ca.test/2"                   },
        { "  <https://ca.test/2>  ;  REL = \"Alternate\"  ",             "https://ca.test/2"                   },
        { "<1/2>; rel=\"alternate\"",                                    "https://ca.test/cert/1/2"            },
        { "</2>; rel=alternate, </3>;rel=\"alternate\"",                 "https://ca.test/2 https://ca.test/3" },
        { "</2>; rel=up, </3>;rel=\"alternate\"",                        "https://ca.test/3"                   },
        { "</2>; rel=\"up alternate\"",                                  "https://ca.test/2"                   },
        { "</2>; rel=\"up\"; rel=\"alternate\"",                         ""                                    },
        { "</2>; rel=\"alternates\"",                                    ""                                    },
        { "</2>; title=\"a, b; rel=\\\"x\\\"\"; rel=alternate",          "https://ca.test/2"                   },
        { "</2>; title=\"<https://evil.test/>; rel=alternate\"",         ""                                    },
        { "</2>; crossorigin; rel=alternate",                            "https://ca.test/2"                   },
        { "</2>; anchor=\"/x\"; rel=alternate",                          ""                                    },
        { "</2>;rel=alternate,</2>;rel=alternate",                       "https://ca.test/2"                   },
        { "<http://ca.test/2>;rel=alternate, </3>;rel=alternate",        "https://ca.test/3"                   },
        { "</2>;rel=alternate,,  </3>;rel=alternate,",                   "https://ca.test/2 https://ca.test/3" },
        { "</2>",                                                        ""                                    },
        { "</2>;rel",                                                    ""                                    },
        { "</2>;rel=",                                                   ""                                    },
        { "</2;rel=alternate",                                           ""                                    },
        { "/2;rel=alternate",                                            ""                                    },
        { "</2>;rel=\"alternate",                                         ""                                    },
        { "</2>;title=\"x\\",                                             ""                                    },
        { "</2> junk;rel=alternate",                                     ""                                    },
        { "<>;rel=alternate",                                            ""                                    },
        { "",                                                            ""                                    },
};

TEST(fields) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *const fields[] = { (char *) cases[i].field, NULL };
                _auto_strv_ char **targets = NULL;
                _auto_free_ char *joined = NULL;

                test_case("%s", cases[i].field);
                if (!CHECK_INT(acme_link_targets(fields, "alternate", BASE, 10, &targets), 0))
                        continue;
                joined = targets ? strv_join(targets, " ") : strdup("");
                CHECK_STR(joined, cases[i].targets);
        }
}

TEST(no_more_than_wanted) {
        char *const fields[] = { (char *) "</2>;rel=alternate,</3>;rel=alternate", (char *) "</4>;rel=alternate", NULL };
        _auto_strv_ char **targets = NULL, **none = NULL;

        CHECK_INT(acme_link_targets(fields, "alternate", BASE, 2, &targets), 0);
        CHECK_UINT(strv_length(targets), 2);
        CHECK_INT(acme_link_targets(NULL, "alternate", BASE, 2, &none), 0);
        CHECK(none == NULL);
}

TEST(an_answer_keeps_several_of_them) {
        _auto_acme_answer_ AcmeAnswer a = {};
        char line[64];

        acme_answer_init(&a, 1024);
        CHECK_INT(acme_answer_add_head(&a, "HTTP/2 200\r\n", 12), 0);
        for (int i = 0; i < ACME_LINKS_MAX + 5; i++) {
                (void) snprintf(line, sizeof(line), "link: </%d>;rel=alternate\r\n", i);
                CHECK_INT(acme_answer_add_head(&a, line, strlen(line)), 0);
        }
        CHECK_UINT(strv_length(a.links), ACME_LINKS_MAX);
        CHECK_STR(a.links[1], "</1>;rel=alternate");
        CHECK_INT(acme_answer_add_head(&a, "HTTP/2 200\r\n", 12), 0);
        CHECK(a.links == NULL);
}
