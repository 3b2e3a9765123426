/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers about all domains. They come when there is nothing left to look at (manager/turns.h), and are written some domains at a time. */

#include "manager/manager.h"

typedef enum ListingKind {
        LISTING_DOMAINS, /* ListDomains() */
        LISTING_FAULTS,  /* GetFaults(), Check() */
} ListingKind;

/* Answers 'call'. */
int listing_new(Manager *m, sd_bus_message *call, ListingKind kind, sd_bus_error *error);
/* The servers were read. */
void listing_wake_all(Manager *m);
void listing_free_all(Manager *m);
