/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bus/peer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "manager/fault.h"
#include "manager/ocsp-other.h"
#include "manager/reload-calendar.h"
#include "manager/reload.h"
#include "manager/servers.h"
#include "manager/targets.h"

/* What stands around it: any number of domains, all with as much to say as they like. */
static struct {
        const char *fault, *trouble;
        char **complaints;
} around;

char *fault_find(Domain *d) {
        return strdup(around.fault);
}

const char *reload_excuse(const Domain *d) {
        return NULL;
}

const char *reload_trouble(const Domain *d) {
        return around.trouble;
}

char *reload_calendar_fault(const ReloadCalendar *c) {
        return NULL;
}

char *const *servers_complaints(const Servers *s) {
        return around.complaints;
}

bool servers_are_settled(const Servers *s) {
        return true;
}

int ocsp_other_append_faults(const Ocsp *o, FaultList *l) {
        return 0;
}

int targets_append_faults(FaultList *l, const TargetStates *t) {
        return 0;
}

uint64_t domain_valid_until_usec(const Domain *d) {
        return 0;
}

ProblemClass domain_waiting_for(const Domain *d) {
        return PROBLEM_CLASS_TRANSIENT;
}

/* --- Domains, and somebody who asks --- */

enum { NAME_LENGTH = 250, MESSAGE_MAX = 32 * 1024 * 1024 };

typedef struct World {
        Peers peers;
        Manager manager;
        ManagedDomain *configs;
        Domain *domains;
        Job job;
        ListingKind kind;

        bool done;
        char *error;
        size_t n, n_details, bytes; /* entries of the answer, those with details; texts */
        char *last;
} World;

static void world_done(World *w) {
        listing_free_all(&w->manager);
        for (size_t i = 0; i < map_size(w->manager.domains); i++)
                free(w->configs[i].name);
        map_free(w->manager.domains);
        free(w->configs);
        free(w->domains);
        sd_event_unref(w->manager.event);
        peers_done(&w->peers);
        free(w->error);
        free(w->last);
}
#define _auto_world_ _cleanup_(world_done)

static int method_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        World *w = userdata;

        return listing_new(&w->manager, call, w->kind, error);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Domains", NULL, "a(sosssttuss)", method_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Faults", NULL, "a(ss)", method_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int add_domain(World *w, size_t i) {
        Domain *d = &w->domains[i];
        char name[NAME_LENGTH + 1];

        memset(name, 'x', NAME_LENGTH);
        name[NAME_LENGTH] = '\0';
        (void) snprintf(name, 10, "%09zu", i);
        name[9] = '.';
        w->configs[i].name = strdup(name);
        if (!w->configs[i].name)
                return -ENOMEM;
        *d = (Domain){ .manager = &w->manager, .config = &w->configs[i], .job = &w->job, .path = (char *) "/a/path", .managed = true };
        d->decision.action = DECISION_INSTALL;
        return map_put(w->manager.domains, w->configs[i].name, d);
}

static int world_init(World *w, ListingKind kind, size_t n) {
        int r = peers_init(&w->peers);

        w->kind = kind;
        w->configs = calloc(n, sizeof(*w->configs));
        w->domains = calloc(n, sizeof(*w->domains));
        w->manager.domains = map_new();
        if (!w->configs || !w->domains || !w->manager.domains)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_domain(w, i);
        if (r >= 0)
                r = sd_event_new(&w->manager.event);
        w->manager.bus = w->peers.service;
        return r < 0 ? r : sd_bus_add_object_vtable(w->peers.service, NULL, "/org/test", "org.test", vtable, w);
}

