/* SPDX-License-Identifier: Apache-2.0 */

#include "acme-worker/issue-value.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

#define NOW (UINT64_C(1800000000) * USEC_PER_SEC)
#define ACCOUNT "accounturi=https://ca.example/acct/123"

static const struct {
        const char *text;
        int r;
        const char *issuer, *account_uri;
        bool wildcard;
        uint64_t until_usec;
} texts[] = {
        { "authority.example; " ACCOUNT, ISSUE_VALUE_DONE, "authority.example", "https://ca.example/acct/123", false, UINT64_MAX },
        { "authority.example;" ACCOUNT ";policy=wildcard", ISSUE_VALUE_DONE, "authority.example", "https://ca.example/acct/123", true, UINT64_MAX },
        { " \tauthority.example ; AccountURI = https://ca.example/acct/123 ; POLICY = WildCard ; persistuntil\t=\t4102444800 ", ISSUE_VALUE_DONE,
          "authority.example", "https://ca.example/acct/123", true, UINT64_C(4102444800) * USEC_PER_SEC },
        { "authority.example; " ACCOUNT "; policy=subdomains", ISSUE_VALUE_DONE, "authority.example", "https://ca.example/acct/123", false, UINT64_MAX },
        { "authority.example; " ACCOUNT "; later-tag=a=b; x=", ISSUE_VALUE_DONE, "authority.example", "https://ca.example/acct/123", false, UINT64_MAX },
        { "authority.example; persistUntil=-1", ISSUE_VALUE_DONE, "authority.example", NULL, false, 0 },
        { "authority.example; persistUntil=18446744073709551615", ISSUE_VALUE_DONE, "authority.example", NULL, false, UINT64_MAX },
        { "authority.example", ISSUE_VALUE_DONE, "authority.example", NULL, false, UINT64_MAX },
        { "authority.example;", ISSUE_VALUE_DONE, "authority.example", NULL, false, UINT64_MAX },
        { "", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { ";", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "; " ACCOUNT, ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "v=spf1 -all", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "two words; " ACCOUNT, ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; accounturi", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; accounturi=", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; accounturi=two words", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; " ACCOUNT ";", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; " ACCOUNT "; " ACCOUNT, ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; " ACCOUNT "; X=1; x=2", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; -tag=x", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; =x", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; persistUntil=tomorrow", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; persistUntil=", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
        { "authority.example; persistUntil=18446744073709551616", ISSUE_VALUE_E_MALFORMED, NULL, NULL, false, 0 },
};

TEST(grammar) {
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _auto_issue_value_ IssueValue v = {};

                test_case("%s", texts[i].text);
                if (!CHECK_INT(issue_value_parse(texts[i].text, &v), texts[i].r) || texts[i].r != ISSUE_VALUE_DONE)
                        continue;
                CHECK_STR(v.issuer, texts[i].issuer);
                CHECK_STR(v.account_uri, texts[i].account_uri);
                CHECK_INT(v.wildcard, texts[i].wildcard);
                CHECK_UINT(v.until_usec, texts[i].until_usec);
        }
}

static const struct {
        const char *text, *expect;
        int r;
        const char *why; /* is in it; NULL: nothing is said */
} records[] = {
        { "authority.example; " ACCOUNT, "authority.example; " ACCOUNT, ISSUE_VALUE_DONE, NULL },
        { "other-name.example;" ACCOUNT, "authority.example; " ACCOUNT, ISSUE_VALUE_DONE, NULL },
        { "authority.example; " ACCOUNT "; policy=wildcard", "authority.example; " ACCOUNT, ISSUE_VALUE_DONE, NULL },
        { "authority.example; " ACCOUNT "; persistUntil=1800000001", "authority.example; " ACCOUNT, ISSUE_VALUE_DONE, NULL },
        { "authority.example; " ACCOUNT "; persistUntil=1800000000", "authority.example; " ACCOUNT, ISSUE_VALUE_E_WRONG, "ended " },
        { "authority.example; " ACCOUNT "4", "authority.example; " ACCOUNT, ISSUE_VALUE_E_WRONG, "is for the account https://ca.example/acct/1234" },
        { "authority.example", "authority.example; " ACCOUNT, ISSUE_VALUE_E_WRONG, "names no account" },
        { "authority.example; " ACCOUNT, "authority.example; " ACCOUNT "; policy=wildcard", ISSUE_VALUE_E_WRONG, "policy=wildcard" },
        { "authority.example; " ACCOUNT ";", "authority.example; " ACCOUNT, ISSUE_VALUE_E_WRONG, "malformed" },
        { "someone.example; " ACCOUNT, "authority.example; " ACCOUNT, ISSUE_VALUE_E_OTHER, NULL },
        { "Authority.example; " ACCOUNT, "authority.example; " ACCOUNT, ISSUE_VALUE_E_OTHER, NULL },
        { "someone.example; nonsense", "authority.example; " ACCOUNT, ISSUE_VALUE_E_OTHER, NULL },
        { "v=spf1 -all", "authority.example; " ACCOUNT, ISSUE_VALUE_E_OTHER, NULL },
        { "", "authority.example; " ACCOUNT, ISSUE_VALUE_E_OTHER, NULL },
};

TEST(judgement) {
        static char *const issuers[] = { (char *) "authority.example", (char *) "other-name.example", NULL };

        for (size_t i = 0; i < ELEMENTSOF(records); i++) {
                _auto_free_ char *why = NULL;
                uint64_t until = 7;
                int r;

                test_case("%s for %s", records[i].text, records[i].expect);
                r = issue_value_judge(records[i].text, records[i].expect, issuers, NOW, &until, &why);
                CHECK_INT(r, records[i].r);
                CHECK(r == ISSUE_VALUE_DONE ? until > NOW : until == 7);
                CHECK(records[i].why ? why && strstr(why, records[i].why) : !why);
        }
}

