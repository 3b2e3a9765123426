/* SPDX-License-Identifier: Apache-2.0 */
#include "https.h"

#include "apr_strings.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "http_ssl.h"
#include "util_filter.h"

#include "base/string-util.h"
#include "domain/name.h"
#include "domains.h"

#define WELL_KNOWN "/.well-known/"
#define STRICT_TRANSPORT "Strict-Transport-Security"

static const char *const filter_name = "MD_STRICT_TRANSPORT";

/* Also where a proxy in front has taken the TLS away, which "ServerName https://…" says: a redirect would come back for ever. */
static bool came_by_https(const request_rec *r) {
        conn_rec *c = r->connection->master ? r->connection->master : r->connection;

        return ap_ssl_conn_is_ssl(c) || str_equal_nocase(r->server->server_scheme, "https");
}

/* The domain of the name that the visitor came for (or, by UseCanonicalName, should have), if its server has it. */
static const ManagedDomain *domain_asked_for(request_rec *r, const char *name) {
        const Configuration *c = server_configuration(r->server);
        const MatchHost *host = domains_host(c, r->server);
        const ManagedDomain *d = NULL;

        if (!host)
                return NULL;

        d = matching_find(c->domains->matching, name);
        for (int i = 0; i < host->domains->nelts; i++) {
                const ManagedDomain *assigned = APR_ARRAY_IDX(host->domains, i, const ManagedDomain *);

                if (d ? d == assigned : domain_names_cover(assigned->names, name))
                        return assigned;
        }
        return NULL;
}

static const ManagedDomain *domain_that_requires(request_rec *r) {
        const Domains *domains = server_configuration(r->server)->domains;
        const ManagedDomain *d;
        char *name;

        if (!domains)
                return NULL;

        name = apr_pstrdup(r->pool, ap_get_server_name(r));
        ap_str_tolower(name);
        d = domain_asked_for(r, name);
        return d && d->require_https != REQUIRE_HTTPS_OFF ? d : NULL;
}

static int redirect_status(const request_rec *r, const ManagedDomain *d) {
        if (d->require_https == REQUIRE_HTTPS_PERMANENT)
                return r->method_number == M_GET ? HTTP_MOVED_PERMANENTLY : HTTP_PERMANENT_REDIRECT;
        return r->method_number == M_GET ? HTTP_MOVED_TEMPORARILY : HTTP_TEMPORARY_REDIRECT;
}

/* Hook post_read_request: before anybody asks for a password, which would come without protection. */
static int redirect(request_rec *r) {
        const char *path = r->parsed_uri.path;
        const ManagedDomain *d;
        apr_uri_t uri;

        if (!path || *path != '/' || str_has_prefix(path, WELL_KNOWN) || r->method_number == M_CONNECT)
                return DECLINED;
        d = came_by_https(r) ? NULL : domain_that_requires(r);
        if (!d || !server_configuration(r->server)->domains->https_reachable) /* visitors would find nothing */
                return DECLINED;

        uri = r->parsed_uri;
        apr_table_setn(r->headers_out, "Location",
                       apr_pstrcat(r->pool, "https://", ap_get_server_name_for_url(r),
                                   apr_uri_unparse(r->pool, &uri, APR_URI_UNP_OMITSITEPART), NULL));
        return redirect_status(r, d);
}

/* What the administrator or an application says counts; but once: browsers look at the first one, and two are against RFC 6797. */
static void set_strict_transport(request_rec *r, const char *value) {
        const char *there = apr_table_get(r->err_headers_out, STRICT_TRANSPORT);

        if (!there)
                there = apr_table_get(r->headers_out, STRICT_TRANSPORT);
        if (there)
                value = apr_pstrdup(r->pool, there);

        apr_table_unset(r->err_headers_out, STRICT_TRANSPORT);
        apr_table_setn(r->headers_out, STRICT_TRANSPORT, value);
}

/* Headers can come from anywhere, also from a server behind a proxy, so this looks when the first byte is about to leave, behind
 * the filters of mod_headers. */
static apr_status_t filter_strict_transport(ap_filter_t *f, apr_bucket_brigade *brigade) {
        set_strict_transport(f->r, f->ctx);
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, brigade);
}

/* Hooks insert_filter and insert_error_filter */
static void insert_strict_transport(request_rec *r) {
        const ManagedDomain *d = r->main || !came_by_https(r) ? NULL : domain_that_requires(r);
        const char *value = d ? domain_hsts(server_configuration(r->server), d) : NULL;

        if (value)
                ap_add_output_filter(filter_name, (void *) value, r, r->connection);
}

void https_register(void) {
        static const char *const tls[] = { "mod_ssl.c", "mod_tls.c", NULL };

        ap_hook_post_read_request(redirect, NULL, tls, APR_HOOK_FIRST);
        ap_hook_insert_filter(insert_strict_transport, NULL, NULL, APR_HOOK_LAST);
        ap_hook_insert_error_filter(insert_strict_transport, NULL, NULL, APR_HOOK_LAST);
        ap_register_output_filter(filter_name, filter_strict_transport, NULL, AP_FTYPE_CONTENT_SET + 1);
}
