/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* systemd as a service: start, stop and reload units and follow their jobs to the end; find the unit of a process. Nothing waits. */

#include <systemd/sd-bus.h>

#include "base/problem.h"

typedef enum UnitVerb { UNIT_START, UNIT_STOP, UNIT_RELOAD, UNIT_RESTART } UnitVerb;

/* One request to systemd under way. Freed by unit_call_free(), which drops what is still to come. */
typedef struct UnitCall UnitCall;

/* 'result' is what JobRemoved said: "done", "failed", "timeout", "canceled", "dependency", "skipped"; NULL when systemd refused the call at
 * once, and then 'error' is set (for instance org.freedesktop.systemd1.NoSuchUnit, or org.freedesktop.DBus.Error.AccessDenied). The call is
 * over when the handler runs; the handler may free it. */
typedef void (*UnitHandler)(UnitCall *call, const char *result, const sd_bus_error *error, void *userdata);

/* After unit_subscribe() for this connection. The 'timeout_usec' (0: none) is for the whole; running out gives result "timeout". */
int unit_call_new(sd_bus *bus, UnitVerb verb, const char *unit, uint64_t timeout_usec, UnitHandler handler, void *userdata, UnitCall **ret);

/* The same for a prepared message of systemd's manager that is answered with a job, such as StartTransientUnit. */
int unit_call_send(sd_bus *bus, sd_bus_message *m, const char *unit, uint64_t timeout_usec, UnitHandler handler, void *userdata, UnitCall **ret);

UnitCall *unit_call_free(UnitCall *call);
const char *unit_call_unit(const UnitCall *call);

/* The unit that process 'pid' belongs to, asked of systemd (our own /proc is closed). The handler gets the unit's name ("md-renew@x.service") or NULL with
 * the error. The slot is the caller's to unref. */
typedef void (*UnitOfPidHandler)(const char *unit, const sd_bus_error *error, void *userdata);
int unit_of_pid(sd_bus *bus, pid_t pid, sd_bus_slot **ret_slot, UnitOfPidHandler handler, void *userdata, void (*destroy)(void *userdata));

/* Once per connection, before the first call: systemd sends JobRemoved only to subscribers, and one match serves all calls. Asynchronous; subscribes again when
 * systemd re-executes. */
int unit_subscribe(sd_bus *bus);
