/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A thread beside the loop for work that takes long: one errand after the other, in the order in which they were sent.
 *
 * An errand owns, or has for itself until it is back, all that its work touches; the loop's own state is none of it. */

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct Errands Errands;

typedef struct ErrandClass {
        void (*work)(void *errand);    /* in the thread: no logging, nothing of the loop's */
        void (*done)(void *errand);    /* in the loop, afterwards: owns the errand from then on */
        void (*release)(void *errand); /* instead of 'done', when the loop goes away */
} ErrandClass;

int errands_new(sd_event *event, Errands **ret);
/* Waits for the errand that is under way. */
Errands *errands_free(Errands *e);

/* Takes 'errand', unless it fails. */
int errands_send(Errands *e, const ErrandClass *class, void *errand);
