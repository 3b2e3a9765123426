/* SPDX-License-Identifier: Apache-2.0 */

/* The map of the module: its record, and what it does when. It answers to the name mod_md.c and the identifier md_module, so
 * that conditions and log levels in existing configurations go on working. Nothing here contacts a network or waits. */

#include "httpd.h" /* the others build on it */

#include <malloc.h>
#include <sys/stat.h>

#include "ap_mmn.h"
#include "http_config.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_ssl.h"

#include "alpn.h"
#include "base/string-util.h"
#include "certs.h"
#include "challenge.h"
#include "children.h"
#include "config.h"
#include "directives.h"
#include "domains.h"
#include "fallback.h"
#include "faults.h"
#include "https.h"
#include "ocsp.h"
#include "pair-memory.h"
#include "pass.h"
#include "snapshot.h"
#include "status.h"
#include "store-view.h"
#include "takeover.h"

#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 105)
#error "httpd 2.4.48 or later is needed: certificates are handed over by its ssl_add_cert_files hooks"
#endif

#define KNOWN_PAIRS "pairs"
#define KNOWN_FALLBACKS "fallbacks"

static void register_hooks(apr_pool_t *p);

#pragma GCC visibility push(default)
module AP_MODULE_DECLARE_DATA md_module = {
        STANDARD20_MODULE_STUFF,
        .create_server_config = directives_create_server_settings,
        /* no merging: which value is in force is decided for domains, not for servers */
        .cmds = directive_table,
        .register_hooks = register_hooks,
};
#pragma GCC visibility pop

/* The same directory, whatever way leads there. */
static bool same_directory(const char *a, const char *b) {
        struct stat x, y;

        if (stat(a, &x) == 0 && stat(b, &y) == 0)
                return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
        return str_equal(a, b);
}

static int check_store_dir(const Configuration *c, apr_pool_t *ptemp) {
        if (!c->store_dir || same_directory(c->store_dir, STORE_DIR))
                return OK;
        if (takeover_is_store(ptemp, c->store_dir)) {
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base,
                             "%s: MDStoreDir is %s, a store of mod_md. Take it over with 'mdctl import %s', then remove MDStoreDir, or see md-manager-migration(7).",
                             c->store_dir_place, c->store_dir, c->store_dir);
                return HTTP_INTERNAL_SERVER_ERROR;
        }

        ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base,
                     "%s: MDStoreDir is %s, but the store of md-manager is %s. Remove MDStoreDir, or make both the same.",
                     c->store_dir_place, c->store_dir, STORE_DIR);
        return HTTP_INTERNAL_SERVER_ERROR;
}

/* What refuses the server is told in any pass. */
static int check_strictly(Configuration *c) {
        size_t n = c->strict ? domains_refused(c) : 0;

        if (n == 0)
                return OK;
        domains_tell(c);
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base, "MDStrict is on, and %" APR_SIZE_T_FMT " of the managed domains cannot be managed: the configuration is refused.",
                     n);
        return HTTP_INTERNAL_SERVER_ERROR;
}

static bool some_domain_has_tls(const Domains *domains) {
        for (int i = 0; i < domains->all->nelts; i++)
                if (APR_ARRAY_IDX(domains->all, i, const ManagedDomain *)->used_tls)
                        return true;
        return false;
}

static void tell_about_children(const Configuration *c, StoreView *store, apr_pool_t *p) {
        const char *why = pass_is_told() ? children_trouble(store, p) : NULL;

        if (why)
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base,
                             "The server's children will answer no challenge, staple nothing and show no status: %s.", why);
}

static void tell_about_command(const Configuration *c, const char *directive, char *const *command, apr_pool_t *p) {
        const char *why = fault_of_command(directive, command, p);

        if (why)
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base, "%s.", why);
}

/* Without store there are no certificates, and the TLS module would stop the server with less to go by than this. What stops the
 * server is told in any pass, because there will be no other. */
static int open_store(const Configuration *c, apr_pool_t *p, StoreView **ret) {
        bool stops = some_domain_has_tls(c->domains);
        const char *why = NULL;

        *ret = NULL;
        if (store_view_open_for_server(p, STORE_DIR, ret, &why) == STORE_VIEW_DONE) {
                tell_about_children(c, *ret, p);
                return OK;
        }

        if (stops || pass_is_told())
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base,
                             "The store of md-manager cannot be used, and challenges cannot be answered: %s.", why);
        return stops ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

