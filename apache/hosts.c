/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts.h"

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "util_cfgtree.h"

#include "base/string-util.h"

/* Whether a server has TLS is mod_ssl's secret until it asks for certificates, which is too late to know all names of a
 * domain, and never happens in a configuration test. So SSLEngine is looked up in the configuration as it was read; where this
 * is not all the truth (another TLS module), the question for certificates corrects it. */

typedef struct TlsMap {
        apr_pool_t *pool;
        apr_hash_t *by_place; /* "FILE:LINE" of <VirtualHost> → "on" or "off" */
        bool fallback;        /* SSLEngine outside of virtual hosts */
} TlsMap;

static const char *place_of(apr_pool_t *p, const char *file, int line) {
        return apr_psprintf(p, "%s:%d", str_or(file, "?"), line);
}

/* The last one counts. NULL: it is not there. */
static const char *engine_of(apr_pool_t *p, const ap_directive_t *d) {
        const char *found = NULL;

        for (; d; d = d->next)
                if (str_equal_nocase(d->directive, "SSLEngine")) {
                        const char *arguments = d->args;
                        const char *word = ap_getword_conf(p, &arguments);

                        found = str_equal_nocase(word, "on") || str_equal_nocase(word, "optional") ? "on" : "off";
                }
        return found;
}

static void tls_map_init(TlsMap *map, apr_pool_t *p) {
        *map = (TlsMap){ .pool = p, .by_place = apr_hash_make(p) };
        map->fallback = str_equal(engine_of(p, ap_conftree), "on");

        for (const ap_directive_t *d = ap_conftree; d; d = d->next)
                if (str_equal_nocase(d->directive, "<VirtualHost")) {
                        const char *engine = engine_of(p, d->first_child);

                        if (engine)
                                apr_hash_set(map->by_place, place_of(p, d->filename, d->line_num), APR_HASH_KEY_STRING, engine);
                }
}

static bool tls_map_get(const TlsMap *map, const server_rec *s) {
        const char *engine = NULL;

        if (s->is_virtual)
                engine = apr_hash_get(map->by_place, place_of(map->pool, s->defn_name, (int) s->defn_line_number),
                                      APR_HASH_KEY_STRING);
        return engine ? str_equal(engine, "on") : map->fallback;
}

static const char *lower(apr_pool_t *p, const char *name) {
        char *copy = apr_pstrdup(p, str_or(name, ""));
        size_t length = strlen(copy);

        str_to_lower(copy);
        if (length > 1 && copy[length - 1] == '.')
                copy[length - 1] = '\0';
        return copy;
}

static apr_array_header_t *lower_all(apr_pool_t *p, const apr_array_header_t *names) {
        apr_array_header_t *list = apr_array_make(p, names ? names->nelts : 0, sizeof(const char *));

        for (int i = 0; names && i < names->nelts; i++)
                if (APR_ARRAY_IDX(names, i, const char *))
                        APR_ARRAY_PUSH(list, const char *) = lower(p, APR_ARRAY_IDX(names, i, const char *));
        return list;
}

static apr_array_header_t *addresses_of(apr_pool_t *p, const server_rec *s) {
        apr_array_header_t *list = apr_array_make(p, 1, sizeof(const char *));

        for (const server_addr_rec *a = s->addrs; a; a = a->next)
                if (a->virthost)
                        APR_ARRAY_PUSH(list, const char *) = lower(p, a->virthost);
        return list;
}

static const char *describe(apr_pool_t *p, const server_rec *s) {
        if (!s->is_virtual)
                return apr_psprintf(p, "the base server %s", s->server_hostname);
        return apr_psprintf(p, "the virtual host %s (%s:%u)", s->server_hostname, str_or(s->defn_name, "?"), s->defn_line_number);
}

static MatchHost *host_make(apr_pool_t *p, const TlsMap *tls, server_rec *s) {
        MatchHost *host = apr_pcalloc(p, sizeof(*host));

        host->server = s;
        host->name = lower(p, s->server_hostname);
        host->aliases = lower_all(p, s->names);
        host->patterns = lower_all(p, s->wild_names);
        host->addresses = addresses_of(p, s);
        host->where = describe(p, s);
        host->tls = tls_map_get(tls, s);
        return host;
}

/* httpd has them the other way round: the last of the configuration comes first. */
static void reverse(apr_array_header_t *hosts) {
        for (int i = 0, j = hosts->nelts - 1; i < j; i++, j--) {
                MatchHost *host = APR_ARRAY_IDX(hosts, i, MatchHost *);

                APR_ARRAY_IDX(hosts, i, MatchHost *) = APR_ARRAY_IDX(hosts, j, MatchHost *);
                APR_ARRAY_IDX(hosts, j, MatchHost *) = host;
        }
}

apr_array_header_t *hosts_collect(const Configuration *c, apr_pool_t *p, apr_hash_t **ret_by_server) {
        apr_array_header_t *hosts = apr_array_make(p, 16, sizeof(MatchHost *));
        apr_hash_t *by_server = apr_hash_make(p);
        TlsMap tls;

        tls_map_init(&tls, p);
        for (server_rec *s = c->base; s; s = s->next) {
                MatchHost *host;

                if (!s->is_virtual && !c->manage_base_server)
                        continue;
                host = host_make(p, &tls, s);
                APR_ARRAY_PUSH(hosts, MatchHost *) = host;
                apr_hash_set(by_server, &host->server, sizeof(host->server), host);
        }
        reverse(hosts);

        *ret_by_server = by_server;
        return hosts;
}
