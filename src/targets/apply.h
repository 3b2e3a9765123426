/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bringing what a target wants to where it wants it.
 *
 * A mark, PENDING_FD/NAME, is made before the first file of a target is replaced, and goes when its units were reloaded: whatever ends us in between, the next run
 * reloads them. It need not survive a reboot, which starts the units. */

#include "store/store.h"
#include "targets/target.h"

typedef enum TargetState {
        TARGET_STATE_UNCHANGED,
        TARGET_STATE_WRITTEN,
        TARGET_STATE_WAITING, /* for a certificate */
        TARGET_STATE_FAILED,
        _TARGET_STATE_MAX,
} TargetState;

typedef struct TargetOutcome {
        const Target *target; /* borrowed */
        TargetState state;
        char *detail;         /* for people */
        bool reload;          /* its units are to be */
} TargetOutcome;

void target_outcome_done(TargetOutcome *o);
const char *target_state_to_string(TargetState s);

/* Writes the files that are not what they should be. A failure ends this target, and says why; its units are left alone then, with half of its files perhaps. */
void target_apply(Store *s, const Target *t, int pending_fd, TargetOutcome *ret);

/* Forgets what is still to be reloaded for targets that nobody declares any more. */
void targets_drop_marks(const Targets *all, int pending_fd);

/* The units were reloaded. */
void target_reloaded(const Target *t, int pending_fd);
