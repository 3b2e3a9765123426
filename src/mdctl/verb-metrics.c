/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl metrics: what monitoring wants to know, as OpenMetrics text; the same families as "md-status?openmetrics". */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/metrics.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

typedef struct Collection {
        JsonObject **domains; /* properties of each; what the metrics are made of is borrowed from them */
        JsonObject *manager, *others;
        Metrics metrics;
} Collection;

static void collection_done(Collection *c) {
        for (size_t i = 0; i < c->metrics.n_domains; i++) {
                free((MetricsCertificate *) c->metrics.domains[i].certificates);
                (void) json_object_put(c->domains[i]);
        }
        free((MetricsDomain *) c->metrics.domains);
        free((MetricsReload *) c->metrics.reloads);
        free((MetricsStapling *) c->metrics.others);
        (void) json_object_put(c->manager);
        (void) json_object_put(c->others);
        free(c->domains);
}

static JsonObject *item(JsonObject *list, size_t i) {
        return json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, i) : NULL;
}

static uint64_t item_number(JsonObject *list, size_t i) {
        JsonObject *o = item(list, i);

        return json_object_is_type(o, json_type_int) ? json_object_get_uint64(o) : 0;
}

static const char *item_text(JsonObject *list, size_t i) {
        JsonObject *o = item(list, i);

        return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
}

static size_t length(JsonObject *list) {
        return list ? json_object_array_length(list) : 0;
}

/* Revocation: key spec, source, status, URL, stapled, since, until, next, errors, problem. */
static void add_revocation(JsonObject *domain, MetricsCertificate *c) {
        JsonObject *list = json_get_array(domain, "Revocation");

        for (size_t i = 0; i < length(list); i++) {
                JsonObject *o = item(list, i);

                if (!str_equal(item_text(o, 0), c->key))
                        continue;
                c->status = item_text(o, 2);
                c->status_until_usec = item_number(o, 6);
                c->status_errors = item_number(o, 8);
        }
}

/* Certificates: key spec, issuer, serial number, begin, end, fingerprint. */
static int add_certificates(JsonObject *domain, MetricsDomain *d) {
        JsonObject *list = json_get_array(domain, "Certificates");
        MetricsCertificate *certificates = calloc(length(list) + 1, sizeof(*certificates));

        if (!certificates)
                return -ENOMEM;
        for (size_t i = 0; i < length(list); i++) {
                JsonObject *o = item(list, i);

                certificates[i] = (MetricsCertificate){ .key = item_text(o, 0), .from_usec = item_number(o, 3), .until_usec = item_number(o, 4) };
                add_revocation(domain, &certificates[i]);
        }
        d->certificates = certificates;
        d->n_certificates = length(list);
        return 0;
}

static int read_domain(JsonObject *o, MetricsDomain *ret) {
        *ret = (MetricsDomain){
                .name = get_text(o, "Name"), .state = get_text(o, "State"), .served = json_get_bool(o, "Served", false), .errors = get_number(o, "Errors"),
                .next_usec = get_number(o, "NextUSec"), .renew_at_usec = get_number(o, "RenewAtUSec"), .last_run_usec = get_number(o, "LastRunUSec"),
                .installed_usec = get_number(o, "InstalledUSec"), .ari_start_usec = get_number(o, "RenewalInfoStartUSec"),
                .ari_end_usec = get_number(o, "RenewalInfoEndUSec"),
        };
        return add_certificates(o, ret);
}

/* One that went since the list was made is not there any more, and nothing else. */
static int collect_domain(Mdctl *c, const char *path, Collection *all, size_t *n) {
        MetricsDomain *d = (MetricsDomain *) &all->metrics.domains[*n];
        int r = client_get_all(c, path, BUS_INTERFACE_DOMAIN, &all->domains[*n]);

        if (r != MDCTL_DONE)
                return r;
        if (read_domain(all->domains[*n], d) < 0) {
                (void) json_object_put(all->domains[*n]);
                return mdctl_oom();
        }
        all->metrics.n_domains = ++*n;
        return MDCTL_DONE;
}

