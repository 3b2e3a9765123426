/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/directory.h"

#include <errno.h>
#include <string.h>

#include "lib/test.h"

#define URL "https://ca.test/dir"
#define MEMBER(name, value) "\"" name "\": \"" value "\""
#define NEEDED MEMBER("newNonce", "https://ca.test/n") ", " MEMBER("newAccount", "https://ca.test/a") ", " MEMBER("newOrder", "https://ca.test/o")

static int parse(const char *text, AcmeDirectory **ret, Problem **ret_problem) {
        return acme_directory_parse(URL, text, strlen(text), ret, ret_problem);
}

TEST(least) {
        _auto_acme_directory_ AcmeDirectory *d = NULL;
        _auto_problem_ Problem *p = NULL;

        REQUIRE(parse("{" NEEDED "}", &d, &p) == 0);
        CHECK_STR(d->new_nonce, "https://ca.test/n");
        CHECK_STR(d->new_account, "https://ca.test/a");
        CHECK_STR(d->new_order, "https://ca.test/o");
        CHECK_STR(d->revoke_cert, NULL);
        CHECK_STR(d->terms_of_service, NULL);
        CHECK(!d->external_account_required);
        CHECK_UINT(strv_length(d->profiles), 0);
}

TEST(all) {
        _auto_acme_directory_ AcmeDirectory *d = NULL;
        _auto_problem_ Problem *p = NULL;

        REQUIRE(parse("{" NEEDED ", " MEMBER("revokeCert", "https://ca.test/r") ", " MEMBER("keyChange", "http://ca.test/k") ", "
                      MEMBER("renewalInfo", "https://ca.test/i") ", \"unknown\": [], \"meta\": {\"termsOfService\": \"data:text/plain,x\\u001b\","
                      " \"externalAccountRequired\": true, \"profiles\": {\"classic\": \"x\", \"short\": \"y\", \"b\\u001bd\": \"z\"}}}", &d, &p) == 0);
        CHECK_STR(d->revoke_cert, "https://ca.test/r");
        CHECK_STR(d->key_change, NULL); /* no https */
        CHECK_STR(d->renewal_info, "https://ca.test/i");
        CHECK_STR(d->terms_of_service, "data:text/plain,x?");
        CHECK(d->external_account_required);
        REQUIRE(strv_length(d->profiles) == 2);
        CHECK_STR(d->profiles[0], "classic");
        CHECK_STR(d->profiles[1], "short");
}

static const struct {
        const char *what, *text, *words;
} bad[] = {
        { "nothing",            "",                                                           "not JSON"                   },
        { "HTML",               "<html>",                                                     "not JSON"                   },
        { "array",              "[]",                                                         "not a JSON object"          },
        { "empty",              "{}",                                                         "no 'newNonce'"              },
        { "no account",         "{" MEMBER("newNonce", "https://ca.test/n") "}",              "no 'newAccount'"            },
        { "no order",           "{" MEMBER("newNonce", "https://ca.test/n") "," MEMBER("newAccount", "https://ca.test/a") "}", "no 'newOrder'" },
        { "http",               "{" MEMBER("newNonce", "http://ca.test/n") "}",               "'newNonce' that is no https URL" },
        { "number",             "{\"newNonce\": 7}",                                          "'newNonce' that is no https URL" },
        { "ACMEv1",             "{" MEMBER("new-reg", "https://ca.test/r") "}",               "ACMEv1"                     },
};

TEST(refused) {
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _auto_problem_ Problem *p = NULL;
                AcmeDirectory *d = NULL;

                test_case("%s", bad[i].what);
                CHECK_INT(parse(bad[i].text, &d, &p), -EBADMSG);
                CHECK(d == NULL);
                if (!CHECK(p != NULL))
                        continue;
                CHECK_STR(p->type, PROBLEM_TYPE_BAD_ANSWER);
                if (!CHECK(strstr(p->detail, bad[i].words) != NULL && strstr(p->detail, URL) != NULL))
                        CHECK_STR(p->detail, bad[i].words);
        }
}
