/* SPDX-License-Identifier: Apache-2.0 */
#include "endpoints.h"

#include <errno.h>

#include "ap_listen.h"
#include "apr_hash.h"
#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "domain/endpoint.h"
#include "domain/name.h"
#include "domains.h"

/* What a name is made of that a ServerAlias with wildcards matches. */
#define SAMPLE_LABEL "md-served"
#define SAMPLE_LETTER "x"

/* A ServerAlias that is neither a name nor "*." in front of one. */
typedef struct OddPattern {
        const char *address, *pattern;
        const server_rec *server;
} OddPattern;

typedef struct Finder {
        const Configuration *configuration;
        apr_pool_t *pool;
        apr_hash_t *taken;         /* "ADDRESS:PORT NAME", NAME perhaps with "*." in front → the server_rec that has it */
        apr_array_header_t *odd;   /* of OddPattern */
        apr_hash_t *found;         /* ManagedDomain * → array of const char * */
        apr_array_header_t *texts; /* of const char *: virtual hosts that do not get their names; NULL: not asked for */
        const server_rec *told;    /* the last one among these */
        bool any_pattern;
        bool ports[UINT16_MAX + 1]; /* where virtual hosts are; 0: at all of them */
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

static const server_rec *taken_by_pattern(const Finder *f, const char *address, const char *name) {
        for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
                const server_rec *s = apr_hash_get(f->taken, apr_psprintf(f->pool, "%s *%s", address, dot), APR_HASH_KEY_STRING);

                if (s)
                        return s;
        }
        for (int i = 0; i < f->odd->nelts; i++) {
                const OddPattern *o = &APR_ARRAY_IDX(f->odd, i, const OddPattern);

                if (str_equal(o->address, address) && ap_strcmp_match(name, o->pattern) == 0)
                        return o->server;
        }
        return NULL;
}

/* Of several virtual hosts at one address, httpd takes the first one that has the name. */
static const server_rec *taken_by(const Finder *f, const char *address, const char *name, const char *endpoint) {
        const server_rec *s = apr_hash_get(f->taken, endpoint, APR_HASH_KEY_STRING);

        return s || !f->any_pattern ? s : taken_by_pattern(f, address, name);
}

static const char *describe(const Finder *f, const server_rec *s) {
        const char *name = ap_escape_logitem(f->pool, str_or(s->server_hostname, "?")), *file = str_or(s->defn_name, "?");

        if (s->server_hostname == f->configuration->base->server_hostname) /* httpd lends it to those at every address that have no ServerName */
                return apr_psprintf(f->pool, "the virtual host at %s:%u, which has no ServerName and so goes by that of the server, %s,", file, s->defn_line_number, name);
        return apr_psprintf(f->pool, "the virtual host %s (%s:%u)", name, file, s->defn_line_number);
}

/* One name of each virtual host will do. */
static void tell_shadowed(Finder *f, const server_rec *s, const server_rec *first, const char *address, const char *name) {
        if (!f->texts || first == s || f->told == s)
                return;
        f->told = s;
        APR_ARRAY_PUSH(f->texts, const char *) = apr_psprintf(f->pool, "%s is never asked for %s at %s: %s has that name, too, and comes first", describe(f, s), name,
                                                              address, describe(f, first));
}

static void look_at_name(Finder *f, const server_rec *s, const ManagedDomain *d, const char *address, const char *name) {
        _auto_free_ char *normal = domain_name_normalize(str_or(name, ""));
        const char *text = apr_psprintf(f->pool, "%s %s", address, str_or(normal, ""));
        const server_rec *first;
        bool covered;
        Endpoint endpoint;

        if (!endpoint_parse(text, &endpoint))
                return;
        covered = d && domain_names_cover(d->names, endpoint.name);
        first = taken_by(f, address, endpoint.name, text);
        if (first) {
                if (covered && !d->refused)
                        tell_shadowed(f, s, first, address, endpoint.name);
                return;
        }
        apr_hash_set(f->taken, text, APR_HASH_KEY_STRING, s);
        if (covered)
                keep(f, d, text);
}

static const char *sample_of(apr_pool_t *p, const char *pattern) {
        const char *sample = "";

        for (; *pattern; pattern++)
                sample = apr_psprintf(p, *pattern == '*' ? "%s" SAMPLE_LABEL : *pattern == '?' ? "%s" SAMPLE_LETTER : "%s%c", sample, *pattern);
        return sample;
}

