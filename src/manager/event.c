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
#include "manager/manager-bus.h"
#include "manager/renewal.h"
#include "manager/status.h"

static const struct {
        const char *message_id;
        const char *log_type; /* in job.json, mod_md's words */
        int priority;
} kinds[] = {
        [EVENT_RENEWING] = { MESSAGE_RENEWAL_STARTED, "starting", LOG_INFO },
        [EVENT_RENEWED] = { MESSAGE_RENEWED, "finished", LOG_NOTICE },
        [EVENT_INSTALLED] = { MESSAGE_INSTALLED, "installed", LOG_NOTICE },
        [EVENT_ERRORED] = { MESSAGE_RENEWAL_FAILED, "renewal-error", LOG_ERR },
        [EVENT_EXPIRING] = { MESSAGE_EXPIRING, "expiring", LOG_WARNING },
        [EVENT_RELOAD_FAILED] = { MESSAGE_RELOAD_FAILED, "reload-error", LOG_ERR },
        [EVENT_RELOAD_PENDING] = { MESSAGE_RELOAD_PENDING, "reload-pending", LOG_NOTICE },
        [EVENT_SERVED_DIFFERS] = { MESSAGE_SERVED_DIFFERS, "served-error", LOG_ERR },
        [EVENT_RENEWAL_INFO] = { MESSAGE_RENEWAL_INFO, "renewal-info", LOG_NOTICE },
        [EVENT_STORE_DAMAGED] = { MESSAGE_STORE_DAMAGED, "store-error", LOG_WARNING },
};

/* The CA that it is about, as far as that is known: with several of them it is not always the first. */
static const char *ca_of(const Domain *d, EventKind kind) {
        if (d->renewal)
                return d->renewal->task.ca_url;
        if (kind == EVENT_ERRORED && d->job->ca_url && strv_contains(d->config->ca_urls, d->job->ca_url))
                return d->job->ca_url;
        return d->config->ca_urls ? d->config->ca_urls[0] : NULL;
}

static void tell_journal(Domain *d, EventKind kind, const Problem *problem, const char *text) {
        LogField fields[] = {
                { "MD_NAME", DOMAIN_NAME(d) },
                { "MD_EVENT", event_kind_to_string(kind) },
                { "MD_CA", ca_of(d, kind) },
                { "MD_PROBLEM", problem ? problem->type : NULL },
                { "MD_SUBPROBLEMS", problem ? problem->subproblems : NULL },
        };

        log_full(kinds[kind].priority, 0, kinds[kind].message_id, fields, ELEMENTSOF(fields), "%s: %s", DOMAIN_NAME(d), text);
}

/* The launcher takes the command of the first server that names the domain, too. */
static bool has_command(const Domain *d) {
        return d->n_servers > 0 && d->servers[0].snapshot->message_cmd;
}

static void run_hook(Domain *d, EventKind kind, const Problem *problem, const char *text) {
        _auto_free_ char *domains = strv_join(d->config->names, " ");
        char *fields[] = {
                (char *) "MD_DOMAINS", domains,
                (char *) "MD_DETAIL", (char *) text,
                problem ? (char *) "MD_PROBLEM" : NULL, problem ? problem->type : NULL,
                NULL,
        };
        int r;

        if (!has_command(d))
                return;
        r = domains ? hook_queue_add(d->manager->hooks, d->manager->bus, DOMAIN_NAME(d), kind, fields) : -ENOMEM;
        if (r < 0)
                (void) log_failure(r, "%s: Cannot ask for the hook for '%s': %m", DOMAIN_NAME(d), event_kind_to_string(kind));
}

void event_tell(Domain *d, EventKind kind, const Problem *problem, const char *format, ...) {
        _auto_free_ char *text = NULL, *printable = NULL;
        va_list ap;
        int n;

        assert(d);
        assert((size_t) kind < ELEMENTSOF(kinds));

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
        status_changed(d->manager->shown, d);
        manager_bus_event(d, event_kind_to_string(kind), problem, printable);
        if (event_kind_has_hook(kind))
                run_hook(d, kind, problem, printable);
}
