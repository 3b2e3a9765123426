/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/issue-value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"

#define WHITE " \t"

#define YEAR_10000 UINT64_C(253402300800)

enum { PARAMETERS_MAX = 32 };

void issue_value_done(IssueValue *record) {
        free(record->issuer);
        free(record->account_uri);
        *record = (IssueValue){};
}

/* Both ends; within the text. */
static char *trim(char *s) {
        size_t n;

        s += strspn(s, WHITE);
        for (n = strlen(s); n > 0 && strchr(WHITE, s[n - 1]); n--)
                ;
        s[n] = '\0';
        return s;
}

static bool is_alphanumeric(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool tag_is_valid(const char *tag) {
        size_t n = strlen(tag);

        if (n == 0 || !is_alphanumeric(tag[0]) || !is_alphanumeric(tag[n - 1]))
                return false;
        for (; *tag; tag++)
                if (!is_alphanumeric(*tag) && *tag != '-')
                        return false;
        return true;
}

static bool value_is_valid(const char *value) {
        for (; *value; value++)
                if (*value <= ' ' || *value >= 0x7f)
                        return false;
        return true;
}

/* Seconds since the epoch; times before it are over as well, and what is past all calendars never ends. */
static int take_until(IssueValue *record, const char *value) {
        bool negative = *value == '-';
        uint64_t seconds;

        if (parse_uint64(value + negative, &seconds) < 0)
                return ISSUE_VALUE_E_MALFORMED;
        record->until_usec = negative ? 0 : seconds >= YEAR_10000 ? UINT64_MAX : seconds * USEC_PER_SEC;
        return ISSUE_VALUE_DONE;
}

static int take_value(IssueValue *record, const char *tag, const char *value) {
        if (str_equal_nocase(tag, "accounturi")) {
                if (!*value)
                        return ISSUE_VALUE_E_MALFORMED;
                return str_replace(&record->account_uri, value);
        }
        if (str_equal_nocase(tag, "policy"))
                record->wildcard = str_equal_nocase(value, "wildcard");
        else if (str_equal_nocase(tag, "persistuntil"))
                return take_until(record, value);
        return ISSUE_VALUE_DONE;
}

static int take_parameter(IssueValue *record, char *parameter, char ***seen) {
        char *equals = strchr(parameter, '='), *tag, *value;
        int r;

        if (!equals)
                return ISSUE_VALUE_E_MALFORMED;
        *equals = '\0';
        tag = trim(parameter);
        value = trim(equals + 1);
        if (!tag_is_valid(tag) || !value_is_valid(value) || strv_length(*seen) >= PARAMETERS_MAX)
                return ISSUE_VALUE_E_MALFORMED;
        str_to_lower(tag);
        if (strv_contains(*seen, tag))
                return ISSUE_VALUE_E_MALFORMED;
        r = strv_extend(seen, tag);
        return r < 0 ? r : take_value(record, tag, value);
}

/* What is behind the issuer's name. Nothing behind its semicolon is allowed, nothing between two others is not. */
static int take_parameters(IssueValue *record, char *text) {
        _auto_strv_ char **seen = NULL;

        if (!*trim(text))
                return ISSUE_VALUE_DONE;
        for (char *next = text; next;) {
                char *parameter = strsep(&next, ";");
                int r;

                r = take_parameter(record, parameter, &seen);
                if (r != 0)
                        return r;
        }
        return ISSUE_VALUE_DONE;
}

int issue_value_parse(const char *text, IssueValue *ret) {
        _auto_issue_value_ IssueValue record = { .until_usec = UINT64_MAX };
        _auto_free_ char *copy = strdup(text);
        char *rest = copy, *issuer;
        int r;

        if (!copy)
                return -ENOMEM;
        issuer = trim(strsep(&rest, ";"));
        if (!*issuer || strpbrk(issuer, WHITE "="))
                return ISSUE_VALUE_E_MALFORMED;
        r = str_replace(&record.issuer, issuer);
        if (r == 0 && rest)
                r = take_parameters(&record, rest);
        if (r != 0)
                return r;
        *ret = record;
        record = (IssueValue){};
        return ISSUE_VALUE_DONE;
}

static int wrong(char **ret_why, char *why) {
        if (!why)
                return -ENOMEM;
        *ret_why = why;
        return ISSUE_VALUE_E_WRONG;
}

static int compare(const IssueValue *record, const IssueValue *wanted, uint64_t now_usec, char **ret_why) {
        char when[CLOCK_HUMAN_MAX];

        if (!record->account_uri)
                return wrong(ret_why, strdup("names no account (accounturi)"));
        if (!str_equal(record->account_uri, wanted->account_uri))
                return wrong(ret_why, str_printf("is for the account %s", record->account_uri));
        if (wanted->wildcard && !record->wildcard)
                return wrong(ret_why, strdup("is not for wildcards (policy=wildcard)"));
        if (record->until_usec <= now_usec)
                return wrong(ret_why, str_printf("ended %s (persistUntil)", clock_format_utc(when, record->until_usec)));
        return ISSUE_VALUE_DONE;
}

/* One that cannot be read is about this CA when it begins like that. */
static int judge_malformed(const char *text, char *const *issuers, char **ret_why) {
        _auto_free_ char *issuer = strndup(text, strcspn(text, ";"));

        if (!issuer)
                return -ENOMEM;
        return strv_contains(issuers, trim(issuer)) ? wrong(ret_why, strdup("is malformed")) : ISSUE_VALUE_E_OTHER;
}

int issue_value_judge(const char *text, const char *expect, char *const *issuers, uint64_t now_usec, uint64_t *ret_until_usec, char **ret_why) {
        _auto_issue_value_ IssueValue record = {}, wanted = {};
        int r;

        r = issue_value_parse(expect, &wanted);
        if (r != 0)
                return r < 0 ? r : -EINVAL;
        r = issue_value_parse(text, &record);
        if (r != 0)
                return r < 0 ? r : judge_malformed(text, issuers, ret_why);
        if (!strv_contains(issuers, record.issuer))
                return ISSUE_VALUE_E_OTHER;
        r = compare(&record, &wanted, now_usec, ret_why);
        if (r == ISSUE_VALUE_DONE)
                *ret_until_usec = record.until_usec;
        return r;
}
