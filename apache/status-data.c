/* SPDX-License-Identifier: Apache-2.0 */
#include "status-data.h"

#include <errno.h>
#include <stdlib.h>

#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "domain/decision.h"
#include "store-view.h"

static const Domains *domains_of(const request_rec *r) {
        return server_configuration(r->server)->domains;
}

/* NULL: the manager has written nothing, or nothing that we may read. */
static StoreViewStatus *open_files(request_rec *r) {
        const Domains *domains = domains_of(r);
        StoreViewStatus *files = NULL;

        if (!domains || !domains->store || store_view_open_status(domains->store, r->pool, &files) != STORE_VIEW_DONE)
                return NULL;
        return files;
}

static int make_unknown(request_rec *r, StatusDomain *d) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;

        if (managed_domain_to_public_json(d->config, &o) < 0 || json_add_int(o, "state", DOMAIN_STATE_UNKNOWN) < 0 ||
            json_add_string(o, "state-descr", "md-manager has not told about this domain yet") < 0)
                return -ENOMEM;
        text = json_format_short(o);
        if (!text)
                return -ENOMEM;
        d->size = strlen(text);
        d->text = apr_pstrmemdup(r->pool, text, d->size);
        return 0;
}

static int read_one(request_rec *r, StoreViewStatus *files, const ManagedDomain *config, StatusDomain *ret) {
        *ret = (StatusDomain){ .config = config };
        if (files && store_view_read_status(files, r->pool, config->name, &ret->text, &ret->size) == STORE_VIEW_DONE)
                return 0;
        return make_unknown(r, ret);
}

/* It is the last member. A quote inside a string is written with a backslash, so that these bytes can be nothing else than a member. */
static int read_without_log(request_rec *r, StoreViewStatus *files, const ManagedDomain *config, StatusDomain *ret) {
        static const char member[] = ",\"" STORE_VIEW_STATUS_LOG "\":{";
        const char *at = NULL, *next;
        char *cut;
        int k = read_one(r, files, config, ret);

        if (k < 0)
                return k;
        for (next = ret->text; (next = memmem(next, ret->size - (size_t) (next - ret->text), member, strlen(member))); next++)
                at = next;
        if (!at)
                return 0;
        cut = apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, ret->text, (size_t) (at - ret->text)), "}", NULL);
        if (!json_is_object(cut, strlen(cut)))
                return 0; /* not written by the manager: as it is */
        ret->text = cut;
        ret->size = strlen(cut);
        return 0;
}

int status_data_one(request_rec *r, const ManagedDomain *d, StatusDomain *ret) {
        return read_one(r, open_files(r), d, ret);
}

static int compare_names(const void *a, const void *b) {
        const StatusDomain *x = a, *y = b;

        return strcmp(x->config->name, y->config->name);
}

const apr_array_header_t *status_data_all(request_rec *r) {
        const Domains *domains = domains_of(r);
        StoreViewStatus *files = open_files(r);
        int n = domains ? domains->all->nelts : 0;
        apr_array_header_t *all = apr_array_make(r->pool, n > 0 ? n : 1, sizeof(StatusDomain));

        for (int i = 0; i < n; i++)
                if (read_without_log(r, files, APR_ARRAY_IDX(domains->all, i, const ManagedDomain *), apr_array_push(all)) < 0)
                        return NULL;
        qsort(all->elts, (size_t) all->nelts, sizeof(StatusDomain), compare_names);
        return all;
}

static apr_status_t put_json(void *data) {
        (void) json_object_put(data);
        return APR_SUCCESS;
}

static JsonObject *parse(request_rec *r, const char *text, size_t size) {
        JsonObject *o = NULL;

        if (json_parse(text, size, &o, NULL) != 0 || !json_object_is_type(o, json_type_object)) {
                (void) json_object_put(o);
                return NULL;
        }
        apr_pool_cleanup_register(r->pool, o, put_json, apr_pool_cleanup_null);
        return o;
}

JsonObject *status_data_json(request_rec *r, const StatusDomain *d) {
        StatusDomain unknown = { .config = d->config };
        JsonObject *o = parse(r, d->text, d->size);

        if (o)
                return o;
        /* A number that no 64 bits hold: this file is not the manager's. */
        return make_unknown(r, &unknown) == 0 ? parse(r, unknown.text, unknown.size) : NULL;
}

int status_data_facts(request_rec *r, const StatusDomain *d, StatusFacts *ret) {
        JsonObject *o = status_data_json(r, d);

        if (!o)
                return -ENOMEM;
        status_facts_read(o, d->config->refused, clock_now_usec(), ret);
        ret->name = d->config->name;
        return 0;
}

const apr_array_header_t *status_data_all_facts(request_rec *r) {
        const apr_array_header_t *all = status_data_all(r);
        apr_array_header_t *facts;

        if (!all)
                return NULL;
        facts = apr_array_make(r->pool, all->nelts > 0 ? all->nelts : 1, sizeof(StatusFacts));
        for (int i = 0; i < all->nelts; i++)
                if (status_data_facts(r, &APR_ARRAY_IDX(all, i, StatusDomain), apr_array_push(facts)) < 0)
                        return NULL;
        return facts;
}

JsonObject *status_data_manager(request_rec *r) {
        StoreViewStatus *files = open_files(r);
        const char *text;
        size_t size;

        if (!files || store_view_read_status(files, r->pool, NULL, &text, &size) != STORE_VIEW_DONE)
                return NULL;
        return parse(r, text, size);
}
