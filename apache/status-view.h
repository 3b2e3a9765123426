/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a reader of the page asked for in the query, and the domains that this leaves. */

#include "apr_pools.h"
#include "apr_tables.h"

#include "status-facts.h"

typedef enum StatusShow {
        STATUS_SHOW_ALL,
        STATUS_SHOW_ATTENTION, /* somebody should look at them */
        STATUS_SHOW_PROGRESS,
        STATUS_SHOW_GOOD,
        _STATUS_SHOW_MAX,
} StatusShow;

typedef enum StatusSort {
        STATUS_SORT_ATTENTION, /* worst first */
        STATUS_SORT_NAME,
        STATUS_SORT_EXPIRY,
        STATUS_SORT_NEXT,
        _STATUS_SORT_MAX,
} StatusSort;

enum {
        STATUS_PAGE_ROWS = 500,
};

typedef struct StatusView {
        StatusShow show;
        StatusSort sort;
        const char *words; /* to look for in names, in lower case; "": none */
        unsigned page;     /* from 1 on */
} StatusView;

/* 'args' is the query as it came, NULL: none. What makes no sense counts as not asked for. */
void status_view_parse(apr_pool_t *p, const char *args, StatusView *ret);

/* Of StatusFacts: those that are to be shown, in order, on all pages. */
apr_array_header_t *status_view_apply(apr_pool_t *p, const StatusView *view, const apr_array_header_t *all);

StatusShow status_show_of(const StatusFacts *f); /* its group */
const char *status_show_to_string(StatusShow show); /* as in the query */
const char *status_sort_to_string(StatusSort sort);

/* Its names in lower case with blanks between, to look for words in. */
const char *status_view_names(apr_pool_t *p, const StatusFacts *f);
