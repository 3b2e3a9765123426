/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Journald reads what it is sent when it comes to it: this asks it to take in what programs have written so far, as 'journalctl --sync' does. */

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct JournalSync JournalSync;

/* 'done' is called once, when journald says so, or when it does not within some seconds. */
int journal_sync_new(sd_event *event, void (*done)(void *userdata), void *userdata, JournalSync **ret);
JournalSync *journal_sync_free(JournalSync *s);
DEFINE_CLEANUP(JournalSync *, journal_sync_free)