static void take_pattern(Finder *f, const server_rec *s, const char *address, const char *pattern) {
        const char *key = apr_psprintf(f->pool, "%s %s", address, pattern);

        f->any_pattern = true;
        if (str_has_prefix(pattern, "*.") && !strpbrk(pattern + 1, "*?")) {
                if (!apr_hash_get(f->taken, key, APR_HASH_KEY_STRING))
                        apr_hash_set(f->taken, key, APR_HASH_KEY_STRING, s);
        } else
                APR_ARRAY_PUSH(f->odd, OddPattern) = (OddPattern){ .address = address, .pattern = pattern, .server = s };
}

/* Seen by the names of the domain that it matches, and by one that is made up. */
static void look_at_pattern(Finder *f, const server_rec *s, const ManagedDomain *d, const char *address, const char *text) {
        char *pattern = apr_pstrdup(f->pool, text);

        ap_str_tolower(pattern);
        STRV_FOREACH(name, d ? d->names : NULL)
                if (!domain_name_is_wildcard(*name) && ap_strcmp_match(*name, pattern) == 0 && !apr_hash_get(f->taken, apr_psprintf(f->pool, "%s %s", address, *name), APR_HASH_KEY_STRING))
                        look_at_name(f, s, d, address, *name);
        if (d)
                look_at_name(f, s, d, address, sample_of(f->pool, pattern));
        take_pattern(f, s, address, pattern);
}

static void look_at(Finder *f, const server_rec *s) {
        const MatchHost *host = domains_host(f->configuration, s);
        const ManagedDomain *d = host && host->tls ? host->domain : NULL;

        for (const server_addr_rec *a = s->addrs; a; a = a->next) {
                const char *address = address_text(f->pool, a);

                f->ports[a->host_port] = true;
                look_at_name(f, s, d, address, s->server_hostname); /* without one of its own it is asked for by the one that httpd lends it */
                for (int i = 0; s->names && i < s->names->nelts; i++)
                        look_at_name(f, s, d, address, APR_ARRAY_IDX(s->names, i, const char *));
                for (int i = 0; s->wild_names && i < s->wild_names->nelts; i++)
                        look_at_pattern(f, s, d, address, APR_ARRAY_IDX(s->wild_names, i, const char *));
        }
}

/* The server outside of virtual hosts gets what comes where none of these is, whatever it is asked for. */
static void look_at_base(Finder *f) {
        const server_rec *s = f->configuration->base;
        const MatchHost *host = domains_host(f->configuration, s);

        if (!host || !host->tls || !host->domain || f->ports[0])
                return;
        for (const ap_listen_rec *l = ap_listeners; l; l = l->next)
                if (!f->ports[l->bind_addr->port])
                        STRV_FOREACH(name, host->domain->names)
                                look_at_name(f, s, host->domain, apr_psprintf(f->pool, "*:%u", (unsigned) l->bind_addr->port), *name);
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

static Finder *find(const Configuration *c, apr_pool_t *p, apr_array_header_t *texts) {
        Finder *f = apr_pcalloc(p, sizeof(*f));
        apr_array_header_t *servers = servers_in_order(p, c->base);

        f->configuration = c;
        f->pool = p;
        f->texts = texts;
        f->taken = apr_hash_make(p);
        f->found = apr_hash_make(p);
        f->odd = apr_array_make(p, 1, sizeof(OddPattern));
        for (int i = servers->nelts - 1; i >= 0; i--)
                look_at(f, APR_ARRAY_IDX(servers, i, const server_rec *));
        look_at_base(f);
        return f;
}

int endpoints_find(const Configuration *c, apr_pool_t *p) {
        const Finder *f = find(c, p, NULL);
        int r = 0;

        for (int i = 0; r == 0 && i < c->domains->all->nelts; i++)
                r = take(f, APR_ARRAY_IDX(c->domains->all, i, ManagedDomain *));
        return r;
}

apr_array_header_t *endpoints_shadowed(const Configuration *c, apr_pool_t *p) {
        return find(c, p, apr_array_make(p, 1, sizeof(const char *)))->texts;
}
