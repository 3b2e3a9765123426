/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Having servers reloaded, and waiting until what changed has arrived at the manager. */

#include "base/json.h"
#include "mdctl/mdctl.h"

typedef struct ReloadWait {
        Mdctl *mdctl;
        const char *unit;   /* NULL: all servers with managed domains */
        JsonObject *before; /* ReloadCounts */
        JsonObject *units;  /* that are reloaded */
        char *trouble;      /* why it failed */
        bool changed;
} ReloadWait;

void reload_wait_done(ReloadWait *w);

/* Asks for it, when one that is under way has ended: how that ends is no answer. MDCTL_NOTHING_TO_DO: no server is known; nothing else of the exit codes is left to be told. */
int reload_wait_begin(ReloadWait *w);

enum {
        RELOAD_WAIT_DONE,
        RELOAD_WAIT_E_FAILED, /* 'trouble' says why */
        RELOAD_WAIT_E_LATE,   /* it was not there in time */
        RELOAD_WAIT_E_TOLD,   /* something else, told on stderr */
};

/* Until all of them were reloaded and 'arrived' (NULL: nothing else) says yes, which may talk to the manager. */
int reload_wait_run(ReloadWait *w, bool (*arrived)(Mdctl *c, void *userdata), void *userdata);
