/* SPDX-License-Identifier: Apache-2.0 */

/* dns-01 (RFC 8555 section 8.4) and dns-persist-01 (draft-ietf-acme-dns-persist): whether the record is visible at every name server of its zone that can be reached. A CA asks any of them, some
 * ask several times from several places, and a secondary gets its copy of the zone when it gets it.
 *
 * Where no name server of the zone can be asked (no way out for DNS but the local resolver, or another view of the zone inside than outside), the
 * resolver is asked instead; what it does not see of a record that was just made need not be missing. */

#include <errno.h>
#include <string.h>

#include "acme-worker/check.h"
#include "acme-worker/dns.h"
#include "acme-worker/issue-value.h"
#include "acme-worker/zone-servers.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"

#define BACKOFF_MIN_USEC (500 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC (5 * USEC_PER_SEC)

enum { VALUES_SHOWN_MAX = 4 };

typedef enum ServerState {
        SERVER_TO_ASK,
        SERVER_HAS_IT,
        SERVER_LACKS_IT,
        SERVER_OUT_OF_REACH, /* no answer at all, or not one of somebody who knows: not asked again */
} ServerState;

typedef struct Look {
        const ChallengeCheck *check;
        uint64_t deadline_usec, backoff_usec;
        ZoneServers zone;
        ServerState states[ZONE_SERVERS_MAX];
        char *found[ZONE_SERVERS_MAX]; /* by a server that lacks it: what it said */
        uint64_t until_usec;           /* when the first one of those that were found ends */
        unsigned n_aliases;
        bool told; /* that this may take a while */
} Look;

static void forget_servers(Look *l) {
        for (size_t i = 0; i < ZONE_SERVERS_MAX; i++) {
                free(l->found[i]);
                l->found[i] = NULL;
                l->states[i] = SERVER_TO_ASK;
        }
        zone_servers_done(&l->zone);
}

static size_t count(const Look *l, ServerState state) {
        size_t n = 0;

        for (size_t i = 0; i < l->zone.n_servers; i++)
                n += l->states[i] == state;
        return n;
}

static bool is_persistent(const Look *l) {
        return str_equal(l->check->what->type, "dns-persist-01");
}

/* Several may do: the one that lasts longest counts. *ret_why is set when there is none, but one that nearly would. */
static int find_persistent(Look *l, char *const *values, char **ret_why) {
        const AcmeChallengeCheck *what = l->check->what;
        _auto_free_ char *why = NULL;
        uint64_t until_usec = 0;

        STRV_FOREACH(value, values) {
                _auto_free_ char *wrong = NULL;
                uint64_t until = 0;
                int r;

                r = issue_value_judge(*value, what->expect, what->issuers, clock_now_usec(), &until, &wrong);
                if (r < 0)
                        return r;
                until_usec = MAX_OF(until_usec, until);
                if (wrong && !why)
                        why = take_ptr(wrong);
        }
        if (until_usec > 0) {
                l->until_usec = MIN_OF(l->until_usec, until_usec);
                return 1;
        }
        *ret_why = take_ptr(why);
        return 0;
}

/* 1: what is looked for is among them, 0: it is not. *ret_why may be set then: what is wrong with one that was meant to be it. */
static int find_value(Look *l, char *const *values, char **ret_why) {
        return is_persistent(l) ? find_persistent(l, values, ret_why) : strv_contains(values, l->check->what->expect);
}

/* What an answer without the value says, for people: "has …". */
static char *describe(const DnsAnswer *answer) {
        _auto_free_ char *some = NULL;
        size_t n = strv_length(answer->values);
        char *first[VALUES_SHOWN_MAX + 1] = {};

        if (answer->code == ns_r_nxdomain)
                return strdup("knows no such name");
        if (n == 0)
                return strdup("has no TXT record there");
        for (size_t i = 0; i < MIN_OF(n, (size_t) VALUES_SHOWN_MAX); i++)
                first[i] = answer->values[i];
        some = strv_join(first, "\", \"");
        return some ? str_printf("has \"%s\"%s", some, n > VALUES_SHOWN_MAX ? " and more" : "") : NULL;
}

static bool is_knowing(const DnsAnswer *answer) {
        return answer->authoritative && (answer->code == ns_r_noerror || answer->code == ns_r_nxdomain);
}

