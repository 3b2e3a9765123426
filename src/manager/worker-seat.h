/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The one connection that has a job of many pieces open, as md-ocsp and md-served have: from its Open() until it goes. Its unit is no measure: the timer or somebody
 * by hand may have started it, of whose end nobody tells us, and to ask systemd to start it is to run it once more if it is over by then. */

#include "base/macro.h"
#include "bus/peer.h"

typedef struct WorkerSeat {
        char *worker; /* its unique name; NULL: nobody has the job */
        PeerWatch *peer;
} WorkerSeat;

/* 'gone' is called once, and leaves the seat. Nobody has it yet. */
int worker_seat_take(WorkerSeat *s, sd_bus_message *open, PeerHandler gone, void *userdata);
bool worker_seat_is_taken(const WorkerSeat *s) _pure_;
bool worker_seat_is_of(const WorkerSeat *s, sd_bus_message *call);
void worker_seat_leave(WorkerSeat *s);
