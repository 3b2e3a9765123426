/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The renewal decision: facts and a time in, answer out. Pure. */

#include "domain/domain.h"
#include "domain/facts.h"
#include "domain/job.h"

typedef enum DomainState {
        DOMAIN_STATE_UNKNOWN,    /* the numbers are those of "state" in md.json (mod_md) */
        DOMAIN_STATE_INCOMPLETE, /* a certificate is missing, does not cover all names, or has no key */
        DOMAIN_STATE_COMPLETE,   /* also when expired */
        DOMAIN_STATE_EXPIRED_OBSOLETE,
        DOMAIN_STATE_ERROR,
} DomainState;

typedef enum DecisionAction {
        DECISION_NOTHING, /* never by itself; 'reason' says why */
        DECISION_WAIT,    /* until at_usec */
        DECISION_RENEW,   /* now */
        DECISION_ACTIVATE, /* a complete set is staged: make it live */
        DECISION_INSTALL,  /* the live set is not yet seen served: reload the server */
} DecisionAction;

typedef enum DecisionReason {
        REASON_MISSING,        /* no certificate for a key spec */
        REASON_NAMES,          /* a name is not covered */
        REASON_KEY_MISMATCH,   /* the private key is not there or belongs to another certificate */
        REASON_KEY_SPEC,       /* the certificate's key is not what is configured (size or type) */
        REASON_MUST_STAPLE,    /* the certificate has the extension and should not, or the other way round */
        REASON_REVOKED,
        REASON_CA_CHANGED,     /* it is from a CA that is not configured any more */
        REASON_WINDOW,         /* the renew window */
        REASON_RENEWAL_INFO,   /* the CA said when (RFC 9773) */
        REASON_EXPIRED,
        REASON_RETRY,          /* an attempt failed: next_run of the job */
        REASON_HELD,           /* something is due, and is held back: MDInitialDelay, or a CA that wants to be left alone */
        REASON_BUDGET,         /* … or there were too many certificates for these names already */
        REASON_STAGED,
        REASON_ACTIVATION_DELAY, /* staged, and not to be used yet: MDActivationDelay */
        REASON_ACTIVATED,
        REASON_ASKED,          /* somebody asked for it: whether it is due or not, in every renew mode */
        REASON_MANUAL,         /* MDRenewMode manual */
        REASON_UNUSED,         /* no virtual host uses it and the mode is not 'always' */
        REASON_REFUSED,        /* the server disabled it; ManagedDomain.refused says why */
        REASON_UNMANAGED,      /* no server names it any more, and something of it is still to be cleared away */
        _REASON_MAX,
} DecisionReason;

typedef struct Decision {
        DecisionAction action;
        DecisionReason reason;
        uint64_t at_usec;       /* DECISION_WAIT: when; DECISION_INSTALL: when it is renewed although not served, 0: not by itself; otherwise 0 */
        DomainState state;
        char *detail;           /* for people: "www.example.org is not covered by the certificate"; may be NULL */
} Decision;

typedef struct DecisionContext {
        bool staged_complete; /* a whole verified set lies in staging */
        bool served;          /* the newest set is what the servers serve (or no server uses the domain) */
        uint64_t activation_delay_usec;
        uint64_t held_until_usec; /* no renewal begins by itself before; 0: nothing holds it back */
        const char *held_why;     /* for people */
        unsigned certificates_per_week; /* the most that are asked for one set of names; 0: no limit (domain/budget.h) */
        size_t n_staged;      /* certificates that lie in staging and need not be obtained again */
} DecisionContext;

/* Waiting covers both the renew window and a retry time: a failed attempt waits for job->next_run_usec,
 * also when the window is open.
 *
 * What was obtained is brought to its end in every renew mode, so that a renewal that somebody asked for does not lie in
 * staging for ever. A live set that is not served comes before what else is to be renewed, because a renewal that fails must
 * not keep a good certificate from its server; it stands back once its age calls for a renewal and the last third of its
 * life has begun. */
int decision_make(const ManagedDomain *d, const CertFactsList *live, const Job *job, const DecisionContext *context, uint64_t now_usec, Decision *ret);
void decision_done(Decision *d);

/* When the domain's certificates are to be renewed by their age alone: the earliest begin of the renew window, or the moment that was chosen in
 * the window that the CA suggests (RFC 9773) when that is earlier; 0: there is none. A window that is not configured is a third of the life, but half of it for certificates that live less than 10 days.
 * Certificates for keys that are no longer configured do not count. */
uint64_t decision_renew_at_usec(const ManagedDomain *d, const CertFactsList *live, const Job *job);

/* When its administrator is to be warned that nothing renewed them: the earliest begin of the warn window; 0: there is none. */
uint64_t decision_warn_at_usec(const ManagedDomain *d, const CertFactsList *live);

const char *decision_action_to_string(DecisionAction a);
const char *decision_reason_to_string(DecisionReason r); /* "names-not-covered", … */
const char *domain_state_to_string(DomainState s);
