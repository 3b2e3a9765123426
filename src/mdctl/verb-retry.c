/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl retry: tries again now what waits after a failure, and stays with it to the end. */

#include "mdctl/mdctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/job-wait.h"
#include "mdctl/renew-report.h"

typedef struct Retry {
        JobWait wait;
        char *path, *name; /* of the domain */
        int code;          /* what became of it, or of asking for it */
} Retry;

typedef struct Retries {
        Retry *items;
        size_t n;
} Retries;

static void retries_done(Retries *r) {
        for (size_t i = 0; i < r->n; i++) {
                job_wait_done(&r->items[i].wait);
                free(r->items[i].path);
                free(r->items[i].name);
        }
        free(r->items);
}

static int find(Mdctl *c, const char *name, Retry *r) {
        _auto_json_ JsonObject *domain = NULL;
        int k = client_get_domain(c, name, &r->path, &domain);

        if (k != MDCTL_DONE)
                return k;
        return str_replace(&r->name, get_text(domain, "Name")) < 0 ? mdctl_oom() : MDCTL_DONE;
}

static int start(Mdctl *c, Retry *r) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k;

        k = client_call(c, (ClientMethod){ r->path, BUS_INTERFACE_DOMAIN, "Retry" }, &error, &reply, NULL);
        if (k >= 0)
                return job_wait_started(&r->wait, reply);
        k = client_tell(&error, NULL);
        if (k == MDCTL_NOTHING_TO_DO && c->json == JSON_OFF)
                fprintf(stderr, "'mdctl renew --force %s' renews it all the same.\n", r->name);
        return k;
}

/* What failed was no renewal: nobody tells when the other things end. */
static bool has_job(const Retry *r) {
        return !str_equal(r->wait.job, "/");
}

static int end(Mdctl *c, Retry *r) {
        int k;

        if (!has_job(r)) {
                if (c->json == JSON_OFF)
                        printf("%s: It is tried again; 'mdctl show %s' tells what comes of it.\n", r->name, r->name);
                return MDCTL_DONE;
        }
        if (c->no_wait)
                return job_wait_report_started(&r->wait);
        k = renew_wait(&r->wait, r->name);
        return k == MDCTL_DONE ? renew_report(&r->wait, r->path) : k;
}

/* The worst of them; that there was nothing to do is told by all only. */
static int worst_of(const Retries *all) {
        int worst = MDCTL_NOTHING_TO_DO;

        for (size_t i = 0; i < all->n; i++)
                if (all->items[i].code == MDCTL_DONE ? worst == MDCTL_NOTHING_TO_DO : all->items[i].code != MDCTL_NOTHING_TO_DO)
                        worst = worst == MDCTL_FAILED ? worst : all->items[i].code;
        return worst;
}

int verb_retry(Mdctl *c, char *const *arguments) {
        _cleanup_(retries_done) Retries all = { .items = calloc(strv_length(arguments), sizeof(Retry)) };

        if (!all.items)
                return mdctl_oom();
        STRV_FOREACH(name, arguments) {
                Retry *r = &all.items[all.n++];

                r->wait.mdctl = c;
                r->code = find(c, *name, r);
                if (r->code == MDCTL_DONE)
                        r->code = job_wait_subscribe(&r->wait);
        }
        agent_open(c);
        for (size_t i = 0; i < all.n; i++)
                if (all.items[i].code == MDCTL_DONE)
                        all.items[i].code = start(c, &all.items[i]);
        agent_close();
        for (size_t i = 0; i < all.n; i++)
                if (all.items[i].code == MDCTL_DONE)
                        all.items[i].code = end(c, &all.items[i]);
        return worst_of(&all);
}
