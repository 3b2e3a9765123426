/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/worker-seat.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"

int worker_seat_take(WorkerSeat *s, sd_bus_message *open, PeerHandler gone, void *userdata) {
        const char *sender = sd_bus_message_get_sender(open);
        int r;

        assert(!s->worker);
        assert(sender);

        r = peer_watch_new(sd_bus_message_get_bus(open), sender, gone, userdata, &s->peer);
        if (r >= 0)
                r = str_replace(&s->worker, sender);
        if (r < 0)
                worker_seat_leave(s);
        return r;
}

bool worker_seat_is_taken(const WorkerSeat *s) {
        return s->worker != NULL;
}

bool worker_seat_is_of(const WorkerSeat *s, sd_bus_message *call) {
        return s->worker && str_equal(s->worker, sd_bus_message_get_sender(call));
}

void worker_seat_leave(WorkerSeat *s) {
        s->peer = peer_watch_free(s->peer);
        free(take_ptr(s->worker));
}
