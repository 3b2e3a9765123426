/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <errno.h>
#include <stdlib.h>

#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_status.h"

#include "base/string-util.h"
#include "domain/name.h"
#include "status-accept.h"
#include "status-data.h"

#define HANDLER "md-status"
#define CERTIFICATE_PATH "/.httpd/certificate-status"

/* Where the handler is: the <Location> that sets it, or NULL when something else does. What stands behind it names a domain. */
static const char *tail_behind_location(request_rec *r) {
        const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
        const char *tail;
        size_t n;

        if (!core || !core->d || core->d_is_fnmatch || core->r)
                return NULL;
        tail = str_after_prefix(r->uri, core->d);
        n = strlen(core->d);
        if (!tail || (*tail && *tail != '/' && (n == 0 || core->d[n - 1] != '/')))
                return NULL;
        return tail;
}

static const ManagedDomain *find_domain(request_rec *r, const char *name) {
        const Domains *domains = server_configuration(r->server)->domains;
        char *normal = apr_pstrdup(r->pool, name);
        size_t n = strlen(normal);

        if (!domains)
                return NULL;
        str_to_lower(normal);
        if (n > 1 && normal[n - 1] == '.')
                normal[n - 1] = '\0';
        for (int i = 0; i < domains->all->nelts; i++) {
                const ManagedDomain *d = APR_ARRAY_IDX(domains->all, i, const ManagedDomain *);

                if (str_equal(d->name, normal))
                        return d;
        }
        return matching_find(domains->matching, normal);
}

/* The domain that the last segment of the path names: by its own or any other of its names. *ret NULL: none is named. */
static int find_asked(request_rec *r, const ManagedDomain **ret) {
        const char *behind = tail_behind_location(r), *path = str_or(behind, r->uri), *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : "";

        *ret = NULL;
        if (behind && !*behind)
                return OK;
        if (!*name)
                return OK;
        *ret = find_domain(r, name);
        if (*ret)
                return OK;
        /* Without a <Location> the last segment may be the place of the handler itself. */
        return behind || strpbrk(name, ".:") ? HTTP_NOT_FOUND : OK;
}

static bool asks_for(const request_rec *r, const char *word) {
        const char *rest = r->args ? str_after_prefix(r->args, word) : NULL;

        return rest && (!*rest || *rest == '&' || *rest == '=');
}

int status_handler(request_rec *r) {
        const ManagedDomain *d;
        int result;

        if (!str_equal(r->handler, HANDLER))
                return DECLINED;
        r->allowed |= AP_METHOD_BIT << M_GET;
        if (r->method_number != M_GET) /* HEAD is one, too */
                return HTTP_METHOD_NOT_ALLOWED;
        result = find_asked(r, &d);
        if (result != OK)
                return result;

        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
        apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
        if (asks_for(r, "openmetrics"))
                return status_metrics(r, d);
        apr_table_mergen(r->headers_out, "Vary", "Accept");
        if (asks_for(r, "json") || !accept_prefers_html(apr_table_get(r->headers_in, "Accept")))
                return status_json(r, d);
        return status_page(r, d);
}

/* Certificate status */

static int copy_member(JsonObject *from, JsonObject *to, const char *key) {
        JsonObject *value = NULL;

        if (!json_object_object_get_ex(from, key, &value))
                return 0;
        return json_add_object(to, key, json_object_get(value));
}

/* For everybody: what a visitor of the host could find out anyway, and that a renewal is under way. */
static JsonObject *certificates_for_visitors(JsonObject *certs) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || copy_member(certs, o, "valid") < 0)
                return NULL;
        if (!json_object_is_type(certs, json_type_object))
                return take_ptr(o);
        json_object_object_foreach(certs, key, cert) {
                JsonObject *copy;

                if (str_equal(key, "valid") || !json_object_is_type(cert, json_type_object))
                        continue;
                copy = json_object_new_object();
                if (!copy || json_add_object(o, key, copy) < 0 || copy_member(cert, copy, "valid") < 0 || copy_member(cert, copy, "serial") < 0 ||
                    copy_member(cert, copy, "sha256-fingerprint") < 0)
                        return NULL;
        }
        return take_ptr(o);
}

/* A key without certificate has an empty object; files of the administrator's are numbered. */
static int add_missing(const ManagedDomain *d, JsonObject *o) {
        if (managed_domain_is_static(d))
                return 0;
        for (size_t i = 0; i < key_specs_count(managed_domain_keys(d)); i++) {
                KeySpec spec = key_specs_get(managed_domain_keys(d), i);
                char name[KEY_SPEC_NAME_MAX];
                JsonObject *empty;

                if (json_has(o, key_spec_name(&spec, name)))
                        continue;
                empty = json_object_new_object();
                if (!empty || json_add_object(o, name, empty) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static char *format_for_visitors(const ManagedDomain *d, JsonObject *domain) {
        _auto_json_ JsonObject *o = certificates_for_visitors(json_get_object(domain, "cert"));
        JsonObject *renewal = json_get_object(domain, "renewal"), *cert, *copy;

        if (!o || add_missing(d, o) < 0)
                return NULL;
        if (!renewal)
                return json_format(o);
        copy = json_object_new_object();
        cert = certificates_for_visitors(json_get_object(renewal, "cert"));
        if (!copy || !cert || json_add_object(o, "renewal", copy) < 0 || json_add_object(copy, "cert", cert) < 0)
                return NULL;
        return json_format(o);
}

static apr_status_t free_text(void *data) {
        free(data);
        return APR_SUCCESS;
}

/* Written whole here, like an answer to a challenge: what comes later would ask for a password, redirect, or say 503. */
int status_certificate(request_rec *r) {
        const Configuration *c = server_configuration(r->server);
        const ManagedDomain *d;
        StatusDomain found;
        JsonObject *json;
        char *text;
        int result;

        if (!r->parsed_uri.path || !str_equal(r->parsed_uri.path, CERTIFICATE_PATH) || !r->hostname || !c->domains || !c->certificate_status)
                return DECLINED;
        d = matching_find(c->domains->matching, r->hostname);
        if (!d)
                return DECLINED;
        if (r->method_number != M_GET)
                return HTTP_NOT_IMPLEMENTED;

        json = status_data_one(r, d, &found) == 0 ? status_data_json(r, &found) : NULL;
        text = json ? format_for_visitors(d, json) : NULL;
        if (!text)
                return HTTP_INTERNAL_SERVER_ERROR;
        apr_pool_cleanup_register(r->pool, text, free_text, apr_pool_cleanup_null);
        result = ap_discard_request_body(r);
        if (result != OK)
                return result;
        r->status = HTTP_OK;
        r->connection->keepalive = AP_CONN_CLOSE;
        ap_set_content_type(r, "application/json");
        ap_set_content_length(r, (apr_off_t) strlen(text));
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
        (void) ap_rputs(text, r);
        return DONE;
}

void status_register(apr_pool_t *p) {
        APR_OPTIONAL_HOOK(ap, status_hook, status_server, NULL, NULL, APR_HOOK_MIDDLE);
}