static int judge_server(Look *l, size_t i, const DnsQuestion *q) {
        _auto_free_ char *why = NULL;
        int r;

        free(l->found[i]);
        l->found[i] = NULL;
        r = q->answer ? find_value(l, q->answer->values, &why) : 0;
        if (r < 0)
                return r;
        if (!q->answer || (!is_knowing(q->answer) && r == 0)) {
                check_tell(LOG_DEBUG, l->check, "The name server %s (%s) does not tell: %s", l->zone.servers[i].name,
                           l->zone.servers[i].address, str_or(q->failure, "it refuses, or is not in charge of the zone"));
                l->states[i] = SERVER_OUT_OF_REACH;
                return 0;
        }
        if (r > 0) {
                l->states[i] = SERVER_HAS_IT;
                return 0;
        }
        l->states[i] = SERVER_LACKS_IT;
        l->found[i] = why ? str_printf("has one that %s", why) : describe(q->answer);
        return l->found[i] ? 0 : -ENOMEM;
}

/* The alias that a server tells of instead of the record; NULL: none does. */
static const char *find_alias(Look *l, const DnsQuestion *questions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                _auto_free_ char *why = NULL;

                if (questions[i].answer && is_knowing(questions[i].answer) && !dns_name_is_in_zone(questions[i].answer->name, l->zone.zone) &&
                    find_value(l, questions[i].answer->values, &why) <= 0)
                        return questions[i].answer->name;
        }
        return NULL;
}

static int find_servers(Look *l, const char *name) {
        _auto_free_ char *owned = strdup(name); /* it may be one of what is forgotten */

        if (!owned)
                return -ENOMEM;
        forget_servers(l);
        return zone_servers_find(owned, &l->zone);
}

enum {
        ROUND_DONE,
        ROUND_E_AGAIN, /* the name leads to another zone: its servers are to be asked now */
};

static int judge_round(Look *l, const DnsQuestion *questions, const size_t *servers, size_t n) {
        const char *alias = find_alias(l, questions, n);
        int r;

        if (alias && l->n_aliases++ < DNS_ALIASES_MAX) {
                r = find_servers(l, alias);
                return r < 0 ? r : ROUND_E_AGAIN;
        }
        for (size_t i = 0; i < n; i++) {
                r = judge_server(l, servers[i], &questions[i]);
                if (r < 0)
                        return r;
        }
        return ROUND_DONE;
}

/* Asks those that have not got it yet, all at once. */
static int ask_servers(Look *l) {
        DnsQuestion questions[ZONE_SERVERS_MAX] = {};
        size_t servers[ZONE_SERVERS_MAX], n = 0;
        int r;

        for (size_t i = 0; i < l->zone.n_servers; i++) {
                if (l->states[i] == SERVER_HAS_IT || l->states[i] == SERVER_OUT_OF_REACH)
                        continue;
                questions[n] = (DnsQuestion){ .name = l->zone.name, .type = ns_t_txt, .server = l->zone.servers[i].address };
                servers[n++] = i;
        }
        r = dns_ask(questions, n);
        if (r == 0)
                r = judge_round(l, questions, servers, n);
        for (size_t i = 0; i < n; i++)
                dns_question_done(&questions[i]);
        return r;
}

static bool is_over(const Look *l) {
        return clock_monotonic_usec() >= l->deadline_usec;
}

static int pause_look(Look *l, Problem **ret_problem) {
        uint64_t left_usec = usec_sub(l->deadline_usec, clock_monotonic_usec());
        int r;

        if (!l->told)
                check_tell(LOG_INFO, l->check, "Waiting for the record %s to become visible", l->check->what->record);
        l->told = true;
        r = l->check->wait(l->check->userdata, MIN_OF(l->backoff_usec, left_usec), ret_problem);
        l->backoff_usec = MIN_OF(2 * l->backoff_usec, BACKOFF_MAX_USEC);
        return r;
}

/* The whole sentence is there to be followed: it is the administrator who has to put the record there. */
static int not_published(const Look *l, const char *where, const char *found, Problem **ret_problem) {
        const AcmeChallengeCheck *what = l->check->what;

        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "It is proven by a record that has to be published once and stays: %s. TXT \"%s\"; %s %s",
                    what->record, what->expect, where, found);
        return *ret_problem ? CHECK_E_FAILED : -ENOMEM;
}

