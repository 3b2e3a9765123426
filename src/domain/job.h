/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The job record of a domain, job.json: what is kept between runs. Member names are mod_md's where it has the thing: "name",
 * "finished", "next-run", "last-run", "errors", "last" {problem members, "status-description"}, "challenge-setups" (in mod_md's order.json), "log"
 * {"entries"}; ours: "asked", "ca-url", "account", "order" {"url", "finalize", "authorizations"}, "phase", "activated", "replaced-until", "installed", "seen", "staged", "ca-errors", "live" {"ca-url",
 * "account"}, "revoked", "revoked-keys", "revoked-told", "rollback", "rolled-back", "issued", "persist-records" [{"name", "value", "seen", "until"}], "renewal-info" [{"spec", "id", "start", "end", "chosen", "next-poll", "explanation-url"}]. */

#include "base/key-spec.h"
#include "base/problem.h"
#include "base/strv.h"
#include "domain/persist-record.h"

enum {
        JOB_LOG_MAX = 128,
        JOB_SIZE_MAX = 1024 * 1024,
        JOB_ISSUED_MAX = 32,
        JOB_REVOKED_MAX = 32,
        JOB_AUTHORIZATIONS_MAX = 1000, /* longer lists are not kept: the order names them */
        JOB_SETUPS_MAX = 1000,
};

/* How far the renewal in progress is; each is a fact on disk, checked again at every start. */
typedef enum JobPhase {
        JOB_PHASE_IDLE,      /* nothing in progress */
        JOB_PHASE_ORDERING,  /* keys are made, the worker is or was at it */
        JOB_PHASE_STAGED,    /* all certificates are staged: to be activated */
        JOB_PHASE_ACTIVATED, /* live in domains/: the server is to be reloaded and to prove it */
        _JOB_PHASE_MAX,
} JobPhase;

typedef struct JobLogEntry {
        uint64_t when_usec;
        char *type;   /* "starting", "progress", "finished", "renewal-error", "message-renewed", … */
        char *status; /* short; may be NULL */
        char *detail; /* may be NULL */
} JobLogEntry;

/* What the CA says of when to renew one certificate (RFC 9773), and what was made of it. */
typedef struct JobRenewalInfo {
        char *spec;              /* of the key, key_spec_name() */
        char *id;                /* of the certificate, RFC 9773 section 4.1 */
        uint64_t start_usec, end_usec; /* the window; 0: nothing is known yet */
        uint64_t chosen_usec;    /* a moment inside of it, drawn once for as long as the window stays */
        uint64_t next_poll_usec; /* when to ask again */
        char *explanation_url;   /* NULL: none */
        unsigned failures;       /* in a row, of asking */
} JobRenewalInfo;

typedef struct Job {
        char *name;
        JobPhase phase;
        bool finished;          /* as mod_md: the last renewal is complete, all of it in staging at least */
        bool asked;             /* somebody asked for a renewal, which has not come to an end yet */
        unsigned errors;        /* failed attempts in a row */
        uint64_t last_run_usec;
        uint64_t next_run_usec; /* not before; 0: no such wish */
        Problem *last;          /* of the last attempt; NULL: it went well */
        char *ca_url;           /* the CA that the order is at */
        char *account;          /* directory name of the account used */
        char *order_url, *finalize_url;
        char **authorizations;
        char **challenge_setups; /* what commands were asked to set up and were not seen to take back: "dns-01:NAME VALUE" */
        PersistRecords persist_records; /* for dns-persist-01, that the administrator publishes */
        unsigned ca_errors;      /* failed attempts in a row at this CA: after MDRetryFailover of them the next one is tried */
        char *live_ca_url, *live_account; /* where the live set came from; NULL: not known */
        uint64_t rollback;       /* number of the archived set that was staged to be live again; 0: what is staged is new */
        bool rolled_back;        /* the live set is such a one: it is not renewed for what is a matter of choice */
        char **revoked;          /* SHA-256 fingerprints of certificates that are revoked; NULL: none */
        char **revoked_keys;     /* SHA-256 of the public keys of such: they are never used again; NULL: none */
        char **revoked_told;     /* SHA-256 fingerprints of certificates that somebody had revoked, which was told; NULL: none */
        uint64_t issued_usec[JOB_ISSUED_MAX]; /* when certificates were obtained for these names, newest first; 0: no more */
        JobRenewalInfo renewal_info[KEY_SPEC_MAX];
        size_t n_renewal_info;
        uint64_t staged_usec;    /* when the set in staging was complete */
        uint64_t activated_usec; /* when the live set became live */
        uint64_t replaced_until_usec; /* until when what servers still serve instead of the live set is good; 0: not known, or they serve it */
        uint64_t installed_usec; /* when a server was last seen serving the newest certificate */
        uint64_t seen_usec;      /* when every listener was seen to show it */
        JobLogEntry *log;        /* newest first, at most JOB_LOG_MAX */
        size_t n_log;
} Job;

Job *job_new(const char *name); /* NULL: out of memory */
Job *job_free(Job *j);
DEFINE_CLEANUP(Job *, job_free)

const char *job_phase_to_string(JobPhase p);
int job_phase_from_string(const char *s, JobPhase *ret);

/* In front of the others; the oldest one leaves when there are too many. Texts are made printable. */
int job_log_add(Job *j, uint64_t when_usec, const char *type, const char *status, const char *detail);
void job_forget_order(Job *j); /* CA, account and challenge_setups stay */

/* An entry of challenge_setups. NULL: out of memory. */
char *job_setup_format(const char *name, const char *value);
/* Takes it apart; false: it is none. The caller frees *ret_name; *ret_value points into 'setup'. */
bool job_setup_parse(const char *setup, char **ret_name, const char **ret_value);

/* The record for the certificate of this key. job_keep_renewal_info() makes it, or empties it when it is another certificate's. NULL: there is
 * none, or out of memory. */
/* The window that begins first, over all keys; NULL: none is known. */
const JobRenewalInfo *job_first_renewal_info(const Job *j) _pure_;
JobRenewalInfo *job_find_renewal_info(Job *j, const char *spec);
JobRenewalInfo *job_keep_renewal_info(Job *j, const char *spec, const char *id);

void job_note_issued(Job *j, uint64_t when_usec);

/* The oldest one leaves when there are too many. */
int job_note_revoked(Job *j, const char *sha256);
int job_note_revoked_key(Job *j, const char *key_sha256);
int job_note_revoked_told(Job *j, const char *sha256);
/* Whether it need not be told any more that this certificate is revoked. */
bool job_is_revoked_told(const Job *j, const char *sha256) _pure_;

/* Times have the resolution of a second. */
int job_to_json(const Job *j, JsonObject **ret);
/* Lenient: what cannot be read counts as missing. -EBADMSG: it is no object at all. */
int job_from_json(const char *name, JsonObject *o, Job **ret);