/* Root in the parent (or whoever tests the configuration). This hook also runs for "apache2 -t", and so before a reload: what would
 * stop a server is found here, while the old configuration goes on working. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s) {
        Configuration *c = server_configuration(s);
        StoreView *store;

        c->base = s;
        if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP || c->definitions->nelts == 0)
                return OK;

        if (check_store_dir(c, ptemp) != OK)
                return HTTP_INTERNAL_SERVER_ERROR;
        if (domains_make(c, pconf) < 0) {
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "The domains for md-manager cannot be put together: out of memory.");
                return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (check_strictly(c) != OK)
                return HTTP_INTERNAL_SERVER_ERROR;
        if (!pass_is_test())
                return OK;

        domains_tell(c);
        takeover_warn(c, STORE_DIR, ptemp);
        tell_about_command(c, "MDMessageCmd", c->message_cmd, ptemp);
        tell_about_command(c, "MDNotifyCmd", c->notify_cmd, ptemp);
        return open_store(c, ptemp, &store);
}

static apr_status_t forget_store(void *data) {
        ((Domains *) data)->store = NULL;
        return APR_SUCCESS;
}

/* Root in the parent, first of all, because mod_ssl asks for certificates in its own post_config. */
static int before_tls(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s) {
        Configuration *c = server_configuration(s);
        const char *why = NULL;

        if (!c->domains)
                return OK;
        if (pass_is_told())
                domains_tell(c);

        c->domains->known = pair_memory_of_process(s->process->pool, KNOWN_PAIRS);
        c->domains->known_fallbacks = pair_memory_of_process(s->process->pool, KNOWN_FALLBACKS);
        if (open_store(c, ptemp, &c->domains->store) != OK)
                return HTTP_INTERNAL_SERVER_ERROR;
        if (!c->domains->store)
                return OK;

        apr_pool_cleanup_register(ptemp, c->domains, forget_store, apr_pool_cleanup_null);
        if (store_view_lock(c->domains->store, ptemp, &why) != STORE_VIEW_DONE && pass_is_told())
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "Certificates are read without lock: %s.", why);
        return OK;
}

/* What was needed for the snapshot lies between what stays, and each child would begin with it. */
static void give_memory_back(void) {
#ifdef __GLIBC__
        (void) malloc_trim(0);
#endif
}

/* Root in the parent, behind mod_ssl, when it is known what is served. */
static int after_tls(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s) {
        Configuration *c = server_configuration(s);

        if (c->domains && c->domains->store)
                store_view_unlock(c->domains->store);
        pair_memory_sweep(pair_memory_of_process(s->process->pool, KNOWN_PAIRS));
        pair_memory_sweep(pair_memory_of_process(s->process->pool, KNOWN_FALLBACKS));
        if (!pass_is_for_work())
                return OK;

        if (c->domains) {
                domains_tell(c);
                certs_look_at_files(c);
        }
        if (c->domains && c->domains->store)
                fallback_prune(c->domains->store);
        snapshot_publish(c, ptemp);
        give_memory_back();
        return OK;
}

/* The server's user in a child. There may be many, and the parent has told already what is wrong with the store. */
static void child_init(apr_pool_t *p, server_rec *s) {
        Configuration *c = server_configuration(s);
        const char *why = NULL;

        if (c->domains && store_view_open_for_child(p, STORE_DIR, &c->domains->store, &why) != STORE_VIEW_DONE)
                ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "Challenges cannot be answered: %s.", why);
}

static void register_hooks(apr_pool_t *p) {
        static const char *const tls[] = { "mod_ssl.c", "mod_tls.c", NULL };

        /* In the parent, as root. */
        ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_post_config(before_tls, NULL, tls, APR_HOOK_FIRST);
        ap_hook_ssl_add_cert_files(certs_add, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_ssl_add_fallback_cert_files(certs_add_fallback, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_post_config(after_tls, tls, NULL, APR_HOOK_LAST);

        /* In a child, as the server's user. Challenges come before redirects, passwords and proxies, and before mod_ssl's 503. */
        ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_post_read_request(challenge_answer, NULL, tls, APR_HOOK_FIRST);
        ap_hook_post_read_request(status_certificate, NULL, tls, APR_HOOK_FIRST);
        ap_hook_handler(status_handler, NULL, NULL, APR_HOOK_MIDDLE);
        status_register(p);
        https_register();
        alpn_register(p);
        ocsp_register();
}
