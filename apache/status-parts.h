/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the pages for people are made of. Everything in it is escaped; nothing is fetched from anywhere. */

#include "status-axis.h"
#include "status-data.h"

/* Headers and everything up to <main>, with 'title' (foreign text) as heading. The script is let in only when there is one. */
void part_begin(request_rec *r, const char *title, bool with_script);
void part_end(request_rec *r, bool with_script);

/* "good", "bad", "warn", "busy", "idle": classes of the style sheet. */
const char *part_colour(StatusCondition condition);
void part_badge(request_rec *r, StatusCondition condition);

/* <time>: "in 29 days", with the whole in its title. 0: a dash. */
void part_time(request_rec *r, uint64_t usec, uint64_t now_usec);

/* The scale, and a lifetime on it. 'renew_at_usec' 0: unknown. */
void part_ticks(request_rec *r, const StatusAxis *a);
void part_bar(request_rec *r, const StatusAxis *a, const char *colour, uint64_t from_usec, uint64_t until_usec, uint64_t renew_at_usec);
void part_legend(request_rec *r);

/* What is next, in words: "Renews", "Retries", … */
const char *part_next(const StatusFacts *f);
