/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Watching one connection on the bus until it goes away. Nothing waits (sd_bus_track asks the bus and waits for its answer), and only the
 * bus itself is believed: anybody may send a signal that looks like its own. */

#include <systemd/sd-bus.h>

typedef struct PeerWatch PeerWatch;

/* The connection is gone, or was gone already; called once. The handler may free the watch. Not called when our own connection is lost. */
typedef void (*PeerHandler)(PeerWatch *watch, void *userdata);

/* 'name' is a unique name, ":1.42". */
int peer_watch_new(sd_bus *bus, const char *name, PeerHandler handler, void *userdata, PeerWatch **ret);
PeerWatch *peer_watch_free(PeerWatch *watch);
