/* SPDX-License-Identifier: Apache-2.0 */

/* "md-status?openmetrics" */

#include "status.h"

#include "http_protocol.h"

#include "base/metrics.h"
#include "base/string-util.h"
#include "config.h"
#include "ocsp.h"
#include "status-data.h"

static void sink(const char *text, void *userdata) {
        (void) ap_rputs(text, userdata);
}

static const char *state_word(int64_t state) {
        static const char *const words[] = { "unknown", "incomplete", "complete", "complete", "error" };

        return state >= 0 && state < (int64_t) ELEMENTSOF(words) ? words[state] : "unknown";
}

static void add_revocation(JsonObject *cert, MetricsCertificate *c) {
        JsonObject *ocsp = json_get_object(cert, "ocsp"), *known = ocsp ? ocsp : json_get_object(cert, "crl");

        if (!known)
                return;
        c->status = str_or(json_get_string(known, "status"), "unknown");
        c->status_until_usec = json_get_time(json_get_object(known, "valid"), "until");
        (void) json_get_uint(known, "errors", &c->status_errors);
}

static void add_certificates(request_rec *r, JsonObject *certs, MetricsDomain *d) {
        apr_array_header_t *list = apr_array_make(r->pool, 2, sizeof(MetricsCertificate));

        if (!certs)
                return;
        json_object_object_foreach(certs, key, cert) {
                JsonObject *valid = json_get_object(cert, "valid");

                if (!str_equal(key, "valid") && json_object_is_type(cert, json_type_object) && valid) {
                        MetricsCertificate c = { .key = key, .from_usec = json_get_time(valid, "from"), .until_usec = json_get_time(valid, "until") };

                        add_revocation(cert, &c);
                        APR_ARRAY_PUSH(list, MetricsCertificate) = c;
                }
        }
        d->certificates = (const MetricsCertificate *) list->elts;
        d->n_certificates = (size_t) list->nelts;
}

static int add_domain(request_rec *r, const StatusDomain *s, MetricsDomain *ret) {
        JsonObject *window;
        StatusFacts f;

        if (status_data_facts(r, s, &f) < 0)
                return HTTP_INTERNAL_SERVER_ERROR;
        window = json_get_object(f.json, "renewal-info");
        *ret = (MetricsDomain){
                .name = f.name, .state = state_word(f.state), .served = f.served, .errors = f.errors, .next_usec = f.next_usec,
                .renew_at_usec = f.renew_at_usec, .last_run_usec = f.last_run_usec, .installed_usec = f.installed_usec,
                .ari_start_usec = json_get_time(window, "from"), .ari_end_usec = json_get_time(window, "until"),
        };
        add_certificates(r, json_get_object(f.json, "cert"), ret);
        return OK;
}

static const apr_array_header_t *collect_domains(request_rec *r, const ManagedDomain *d) {
        apr_array_header_t *one = apr_array_make(r->pool, 1, sizeof(StatusDomain)), *list;
        const apr_array_header_t *all = d ? one : status_data_all(r);

        if (!all || (d && status_data_one(r, d, apr_array_push(one)) < 0))
                return NULL;
        list = apr_array_make(r->pool, all->nelts > 0 ? all->nelts : 1, sizeof(MetricsDomain));
        for (int i = 0; i < all->nelts; i++)
                if (add_domain(r, &APR_ARRAY_IDX(all, i, StatusDomain), apr_array_push(list)) != OK)
                        return NULL;
        return list;
}

static const apr_array_header_t *collect_reloads(request_rec *r) {
        JsonObject *reloads = json_get_array(status_data_manager(r), "reloads");
        apr_array_header_t *list = apr_array_make(r->pool, 1, sizeof(MetricsReload));

        for (size_t i = 0; reloads && i < json_object_array_length(reloads); i++) {
                JsonObject *o = json_object_array_get_idx(reloads, i);
                MetricsReload l = { .unit = json_get_string(o, "unit") };

                if (!l.unit)
                        continue;
                (void) json_get_uint(o, "reloads", &l.n_done);
                (void) json_get_uint(o, "failures", &l.n_failed);
                APR_ARRAY_PUSH(list, MetricsReload) = l;
        }
        return list;
}

/* What this server staples for no managed domain. */
static const apr_array_header_t *collect_others(request_rec *r) {
        const apr_array_header_t *all = ocsp_show(server_configuration(r->server), r->pool);
        apr_array_header_t *list = apr_array_make(r->pool, 1, sizeof(MetricsStapling));

        for (int i = 0; i < all->nelts; i++) {
                const OcspShown *s = &APR_ARRAY_IDX(all, i, OcspShown);

                if (s->is_other)
                        APR_ARRAY_PUSH(list, MetricsStapling) = (MetricsStapling){ .serial = s->serial, .id = s->id, .status = s->status,
                                                                                   .status_until_usec = s->until_usec, .status_errors = s->errors };
        }
        return list;
}

int status_metrics(request_rec *r, const ManagedDomain *d) {
        const apr_array_header_t *domains = collect_domains(r, d), *reloads = collect_reloads(r), *others = d ? NULL : collect_others(r);
        Metrics m = { .version = PROJECT_VERSION };

        if (!domains)
                return HTTP_INTERNAL_SERVER_ERROR;
        m.domains = (const MetricsDomain *) domains->elts;
        m.n_domains = (size_t) domains->nelts;
        m.reloads = (const MetricsReload *) reloads->elts;
        m.n_reloads = (size_t) reloads->nelts;
        m.others = others ? (const MetricsStapling *) others->elts : NULL;
        m.n_others = others ? (size_t) others->nelts : 0;
        ap_set_content_type(r, METRICS_CONTENT_TYPE);
        metrics_write(&m, sink, r);
        return OK;
}
