/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "ap_listen.h"
#include "ap_mpm.h"
#include "apr_strings.h"
#include "http_config.h"
#include "http_log.h"
#include "http_main.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "config.h"
#include "domains.h"
#include "endpoints.h"
#include "ocsp.h"
#include "store-view.h"
#include "unit.h"

/* "Apache/2.4.65 (Debian)" of a description that goes on with every module. */
static const char *server_version(apr_pool_t *p) {
        const char *description = ap_get_server_description();
        size_t length = strcspn(description, " ");

        if (str_has_prefix(description + length, " (")) {
                const char *end = strchr(description + length, ')');

                if (end)
                        length = (size_t) (end + 1 - description);
        }
        return apr_pstrndup(p, description, length);
}

/* As it was given on the command line; what httpd does with it does not matter here. */
static const char *config_file(const process_rec *process) {
        const char *file = SERVER_CONFIG_FILE;

        for (int i = 1; i < process->argc; i++) {
                const char *argument = process->argv[i];

                if (!str_has_prefix(argument, "-f"))
                        continue;
                if (argument[2] != '\0')
                        file = argument + 2;
                else if (i + 1 < process->argc)
                        file = process->argv[i + 1];
        }
        return file;
}

static int add_listeners(Snapshot *snapshot, apr_pool_t *p) {
        int r = 0;

        for (const ap_listen_rec *l = ap_listeners; r == 0 && l; l = l->next) {
                char *address = NULL;

                if (l->bind_addr->hostname && apr_sockaddr_ip_get(&address, l->bind_addr) != APR_SUCCESS)
                        address = NULL;
                r = snapshot_add_listener(snapshot, address, l->bind_addr->port, l->protocol);
        }
        return r;
}

static int add_domains(Snapshot *snapshot, const Domains *domains) {
        int r = 0;

        for (int i = 0; r == 0 && i < domains->all->nelts; i++) {
                ManagedDomain *copy = managed_domain_copy(APR_ARRAY_IDX(domains->all, i, const ManagedDomain *));

                r = copy ? snapshot_add_domain(snapshot, copy) : -ENOMEM;
        }
        return r;
}

static int take_command(char ***ret, char *const *command) {
        if (!command)
                return 0;
        *ret = strv_copy(command);
        return *ret ? 0 : -ENOMEM;
}

static void fill_timing(Snapshot *snapshot, const Configuration *c) {
        snapshot->retry_delay_usec = c->retry_delay_usec;
        snapshot->retry_failover = c->retry_failover;
        snapshot->initial_delay_usec = c->initial_delay_usec;
        snapshot->check_interval_usec = c->check_interval_usec;
        snapshot->activation_delay_usec = c->activation_delay_usec;
        snapshot->dns01_version = c->dns01_version;
        snapshot->staple_keep = c->staple_keep;
        snapshot->staple_renew = c->staple_renew;
}

static int fill(Snapshot *snapshot, const Configuration *c, const char *unit, apr_pool_t *p) {
        int r;

        if (str_replace(&snapshot->module, PROJECT_VERSION) < 0 || str_replace(&snapshot->server, server_version(p)) < 0 ||
            str_replace(&snapshot->unit, unit) < 0 || str_replace(&snapshot->store_dir, STORE_DIR) < 0)
                return -ENOMEM;
        if (take_command(&snapshot->message_cmd, c->message_cmd) < 0 || take_command(&snapshot->notify_cmd, c->notify_cmd) < 0)
                return -ENOMEM;

        snapshot->http_port = c->http_port;
        snapshot->https_port = c->https_port;
        fill_timing(snapshot, c);
        snapshot->written_usec = clock_now_usec();

        r = add_listeners(snapshot, p);
        if (r == 0)
                r = ocsp_fill_snapshot(c, &snapshot->staplings);
        if (r < 0 || !c->domains)
                return r;

        snapshot->http_reachable = c->domains->http_reachable;
        snapshot->https_reachable = c->domains->https_reachable;
        r = endpoints_find(c, p);
        return r < 0 ? r : add_domains(snapshot, c->domains);
}

static void tell_failure(const Configuration *c, const char *why) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base,
                     "md-manager cannot be told about this configuration: %s. Certificates that are there go on being "
                     "served, but new domains and settings have no effect.",
                     why);
}

/* Not a reload. md-manager may have forgotten a server that has not run for long, and is to know that it is back. */
static bool is_start(void) {
        int generation = 0;

        return ap_mpm_query(AP_MPMQ_GENERATION, &generation) == APR_SUCCESS && generation == 0;
}

static void write_snapshot(const Configuration *c, StoreView *store, const char *unit, const char *id, apr_pool_t *p) {
        _cleanup_(snapshot_freep) Snapshot *snapshot = snapshot_new(id);
        const struct group *group = getgrnam(MANAGER_USER);
        const char *why = NULL;
        int r;

        if (!group) {
                tell_failure(c, "the group " MANAGER_USER " does not exist; \"systemd-sysusers md-manager.conf\" makes it");
                return;
        }
        if (!snapshot || fill(snapshot, c, unit, p) < 0) {
                tell_failure(c, "out of memory");
                return;
        }

        r = store_view_write_snapshot(store, p, snapshot, group->gr_gid, is_start(), &why);
        if (r == STORE_VIEW_E_FAILED)
                tell_failure(c, why);
        else
                ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, c->base, "The snapshot %s for md-manager %s.", id,
                             r == STORE_VIEW_DONE ? "has been written" : "says the same as before");
}

/* Certificates of no managed domain may be stapled all the same; and domains of an earlier configuration must be seen to be gone. */
static void publish_without_domains(const Configuration *c, const char *unit, const char *id, apr_pool_t *p) {
        const char *why = NULL;
        bool exists = false;
        StoreView *store;

        if (store_view_open_for_server(p, STORE_DIR, &store, &why) != STORE_VIEW_DONE) {
                if (ocsp_is_used(c))
                        tell_failure(c, why);
                return;
        }
        if (ocsp_is_used(c))
                write_snapshot(c, store, unit, id, p);
        else if (store_view_has_snapshot(store, id, &exists) == STORE_VIEW_DONE && exists)
                write_snapshot(c, store, unit, id, p);
}

void snapshot_publish(const Configuration *c, apr_pool_t *p) {
        const char *unit = unit_of_this_process(p);
        const char *id = unit_snapshot_id(p, unit, ap_server_root, config_file(c->base->process));

        if (!c->domains)
                publish_without_domains(c, unit, id, p);
        else if (c->domains->store)
                write_snapshot(c, c->domains->store, unit, id, p);
}
