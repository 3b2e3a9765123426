/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoints.h"

#include <errno.h>

#include "apr_hash.h"
#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "domain/endpoint.h"
#include "domain/name.h"
#include "domains.h"

typedef struct Finder {
        const Configuration *configuration;
        apr_pool_t *pool;
        apr_hash_t *taken; /* endpoints that a virtual host has, as keys */
        apr_hash_t *found; /* ManagedDomain * → array of const char * */
} Finder;

static const char *address_text(apr_pool_t *p, const server_addr_rec *a) {
        char *ip = NULL;

        if (!a->host_addr || apr_sockaddr_ip_get(&ip, a->host_addr) != APR_SUCCESS || str_equal(ip, "0.0.0.0") || str_equal(ip, "::"))
                ip = apr_pstrdup(p, "*");
        return apr_psprintf(p, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, (unsigned) a->host_port);
}

static void keep(Finder *f, const ManagedDomain *d, const char *endpoint) {
        apr_array_header_t *list = apr_hash_get(f->found, &d, sizeof(d));

        if (!list) {
                const ManagedDomain **key = apr_pmemdup(f->pool, &d, sizeof(d));

                list = apr_array_make(f->pool, 2, sizeof(const char *));
                apr_hash_set(f->found, key, sizeof(*key), list);
        }
        if (list->nelts < MANAGED_DOMAIN_TOLD_MAX)
                APR_ARRAY_PUSH(list, const char *) = endpoint;
}

/* Of several virtual hosts at one address, httpd takes the first one that has the name. */
static void look_at_name(Finder *f, const ManagedDomain *d, const char *address, const char *name) {
        _auto_free_ char *normal = domain_name_normalize(str_or(name, ""));
        const char *text = apr_psprintf(f->pool, "%s %s", address, str_or(normal, ""));
        Endpoint endpoint;

        if (!endpoint_parse(text, &endpoint) || apr_hash_get(f->taken, text, APR_HASH_KEY_STRING))
                return;
        apr_hash_set(f->taken, text, APR_HASH_KEY_STRING, text);
        if (d && domain_names_cover(d->names, endpoint.name))
                keep(f, d, text);
}

static void look_at(Finder *f, const server_rec *s) {
        const MatchHost *host = domains_host(f->configuration, s);
        const ManagedDomain *d = host && host->tls ? host->domain : NULL;

        for (const server_addr_rec *a = s->addrs; a; a = a->next) {
                const char *address = address_text(f->pool, a);

                if (!host || !host->unnamed)
                        look_at_name(f, d, address, s->server_hostname);
                for (int i = 0; s->names && i < s->names->nelts; i++)
                        look_at_name(f, d, address, APR_ARRAY_IDX(s->names, i, const char *));
        }
}

/* httpd has them in the other order. */
static apr_array_header_t *servers_in_order(apr_pool_t *p, server_rec *base) {
        apr_array_header_t *servers = apr_array_make(p, 16, sizeof(server_rec *));

        for (server_rec *s = base->next; s; s = s->next)
                APR_ARRAY_PUSH(servers, server_rec *) = s;
        return servers;
}

static int take(const Finder *f, ManagedDomain *d) {
        const apr_array_header_t *list = apr_hash_get(f->found, &d, sizeof(d));
        char **endpoints;

        d->endpoints = strv_free(d->endpoints);
        if (!list)
                return 0;
        endpoints = calloc((size_t) list->nelts + 1, sizeof(*endpoints));
        if (!endpoints)
                return -ENOMEM;
        d->endpoints = endpoints;
        for (int i = 0; i < list->nelts; i++) {
                endpoints[i] = strdup(APR_ARRAY_IDX(list, i, const char *));
                if (!endpoints[i])
                        return -ENOMEM;
        }
        return 0;
}

int endpoints_find(const Configuration *c, apr_pool_t *p) {
        Finder f = { .configuration = c, .pool = p, .taken = apr_hash_make(p), .found = apr_hash_make(p) };
        apr_array_header_t *servers = servers_in_order(p, c->base);
        int r = 0;

        for (int i = servers->nelts - 1; i >= 0; i--)
                look_at(&f, APR_ARRAY_IDX(servers, i, const server_rec *));
        for (int i = 0; r == 0 && i < c->domains->all->nelts; i++)
                r = take(&f, APR_ARRAY_IDX(c->domains->all, i, ManagedDomain *));
        return r;
}
