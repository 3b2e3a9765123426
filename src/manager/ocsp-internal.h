/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What ocsp.c and the files beside it share. */

#include "bus/unit.h"
#include "manager/ocsp-item.h"
#include "manager/ocsp.h"

struct Ocsp {
        Manager *manager;
        Map *items; /* id → OcspItem */
        sd_event_source *clock;
        uint64_t at_usec;   /* what it is set to; 0: nothing */
        UnitCall *unit;     /* the unit is running */
        uint64_t held_usec; /* it is not started before, because it would not start; monotonic */
        bool opened;        /* in this run of the unit, a worker came */
        char *worker;       /* unique name of the worker that has the job open; NULL: none */
        uint64_t last_token;
        uint64_t pruned_usec; /* monotonic */
};

/* Sets the clock to what is due next, or starts the unit. */
void ocsp_kick(Ocsp *o);
/* Follows the unit until it ends; starts it when it does not run. */
void ocsp_follow(Ocsp *o);
/* The next one that is due; NULL: none. */
OcspItem *ocsp_first_due(const Ocsp *o);
/* What belongs to its domains depends on it. */
void ocsp_item_changed(OcspItem *i);
