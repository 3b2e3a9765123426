/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the courier's files share: one box for each domain, and the flights of its entries (manager/flight.h). */

#include "base/map.h"
#include "domain/outbox.h"
#include "domain/storm.h"
#include "manager/courier.h"

typedef struct Box Box;
typedef struct Flight Flight;

struct Box {
        Courier *courier;
        Outbox *record;
        sd_event_source *clock;
        bool ready; /* in the list of those */
        Box *next_ready;
};

struct Courier {
        Manager *manager;
        Map *boxes; /* domain → Box */
        Box *first_ready, *last_ready;
        Flight *flights;
        size_t n_flights;
        Storms *storms; /* NULL: each domain is told by itself */
        sd_event_source *pump; /* deferred */
        bool unwritten_told;
};

/* Writes what is in the box; a failure is told. */
void courier_save(Box *box);
/* Something may be told now. */
void courier_make_ready(Box *box);
/* There is another place for a flight. */
void courier_go_on(Courier *c);
