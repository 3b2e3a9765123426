/* SPDX-License-Identifier: Apache-2.0 */
#include "hosts.h"

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"
#include "util_cfgtree.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "domain/name.h"

/* Whether a server has TLS is mod_ssl's secret until it asks for certificates, which is too late to know all names of a
 * domain, and never happens in a configuration test. So SSLEngine is looked up in the configuration as it was read; where this
 * is not all the truth (another TLS module), the question for certificates corrects it. */

/* What a <VirtualHost> says, or what stands outside of all of them. */
typedef struct Section {
        const char *engine; /* "on" or "off"; NULL: nothing is said */
        bool named;         /* a ServerName is there */
} Section;

/* One place in a file stands for several virtual hosts when the file is included more than once, with another Define each time. httpd
 * goes through them in the order of the tree, so they are handed out in this order. */
typedef struct Place {
        apr_array_header_t *sections; /* of Section */
        int next;
} Place;

typedef struct Tree {
        apr_pool_t *pool;
        apr_hash_t *places; /* "FILE:LINE" of <VirtualHost> → Place */
        Section outside;
} Tree;

static const char *key_of(apr_pool_t *p, const char *file, int line) {
        return apr_psprintf(p, "%s:%d", str_or(file, "?"), line);
}

static const char *engine_of(apr_pool_t *p, const char *arguments) {
        const char *word = ap_getword_conf(p, &arguments);

        return str_equal_nocase(word, "on") || str_equal_nocase(word, "optional") ? "on" : "off";
}

/* The last one counts. */
static Section section_of(apr_pool_t *p, const ap_directive_t *d) {
        Section section = { 0 };

        for (; d; d = d->next)
                if (str_equal_nocase(d->directive, "SSLEngine"))
                        section.engine = engine_of(p, d->args);
                else if (str_equal_nocase(d->directive, "ServerName"))
                        section.named = true;
        return section;
}

static void tree_add(Tree *tree, const ap_directive_t *d) {
        const char *key = key_of(tree->pool, d->filename, d->line_num);
        Place *place = apr_hash_get(tree->places, key, APR_HASH_KEY_STRING);

        if (!place) {
                place = apr_pcalloc(tree->pool, sizeof(*place));
                place->sections = apr_array_make(tree->pool, 1, sizeof(Section));
                apr_hash_set(tree->places, key, APR_HASH_KEY_STRING, place);
        }
        APR_ARRAY_PUSH(place->sections, Section) = section_of(tree->pool, d->first_child);
}

static void tree_init(Tree *tree, apr_pool_t *p) {
        *tree = (Tree){ .pool = p, .places = apr_hash_make(p), .outside = section_of(p, ap_conftree) };

        for (const ap_directive_t *d = ap_conftree; d; d = d->next)
                if (str_equal_nocase(d->directive, "<VirtualHost"))
                        tree_add(tree, d);
}

/* To be asked once for each server, in the order of the configuration. One that is not in the tree is taken to have a name. */
static Section tree_take(Tree *tree, const server_rec *s) {
        Section section = { .named = true };
        Place *place;

        if (!s->is_virtual)
                return tree->outside;

        place = apr_hash_get(tree->places, key_of(tree->pool, s->defn_name, (int) s->defn_line_number), APR_HASH_KEY_STRING);
        if (place && place->next < place->sections->nelts)
                section = APR_ARRAY_IDX(place->sections, place->next++, Section);
        if (!section.engine)
                section.engine = tree->outside.engine;
        return section;
}

static const char *lower(apr_pool_t *p, const char *name) {
        _auto_free_ char *normalized = domain_name_normalize(str_or(name, ""));

        return apr_pstrdup(p, str_or(normalized, ""));
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

static const char *place_of(apr_pool_t *p, const server_rec *s) {
        return s->is_virtual ? key_of(p, s->defn_name, (int) s->defn_line_number) : "the base server";
}

static bool answers_acme_tls(const server_rec *s) {
        const core_server_config *core = ap_get_core_module_config(s->module_config);

        for (int i = 0; core && core->protocols && i < core->protocols->nelts; i++)
                if (str_equal_nocase(APR_ARRAY_IDX(core->protocols, i, const char *), "acme-tls/1"))
                        return true;
        return false;
}

/* The base server has no addresses of its own. */
static bool is_at_port_only(const server_rec *s, uint16_t port) {
        for (const server_addr_rec *a = s->is_virtual ? s->addrs : NULL; a; a = a->next)
                if (a->host_port != port)
                        return false;
        return port != 0;
}

static MatchHost *host_make(const Configuration *c, apr_pool_t *p, Tree *tree, server_rec *s) {
        MatchHost *host = apr_pcalloc(p, sizeof(*host));
        Section section = tree_take(tree, s);

        host->server = s;
        host->name = lower(p, s->server_hostname);
        host->aliases = lower_all(p, s->names);
        host->patterns = lower_all(p, s->wild_names);
        host->addresses = addresses_of(p, s);
        host->where = describe(p, s);
        host->place = place_of(p, s);
        host->acme_tls = answers_acme_tls(s);
        host->https_port_only = is_at_port_only(s, c->https_port);
        host->tls = str_equal(section.engine, "on");
        host->unnamed = !section.named;
        return host;
}

/* In the order of the configuration. httpd has them the other way round: the last one comes first, but for the base server. */
static apr_array_header_t *servers_in_order(apr_pool_t *p, server_rec *base) {
        apr_array_header_t *servers = apr_array_make(p, 16, sizeof(server_rec *));

        for (server_rec *s = base; s; s = s->next)
                APR_ARRAY_PUSH(servers, server_rec *) = s;
        for (int i = 0, j = servers->nelts - 1; i < j; i++, j--) {
                server_rec *s = APR_ARRAY_IDX(servers, i, server_rec *);

                APR_ARRAY_IDX(servers, i, server_rec *) = APR_ARRAY_IDX(servers, j, server_rec *);
                APR_ARRAY_IDX(servers, j, server_rec *) = s;
        }
        return servers;
}

apr_array_header_t *hosts_collect(const Configuration *c, apr_pool_t *p, apr_hash_t **ret_by_server) {
        apr_hash_t *by_server = apr_hash_make(p);
        apr_array_header_t *servers, *hosts;
        apr_pool_t *scratch = NULL;
        Tree tree;

        (void) apr_pool_create(&scratch, p);
        servers = servers_in_order(scratch, c->base);
        hosts = apr_array_make(p, servers->nelts, sizeof(MatchHost *));
        tree_init(&tree, scratch);
        for (int i = 0; i < servers->nelts; i++) {
                server_rec *s = APR_ARRAY_IDX(servers, i, server_rec *);
                MatchHost *host;

                if (!s->is_virtual && !c->manage_base_server)
                        continue;
                host = host_make(c, p, &tree, s);
                if (s->is_virtual && server_settings(s)->ignored)
                        continue;
                APR_ARRAY_PUSH(hosts, MatchHost *) = host;
                apr_hash_set(by_server, &host->server, sizeof(host->server), host);
        }

        apr_pool_destroy(scratch);
        *ret_by_server = by_server;
        return hosts;
}