static int collect_domains(Mdctl *c, Collection *all) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *list = NULL;
        size_t n = 0;
        int r;

        r = client_call_manager(c, "ListDomains", &reply, NULL);
        if (r != MDCTL_DONE)
                return r;
        r = bus_json_read(reply, &list);
        if (r < 0)
                return client_tell_answer(r);
        all->domains = calloc(length(list) + 1, sizeof(*all->domains));
        all->metrics.domains = calloc(length(list) + 1, sizeof(*all->metrics.domains));
        if (!all->domains || !all->metrics.domains)
                return mdctl_oom();
        for (size_t i = 0; i < length(list); i++) {
                r = collect_domain(c, item_text(item(list, i), 1), all, &n);
                if (r != MDCTL_DONE)
                        return r;
        }
        return MDCTL_DONE;
}

static int collect_manager(Mdctl *c, Collection *all) {
        MetricsReload *reloads;
        JsonObject *list;
        int r = client_get_all(c, BUS_PATH, BUS_INTERFACE_MANAGER, &all->manager);

        if (r != MDCTL_DONE)
                return r;
        list = json_get_array(all->manager, "ReloadCounts");
        reloads = calloc(length(list) + 1, sizeof(*reloads));
        if (!reloads)
                return mdctl_oom();
        for (size_t i = 0; i < length(list); i++)
                reloads[i] = (MetricsReload){ item_text(item(list, i), 0), item_number(item(list, i), 1), item_number(item(list, i), 2) };
        all->metrics.reloads = reloads;
        all->metrics.n_reloads = length(list);
        all->metrics.version = get_text(all->manager, "Version");
        return MDCTL_DONE;
}

static const char *const other_members[] = {
        "Serial", "Id", "Url", "MustStaple", "Status", "FromUSec", "UntilUSec", "NextUSec", "Errors", "Problem", NULL,
};

static int collect_others(Mdctl *c, Collection *all) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *list = NULL;
        MetricsStapling *others;
        int r;

        r = client_call_manager(c, "ListOtherStaplings", &reply, NULL);
        if (r != MDCTL_DONE)
                return r;
        r = bus_json_read(reply, &list);
        if (r < 0)
                return client_tell_answer(r);
        all->others = bus_json_name_each(list, other_members);
        if (!all->others)
                return client_tell_answer(-EBADMSG);
        all->metrics.others = others = calloc(length(all->others) + 1, sizeof(*others));
        if (!others)
                return mdctl_oom();
        for (size_t i = 0; i < length(all->others); i++) {
                JsonObject *o = item(all->others, i);

                others[i] = (MetricsStapling){ .serial = get_text(o, "Serial"), .id = get_text(o, "Id"), .status = get_text(o, "Status"),
                                               .status_until_usec = get_number(o, "UntilUSec"), .status_errors = get_number(o, "Errors") };
        }
        all->metrics.n_others = length(all->others);
        return MDCTL_DONE;
}

static void sink(const char *text, void *userdata) {
        (void) fputs(text, userdata);
}

/* What the metrics are made of. */
static int print_json(const Mdctl *c, const Collection *all) {
        _auto_json_ JsonObject *o = json_object_new_object(), *domains = json_object_new_array();

        for (size_t i = 0; domains && i < all->metrics.n_domains; i++)
                if (json_object_array_add(domains, json_object_get(all->domains[i])) < 0)
                        return mdctl_oom();
        if (!o || !domains || json_add_object(o, "Manager", json_object_get(all->manager)) < 0 || json_add_object(o, "Domains", take_ptr(domains)) < 0 ||
            json_add_object(o, "OtherStaplings", json_object_get(all->others)) < 0)
                return mdctl_oom();
        return format_json(c, o);
}

/* All or nothing: who puts this into a file for the node exporter wants no half of it. */
int verb_metrics(Mdctl *c, char *const *arguments) {
        _cleanup_(collection_done) Collection all = { 0 };
        int r;

        r = collect_domains(c, &all);
        if (r == MDCTL_DONE)
                r = collect_manager(c, &all);
        if (r == MDCTL_DONE)
                r = collect_others(c, &all);
        if (r == MDCTL_DONE && c->json != JSON_OFF)
                return print_json(c, &all);
        if (r == MDCTL_DONE)
                metrics_write(&all.metrics, sink, stdout);
        return r;
}
