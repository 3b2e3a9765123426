/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Running the event loop. With MD_PROFILE_LOOP in the environment it is also measured for how long it is busy in one piece: every five seconds with something to do, and
 * at the end, it tells how often that was from 2^n microseconds on, with n counted from 0. Two lines: by the clock, and by the processor's time, which says more on a
 * busy machine. */

#include <systemd/sd-event.h>

/* As sd_event_loop(). */
int loop_run(sd_event *event);
