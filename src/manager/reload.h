/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reloading servers: one reload for everything that was activated in a quiet moment, followed to its end and then proven by the next snapshot. */

#include "bus/unit.h"
#include "manager/domain.h"

typedef enum ReloadState {
        RELOAD_IDLE,
        RELOAD_WAITING,   /* for a quiet moment, the least interval, or a retry time */
        RELOAD_PLANNED,   /* for a time of ReloadOnCalendar= */
        RELOAD_RUNNING,   /* systemd is at it */
        RELOAD_PROVING,   /* done; the next snapshot must show the new certificates */
        _RELOAD_STATE_MAX,
} ReloadState;

typedef struct Reload {
        Manager *manager;
        char *unit;
        ReloadState state;
        bool urgent;           /* somebody has no certificate at all before it */
        bool forced;           /* an operator wants it, whatever is served */
        bool struck;           /* a time of ReloadOnCalendar= has come since it is wanted */
        uint64_t struck_usec;  /* monotonic: then */
        bool again;            /* something else was activated since it started */
        unsigned failures;     /* in a row */
        uint64_t n_done, n_failed; /* since our start */
        uint64_t wanted_usec;  /* monotonic: since when it is wanted */
        uint64_t started_usec; /* monotonic: the last one */
        UnitCall *call;
        sd_event_source *timer;
        Problem *last;
} Reload;

/* Wants the servers of this domain that do not serve its live set reloaded. */
void reload_request(Domain *d);
/* Wants this unit reloaded now, whatever it serves. */
int reload_request_unit(Manager *m, const char *unit);

/* A time of ReloadOnCalendar= has come: what waits for it begins. *ret_units, the caller frees it, is which. */
int reload_strike(Manager *m, char ***ret_units);

Reload *reload_free(Reload *r);

/* After every snapshot: ends the proving of units that serve what they should. */
void reload_snapshot_arrived(Manager *m);
/* Something ended that a reload may have waited for. */
void reload_kick(Manager *m);

/* Why the newest certificate of this domain is not served yet, as far as its reloads tell; NULL: nothing went wrong so far. */
const char *reload_trouble(const Domain *d);
/* The reload that it waits for is on its way, and nothing went wrong so far: some seconds, in which nothing is amiss. */
bool reload_is_coming(const Domain *d);
/* What it waits for by the administrator's wish, and may wait for: the calendar, or somebody who reloads by hand; NULL: nothing of that kind. */
const char *reload_excuse(const Domain *d);

bool reload_is_under_way(const Manager *m);       /* or wanted */
bool reload_waits_for_somebody(const Manager *m); /* nobody but people can do it */
bool reload_is_pending(const Manager *m);         /* one of both */
const char *reload_state_to_string(ReloadState s);
