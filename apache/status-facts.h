/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A domain's object of "md-status", as the pages need it: plain values. Texts are borrowed from the object. */

#include "base/json.h"

/* How a domain is doing, worst first. */
typedef enum StatusCondition {
        STATUS_EXPIRED,    /* its certificate ran out */
        STATUS_REFUSED,    /* the server disabled it */
        STATUS_FAILING,    /* the last attempt to renew failed */
        STATUS_EXPIRING,   /* its warn window (MDWarnWindow) is open, and it is not renewed yet */
        STATUS_INCOMPLETE, /* no certificate yet, or not for all names and keys */
        STATUS_UNKNOWN,    /* nothing is known of it */
        STATUS_RENEWING,   /* a renewal is under way */
        STATUS_PENDING,    /* a new certificate waits for the server's reload */
        STATUS_GOOD,
        _STATUS_CONDITION_MAX,
} StatusCondition;

typedef struct StatusFacts {
        JsonObject *json;
        StatusCondition condition;
        const char *name;
        int64_t state; /* numbers of DomainState */
        const char *state_descr;         /* NULL: none */
        uint64_t from_usec, until_usec;  /* when all certificates are valid; 0: never, or there is none */
        uint64_t renew_at_usec;          /* by their age; 0: there is no such time */
        const char *action, *reason, *detail; /* what is next; NULL: not known */
        uint64_t next_usec;
        bool served, stapling, watched, renew;
        JsonObject *renewal;             /* NULL: none is under way */
        bool finished;
        uint64_t errors, last_run_usec, next_run_usec, installed_usec;
        const char *problem, *problem_detail; /* of the last attempt; NULL: it went well */
        const char *refused;             /* NULL: it is not */
} StatusFacts;

/* 'refused' is the server's own word. */
void status_facts_read(JsonObject *json, const char *refused, uint64_t now_usec, StatusFacts *ret);

/* "expired", "disabled", "failing", "expiring", "incomplete", "unknown", "renewing", "reload pending", "good". */
const char *status_condition_to_string(StatusCondition condition);
/* Whether somebody should look at it. */
bool status_condition_is_bad(StatusCondition condition);
