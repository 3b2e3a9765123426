/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/job-bus.h"

#include <errno.h>

#include "base/string-util.h"
#include "bus/names.h"
#include "manager/renewal.h"

static int get_domain(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const Renewal *r = renewal_of(userdata);

        return sd_bus_message_append(reply, "(so)", r ? DOMAIN_NAME(r->domain) : "", r ? r->domain->path : "/");
}

static int get_word(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Task *t = userdata;
        const Renewal *r = renewal_of(t);
        const char *s = NULL;

        if (str_equal(property, "Kind"))
                s = t->class->kind;
        else if (str_equal(property, "Subject"))
                s = t->subject;
        else if (str_equal(property, "State"))
                s = task_state_to_string(t->state);
        else if (str_equal(property, "Activity"))
                s = t->activity;
        else if (str_equal(property, "CertificateAuthority"))
                s = t->ca_url;
        else if (str_equal(property, "Order"))
                s = r ? r->domain->job->order_url : NULL;
        else if (str_equal(property, "Unit"))
                s = task_unit(t);
        return sd_bus_message_append(reply, "s", str_or(s, ""));
}

static int get_started(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Task *t = userdata;

        return sd_bus_message_append(reply, "t", t->started_usec);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Domain", "(so)", get_domain, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Subject", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Activity", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("CertificateAuthority", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Order", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Unit", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("StartedUSec", "t", get_started, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END,
};

static int find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found, sd_bus_error *error) {
        Manager *m = userdata;

        *ret_found = map_get(m->tasks, path);
        return *ret_found ? 1 : 0;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        Manager *m = userdata;
        char **nodes = NULL;
        const char *path;
        Task *t;
        int r = 0;

        MAP_FOREACH(m->tasks, path, t)
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

void job_bus_added(Task *t) {
        (void) sd_bus_emit_object_added(t->manager->bus, t->path);
}

void job_bus_removed(Task *t) {
        (void) sd_bus_emit_object_removed(t->manager->bus, t->path);
}

void job_bus_changed(Task *t) {
        (void) sd_bus_emit_properties_changed(t->manager->bus, t->path, BUS_INTERFACE_JOB, "State", "Activity", "Order", "Unit", "StartedUSec", NULL);
}

void job_bus_ended(Task *t, const Problem *problem) {
        (void) sd_bus_emit_signal(t->manager->bus, BUS_PATH, BUS_INTERFACE_MANAGER, "JobRemoved", "osss", t->path, t->subject,
                                  problem ? "failed" : "done", problem ? problem->detail : "");
}
