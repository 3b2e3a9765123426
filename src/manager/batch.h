/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* md-acme-batch@N.service: workers that take one task after the other for one CA, over one connection to it. They are started when more is to be done there than
 * places are free, and for everything that is no renewal; each holds one place for as long as it runs.
 *
 * Two start at a time: a unit costs some 100 ms of a processor, in which a CA that answers quickly has done the work of several. */

#include <systemd/sd-bus.h>

#include "manager/task.h"

typedef struct Batch Batch;

unsigned batch_count(const Manager *m);
const char *batch_unit(const Batch *b);

/* Whether a worker of this kind runs, or starts, for the same way to a CA. */
bool batch_serves(const Manager *m, const Task *like);
/* Starts one for the way of 'like', when it would find something to do. False: not now. */
bool batch_start(Manager *m, const Task *like);

/* Open() of unit md-acme-batch@N.service. */
bool batch_is_unit(const char *unit);
void batch_open(Manager *m, const char *unit, sd_bus_message *open);

void batch_free_all(Manager *m);
