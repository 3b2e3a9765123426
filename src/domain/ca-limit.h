/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* CAs that said rateLimited, and for how long they are left alone. */

#include "base/json.h"

typedef struct CaLimit {
        char *ca_url;             /* of the directory */
        char *domain;             /* the one that it was said to last */
        uint64_t until_usec;      /* nothing is asked of it before; 0: it may mean one domain only */
        uint64_t remembered_usec; /* as long as that counts */
} CaLimit;

typedef struct CaLimits {
        CaLimit *items;
        size_t n;
} CaLimits;

void ca_limits_done(CaLimits *limits);

/* It said so to this domain. 'retry_after_usec' 0: not for how long. What it said to one domain may be that one's affair; what it says to a second one within an
 * hour, or while the first is to wait, is meant for all. */
enum {
        CA_LIMIT_ONE,
        CA_LIMIT_ALL, /* *ret_other, the caller frees it, is whom it was said to before; *ret_until_usec is when it may be asked again */
};
int ca_limits_note(CaLimits *limits, const char *ca_url, const char *domain, uint64_t retry_after_usec, uint64_t now_usec, char **ret_other, uint64_t *ret_until_usec);

/* It did what it was asked for. True: somebody may have waited for that. */
bool ca_limits_forget(CaLimits *limits, const char *ca_url);
bool ca_limits_knows(const CaLimits *limits, const char *ca_url);

/* Until when nothing is asked of it; 0: it may be. */
uint64_t ca_limits_until_usec(const CaLimits *limits, const char *ca_url, uint64_t now_usec);

/* What does not count any more is left out, and nothing counts for longer than if it had been said now: the clock may have been wrong. -EBADMSG: this is something else. */
int ca_limits_to_json(const CaLimits *limits, uint64_t now_usec, JsonObject **ret);
int ca_limits_from_json(JsonObject *o, uint64_t now_usec, CaLimits *ret);
