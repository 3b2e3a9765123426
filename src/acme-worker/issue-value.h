/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The text of a record that proves a name again and again (draft-ietf-acme-dns-persist section 4): an issue-value of RFC 8659 section 4.2. Pure. */

#include "base/strv.h"

typedef struct IssueValue {
        char *issuer;        /* as written */
        char *account_uri;   /* NULL: not said */
        bool wildcard;       /* policy=wildcard */
        uint64_t until_usec; /* persistUntil; UINT64_MAX: not said */
} IssueValue;

void issue_value_done(IssueValue *record);
#define _auto_issue_value_ _cleanup_(issue_value_done)

enum {
        ISSUE_VALUE_DONE,
        ISSUE_VALUE_E_MALFORMED, /* parse: no issue-value, a parameter twice, or one of ours whose value is none */
        ISSUE_VALUE_E_OTHER,     /* judge: it is about another CA, or about nothing */
        ISSUE_VALUE_E_WRONG,     /* judge: it is about this CA, and would not do: *ret_why says why: "is for the account …" */
};

/* Fills a zeroed *ret. Parameters that are not known are skipped. */
int issue_value_parse(const char *text, IssueValue *ret);

/* Whether a CA of these names would take it where 'expect' is what would be published: the same account, and for wildcards if need be.
 * *ret_until_usec is set with DONE. */
int issue_value_judge(const char *text, const char *expect, char *const *issuers, uint64_t now_usec, uint64_t *ret_until_usec, char **ret_why);
