/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/manager-bus.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/call-limit.h"
#include "bus/error.h"
#include "bus/names.h"
#include "bus/service.h"
#include "config.h"
#include "domain/name.h"
#include "manager/account-bus.h"
#include "manager/courier.h"
#include "manager/domain-bus.h"
#include "manager/import-bus.h"
#include "manager/listing.h"
#include "manager/ocsp-other.h"
#include "manager/reload-unit.h"
#include "manager/reload.h"
#include "manager/revocation.h"
#include "manager/renewal.h"
#include "manager/schedule.h"
#include "manager/servers.h"
#include "manager/targets.h"

static const struct {
        const char *id;
        const char *detail; /* what rules look the subject up by, and the policy's message names */
        const char *message_for_all; /* instead of the policy's, where there is no subject to be named */
} actions[_ACTION_MAX] = {
        [ACTION_RENEW] = { "org.mdmanager1.renew", "domain" },
        [ACTION_RELOAD] = { "org.mdmanager1.reload", "unit", "Authentication is required to have the web servers load new certificates." },
        [ACTION_CHECK] = { "org.mdmanager1.check", "domain" },
        [ACTION_REVOKE] = { "org.mdmanager1.revoke", "domain" },
        [ACTION_IMPORT] = { "org.mdmanager1.import", "source" },
        [ACTION_ACCOUNT] = { "org.mdmanager1.account", "account" },
        [ACTION_TARGETS] = { "org.mdmanager1.targets", "domain" },
        [ACTION_ROLLBACK] = { "org.mdmanager1.rollback", "domain" },
        [ACTION_TEST_HOOK] = { "org.mdmanager1.test-hook", "domain" },
        [ACTION_EXPORT_KEY] = { "org.mdmanager1.export-key", "domain" },
};

int authorize(Manager *m, sd_bus_message *call, Action action, const char *subject, sd_bus_error *error) {
        char *message = str_is_empty(subject) ? (char *) actions[action].message_for_all : NULL;
        char *details[] = { (char *) actions[action].detail, (char *) subject, message ? (char *) POLKIT_MESSAGE : NULL, message, NULL };

        return authorize_details(m, call, action, details, error);
}

int authorize_details(Manager *m, sd_bus_message *call, Action action, char *const *details, sd_bus_error *error) {
        return polkit_authorize(m->polkit, call, actions[action].id, details, error);
}

/* --- Properties --- */

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", PROJECT_VERSION);
}

static int get_store(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;

        return sd_bus_message_append(reply, "s", store_path(m->store));
}

static int get_domains(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) map_size(m->domains));
}

static int get_renewals(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) map_size(m->tasks));
}

static int get_next(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        const Domain *d = schedule_next(m->schedule);

        if (str_equal(property, "NextRenewalDomain"))
                return sd_bus_message_append(reply, "s", d ? DOMAIN_NAME(d) : "");
        return sd_bus_message_append(reply, "t", d ? d->wanted_usec : (uint64_t) 0);
}

static int get_staplings(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        OcspCounts c = ocsp_count(m->ocsp);

        return sd_bus_message_append(reply, "(uuuuu)", c.offered, c.good, c.revoked, c.unknown, c.failing);
}

static int get_next_ocsp(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;

        return sd_bus_message_append(reply, "t", ocsp_next_usec(m->ocsp));
}

static int get_reload_pending(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
        return sd_bus_message_append(reply, "b", (int) reload_is_pending(userdata));
}

