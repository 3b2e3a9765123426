/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Open() of org.mdmanager1.Worker: who is it? Asked of the bus and of systemd, without waiting: the user must be the workers', and the unit says what for. */

#include "manager/manager.h"

/* The method's handler. */
int worker_open(Manager *m, sd_bus_message *call, sd_bus_error *error);
/* It is known by now what is configured. */
void worker_open_go_on(Manager *m);
void worker_open_drop_all(Manager *m); /* at shutdown */
