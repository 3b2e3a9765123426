/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What every service of ours does: log to the journal with fields, tell systemd that it is ready, feed the watchdog, end on SIGTERM. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/macro.h"

/* A log sink that writes to the journal with sd_journal_sendv() when stderr is connected to it, and to stderr otherwise. $SYSTEMD_LOG_LEVEL says
 * up to which level. Call first in main(). */
void service_log_to_journal(const char *identifier);

/* Closes our memory and descriptors, and with these our connection to the manager, to other processes of the same user. What fails is logged. */
int service_close_to_others(void);

/* The default event loop with SIGTERM and SIGINT ending it (exit code 0) and the watchdog fed when the unit has one. */
int service_event_new(sd_event **ret);

int service_notify_ready(const char *status_format, ...) __attribute__((format(printf, 1, 2)));
int service_notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
int service_notify_stopping(void);

/* Connects to the system bus and attaches it to the loop. The bus going away ends the loop with a failure. */
int service_bus_open(sd_event *event, sd_bus **ret);

/* Runs the loop, calling 'is_idle' whenever nothing is to be done; when it has been true for 'timeout_usec', releases the bus name without losing a request and
 * returns. For services that leave when idle. */
int service_run_until_idle(sd_event *event, sd_bus *bus, const char *bus_name, uint64_t timeout_usec, bool (*is_idle)(void *userdata), void *userdata);