static int get_reloads(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        const char *unit;
        Reload *reload;
        int r = sd_bus_message_open_container(reply, 'a', "(ssus)");

        MAP_FOREACH(m->reloads, unit, reload)
                if (r >= 0)
                        r = sd_bus_message_append(reply, "(ssus)", unit, reload_state_to_string(reload->state), (uint32_t) reload->failures,
                                                  reload->last ? reload->last->detail : "");
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_reload_counts(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error) {
        Manager *m = userdata;
        const char *unit;
        Reload *reload;
        int r = sd_bus_message_open_container(reply, 'a', "(stt)");

        MAP_FOREACH(m->reloads, unit, reload)
                if (r >= 0)
                        r = sd_bus_message_append(reply, "(stt)", unit, reload->n_done, reload->n_failed);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_targets(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;

        return targets_bus_append(reply, m->targets);
}

static int get_complaints(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        char *const *list = servers_complaints(m->servers);

        return list ? sd_bus_message_append_strv(reply, (char **) list) : sd_bus_message_append(reply, "as", 0);
}

/* --- Methods --- */

static Domain *find(Manager *m, const char *name, sd_bus_error *error) {
        _auto_free_ char *normal = domain_name_normalize(name);
        Domain *d = normal ? manager_find_domain_by_any_name(m, normal) : NULL;

        if (!d) {
                _auto_free_ char *shown = str_printable(name, strlen(name), 300);

                (void) sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_DOMAIN, "No managed domain has the name '%s'", str_or(shown, ""));
        }
        return d;
}

static int method_get_domain(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *name;
        Domain *d;
        int r;

        r = sd_bus_message_read(call, "s", &name);
        if (r < 0)
                return r;
        d = find(userdata, name, error);
        return d ? sd_bus_reply_method_return(call, "o", d->path) : -ENOENT;
}

static int method_list_domains(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return listing_new(userdata, call, LISTING_DOMAINS, error);
}

static int method_renew(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        const char *name;
        Domain *d;
        int force, r;

        r = sd_bus_message_read(call, "sb", &name, &force);
        if (r < 0)
                return r;
        d = find(m, name, error);
        return d ? domain_bus_renew(d, force, call, error) : -ENOENT;
}

static int method_list_accounts(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return account_bus_list(userdata, call);
}

static int method_get_account(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const char *id;
        int r;

        r = sd_bus_message_read(call, "s", &id);
        return r < 0 ? r : account_bus_get(userdata, id, call, error);
}

static int method_register_account(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return account_bus_register_new(userdata, call, error);
}

static int method_import(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return import_bus_import(userdata, call, error);
}

static int method_revoke(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        RevocationWish wish = { 0 };
        _auto_problem_ Problem *p = NULL;
        int r, by_certificate_key, reissue;
        const char *name;
        Domain *d;
        Task *t;

        r = sd_bus_message_read(call, "ssbb", &name, &wish.reason, &by_certificate_key, &reissue);
        if (r < 0)
                return r;
        d = find(userdata, name, error);
        if (!d)
                return -ENOENT;
        r = authorize(userdata, call, ACTION_REVOKE, DOMAIN_NAME(d), error);
        if (r <= 0)
                return r < 0 ? r : 1;
        wish.by_certificate_key = by_certificate_key;
        wish.reissue = reissue;
        r = revocation_new(d, &wish, &t, &p);
        if (r == 0)
                return sd_bus_reply_method_return(call, "o", t->path);
        return bus_error_from_problem(error, r == -EINVAL ? BUS_ERROR_INVALID : r == -EOPNOTSUPP ? BUS_ERROR_REFUSED : r == -ENOENT ? BUS_ERROR_NOTHING_TO_DO :
                                             r == -EBUSY  ? BUS_ERROR_BUSY : BUS_ERROR_FAILED, p);
}

static int method_check(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        int r = authorize(m, call, ACTION_CHECK, "", error);

        if (r <= 0)
                return r < 0 ? r : 1;
        manager_check(m);
        return listing_new(m, call, LISTING_FAULTS, error);
}

static int method_get_pending_hooks(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Manager *m = userdata;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = courier_append_pending(m->courier, reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_get_faults(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return listing_new(userdata, call, LISTING_FAULTS, error);
}

/* The units that servers run in and that may be reloaded, each once; 'only' (may be "") picks one. */
static int server_units(Manager *m, const char *only, char ***ret) {
        size_t n;
        Snapshot *const *s = servers_snapshots(m->servers, &n);
        _auto_strv_ char **units = NULL;

        for (size_t i = 0; i < n; i++) {
                const char *unit;

                for (size_t k = 0; (unit = reload_unit_of(m, s[i], k)); k++)
                        if (!strv_contains(units, unit) && (str_is_empty(only) || str_equal(unit, only)) && strv_extend(&units, unit) < 0)
                                return -ENOMEM;
        }
        *ret = take_ptr(units);
        return 0;
}

static int reply_units(sd_bus_message *call, char **units) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, units);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_reload(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        _auto_strv_ char **units = NULL;
        const char *unit;
        int r;

        r = sd_bus_message_read(call, "s", &unit);
        if (r < 0)
                return r;
        /* Before a person is asked about a unit of that name. */
        r = server_units(m, unit, &units);
        if (r < 0)
                return r;
        if (!units && !str_is_empty(unit))
                return sd_bus_error_set(error, BUS_ERROR_NOT_CONFIGURED, "No server with managed domains runs in this unit");
        r = authorize(m, call, ACTION_RELOAD, unit, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (!units)
                return sd_bus_error_set(error, BUS_ERROR_NOTHING_TO_DO, "No server with managed domains runs in a unit that may be reloaded");
        STRV_FOREACH(u, units) {
                r = reload_request_unit(m, *u);
                if (r < 0)
                        return r;
        }
        return reply_units(call, units);
}

static int method_reload_planned(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _auto_strv_ char **units = NULL;
        Manager *m = userdata;
        int r;

        r = authorize(m, call, ACTION_RELOAD, "", error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = reload_strike(m, &units);
        return r < 0 ? r : reply_units(call, units);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("StoreDirectory", "s", get_store, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Domains", "u", get_domains, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Renewals", "u", get_renewals, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("NextRenewalDomain", "s", get_next, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("NextRenewalUSec", "t", get_next, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Staplings", "(uuuuu)", get_staplings, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("NextOcspUSec", "t", get_next_ocsp, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ReloadPending", "b", get_reload_pending, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reloads", "a(ssus)", get_reloads, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ReloadCounts", "a(stt)", get_reload_counts, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Targets", "a(sssst)", get_targets, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Complaints", "as", get_complaints, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD_WITH_ARGS("GetDomain", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", domain), method_get_domain, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListDomains", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sosssttuss)", domains), method_list_domains, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Renew", SD_BUS_ARGS("s", name, "b", force), SD_BUS_RESULT("o", job), method_renew, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Check", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ss)", faults), method_check, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetFaults", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ss)", faults), method_get_faults, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListOtherStaplings", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssbstttus)", staplings), ocsp_other_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPendingHooks", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssubt)", hooks), method_get_pending_hooks, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_ARGS("s", unit), SD_BUS_RESULT("as", units), method_reload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReloadPlanned", SD_BUS_NO_ARGS, SD_BUS_RESULT("as", units), method_reload_planned, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListAccounts", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sossssas)", accounts), method_list_accounts, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetAccount", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", account), method_get_account, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RegisterAccount", SD_BUS_ARGS("s", ca_url, "as", contacts, "b", agreed), SD_BUS_RESULT("o", job), method_register_account,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Import", SD_BUS_ARGS("s", format, "s", kind, "s", name, "h", files, "b", dry_run),
                                SD_BUS_RESULT("s", result, "s", target, "as", remarks, "as", configuration), method_import, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Revoke", SD_BUS_ARGS("s", name, "s", reason, "b", by_certificate_key, "b", reissue), SD_BUS_RESULT("o", job), method_revoke,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReportTargets", SD_BUS_ARGS("a(ssss)", targets), SD_BUS_NO_RESULT, targets_bus_report, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("Event", SD_BUS_ARGS("s", event, "s", domain, "s", detail, "s", problem, "t", when_usec), 0),
        SD_BUS_SIGNAL_WITH_ARGS("HookEnded", SD_BUS_ARGS("s", event, "s", domain, "s", unit, "s", result, "i", exit_code, "i", exit_status), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved", SD_BUS_ARGS("o", job, "s", domain, "s", result, "s", detail), 0),
        SD_BUS_VTABLE_END,
};

/* What workers bring may be a certificate revocation list, or an order of a thousand names; a report, ten thousand targets. Files come as descriptors. */
static const CallLimit call_limits[] = {
        { BUS_INTERFACE_WORKER, NULL, 16 * 1024 * 1024, 10000 },
        { BUS_INTERFACE_MANAGER, "ReportTargets", 16 * 1024 * 1024, 60000 },
        { NULL, NULL, 64 * 1024, 1000 },
};

int manager_bus_register(Manager *m) {
        int r = call_limit_add(m->bus, call_limits);

        if (r >= 0)
                r = sd_bus_add_object_vtable(m->bus, NULL, BUS_PATH, BUS_INTERFACE_MANAGER, vtable, m);
        return r < 0 ? r : sd_bus_add_object_manager(m->bus, NULL, BUS_PATH);
}

static bool is_connected(const Manager *m) {
        return m->bus && sd_bus_is_ready(m->bus) > 0;
}

void manager_bus_event(Manager *m, const char *event, const char *domain, const Problem *problem, const char *text) {
        int r = is_connected(m) ? sd_bus_emit_signal(m->bus, BUS_PATH, BUS_INTERFACE_MANAGER, "Event", "sssst", event, domain, text, problem ? problem->type : "", clock_now_usec()) : 0;

        if (r < 0)
                (void) log_failure(r, "Cannot send signal Event: %m");
}

void manager_bus_general_event(Manager *m, const char *event, const char *text) {
        manager_bus_event(m, event, "", NULL, text);
}

void manager_bus_hook_ended(Manager *m, const char *event, const char *domain, const LauncherHookEnd *end) {
        int r = sd_bus_emit_signal(m->bus, BUS_PATH, BUS_INTERFACE_MANAGER, "HookEnded", "ssssii", event, domain, end->unit, end->result, (int32_t) end->code,
                                   (int32_t) end->status);

        if (r < 0)
                (void) log_failure(r, "Cannot send signal HookEnded: %m");
}

/* What is only waiting for its turn is not running. */
static size_t count_running(const Manager *m) {
        const char *path;
        size_t n = 0;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                n += renewal_of(t) && t->state != TASK_QUEUED;
        return n;
}

static size_t count_waiting(const Manager *m) {
        const char *path;
        size_t n = 0;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                n += renewal_of(t) && t->state == TASK_QUEUED;
        return n;
}

static const char *plural(size_t n) {
        return n == 1 ? "" : "s";
}

/* One line for systemctl status, and the properties: once for everything that changed in a round. */
static int tell_status(sd_event_source *source, void *userdata) {
        Manager *m = userdata;
        size_t n_running = count_running(m), n_waiting = count_waiting(m), n_complaints = strv_length(servers_complaints(m->servers)) + strv_length(m->left_out) / 2;
        const Domain *next = schedule_next(m->schedule);
        uint64_t ocsp = ocsp_next_usec(m->ocsp);
        char when[CLOCK_HUMAN_MAX], ocsp_when[CLOCK_HUMAN_MAX], waiting[40] = "", complaints[40] = "";

        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (n_waiting > 0)
                (void) snprintf(waiting, sizeof(waiting), ", %zu waiting", n_waiting);
        if (n_complaints > 0)
                (void) snprintf(complaints, sizeof(complaints), ", %zu complaint%s", n_complaints, plural(n_complaints));
        (void) service_notify_status("%zu domain%s, %zu with problems%s, %zu renewal%s running%s%s; next: %s%s%s%s%s", map_size(m->domains), plural(map_size(m->domains)), m->n_faulty,
                                     complaints, n_running, plural(n_running), waiting,
                                     reload_waits_for_somebody(m) ? ", reload by hand pending" : reload_is_under_way(m) ? ", reload pending" : "", next ? DOMAIN_NAME(next) : "nothing", next ? " at " : "",
                                     next ? clock_format_utc(when, next->wanted_usec) : "", ocsp > 0 ? "; OCSP next at " : "", ocsp > 0 ? clock_format_utc(ocsp_when, ocsp) : "");
        (void) sd_bus_emit_properties_changed(m->bus, BUS_PATH, BUS_INTERFACE_MANAGER, "Domains", "Renewals", "NextRenewalDomain", "NextRenewalUSec",
                                              "NextOcspUSec", "Staplings", "ReloadPending", "Reloads", "ReloadCounts", "Targets", "Complaints", NULL);
        return 0;
}

void manager_bus_update_status(Manager *m) {
        if (!m->status) {
                if (sd_event_add_defer(m->event, &m->status, tell_status, m) < 0)
                        return;
                (void) sd_event_source_set_priority(m->status, SD_EVENT_PRIORITY_IDLE);
        }
        (void) sd_event_source_set_enabled(m->status, SD_EVENT_ONESHOT);
}

void manager_bus_changed(Manager *m) {
        manager_bus_update_status(m);
}
