/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/job-bus.h"

#include <errno.h>

#include "base/string-util.h"
#include "bus/names.h"

static int get_domain(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Renewal *r = userdata;

        return sd_bus_message_append(reply, "(so)", DOMAIN_NAME(r->domain), r->domain->path);
}

static int get_word(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Renewal *r = userdata;
        const char *s = NULL;

        if (str_equal(property, "State"))
                s = renewal_state_to_string(r->state);
        else if (str_equal(property, "Activity"))
                s = r->activity;
        else if (str_equal(property, "CertificateAuthority"))
                s = r->ca_url;
        else if (str_equal(property, "Order"))
                s = r->domain->job->order_url;
        else if (str_equal(property, "Unit"))
                s = r->domain->unit;
        return sd_bus_message_append(reply, "s", str_or(s, ""));
}

static int get_started(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Renewal *r = userdata;

        return sd_bus_message_append(reply, "t", r->started_usec);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Domain", "(so)", get_domain, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Activity", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("CertificateAuthority", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Order", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Unit", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StartedUSec", "t", get_started, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

static int find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found, sd_bus_error *error) {
        Manager *m = userdata;

        *ret_found = map_get(m->renewals, path);
        return *ret_found ? 1 : 0;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        Manager *m = userdata;
        char **nodes = NULL;
        const char *path;
        Renewal *renewal;
        int r = 0;

        MAP_FOREACH(m->renewals, path, renewal)
                if (r >= 0)
                        r = strv_extend(&nodes, path);
        if (r < 0) {
                strv_free(nodes);
                return r;
        }
        *ret_nodes = nodes;
        return 0;
}

int job_bus_register(Manager *m) {
        int r = sd_bus_add_fallback_vtable(m->bus, NULL, BUS_PATH_JOB, BUS_INTERFACE_JOB, vtable, find_job, m);

        return r < 0 ? r : sd_bus_add_node_enumerator(m->bus, NULL, BUS_PATH_JOB, enumerate, m);
}

void job_bus_added(Renewal *r) {
        (void) sd_bus_emit_object_added(r->domain->manager->bus, r->path);
}

void job_bus_removed(Renewal *r) {
        (void) sd_bus_emit_object_removed(r->domain->manager->bus, r->path);
}

void job_bus_changed(Renewal *r) {
        (void) sd_bus_emit_properties_changed(r->domain->manager->bus, r->path, BUS_INTERFACE_JOB, "State", "Activity", "Order", "StartedUSec", NULL);
}

void job_bus_ended(Renewal *r, const Problem *problem) {
        (void) sd_bus_emit_signal(r->domain->manager->bus, BUS_PATH, BUS_INTERFACE_MANAGER, "JobRemoved", "osss", r->path, DOMAIN_NAME(r->domain),
                                  problem ? "failed" : "done", problem ? problem->detail : "");
}
