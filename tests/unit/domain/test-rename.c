/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/rename.h"

#include "base/strv.h"
#include "lib/test.h"

enum {
        CANDIDATES = 3,
};

TEST(who_it_was) {
        static const struct {
                const char *what, *names, *candidates[CANDIDATES];
                int expected; /* -1: none */
        } cases[] = {
                { "nobody is there", "a.org", { NULL }, -1 },
                { "nobody shares a name", "a.org www.a.org", { "b.org", "c.org www.c.org" }, -1 },
                { "swapped", "www.a.org a.org", { "b.org", "a.org www.a.org" }, 1 },
                { "the first one was removed", "www.a.org", { "b.org", "a.org www.a.org ftp.a.org" }, 1 },
                { "all names before many", "a.org b.org c.org", { "a.org b.org x.org", "z.org a.org b.org c.org" }, 1 },
                { "most names", "n.org a.org b.org c.org", { "a.org", "a.org b.org", "c.org" }, 1 },
                { "of equals the first", "n.org a.org b.org", { "a.org", "b.org" }, 0 },
                { "a name given twice counts once", "a.org a.org b.org", { "a.org", "a.org b.org" }, 1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_strv_ char **names = strv_split(cases[i].names, " ");
                RenameCandidate candidates[CANDIDATES];
                char **lists[CANDIDATES] = {};
                size_t n = 0, found = 99;
                int r;

                for (; n < CANDIDATES && cases[i].candidates[n]; n++) {
                        lists[n] = strv_split(cases[i].candidates[n], " ");
                        candidates[n] = (RenameCandidate){ lists[n][0], lists[n] };
                }
                test_case("%s", cases[i].what);
                r = rename_choose(names, candidates, n, &found);
                CHECK_INT(r, cases[i].expected < 0 ? RENAME_E_NONE : RENAME_FOUND);
                CHECK_INT(found, cases[i].expected < 0 ? 99 : cases[i].expected);
                for (size_t k = 0; k < n; k++)
                        (void) strv_free(lists[k]);
        }
}
