/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A managed domain at run time: its settings as merged from the servers, what lies in the store, and what was decided. */

#include "domain/backoff.h"
#include "domain/decision.h"
#include "domain/snapshot.h"
#include "manager/manager.h"

/* One server's view of the domain. Both are borrowed from the snapshot and replaced with it. */
typedef struct DomainServer {
        const Snapshot *snapshot;
        const ManagedDomain *view;
} DomainServer;

/* The key that the next certificate for this key spec will have (manager/next-keys.h). */
typedef struct NextKey {
        KeySpec spec;
        char *sha256;        /* of its public half; NULL: it is not there yet */
        KeyRequest *request; /* it is being made */
} NextKey;

struct Domain {
        Manager *manager;
        char *path; /* object path */
        char *unit; /* md-renew@….service */

        const ManagedDomain *config; /* of the server that counts; borrowed from its snapshot, or 'own_config' */
        ManagedDomain *own_config;   /* NULL, as long as a server names it */
        DomainServer *servers; /* all that name it */
        size_t n_servers;
        bool settings_kept; /* md.json in the store says what 'config' says */
        bool job_kept;      /* job.json what 'job' does */
        bool copies_doubted; /* whether outbox/NAME and public/NAME are what they should be: nothing tells us when somebody changes them */
        bool adopted; /* in this adoption (manager/adoption.h) */
        bool managed; /* false: no server names it any more; the store keeps it, nothing is done */

        Job *job;
        CertFactsList live; /* facts of domains/NAME/, read again when they may have changed */
        bool live_known;
        CertFactsList files; /* facts of certificate files of the administrator's (MDCertificateFile), by number: in use instead; empty: there are none */
        bool seen;   /* … and every listener showed it (manager/served.h) */
        bool served; /* every server that uses it over TLS has handed the live set to its TLS module */
        NextKey next_keys[KEY_SPEC_MAX];
        size_t n_next_keys;
        bool next_keys_known; /* what is said of them is what lies in the store */

        Decision decision;
        uint64_t live_since_usec; /* monotonic: when the live set became that; 0: before our start */
        char *refusal;    /* why the server disabled it, as it was looked at last; NULL: it did not */
        bool refusal_known;
        bool reload_told; /* that somebody has to reload by hand, for what is live now */
        Renewal *renewal;
        bool pressed;     /* somebody wants a failed attempt repeated now, whatever holds it back; until that one ended */
        unsigned ways;    /* challenges_usable() when it was last decided about */
        bool ways_known;

        uint64_t wanted_usec; /* when it is to be looked at again; 0: no time */
        bool stalled; /* … which was found missing (manager/stall.h) */
        uint64_t armed_usec;  /* what its transient timer says; 0: none */
        uint64_t checked_usec; /* what it said when systemd was asked whether it is there (manager/timer-check.h) */
        sd_event_source *activation_retry;
        Domain *turn_next, *turn_previous; /* manager/turns.h */
        bool job_touched; /* somebody changed job.json, perhaps ourselves */
        bool faulty;      /* is counted among those with problems */
        int inotify_wd; /* watches domains/NAME/; -1: none */
        unsigned checked; /* counts what is learnt of whether its certificates are revoked */
        bool announced; /* on the bus: when it was decided about for the first time */
        uint64_t told; /* a hash of what the bus was told last */
        uint64_t shown; /* a hash of what the status pages show; 0: not known */
};

int domain_new(Manager *m, const char *name, Domain **ret);
Domain *domain_free(Domain *d);
#define DOMAIN_NAME(d) ((d)->config->name)

/* Goes by a server's settings, which stay until others are set. */
void domain_borrow_config(Domain *d, const ManagedDomain *config);
/* No server names it any more: it keeps a copy of what was configured last. */
int domain_orphan(Domain *d);

/* Decides what is due and sets it going: a renewal, an activation, a reload, a timer. The one place where something begins. */
void domain_evaluate(Domain *d);

/* Knows what lies in domains/NAME/, from now on. */
void domain_learn_facts(Domain *d);
/* The files in the store may have changed: facts are read anew. */
void domain_forget_facts(Domain *d);
/* Somebody changed one of them, or (NULL) all. */
void domain_files_changed(Domain *d, const char *file);
/* Keeps job.json; a failure is told and does not end anything. */
void domain_save_job(Domain *d);

/* A whole verified set lies in staging/ for the names and keys that are configured now. */
bool domain_is_staged(Domain *d);

/* Somebody wants a renewal now. BUS_ERROR… outcomes: */
enum {
        DOMAIN_RENEW_DONE,
        DOMAIN_RENEW_E_NOT_DUE,    /* and not forced */
        DOMAIN_RENEW_E_RUNNING,    /* there is one already: use it */
        DOMAIN_RENEW_E_REFUSED,    /* the server disabled the domain, or none names it */
};
int domain_renew(Domain *d, bool force);

/* Tries again now what waits after a failure: a renewal, making a set live, or a reload. d->renewal tells whether it is a renewal. DOMAIN_RENEW_E_NOT_DUE:
 * nothing failed. */
int domain_retry(Domain *d);

/* What has to happen before it goes on; PROBLEM_CLASS_TRANSIENT: nothing special. */
ProblemClass domain_waiting_for(const Domain *d);

/* Whether the i-th server has handed the whole live set to its TLS module, or need not. */
bool domain_is_served_by(const Domain *d, size_t i);

/* What is in use: files of the administrator's, else the live set. */
const CertFactsList *domain_used_facts(const Domain *d);

/* When the certificate in use runs out, over all keys; 0: there is none. */
uint64_t domain_valid_until_usec(const Domain *d);

/* The domain's properties changed: tells the bus, and the status pages in the next round. */
void domain_changed(Domain *d);
