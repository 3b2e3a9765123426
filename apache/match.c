/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "apr_hash.h"
#include "apr_strings.h"

#include "base/string-util.h"
#include "domain/name.h"
#include "name-index.h"

/* What was found out about a domain and is not in its lists yet. */
typedef struct Found {
        apr_array_header_t *names, *hosts, *origins; /* of const char * */
} Found;

struct Matching {
        apr_pool_t *pool;
        MatchMode mode;
        apr_array_header_t *domains, *hosts;
        NameIndex *index;
        apr_pool_t *scratch; /* of what is found, until the domains have taken it */
        apr_hash_t *found;   /* ManagedDomain * → Found * */
        apr_array_header_t *notes;
};

static void note(Matching *m, const ManagedDomain *d, MatchNoteKind kind, const char *text) {
        MatchNote *n = apr_array_push(m->notes);

        *n = (MatchNote){ .domain = d, .kind = kind, .text = text };
}

static const char *defined_at(const Matching *m, const ManagedDomain *d) {
        if (!d->defined_file)
                return d->name;
        return apr_psprintf(m->pool, "%s (%s:%u)", d->name, d->defined_file, d->defined_line);
}

static int refuse(Matching *m, ManagedDomain *d, const char *format, ...) _printf_(3, 4);
static int refuse(Matching *m, ManagedDomain *d, const char *format, ...) {
        const char *text;
        va_list ap;

        va_start(ap, format);
        text = apr_pvsprintf(m->pool, format, ap);
        va_end(ap);

        note(m, d, MATCH_NOTE_REFUSED, text);
        return str_replace(&d->refused, text);
}

/* Overlaps */

static const NameEntry *first_in_force(const NameEntry *e) {
        while (e && e->domain->refused)
                e = e->next;
        return e;
}

/* An earlier domain's name that is the same as 'name', covers it, or is covered by it. */
static const NameEntry *overlap_of(const Matching *m, const char *name) {
        const NameEntry *e = first_in_force(name_index_find(m->index, name));

        if (!e)
                e = first_in_force(name_index_find_wildcard(m->index, name));
        return e ? e : name_index_find_covered(m->index, name);
}

static int refuse_overlap(Matching *m, ManagedDomain *d) {
        STRV_FOREACH(name, d->names) {
                const NameEntry *e = overlap_of(m, *name);

                if (!e || e->domain == d)
                        continue;
                if (str_equal(*name, e->name))
                        return refuse(m, d, "its name %s already belongs to the domain %s", *name, defined_at(m, e->domain));
                return refuse(m, d, "its name %s overlaps with %s of the domain %s", *name, e->name, defined_at(m, e->domain));
        }
        return 0;
}

static int index_domains(Matching *m) {
        int r;

        for (int i = 0; i < m->domains->nelts; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(m->domains, i, ManagedDomain *);

                if (m->mode == MATCH_ALL && !d->refused) {
                        r = refuse_overlap(m, d);
                        if (r < 0)
                                return r;
                }
                STRV_FOREACH(name, d->names)
                        name_index_add(m->index, *name, d);
        }
        return 0;
}

/* Hosts */

static void host_add_domain(MatchHost *host, ManagedDomain *d) {
        for (int i = 0; i < host->domains->nelts; i++)
                if (APR_ARRAY_IDX(host->domains, i, ManagedDomain *) == d)
                        return;
        APR_ARRAY_PUSH(host->domains, ManagedDomain *) = d;
}

static void host_add_entries(MatchHost *host, const NameEntry *e) {
        for (; e; e = e->next)
                host_add_domain(host, e->domain);
}

static void host_add_names(Matching *m, MatchHost *host, const apr_array_header_t *names) {
        for (int i = 0; i < names->nelts; i++)
                host_add_entries(host, name_index_find(m->index, APR_ARRAY_IDX(names, i, const char *)));
}

static void host_add_pattern(Matching *m, MatchHost *host, const char *pattern) {
        const apr_array_header_t *met = name_index_meet(m->index, m->domains, pattern);

        for (int i = 0; i < met->nelts; i++)
                host_add_entries(host, APR_ARRAY_IDX(met, i, const NameEntry *));
}

