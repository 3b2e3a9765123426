/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/decision.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"

#define DAY USEC_PER_DAY
#define T0 ((uint64_t) 1700000000 * USEC_PER_SEC)

#define RSA(size) \
        { .items = { { .type = KEY_TYPE_RSA, .bits = (size) } }, .n = 1 }
#define EC(text) \
        { .items = { { .type = KEY_TYPE_EC, .curve = text } }, .n = 1 }
#define RSA_AND_EC \
        { .items = { { .type = KEY_TYPE_RSA, .bits = 2048 }, { .type = KEY_TYPE_EC, .curve = "P-256" } }, .n = 2 }

/* A certificate as a row of a table says it: zero means that of an ordinary one. */
typedef struct Cert {
        const char *spec;    /* NULL: this row has no certificate */
        const char *names;   /* "example.org" */
        uint64_t born, dies; /* T0 and T0 + 90 days */
        KeyType type;
        unsigned bits;
        bool no_key;
} Cert;

typedef struct Case {
        const char *what;
        const char *names; /* of the domain: "example.org" */
        KeySpecs keys;
        RenewMode mode; /* see .manual */
        bool manual, unused, staged, not_served, asked, local;
        const char *refused;
        Window window;
        Cert certs[2];
        JobPhase phase;
        unsigned errors;
        uint64_t next_run;
        uint64_t now; /* T0 + 10 days */

        DecisionAction action;
        DecisionReason reason;
        uint64_t at;
        DomainState state;  /* COMPLETE */
        const char *detail; /* a part of it */
} Case;

static int make_domain(const Case *c, ManagedDomain **ret) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("example.org");
        _auto_strv_ char **names = strv_split(c->names ? c->names : "", " ");

        if (!d)
                return -1;
        STRV_FOREACH(name, names)
                (void) managed_domain_add_name(d, *name);
        d->keys = c->keys;
        d->renew_mode = c->manual ? RENEW_MODE_MANUAL : c->mode == RENEW_MODE_ALWAYS ? RENEW_MODE_ALWAYS : RENEW_MODE_AUTO;
        d->renew_window = c->window;
        d->used = !c->unused;
        if (c->refused)
                (void) str_replace(&d->refused, c->refused);
        if (c->local)
                (void) str_replace(&d->protocol, "tailscale");
        *ret = take_ptr(d);
        return 0;
}

static void make_facts(const Case *c, CertFactsList *live) {
        for (size_t i = 0; i < ELEMENTSOF(c->certs) && c->certs[i].spec; i++) {
                const Cert *cert = &c->certs[i];
                CertFacts f = {
                        .spec = strdup(cert->spec),
                        .names = strv_split(cert->names ? cert->names : "example.org", " "),
                        .key_matches = !cert->no_key,
                        .key_type = cert->type != KEY_TYPE_DEFAULT ? cert->type
                                : strcmp(cert->spec, "rsa") == 0   ? KEY_TYPE_RSA
                                                                   : KEY_TYPE_EC,
                        .key_bits = cert->bits > 0               ? cert->bits
                                : strcmp(cert->spec, "rsa") == 0 ? 2048
                                                                 : 256,
                        .not_before_usec = cert->born > 0 ? cert->born : T0,
                        .not_after_usec = cert->dies > 0 ? cert->dies : T0 + 90 * DAY,
                };

                (void) cert_facts_list_take(live, &f);
        }
}

static void check(const Case *c) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
        _cleanup_(job_freep) Job *job = job_new("example.org");
        _cleanup_(cert_facts_list_done) CertFactsList live = {};
        _cleanup_(decision_done) Decision decision = {};

        test_case("%s", c->what);
        REQUIRE(job && make_domain(c, &d) == 0);
        make_facts(c, &live);
        job->phase = c->phase;
        job->asked = c->asked;
        job->errors = c->errors;
        job->next_run_usec = c->next_run;
        if (c->errors > 0)
                job->last = problem_new(PROBLEM_TYPE_CONNECTION, "no route to the CA");

        CHECK_INT(decision_make(d, &live, job, &(DecisionContext){ .staged_complete = c->staged, .served = !c->not_served }, c->now > 0 ? c->now : T0 + 10 * DAY, &decision), 0);
        CHECK_STR(decision_action_to_string(decision.action), decision_action_to_string(c->action));
        CHECK_STR(decision_reason_to_string(decision.reason), decision_reason_to_string(c->reason));
        CHECK_UINT(decision.at_usec, c->at);
        CHECK_STR(domain_state_to_string(decision.state), domain_state_to_string(c->state > 0 ? c->state : DOMAIN_STATE_COMPLETE));
        if (!CHECK(decision.detail) || (c->detail && !CHECK(strstr(decision.detail, c->detail))))
                CHECK_STR(decision.detail, c->detail);
}

