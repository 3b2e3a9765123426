/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenge-persist.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "domain/name.h"

#define PREFIX "_validation-persist."

/* An administrator who reads his mail once a week still has one to act. */
#define WARN_USEC (14 * USEC_PER_DAY)

#define YEAR_10000 UINT64_C(253402300800)

enum {
        ISSUERS_MAX = 10, /* section 3.1 of the draft */
        URI_MAX = 512,
};

char *challenge_persist_name(const char *identifier) {
        return str_printf(PREFIX "%s", identifier);
}

static bool issuers_are_valid(char *const *issuers) {
        size_t n = strv_length(issuers);

        STRV_FOREACH(name, issuers)
                if (strlen(*name) > 253 || !**name || (*name)[strspn(*name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] != '\0')
                        return false;
        return n > 0 && n <= ISSUERS_MAX;
}

/* It stands in a text that people copy into a zone: nothing that ends a parameter or a quoted string. */
static bool uri_is_valid(const char *uri) {
        size_t n = strnlen(uri, URI_MAX + 1);

        if (n == 0 || n > URI_MAX)
                return false;
        for (; *uri; uri++)
                if (*uri <= ' ' || *uri >= 0x7f || strchr(";\"\\", *uri))
                        return false;
        return true;
}

/* The order of the list says nothing, and may be another one tomorrow: the record is to stay. */
static const char *choose_issuer(char *const *issuers) {
        const char *first = issuers[0];

        STRV_FOREACH(name, issuers)
                if (strcmp(*name, first) < 0)
                        first = *name;
        return first;
}

/* Records of names that the domain has no more. */
static void forget_others(Domain *d, char *const *names) {
        PersistRecords *records = &d->job->persist_records;

        for (size_t i = records->n; i-- > 0;) {
                const char *name = str_after_prefix(records->items[i].name, PREFIX);
                _auto_free_ char *wildcard = str_printf("*.%s", str_or(name, ""));

                if (!name || (wildcard && !strv_contains(names, name) && !strv_contains(names, wildcard)))
                        persist_records_forget(records, records->items[i].name);
        }
}

static char *format_value(const Renewal *r, const char *identifier, const char *issuer, const char *account_uri) {
        _auto_free_ char *wildcard = str_printf("*.%s", identifier);

        if (!wildcard)
                return NULL;
        return str_printf("%s; accounturi=%s%s", issuer, account_uri, strv_contains(r->task.settings->names, wildcard) ? "; policy=wildcard" : "");
}

int challenge_persist_keep(Renewal *r, const char *identifier, char *const *issuers, const char *account_uri, char **ret_value, Problem **ret_problem) {
        const char *uri = r->task.account ? r->task.account->url : NULL;
        _auto_free_ char *name = challenge_persist_name(identifier), *value = NULL;
        int k;

        if (!name)
                return -ENOMEM;
        if (domain_name_is_address(identifier)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "Addresses are not proven by dns-persist-01");
                return -EOPNOTSUPP;
        }
        if (!issuers_are_valid(issuers) || !uri || !uri_is_valid(uri)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The CA does not say what the record %s must be", name);
                return -EBADMSG;
        }
        /* Whoever's account is named there may have certificates for as long as the record stays, and it is people who put it there because we say so. That it is
         * ours is known of the one URL that the CA gave it, and of no other that comes by way of a worker (RFC 8657 section 3). */
        if (!str_is_empty(account_uri) && !str_equal(account_uri, uri)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The CA wants the record %s for the account %s, and ours is %s: it may be somebody else's", name, account_uri,
                                   uri);
                return -EBADMSG;
        }
        value = format_value(r, identifier, choose_issuer(issuers), uri);
        if (!value)
                return -ENOMEM;
        forget_others(r->domain, r->task.settings->names);
        k = persist_records_keep(&r->domain->job->persist_records, name, value);
        if (k < 0)
                return k;
        domain_save_job(r->domain);
        domain_changed(r->domain);
        *ret_value = take_ptr(value);
        return 0;
}

bool challenge_persist_seen(Domain *d, const char *identifier, uint64_t until_usec) {
        const LogField field = { "MD_NAME", DOMAIN_NAME(d) };
        _auto_free_ char *name = challenge_persist_name(identifier);
        char when[CLOCK_HUMAN_MAX];

        if (until_usec >= YEAR_10000 * USEC_PER_SEC)
                until_usec = UINT64_MAX;
        if (until_usec == 0 || !name || !persist_records_note(&d->job->persist_records, name, until_usec))
                return false;
        domain_save_job(d);
        domain_changed(d);
        if (until_usec < usec_add(clock_now_usec(), WARN_USEC))
                (void) log_full(LOG_WARNING, 0, NULL, &field, 1, "%s: The record %s ends %s (persistUntil); without another one renewals fail then", DOMAIN_NAME(d), name,
                                clock_format_utc(when, until_usec));
        return true;
}

char *challenge_persist_find_fault(const Domain *d, uint64_t now_usec) {
        uint64_t before_usec = MAX_OF(usec_add(now_usec, WARN_USEC), usec_add(d->wanted_usec, USEC_PER_DAY));
        const PersistRecord *record = persist_records_ending(&d->job->persist_records, before_usec);
        char when[CLOCK_HUMAN_MAX];

        if (!record)
                return NULL;
        return str_printf("The record %s %s %s (persistUntil), %s; publish one that lasts: TXT \"%s\"", record->name, record->until_usec <= now_usec ? "ended" : "ends",
                          clock_format_utc(when, record->until_usec), record->until_usec <= d->wanted_usec ? "before the next renewal" : "soon", record->value);
}
