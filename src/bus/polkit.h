/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Asynchronous authorization by polkit (org.freedesktop.PolicyKit1.Authority.CheckAuthorization). */

#include <systemd/sd-bus.h>

typedef struct Polkit Polkit; /* the questions under way, keyed by message */

Polkit *polkit_new(void); /* NULL: out of memory */
Polkit *polkit_free(Polkit *p);

/* The detail whose value a person is shown instead of the message of the action's policy. In both, $(KEY) stands for the value of another detail. */
#define POLKIT_MESSAGE "polkit.message"

/* Root (uid 0) is always allowed, and so is the user that we run as. 'details' is a NULL-terminated list of keys and values (may be NULL).
 *   > 0  allowed; the question is forgotten
 *   0    asked: return 1 from the method handler; the message will be dispatched to it again when the answer is there. The answer is for this action and these
 *        details: when they are others by then, somebody is asked again
 *   < 0  refused or no polkit: *error is set (org.freedesktop.DBus.Error.AccessDenied or InteractiveAuthorizationRequired)
 * Interactive when the message's flag allows it. Polkit is asked at most 64 questions at a time, 32 of one user, and a call that waits for it has at most
 * 64 KiB, a detail 4 KiB: LimitsExceeded. */
int polkit_authorize(Polkit *p, sd_bus_message *call, const char *action, char *const *details, sd_bus_error *error);
