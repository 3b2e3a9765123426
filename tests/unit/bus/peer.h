/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Two ends of a connection in one process: 'service' is the program's, 'other' everybody else's. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct Peers {
        sd_bus *service, *other;
} Peers;

void peers_done(Peers *p);
int peers_init(Peers *p);

/* Lets both ends work until '*done'. < 0: there is nothing left to do, and it is not. */
int peers_run_until(Peers *p, const bool *done);
