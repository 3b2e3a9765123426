/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What served.c and the file beside it share. */

#include "bus/unit.h"
#include "manager/served-target.h"
#include "manager/served.h"
#include "manager/worker-seat.h"

/* One domain that is looked at. */
typedef struct ServedLook {
        char *name;
        char *subject; /* fingerprints of the live set that it is about */
        bool asked;    /* a worker has it */
        ServedTargets targets;
        size_t n_open; /* of them, not answered yet */
        Problem *found;      /* what is wrong, in this look: of its first target that is, so that the same is told by the same words */
        uint64_t found_token;
        Problem *difference; /* … and in the one before, which was told */
        char *unit;          /* of the server where it is wrong; NULL: none is known */
        unsigned failures;   /* looks in a row that found something */
        uint64_t since_usec; /* monotonic: of the first of them */
        uint64_t next_usec;  /* monotonic: not before */
} ServedLook;

struct Served {
        Manager *manager;
        Map *looks; /* domain → ServedLook */
        Map *asked; /* token, as text → ServedLook that a worker has */
        Map *restarts; /* unit → Restart */
        sd_event_source *clock;
        UnitCall *unit;     /* we had the unit started, and it has not ended */
        uint64_t held_usec; /* it is not started before, because it would not start; monotonic */
        unsigned held;      /* times in a row */
        bool opened;        /* in this run of the unit, a worker came */
        bool left;          /* … and went while something was to be looked at */
        WorkerSeat seat;    /* of the worker that has the job open */
        uint64_t last_token;
};

/* This connection has the job until it goes. */
int served_take_worker(Served *s, sd_bus_message *open);
/* The next one that is due; NULL: none. */
ServedLook *served_first_due(const Served *s);
#define SERVED_TOKEN_MAX 24
const char *served_token_text(char buffer[static SERVED_TOKEN_MAX], uint64_t token);
/* Nobody is asked for it any more: what a worker still says of it is not heard. */
void served_dismiss(Served *s, ServedLook *look);
/* All of it is answered. */
void served_conclude(Served *s, ServedLook *look);