static void host_add_by_name(Matching *m, MatchHost *host) {
        const NameEntry *exact = name_index_find(m->index, host->name);

        host_add_entries(host, exact);
        if (m->mode == MATCH_ALL || !exact)
                host_add_entries(host, name_index_find_wildcard(m->index, host->name));
}

/* Domains that have the ServerName come first, so that they win a host that serves names of several. A name that the host was not
 * given is no better than a pattern, unless there is nothing else to go by: a single <VirtualHost *:443> under the base server's
 * name is quite common. */
static void host_find_domains(Matching *m, MatchHost *host) {
        host->domains = apr_array_make(m->pool, 1, sizeof(ManagedDomain *));
        if (!host->unnamed || m->mode == MATCH_SERVER_NAMES)
                host_add_by_name(m, host);
        if (m->mode == MATCH_ALL) {
                host_add_names(m, host, host->aliases);
                host_add_names(m, host, host->addresses);
        }
        if (host->domains->nelts == 0)
                host_add_by_name(m, host);
        host->n_named = host->domains->nelts;
        if (m->mode == MATCH_SERVER_NAMES)
                return;

        host_add_by_name(m, host);
        for (int i = 0; i < host->patterns->nelts; i++)
                host_add_pattern(m, host, APR_ARRAY_IDX(host->patterns, i, const char *));
}

/* A host with TLS has one certificate: the first domain that is in order keeps it. Others that the host names can then not be
 * served; those that are only met by a pattern have, or may get, hosts of their own. */
static int host_choose_domain(Matching *m, MatchHost *host) {
        int n = host->n_named > 0 ? host->n_named : host->domains->nelts, r;
        ManagedDomain *chosen = NULL;

        for (int i = 0; i < n; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(host->domains, i, ManagedDomain *);

                if (d->refused)
                        continue;
                if (!chosen) {
                        chosen = d;
                        continue;
                }
                if (!host->tls || host->n_named == 0)
                        break;
                r = refuse(m, d,
                           "%s has TLS and serves names of the domains %s and %s, but can have one certificate only; "
                           "put the names into one MDomain, or into virtual hosts of their own",
                           host->where, defined_at(m, chosen), defined_at(m, d));
                if (r < 0)
                        return r;
        }

        if (!chosen && host->domains->nelts > 0)
                chosen = APR_ARRAY_IDX(host->domains, 0, ManagedDomain *);
        host->domain = chosen;
        return 0;
}

/* Members */

static Found *found_of(Matching *m, const ManagedDomain *d) {
        Found *found = apr_hash_get(m->found, &d, sizeof(d));

        if (!found) {
                const ManagedDomain **key = apr_pmemdup(m->scratch, &d, sizeof(d));

                found = apr_pcalloc(m->scratch, sizeof(*found));
                found->names = apr_array_make(m->scratch, 2, sizeof(const char *));
                found->origins = apr_array_make(m->scratch, 2, sizeof(const char *));
                found->hosts = apr_array_make(m->scratch, 2, sizeof(const char *));
                apr_hash_set(m->found, key, sizeof(*key), found);
        }
        return found;
}

/* A name that another domain has stays with that one (unless domains may overlap). The first virtual host with a name is also the
 * one that httpd picks for it. */
static void host_offer_name(Matching *m, const MatchHost *host, const char *directive, const char *name) {
        ManagedDomain *d = host->domain;
        const NameEntry *exact = name_index_find(m->index, name);

        if (!domain_name_is_valid(name) || domain_name_is_wildcard(name) || name_entries_have(exact, d) || name_entries_have(name_index_find_wildcard(m->index, name), d))
                return;
        if (exact && m->mode == MATCH_ALL)
                return;

        if (!d->transitive) {
                note(m, d, MATCH_NOTE_WARNING,
                     apr_psprintf(m->pool, "%s serves %s, which the certificate will not cover: its members are 'manual'",
                                  host->where, name));
                return;
        }
        name = apr_pstrdup(m->pool, name);
        name_index_add(m->index, name, d);
        APR_ARRAY_PUSH(found_of(m, d)->names, const char *) = name;
        APR_ARRAY_PUSH(found_of(m, d)->origins, const char *) = apr_psprintf(m->scratch, "%s: %s at %s", name, directive, host->place);
}