static int read_entry(World *w, sd_bus_message *m, const char **ret_last) {
        const char *name, *path, *state, *action, *reason, *waits_for;
        uint64_t until, next;
        uint32_t errors;

        if (w->kind == LISTING_FAULTS)
                return sd_bus_message_read(m, "(ss)", &name, ret_last);
        return sd_bus_message_read(m, "(sosssttuss)", &name, &path, &state, &action, &reason, &until, &next, &errors, ret_last, &waits_for);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *last = NULL;
        World *w = userdata;

        w->done = true;
        if (sd_bus_message_is_method_error(m, NULL))
                return str_replace(&w->error, sd_bus_message_get_error(m)->name);
        if (sd_bus_message_enter_container(m, 'a', w->kind == LISTING_FAULTS ? "(ss)" : "(sosssttuss)") < 0)
                return -EBADMSG;
        while (read_entry(w, m, &last) > 0) {
                w->n++;
                w->n_details += !str_is_empty(last);
                w->bytes += strlen(last) + NAME_LENGTH;
        }
        return str_replace(&w->last, last);
}

static int ask(World *w) {
        const char *member = w->kind == LISTING_FAULTS ? "Faults" : "Domains";
        int r = sd_bus_call_method_async(w->peers.other, NULL, NULL, "/org/test", "org.test", member, on_answer, w, NULL);
        bool begun = false;

        while (r >= 0 && !(begun = w->manager.listings != NULL)) {
                r = sd_bus_process(w->peers.other, NULL);
                if (r >= 0)
                        r = sd_bus_process(w->peers.service, NULL);
        }
        while (r >= 0 && w->manager.listings)
                r = sd_event_run(w->manager.event, UINT64_MAX);
        return r < 0 ? r : peers_run_until(&w->peers, &w->done);
}

TEST(few_faults_are_told_whole) {
        char *complaints[] = { (char *) "a snapshot is broken", NULL };
        _auto_free_ char *fault = test_filler(FAULT_TEXT_MAX);
        _auto_world_ World w = { 0 };

        around = (typeof(around)){ .fault = fault, .complaints = complaints };
        REQUIRE(fault && world_init(&w, LISTING_FAULTS, 3) >= 0 && ask(&w) == 0);
        CHECK_STR(w.error, NULL);
        CHECK_UINT(w.n, 4);
        CHECK_STR(w.last, fault);
}

TEST(long_faults_are_cut) {
        _auto_free_ char *fault = test_filler(100 * FAULT_TEXT_MAX);
        _auto_world_ World w = { 0 };

        around = (typeof(around)){ .fault = fault };
        REQUIRE(fault && world_init(&w, LISTING_FAULTS, 1) >= 0 && ask(&w) == 0);
        REQUIRE(w.n == 1 && w.last);
        CHECK(strlen(w.last) > FAULT_TEXT_MAX / 2 && strlen(w.last) <= FAULT_TEXT_MAX + strlen("…"));
}

TEST(faults_of_very_many_domains_stay_one_message) {
        enum { N = 30000 };
        _auto_free_ char *fault = test_filler(2048);
        _auto_world_ World w = { 0 };
        size_t more = 0;

        around = (typeof(around)){ .fault = fault };
        REQUIRE(fault && world_init(&w, LISTING_FAULTS, N) >= 0 && ask(&w) == 0);
        CHECK_STR(w.error, NULL);
        CHECK(w.bytes < FAULT_LIST_MAX && w.bytes > FAULT_LIST_MAX / 2);
        REQUIRE(w.last && sscanf(w.last, "%zu more faults", &more) == 1);
        CHECK_UINT(w.n - 1 + more, N); /* none is lost count of */
}

TEST(domains_are_all_listed_and_details_left_out) {
        enum { N = 60000 };
        _auto_free_ char *trouble = test_filler(2048);
        _auto_world_ World w = { 0 };

        around = (typeof(around)){ .trouble = trouble };
        REQUIRE(trouble && world_init(&w, LISTING_DOMAINS, N) >= 0 && ask(&w) == 0);
        CHECK_STR(w.error, NULL);
        CHECK_UINT(w.n, N);
        CHECK(w.n_details > 0 && w.n_details < N);
        CHECK(w.bytes < MESSAGE_MAX);
}

TEST(too_many_domains_are_an_error) {
        _auto_world_ World w = { 0 };

        around = (typeof(around)){ 0 };
        REQUIRE(world_init(&w, LISTING_DOMAINS, 120000) >= 0 && ask(&w) == 0);
        CHECK_STR(w.error, SD_BUS_ERROR_LIMITS_EXCEEDED);
}