static int not_published_at(const Look *l, size_t first, Problem **ret_problem) {
        _auto_free_ char *where = str_printf("%zu of the %zu name servers of the zone %s lack it: %s (%s)", count(l, SERVER_LACKS_IT),
                                             l->zone.n_servers, l->zone.zone, l->zone.servers[first].name, l->zone.servers[first].address);

        return where ? not_published(l, where, l->found[first], ret_problem) : -ENOMEM;
}

static int not_visible(const Look *l, Problem **ret_problem) {
        const AcmeChallengeCheck *what = l->check->what;
        bool is_alias = !str_equal_nocase(what->record, l->zone.name);
        char waited[CLOCK_HUMAN_MAX];
        size_t first = 0;

        while (l->states[first] != SERVER_LACKS_IT)
                first++;
        if (is_persistent(l))
                return not_published_at(l, first, ret_problem);
        (void) clock_format_timespan(waited, what->wait_usec);
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP,
                    "The TXT record %s%s%s%s with the value \"%s\" is missing at %zu of the %zu name servers of the zone %s after "
                    "%s: %s (%s) %s",
                    what->record, is_alias ? " (an alias of " : "", is_alias ? l->zone.name : "", is_alias ? ")" : "", what->expect,
                    count(l, SERVER_LACKS_IT), l->zone.n_servers, l->zone.zone, waited, l->zone.servers[first].name,
                    l->zone.servers[first].address, l->found[first]);
        return *ret_problem ? CHECK_E_FAILED : -ENOMEM;
}

static int go_on_blindly(const Look *l, const char *why) {
        check_tell(LOG_NOTICE, l->check, "No name server of the zone of %s can be asked, and %s; leaving it to the CA to find it",
                   l->check->what->record, why);
        return CHECK_DONE;
}

/* 1: it sees the record, 0: it does not; *ret_found is what it says then. */
static int judge_resolver(Look *l, const DnsAnswer *answer, char **ret_found) {
        _auto_free_ char *why = NULL;
        int r;

        r = find_value(l, answer->values, &why);
        if (r != 0)
                return r;
        *ret_found = why ? str_printf("has one that %s", why) : describe(answer);
        return *ret_found ? 0 : -ENOMEM;
}

static int look_by_resolver(Look *l, Problem **ret_problem) {
        for (;;) {
                DnsQuestion q = { .name = l->check->what->record, .type = ns_t_txt };
                _auto_free_ char *found = NULL;
                bool answered;
                int r;

                r = dns_ask(&q, 1);
                answered = q.answer;
                if (r == 0 && answered)
                        r = judge_resolver(l, q.answer, &found);
                dns_question_done(&q);
                if (r != 0)
                        return r < 0 ? r : CHECK_DONE;
                if (!answered)
                        return go_on_blindly(l, "the system's resolver does not answer");
                if (is_persistent(l))
                        return not_published(l, "no name server of its zone can be asked, and the system's resolver", found, ret_problem);
                if (is_over(l))
                        return go_on_blindly(l, "the system's resolver does not see it");
                r = pause_look(l, ret_problem);
                if (r < 0)
                        return r;
        }
}

static int look(Look *l, Problem **ret_problem) {
        int r;

        r = find_servers(l, l->check->what->record);
        if (r < 0)
                return r;
        for (;;) {
                do
                        r = ask_servers(l);
                while (r == ROUND_E_AGAIN);
                if (r < 0)
                        return r;
                if (count(l, SERVER_LACKS_IT) == 0)
                        return count(l, SERVER_HAS_IT) > 0 ? CHECK_DONE : look_by_resolver(l, ret_problem);
                if (is_over(l))
                        return not_visible(l, ret_problem);
                r = pause_look(l, ret_problem);
                if (r < 0)
                        return r;
        }
}

int check_dns(const ChallengeCheck *c, Problem **ret_problem) {
        Look l = {
                .check = c,
                .deadline_usec = usec_add(c->since_usec, c->what->wait_usec),
                .backoff_usec = BACKOFF_MIN_USEC,
                .until_usec = UINT64_MAX,
        };
        bool persistent = is_persistent(&l);
        int r;

        /* Of a record that is there or not nobody waits for the appearance. */
        if (str_is_empty(c->what->record) || (persistent ? strv_length(c->what->issuers) == 0 : c->what->wait_usec == 0))
                return CHECK_DONE;
        r = look(&l, ret_problem);
        if (r == CHECK_DONE && persistent && c->ret_until_usec)
                *c->ret_until_usec = l.until_usec;
        forget_servers(&l);
        return r;
}
