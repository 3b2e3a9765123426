/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When to ask for an OCSP response again. Pure. */

#include "domain/window.h"

/* After a good answer that counts from 'from' until 'until': where the window at the end of its life begins (one that is not set is a third of it), at some
 * point of the window's first tenth, so that answers that came together are not asked for together. One that came when its window was open already is asked
 * for again after a third of what is left. But however long it counts, it is asked for once a week: who is told that a certificate is good for years would never
 * learn that it was revoked. */
uint64_t ocsp_schedule_refresh_usec(const Window *window, uint64_t from_usec, uint64_t until_usec, uint64_t now_usec, uint32_t random) _pure_;

typedef struct OcspTimes {
        uint64_t from_usec, until_usec; /* between which the answer counts */
        uint64_t came_usec;             /* 0: not known, as if it had come when it was made */
} OcspTimes;

/* When it is asked for again, of an answer that came before and was to be asked for again at 'planned': then, as far as the window allows that; with another
 * window, or when the clock was wrong, a time as above. Answers are kept with times in whole seconds. */
uint64_t ocsp_schedule_keep_usec(const Window *window, const OcspTimes *times, uint64_t planned_usec, uint32_t random) _pure_;

/* After the 'errors'-th failure in a row: doubled each time as for renewals, but an hour at the most, and not before what the responder said (a day at the
 * most). */
uint64_t ocsp_schedule_retry_usec(uint64_t base_usec, unsigned errors, uint64_t said_usec, uint64_t now_usec, uint32_t random) _pure_;

/* A planned time, as far as one can have been meant: after a good answer it is not beyond 'until' (0: there is none); after 'errors' failures in a row, or
 * without an answer, not beyond what ocsp_schedule_retry_usec() says at the most. Otherwise 0: at once. */
uint64_t ocsp_schedule_check_usec(uint64_t planned_usec, uint64_t until_usec, unsigned errors, uint64_t now_usec) _pure_;

/* Whether a reader that wanted to look at 'look' does so now: also when the clock was set back since then. */
bool ocsp_schedule_look_is_due(uint64_t look_usec, uint64_t now_usec) _pure_;

/* When a reader of the response looks whether there is another one, after it looked at 'now': not before the refresh, but for once an hour; then more and
 * more often, down to once a second. Zero for 'until': there is none yet. */
uint64_t ocsp_schedule_look_usec(uint64_t refresh_usec, uint64_t until_usec, uint64_t now_usec) _pure_;
