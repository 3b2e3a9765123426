/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/domain-size.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "lib/test.h"

TEST(all_that_may_be_long_counts) {
        enum { LONG = 16000, MANY = 100 };
        _auto_free_ char *text = malloc(LONG + 1);
        char *list[MANY + 1] = { 0 };
        CertFacts facts[2] = { 0 };
        Problem problem = { .type = (char *) "t", .detail = (char *) "" };
        ManagedDomain config = { .name = (char *) "a.example" };
        Job job = { 0 };
        Domain d = { .config = &config, .job = &job };
        size_t least, before;

        REQUIRE(text != NULL);
        memset(text, 'x', LONG);
        text[LONG] = '\0';
        for (size_t i = 0; i < MANY; i++)
                list[i] = text;
        before = least = domain_size(&d);
        CHECK(least > 0 && least < LONG); /* thousands of ordinary ones fit in a message */

        job.last = &problem;
        const struct {
                const char *what;
                char **text;
        } texts[] = { { "detail", &problem.detail }, { "subproblems", &problem.subproblems }, { "refused", &config.refused } };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                test_case("%s", texts[i].what);
                *texts[i].text = text;
                CHECK_UINT(domain_size(&d) - before, LONG);
                before = domain_size(&d);
        }
        test_case("names");
        config.names = list;
        CHECK(domain_size(&d) - before >= (size_t) MANY * LONG);
        before = domain_size(&d);
        test_case("certificates");
        d.live = (CertFactsList){ facts, 2 };
        CHECK(domain_size(&d) > before);
}
