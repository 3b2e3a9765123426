/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/launcher-client.h"
#include "manager/manager-bus.h"

static const struct {
        const char *name;
        const char *message_id;
        const char *log_type; /* in job.json, mod_md's words */
        int priority;
        bool hook; /* runs what MDMessageCmd names */
} kinds[_EVENT_KIND_MAX] = {
        [EVENT_RENEWING] = { "renewing", MESSAGE_RENEWAL_STARTED, "starting", LOG_INFO, false },
        [EVENT_RENEWED] = { "renewed", MESSAGE_RENEWED, "finished", LOG_NOTICE, true },
        [EVENT_INSTALLED] = { "installed", MESSAGE_INSTALLED, "installed", LOG_NOTICE, true },
        [EVENT_ERRORED] = { "errored", MESSAGE_RENEWAL_FAILED, "renewal-error", LOG_ERR, true },
        [EVENT_EXPIRING] = { "expiring", MESSAGE_EXPIRING, "expiring", LOG_WARNING, true },
        [EVENT_RELOAD_FAILED] = { "reload-failed", MESSAGE_RELOAD_FAILED, "reload-error", LOG_ERR, true },
        [EVENT_RELOAD_PENDING] = { "reload-pending", MESSAGE_RELOAD_PENDING, "reload-pending", LOG_NOTICE, true },
        [EVENT_SERVED_DIFFERS] = { "served-differs", MESSAGE_SERVED_DIFFERS, "served-error", LOG_ERR, true },
        [EVENT_STORE_DAMAGED] = { "store-damaged", MESSAGE_STORE_DAMAGED, "store-error", LOG_WARNING, true },
};

const char *event_kind_to_string(EventKind kind) {
        return (size_t) kind < ELEMENTSOF(kinds) ? kinds[kind].name : NULL;
}

static void tell_journal(Domain *d, EventKind kind, const Problem *problem, const char *text) {
        LogField fields[] = {
                { "MD_NAME", DOMAIN_NAME(d) },
                { "MD_EVENT", kinds[kind].name },
                { "MD_CA", d->config->ca_urls ? d->config->ca_urls[0] : NULL },
                { "MD_PROBLEM", problem ? problem->type : NULL },
                { "MD_SUBPROBLEMS", problem ? problem->subproblems : NULL },
        };

        log_full(kinds[kind].priority, 0, kinds[kind].message_id, fields, ELEMENTSOF(fields), "%s: %s", DOMAIN_NAME(d), text);
}

typedef struct HookCall {
        Manager *manager;
        char *name, *key;
        const char *event;
        sd_bus_slot *slot;
} HookCall;

static void on_hook(const char *unit, const sd_bus_error *error, void *userdata) {
        HookCall *call = userdata;
        LogField fields[] = { { "MD_NAME", call->name }, { "MD_EVENT", call->event } };

        if (!unit)
                log_full(LOG_ERR, 0, MESSAGE_HOOK_FAILED, fields, ELEMENTSOF(fields), "%s: The hook for '%s' was not started: %s", call->name, call->event,
                         error && error->message ? error->message : "no reason given");
        /* The slot is the manager's: it goes with the map's entry. */
        (void) map_remove(call->manager->calls, call->key);
        sd_bus_slot_unref(call->slot);
        free(call->name);
        free(call->key);
        free(call);
}

static bool has_hook(const Domain *d) {
        for (size_t i = 0; i < d->n_servers; i++)
                if (d->servers[i].snapshot->message_cmd)
                        return true;
        return false;
}

static void run_hook(Domain *d, EventKind kind, const Problem *problem, const char *text) {
        Manager *m = d->manager;
        _auto_free_ char *domains = strv_join(d->config->names, " ");
        char *fields[] = {
                (char *) "MD_DOMAINS", domains,
                (char *) "MD_DETAIL", (char *) text,
                problem ? (char *) "MD_PROBLEM" : NULL, problem ? problem->type : NULL,
                NULL,
        };
        HookCall *call;

        if (!domains || !has_hook(d) || map_size(m->calls) >= 1000)
                return;
        call = calloc(1, sizeof(*call));
        if (!call)
                return;
        call->manager = m;
        call->event = kinds[kind].name;
        call->name = strdup(DOMAIN_NAME(d));
        call->key = str_printf("%p", (void *) call);
        if (!call->name || !call->key ||
            launcher_run_hook(m->bus, DOMAIN_NAME(d), kinds[kind].name, fields, &call->slot, on_hook, call) < 0 ||
            map_put(m->calls, call->key, call->slot) < 0) {
                sd_bus_slot_unref(call->slot);
                free(call->name);
                free(call->key);
                free(call);
                log_error("%s: Cannot ask for the hook for '%s'.", DOMAIN_NAME(d), kinds[kind].name);
        }
}

void event_tell(Domain *d, EventKind kind, const Problem *problem, const char *format, ...) {
        _auto_free_ char *text = NULL, *printable = NULL;
        va_list ap;
        int n;

        assert(d);

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                (void) log_oom();
                return;
        }
        printable = str_printable(text, strlen(text), 2048);
        if (!printable) {
                (void) log_oom();
                return;
        }
        tell_journal(d, kind, problem, printable);
        (void) job_log_add(d->job, clock_now_usec(), kinds[kind].log_type, problem ? problem->type : NULL, printable);
        manager_bus_event(d, kinds[kind].name, problem, printable);
        if (kinds[kind].hook)
                run_hook(d, kind, problem, printable);
}
