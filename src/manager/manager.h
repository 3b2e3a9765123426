/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The manager: owns the loop, the bus, the store, and everything that is known at run time. State is recomputed from facts at
 * every start: snapshots, what lies in the store, and the time. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/map.h"
#include "bus/polkit.h"
#include "domain/ca-limit.h"
#include "manager/errands.h"
#include "manager/settings.h"
#include "manager/keys.h"
#include "store/store.h"

typedef struct AlpnKeys AlpnKeys;             /* manager/challenge-alpn.h */
typedef struct ChallengeQueue ChallengeQueue; /* manager/challenge-queue.h */
typedef struct Courier Courier;   /* manager/courier.h */
typedef struct DnsTeardown DnsTeardown;       /* manager/challenge-dns.h */
typedef struct Domain Domain;     /* manager/domain.h */
typedef struct Ocsp Ocsp;         /* manager/ocsp.h */
typedef struct ReloadCalendar ReloadCalendar; /* manager/reload-calendar.h */
typedef struct Renewal Renewal;   /* manager/renewal.h */
typedef struct Schedule Schedule; /* manager/schedule.h */
typedef struct RenewalInfo RenewalInfo; /* manager/renewal-info.h */
typedef struct Adoption Adoption; /* manager/adoption.h */
typedef struct TimerCheck TimerCheck; /* manager/timer-check.h */
typedef struct Turns Turns;       /* manager/turns.h */
typedef struct HookTest HookTest; /* manager/hook-test.h */
typedef struct ArchiveLook ArchiveLook; /* manager/rollback-bus.c */
typedef struct Expiry Expiry;     /* manager/expiry.h */
typedef struct Listing Listing;   /* manager/listing.h */
typedef struct Absence Absence;   /* manager/absence.h */
typedef struct Served Served;     /* manager/served.h */
typedef struct Servers Servers;   /* manager/servers.h */
typedef struct Status Status;     /* manager/status.h */
typedef struct TargetStates TargetStates; /* manager/targets.h */

typedef struct Manager {
        sd_event *event;
        sd_bus *bus;
        Settings settings;
        Store *store;
        Polkit *polkit;
        KeyMaker *keys;
        Errands *errands;
        Servers *servers;
        Adoption *adoption;
        Turns *turns;
        Listing *listings; /* answers about all domains that are being written */
        bool adopted;      /* once; before that nobody knows what is there */
        bool stalls_due;   /* manager/stall.h */
        Absence *absence;
        Schedule *schedule;
        RenewalInfo *renewal_info;
        Ocsp *ocsp;
        Served *served;
        Expiry *expiry;
        TimerCheck *timer_check;

        Map *domains;  /* name → Domain */
        Map *units;    /* md-renew@….service → Domain, borrowed */
        Map *tasks;    /* object path → Task (manager/task.h): renewals, and the smaller things that workers do */
        Map *workers;  /* unique bus name → Task that it has open, borrowed */
        Map *batches;  /* unit → Batch (manager/batch.h) */
        Map *opens;    /* key → Open call that is being looked at (manager/worker-open.c) */
        Map *accounts; /* id → ListedAccount (manager/account-bus.h) */
        Map *reloads;  /* unit → Reload (manager/reload.h) */
        CaLimits limits; /* CAs that limit us (manager/ca.h) */
        ReloadCalendar *reload_calendar;
        Courier *courier;
        HookTest *hook_tests; /* under way */
        ArchiveLook *archive_looks; /* the same: manager/rollback-bus.c */
        ChallengeQueue *consents; /* "renewing": renewals that wait for their answer */
        ChallengeQueue *challenge_queue;
        DnsTeardown *dns_teardowns; /* records that are being taken back */
        AlpnKeys *alpn_keys;
        char **left_out; /* configured domains that could not be taken up: name, reason, … */
        uint64_t last_id;
        size_t n_faulty;       /* domains with problems */
        uint64_t generation;   /* changes whenever a domain comes or goes */
        uint64_t started_usec;
        uid_t acme_uid; /* the workers' user */

        sd_event_source *recheck; /* MDCheckInterval */
        sd_event_source *rename_again; /* a server read certificates when one was to get another name */
        sd_event_source *pump; /* deferred: starts what is due when there are places */
        sd_event_source *status;
        TargetStates *targets;
        Status *shown; /* what the status pages show */
} Manager;

int manager_new(sd_event *event, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free)

/* Connects, registers the bus objects, takes the name, reads everything once, and decides about every domain. */
int manager_start(Manager *m);

/* NULL: not known. */
Domain *manager_find_domain(const Manager *m, const char *name);
/* The domain that has this name among its names, for people who do not know what the first one is. */
Domain *manager_find_domain_by_any_name(const Manager *m, const char *name);

/* What the servers configure was taken over; 'all': by every domain. */
void manager_adopted(Manager *m, bool all);
/* Keeps count: whether a domain has problems was 'flag' and is 'faulty'. */
void manager_count_fault(Manager *m, bool *flag, bool faulty);
/* Frees a domain that no server names any more; while its renewal runs it stays. */
void manager_forget_unmanaged(Domain *d);

/* Has everything looked at again, from the facts on disk: the safety net under the timers. It is done when nothing is left to look at (manager/listing.h). */
void manager_check(Manager *m);

/* Something came to an end: a place may be free, STATUS= may be another one. Cheap; acts in the next round of the loop. */
void manager_kick(Manager *m);

/* Adds a random number for jitter. */
uint32_t manager_random(void);
