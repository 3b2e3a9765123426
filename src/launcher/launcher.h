/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The only root program: takes names and times from the manager, and makes transient units. Commands come from root's own files. */

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "base/macro.h"
#include "base/map.h"
#include "launcher/configured.h"
#include "launcher/dns-memory.h"

typedef struct Request Request;

typedef struct Launcher {
        sd_bus *bus;
        sd_bus_slot *object;
        const char *store_dir;
        uid_t manager_uid;
        char *known_caller;   /* unique bus name that was found to be allowed; the bus never gives it to another */
        uint64_t hook_number; /* of the last hook */
        Configured configured;
        DnsMemory *dns_memory;
        Map *timers;          /* of ours that may be armed: names of units; values mean nothing */
        Request *requests;    /* under way */
        size_t n_requests;
} Launcher;

/* Puts the object on the bus; the caller asks for the name afterwards. 'store_dir' is borrowed. */
int launcher_new(sd_bus *bus, const char *store_dir, uid_t manager_uid, Launcher **ret);
Launcher *launcher_free(Launcher *l);
DEFINE_CLEANUP(Launcher *, launcher_free)

bool launcher_is_idle(void *launcher);

/* BUS_ERROR_NOT_CONFIGURED in *error when no server names the domain, or with NULL has a command for events. *ret is borrowed until the next call. */
int launcher_find_server(Launcher *l, const char *domain, const ConfiguredServer **ret, sd_bus_error *error);