static bool host_names_domain(const MatchHost *host, const ManagedDomain *d) {
        for (int i = 0; i < host->n_named; i++)
                if (APR_ARRAY_IDX(host->domains, i, const ManagedDomain *) == d)
                        return true;
        return false;
}

/* The name that a host was not given is not proven for its sake. */
static void host_leave_name_out(Matching *m, const MatchHost *host) {
        const ManagedDomain *d = host->domain;

        if (name_entries_have(name_index_find(m->index, host->name), d) || name_entries_have(name_index_find_wildcard(m->index, host->name), d))
                return;
        note(m, d, MATCH_NOTE_INFO,
             apr_psprintf(m->pool, "%s has no ServerName of its own, so %s does not join the certificate", host->where, host->name));
}

static void host_offer_names(Matching *m, const MatchHost *host) {
        if (!host->tls || !host->domain || host->domain->refused || !host_names_domain(host, host->domain))
                return;

        if (host->unnamed)
                host_leave_name_out(m, host);
        else
                host_offer_name(m, host, "ServerName", host->name);
        for (int i = 0; i < host->aliases->nelts; i++)
                host_offer_name(m, host, "ServerAlias", APR_ARRAY_IDX(host->aliases, i, const char *));
}

/* Many at once, so that nothing is counted again and again. */
static int take_texts(char ***list, const apr_array_header_t *texts, size_t max) {
        size_t n = strv_length(*list);
        char **grown;

        if (texts->nelts == 0)
                return 0;
        grown = realloc(*list, (n + (size_t) texts->nelts + 1) * sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        *list = grown;

        for (int i = 0; i < texts->nelts && n < max; i++) {
                grown[n] = strdup(APR_ARRAY_IDX(texts, i, const char *));
                if (!grown[n])
                        return -ENOMEM;
                n++;
        }
        grown[n] = NULL;
        return 0;
}

static void clear_found(Matching *m) {
        apr_pool_clear(m->scratch);
        m->found = apr_hash_make(m->scratch);
}

static int take_found(Matching *m) {
        int r = 0;

        for (int i = 0; r == 0 && i < m->domains->nelts; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(m->domains, i, ManagedDomain *);
                const Found *found = apr_hash_get(m->found, &d, sizeof(d));

                if (!found)
                        continue;
                r = take_texts(&d->names, found->names, SIZE_MAX);
                if (r == 0)
                        r = take_texts(&d->hosts, found->hosts, MANAGED_DOMAIN_TOLD_MAX);
                if (r == 0)
                        r = take_texts(&d->origins, found->origins, MANAGED_DOMAIN_TOLD_MAX);
                if (r == 0 && strv_length(d->names) > MANAGED_DOMAIN_NAMES_MAX && !d->refused)
                        r = refuse(m, d, "it has more than %d names, with those of its virtual hosts", MANAGED_DOMAIN_NAMES_MAX);
        }
        clear_found(m);
        return r;
}

static void host_mark_used(Matching *m, const MatchHost *host) {
        const char *text = apr_psprintf(m->scratch, "%s (ServerName %s)", host->place, host->name);

        for (int i = 0; i < host->domains->nelts; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(host->domains, i, ManagedDomain *);

                d->used = true;
                if (!host->tls || host->domain == d)
                        APR_ARRAY_PUSH(found_of(m, d)->hosts, const char *) = text;
        }
        if (host->tls && host->domain)
                host->domain->used_tls = true;
}

/* Names that tls-alpn-01 can prove: their virtual host answers acme-tls/1 where the internet's port 443 arrives. Who writes the challenge
 * down knows more about ports than stands here. */

static void mark_acme_tls(const MatchHost *host, NameEntry *e) {
        for (; e; e = e->next)
                if (host->https_port_only || strv_contains(e->domain->challenges, "tls-alpn-01"))
                        e->acme_tls = true;
}

static void host_mark_acme_tls(Matching *m, const MatchHost *host) {
        if (!host->tls || !host->acme_tls)
                return;

        mark_acme_tls(host, name_index_find(m->index, host->name));
        for (int i = 0; i < host->aliases->nelts; i++)
                mark_acme_tls(host, name_index_find(m->index, APR_ARRAY_IDX(host->aliases, i, const char *)));
        for (int i = 0; i < host->addresses->nelts; i++)
                mark_acme_tls(host, name_index_find(m->index, APR_ARRAY_IDX(host->addresses, i, const char *)));
        for (int i = 0; i < host->patterns->nelts; i++) {
                const apr_array_header_t *met = name_index_meet(m->index, m->domains, APR_ARRAY_IDX(host->patterns, i, const char *));

                for (int j = 0; j < met->nelts; j++)
                        mark_acme_tls(host, APR_ARRAY_IDX(met, j, NameEntry *));
        }
}

static int domain_take_acme_tls(Matching *m, ManagedDomain *d) {
        apr_array_header_t *names = apr_array_make(m->scratch, 1, sizeof(const char *));

        STRV_FOREACH(name, d->names) {
                const NameEntry *e = name_index_find(m->index, *name);

                while (e && e->domain != d)
                        e = e->next;
                if (e && e->acme_tls && !domain_name_is_wildcard(*name))
                        APR_ARRAY_PUSH(names, const char *) = *name;
        }
        d->acme_tls_names = strv_free(d->acme_tls_names);
        return take_texts(&d->acme_tls_names, names, MANAGED_DOMAIN_NAMES_MAX);
}

int matching_new(apr_pool_t *p, MatchMode mode, apr_array_header_t *domains, apr_array_header_t *hosts, Matching **ret) {
        Matching *m = apr_pcalloc(p, sizeof(*m));
        int r;

        m->pool = p;
        m->mode = mode;
        m->domains = domains;
        m->hosts = hosts;
        m->index = name_index_new(p);
        (void) apr_pool_create(&m->scratch, p);
        m->found = apr_hash_make(m->scratch);
        m->notes = apr_array_make(p, 4, sizeof(MatchNote));

        r = index_domains(m);
        if (r < 0)
                return r;
        for (int i = 0; i < hosts->nelts; i++)
                host_find_domains(m, APR_ARRAY_IDX(hosts, i, MatchHost *));

        /* First the hosts with TLS, which refuse domains, all of them; only then is it clear what is left for the others. */
        for (int tls = 1; tls >= 0; tls--)
                for (int i = 0; i < hosts->nelts; i++) {
                        MatchHost *host = APR_ARRAY_IDX(hosts, i, MatchHost *);

                        if (host->tls == (tls == 1)) {
                                r = host_choose_domain(m, host);
                                if (r < 0)
                                        return r;
                        }
                }

        for (int i = 0; i < hosts->nelts; i++) {
                host_mark_used(m, APR_ARRAY_IDX(hosts, i, MatchHost *));
                host_offer_names(m, APR_ARRAY_IDX(hosts, i, MatchHost *));
        }
        r = take_found(m);
        for (int i = 0; i < hosts->nelts; i++)
                host_mark_acme_tls(m, APR_ARRAY_IDX(hosts, i, const MatchHost *));
        for (int i = 0; r == 0 && i < domains->nelts; i++)
                r = domain_take_acme_tls(m, APR_ARRAY_IDX(domains, i, ManagedDomain *));
        clear_found(m);
        if (r < 0)
                return r;

        *ret = m;
        return 0;
}

int matching_set_tls(Matching *m, MatchHost *host) {
        int r;

        host->tls = true;
        r = host_choose_domain(m, host);
        if (r < 0)
                return r;
        if (host->domain)
                host->domain->used_tls = true;
        host_offer_names(m, host);
        r = take_found(m);
        host_mark_acme_tls(m, host);
        for (int i = 0; r == 0 && i < host->domains->nelts; i++)
                r = domain_take_acme_tls(m, APR_ARRAY_IDX(host->domains, i, ManagedDomain *));
        return r;
}

ManagedDomain *matching_find(const Matching *m, const char *name) {
        const NameEntry *e = name_index_find(m->index, name), *in_force = first_in_force(e);

        if (in_force)
                e = in_force;
        return e ? e->domain : NULL;
}

const apr_array_header_t *matching_notes(const Matching *m) {
        return m->notes;
}