/* A third of 90 days is not a round number of days. */
#define LAST_THIRD (T0 + 90 * DAY - 90 * DAY / 100 * 33)

static const Case cases[] = {
        /* Whether there is a reason to renew */
        { .what = "nothing there yet",
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "there is no rsa certificate" },
        { .what = "fresh",
          .certs = { { "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD,
          .detail = "the renew window begins at 2024-01-14" },
        { .what = "before its birth",
          .certs = { { "rsa" } },
          .now = T0 - DAY,
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "last moment before the window",
          .certs = { { "rsa" } },
          .now = LAST_THIRD - 1,
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "first moment of the window",
          .certs = { { "rsa" } },
          .now = LAST_THIRD,
          .action = DECISION_RENEW,
          .reason = REASON_WINDOW,
          .detail = "expires at 2024-02-12" },
        { .what = "last moment of its life",
          .certs = { { "rsa" } },
          .now = T0 + 90 * DAY - 1,
          .action = DECISION_RENEW,
          .reason = REASON_WINDOW },
        { .what = "expired is still complete",
          .certs = { { "rsa" } },
          .now = T0 + 90 * DAY,
          .action = DECISION_RENEW,
          .reason = REASON_EXPIRED,
          .detail = "expired at 2024-02-12" },
        { .what = "key is gone",
          .certs = { { "rsa", .no_key = true } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_MISMATCH,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "private key of the rsa certificate" },
        { .what = "a name was added",
          .names = "www.example.org",
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_NAMES,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "www.example.org is not covered by the rsa certificate" },
        { .what = "two names were added",
          .names = "a.example.org b.example.org",
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_NAMES,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "a.example.org and 1 more name are not covered" },
        { .what = "three names were added",
          .names = "a.example.org b.example.org c.example.org",
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_NAMES,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "and 2 more names" },
        { .what = "a name was removed",
          .certs = { { "rsa", "example.org www.example.org" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "a wildcard covers the new name",
          .names = "www.example.org",
          .certs = { { "rsa", "example.org *.example.org" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "a certificate without names",
          .certs = { { "rsa", "" } },
          .action = DECISION_RENEW,
          .reason = REASON_NAMES,
          .state = DOMAIN_STATE_INCOMPLETE },

        /* Keys */
        { .what = "more bits are asked for",
          .keys = RSA(4096),
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_SPEC,
          .detail = "RSA with 2048 bits, and RSA with 4096 bits" },
        { .what = "fewer bits are asked for",
          .keys = RSA(2048),
          .certs = { { "rsa", .bits = 4096 } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_SPEC },
        { .what = "the default takes more bits",
          .certs = { { "rsa", .bits = 4096 } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "the default does not take fewer",
          .certs = { { "rsa", .bits = 1024 } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_SPEC },
        { .what = "the wrong type in the file",
          .certs = { { "rsa", .type = KEY_TYPE_EC, .bits = 256 } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_SPEC,
          .detail = "EC with 256 bits" },
        { .what = "a curve",
          .keys = EC("P-256"),
          .certs = { { "p-256" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "another size of curve",
          .keys = EC("P-384"),
          .certs = { { "p-384" } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_SPEC,
          .detail = "a key on curve P-384" },
        { .what = "a curve that nobody knows",
          .keys = EC("brainpoolP256r1"),
          .certs = { { "brainpoolp256r1" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "another curve is another certificate",
          .keys = EC("P-384"),
          .certs = { { "p-256" } },
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "there is no p-384 certificate" },
        { .what = "the second of two is missing",
          .keys = RSA_AND_EC,
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "there is no p-256 certificate" },
        { .what = "both are there",
          .keys = RSA_AND_EC,
          .certs = { { "rsa" }, { "p-256" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "the earlier one decides",
          .keys = RSA_AND_EC,
          .certs = { { "rsa" }, { "p-256", .dies = T0 + 50 * DAY } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 50 * DAY - 50 * DAY / 100 * 33 },
        { .what = "one that is not configured does not count",
          .certs = { { "p-256", .dies = T0 + DAY }, { "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "missing is told before expired",
          .keys = RSA_AND_EC,
          .certs = { { "rsa", .dies = T0 + DAY } },
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "the key is told before the names",
          .names = "www.example.org",
          .certs = { { "rsa", .no_key = true } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_MISMATCH,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "expired is told before the window",
          .certs = { { "rsa", .dies = T0 + DAY } },
          .action = DECISION_RENEW,
          .reason = REASON_EXPIRED },

        /* Windows */
        { .what = "a window in days",
          .window = { .usec = 20 * DAY },
          .certs = { { "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 70 * DAY },
        { .what = "a window in percent",
          .window = { .percent = 50 },
          .certs = { { "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 45 * DAY },
        { .what = "a window longer than the life does not renew without pause",
          .window = { .usec = 120 * DAY },
          .certs = { { "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 30 * DAY },
        { .what = "a short life is renewed at half of it",
          .certs = { { "rsa", .dies = T0 + 6 * DAY } },
          .now = T0 + DAY,
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 3 * DAY },
        { .what = "ten days are not short",
          .certs = { { "rsa", .dies = T0 + 10 * DAY } },
          .now = T0 + DAY,
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 10 * DAY - 10 * DAY / 100 * 33 },
        { .what = "a short life with a window that is set",
          .window = { .percent = 33 },
          .certs = { { "rsa", .dies = T0 + 100 * USEC_PER_SEC } },
          .now = T0 + 10 * USEC_PER_SEC,
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 67 * USEC_PER_SEC },
        { .what = "a minute's life",
          .certs = { { "rsa", .dies = T0 + 60 * USEC_PER_SEC } },
          .now = T0 + USEC_PER_SEC,
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = T0 + 30 * USEC_PER_SEC },

        /* Who renews at all */
        { .what = "manual",
          .manual = true,
          .action = DECISION_NOTHING,
          .reason = REASON_MANUAL,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "MDRenewMode" },
        { .what = "manual and expired",
          .manual = true,
          .certs = { { "rsa" } },
          .now = T0 + 100 * DAY,
          .action = DECISION_NOTHING,
          .reason = REASON_MANUAL },
        { .what = "manual and unused",
          .manual = true,
          .unused = true,
          .certs = { { "rsa" } },
          .action = DECISION_NOTHING,
          .reason = REASON_MANUAL },
        { .what = "unused", .unused = true, .action = DECISION_NOTHING, .reason = REASON_UNUSED, .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "unused, always renewed",
          .mode = RENEW_MODE_ALWAYS,
          .unused = true,
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "refused",
          .refused = "two virtual hosts claim it",
          .action = DECISION_NOTHING,
          .reason = REASON_REFUSED,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "two virtual hosts claim it" },
        { .what = "refused, with a set in staging",
          .refused = "so",
          .staged = true,
          .phase = JOB_PHASE_STAGED,
          .certs = { { "rsa" } },
          .action = DECISION_NOTHING,
          .reason = REASON_REFUSED },
        { .what = "refused, always renewed",
          .refused = "so",
          .mode = RENEW_MODE_ALWAYS,
          .action = DECISION_NOTHING,
          .reason = REASON_REFUSED,
          .state = DOMAIN_STATE_INCOMPLETE },

        /* Somebody asked for it */
        { .what = "asked for, and not due",
          .asked = true,
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_ASKED,
          .detail = "it was asked for" },
        { .what = "asked for, in manual mode",
          .asked = true,
          .manual = true,
          .action = DECISION_RENEW,
          .reason = REASON_ASKED,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "asked for, and a try failed before that",
          .asked = true,
          .errors = 3,
          .next_run = T0 + 11 * DAY,
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_ASKED },
        { .what = "asked for, and the one before is not served yet",
          .asked = true,
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .action = DECISION_RENEW,
          .reason = REASON_ASKED },
        { .what = "asked for, and obtained",
          .asked = true,
          .staged = true,
          .phase = JOB_PHASE_STAGED,
          .certs = { { "rsa" } },
          .action = DECISION_ACTIVATE,
          .reason = REASON_STAGED },
        { .what = "asked for, and refused",
          .asked = true,
          .refused = "so",
          .certs = { { "rsa" } },
          .action = DECISION_NOTHING,
          .reason = REASON_REFUSED },

        /* What was obtained goes on */
        { .what = "staged",
          .staged = true,
          .phase = JOB_PHASE_STAGED,
          .action = DECISION_ACTIVATE,
          .reason = REASON_STAGED,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "staged, whatever the job says",
          .staged = true,
          .certs = { { "rsa" } },
          .action = DECISION_ACTIVATE,
          .reason = REASON_STAGED },
        { .what = "staged, after errors",
          .staged = true,
          .errors = 3,
          .next_run = T0 + 11 * DAY,
          .action = DECISION_ACTIVATE,
          .reason = REASON_STAGED,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "staged by hand in manual mode",
          .manual = true,
          .staged = true,
          .action = DECISION_ACTIVATE,
          .reason = REASON_STAGED,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "the job says staged and nothing is",
          .phase = JOB_PHASE_STAGED,
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "activated, not served",
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .action = DECISION_INSTALL,
          .reason = REASON_ACTIVATED,
          .at = LAST_THIRD },
        { .what = "activated by hand in manual mode",
          .manual = true,
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .action = DECISION_INSTALL,
          .reason = REASON_ACTIVATED },
        { .what = "activated and served",
          .phase = JOB_PHASE_ACTIVATED,
          .certs = { { "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "not served, whatever the job says",
          .phase = JOB_PHASE_ORDERING,
          .not_served = true,
          .certs = { { "rsa" } },
          .action = DECISION_INSTALL,
          .reason = REASON_ACTIVATED,
          .at = LAST_THIRD },
        { .what = "activated, and then it vanished",
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "activated, and then its key vanished",
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa", .no_key = true } },
          .action = DECISION_RENEW,
          .reason = REASON_KEY_MISMATCH,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "activated, and then a name was added",
          .names = "www.example.org",
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .action = DECISION_INSTALL,
          .reason = REASON_ACTIVATED,
          .state = DOMAIN_STATE_INCOMPLETE,
          .at = LAST_THIRD },
        { .what = "a long window does not keep a young one from its server",
          .window = { .usec = 120 * DAY },
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .action = DECISION_INSTALL,
          .reason = REASON_ACTIVATED,
          .at = LAST_THIRD },
        { .what = "never served until it was old",
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .now = LAST_THIRD,
          .action = DECISION_RENEW,
          .reason = REASON_WINDOW },
        { .what = "never served, old, and its window begins later",
          .window = { .percent = 20 },
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .now = LAST_THIRD,
          .action = DECISION_INSTALL,
          .reason = REASON_ACTIVATED,
          .at = T0 + 72 * DAY },
        { .what = "never served until it expired",
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .now = T0 + 91 * DAY,
          .action = DECISION_RENEW,
          .reason = REASON_EXPIRED },
        { .what = "never served, old, and renewals fail",
          .phase = JOB_PHASE_ACTIVATED,
          .not_served = true,
          .certs = { { "rsa" } },
          .at = LAST_THIRD + DAY,
          .now = LAST_THIRD,
          .errors = 1,
          .next_run = LAST_THIRD + DAY,
          .action = DECISION_INSTALL,
          .reason = REASON_ACTIVATED },

        /* Retries */
        { .what = "waits for the next try",
          .errors = 2,
          .next_run = T0 + 11 * DAY,
          .action = DECISION_WAIT,
          .reason = REASON_RETRY,
          .at = T0 + 11 * DAY,
          .state = DOMAIN_STATE_INCOMPLETE,
          .detail = "there is no rsa certificate; 2 attempts failed, the next one is at 2023-11-25 22:13:20 UTC: no route to the "
                    "CA" },
        { .what = "waits also in the window",
          .certs = { { "rsa" } },
          .now = LAST_THIRD,
          .errors = 1,
          .next_run = LAST_THIRD + 1,
          .action = DECISION_WAIT,
          .reason = REASON_RETRY,
          .at = LAST_THIRD + 1,
          .detail = "1 attempt failed" },
        { .what = "waits also when expired",
          .certs = { { "rsa" } },
          .now = T0 + 90 * DAY,
          .errors = 1,
          .next_run = T0 + 91 * DAY,
          .action = DECISION_WAIT,
          .reason = REASON_RETRY,
          .at = T0 + 91 * DAY },
        { .what = "tries when the time has come",
          .errors = 2,
          .next_run = T0 + 10 * DAY,
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "tries when no time was named",
          .errors = 2,
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "a next run without errors is only mod_md's next look",
          .next_run = T0 + 11 * DAY,
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "a daemon that had nothing new is asked again when it was said",
          .local = true,
          .next_run = T0 + 81 * DAY,
          .now = T0 + 80 * DAY,
          .certs = { { .spec = "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_RETRY,
          .at = T0 + 81 * DAY,
          .detail = "has no newer one yet" },
        { .what = "a daemon's certificate has the key and the name that the daemon chose",
          .local = true,
          .names = "www.example.org",
          .certs = { { .spec = "rsa", .type = KEY_TYPE_EC, .bits = 256 } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "errors without a reason to renew",
          .errors = 2,
          .next_run = T0 + 11 * DAY,
          .certs = { { "rsa" } },
          .action = DECISION_WAIT,
          .reason = REASON_WINDOW,
          .at = LAST_THIRD },
        { .what = "the longest wait that a CA can ask for",
          .errors = 1,
          .next_run = T0 + 17 * DAY,
          .action = DECISION_WAIT,
          .reason = REASON_RETRY,
          .at = T0 + 17 * DAY,
          .state = DOMAIN_STATE_INCOMPLETE },
        { .what = "a time from when the clock was wrong",
          .errors = 1,
          .next_run = T0 + 3650 * DAY,
          .action = DECISION_RENEW,
          .reason = REASON_MISSING,
          .state = DOMAIN_STATE_INCOMPLETE },
};

TEST(decisions) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check(&cases[i]);
}

/* Whatever the rest: a decision never comes without a detail, a time is never one that has passed, and what is refused stays alone. */
TEST(every_combination_holds_together) {
        static const uint64_t times[] = { T0 - DAY, T0, T0 + 10 * DAY, LAST_THIRD, T0 + 90 * DAY, T0 + 1000 * DAY };

        for (unsigned bits = 0; bits < 1 << 8; bits++)
                for (size_t t = 0; t < ELEMENTSOF(times); t++)
                        for (JobPhase phase = 0; phase < _JOB_PHASE_MAX; phase++) {
                                Case c = {
                                        .unused = bits & 1,
                                        .staged = bits & 2,
                                        .not_served = bits & 4,
                                        .refused = bits & 8 ? "so" : NULL,
                                        .manual = bits & 16,
                                        .mode = bits & 32 ? RENEW_MODE_ALWAYS : RENEW_MODE_AUTO,
                                        .errors = bits & 64 ? 1 : 0,
                                        .certs = { { bits & 128 ? "rsa" : NULL } },
                                        .next_run = times[t] + DAY,
                                        .phase = phase,
                                };
                                _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
                                _cleanup_(job_freep) Job *job = job_new("example.org");
                                _cleanup_(cert_facts_list_done) CertFactsList live = {};
                                _cleanup_(decision_done) Decision decision = {};

                                REQUIRE(job && make_domain(&c, &d) == 0);
                                make_facts(&c, &live);
                                job->phase = phase;
                                job->errors = c.errors;
                                job->next_run_usec = c.next_run;
                                REQUIRE(decision_make(d, &live, job, &(DecisionContext){ .staged_complete = c.staged, .served = !c.not_served }, times[t], &decision) == 0);
                                test_case("bits %x, time %zu, phase %d", bits, t, (int) phase);
                                CHECK(decision.detail);
                                CHECK(decision.action != DECISION_WAIT || decision.at_usec != 0);
                                CHECK(decision.at_usec == 0 || decision.at_usec > times[t]);
                                CHECK(decision.at_usec == 0 || decision.action == DECISION_WAIT || decision.action == DECISION_INSTALL);
                                CHECK((decision.reason == REASON_REFUSED) == (c.refused != NULL));
                                CHECK(decision.action != DECISION_RENEW || !c.manual);
                                CHECK(decision.action != DECISION_RENEW || !c.unused || c.mode == RENEW_MODE_ALWAYS);
                        }
}

TEST(renew_at) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("example.org");
        _cleanup_(job_freep) Job *job = job_new("example.org");
        _cleanup_(cert_facts_list_done) CertFactsList live = {};
        const Case c = { .certs = { { "rsa" } } };

        CHECK_UINT(decision_renew_at_usec(d, &live, job), 0);
        make_facts(&c, &live);
        CHECK_UINT(decision_renew_at_usec(d, &live, job), LAST_THIRD);
        /* A CA that gives certificates whose window is open already does not make us renew without pause. */
        live.items[0].received_usec = T0 + 80 * DAY;
        CHECK(decision_renew_at_usec(d, &live, job) > T0 + 86 * DAY);
        CHECK(decision_renew_at_usec(d, &live, job) < T0 + 87 * DAY);
        live.items[0].received_usec = T0 + DAY;
        CHECK_UINT(decision_renew_at_usec(d, &live, job), LAST_THIRD);
        live.items[0].received_usec = 0;
        live.items[0].not_before_usec = live.items[0].not_after_usec = 0;
        CHECK_UINT(decision_renew_at_usec(d, &live, job), 1);
        live.items[0].not_before_usec = T0;
        live.items[0].not_after_usec = T0 - DAY;
        CHECK_UINT(decision_renew_at_usec(d, &live, job), T0 - DAY);
}

TEST(many_names) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = managed_domain_new("host-0.example.org");
        _cleanup_(job_freep) Job *job = job_new("host-0.example.org");
        _cleanup_(cert_facts_list_done) CertFactsList live = {};
        _cleanup_(decision_done) Decision decision = {};
        const Case c = { .certs = { { "rsa", "" } } };

        make_facts(&c, &live);
        for (unsigned i = 0; i < 1000; i++) {
                char name[40];

                (void) snprintf(name, sizeof(name), "host-%u.example.org", i);
                (void) managed_domain_add_name(d, name);
                if (i != 500)
                        (void) strv_extend(&live.items[0].names, name);
        }
        d->used = true;
        CHECK_INT(decision_make(d, &live, job, &(DecisionContext){ .served = true }, T0 + DAY, &decision), 0);
        CHECK(decision.reason == REASON_NAMES);
        CHECK_STR(decision.detail, "host-500.example.org is not covered by the rsa certificate");
}

TEST(words) {
        CHECK_STR(decision_reason_to_string(REASON_NAMES), "names-not-covered");
        for (DecisionReason r = 0; r < _REASON_MAX; r++)
                CHECK(decision_reason_to_string(r));
        CHECK_STR(decision_reason_to_string(_REASON_MAX), NULL);
        for (DecisionAction a = DECISION_NOTHING; a <= DECISION_INSTALL; a++)
                CHECK(decision_action_to_string(a));
        CHECK_STR(decision_action_to_string(DECISION_INSTALL + 1), NULL);
        for (DomainState s = DOMAIN_STATE_UNKNOWN; s <= DOMAIN_STATE_ERROR; s++)
                CHECK(domain_state_to_string(s));
        CHECK_STR(domain_state_to_string(DOMAIN_STATE_ERROR + 1), NULL);
        decision_done(NULL);
}
