/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "apr_hash.h"
#include "apr_strings.h"

#include "base/string-util.h"
#include "domain/name.h"

/* One name of one domain; several domains may have the same name when they overlap. */
typedef struct Entry {
        const char *name;
        ManagedDomain *domain;
        struct Entry *next;
} Entry;

struct Matching {
        apr_pool_t *pool;
        MatchMode mode;
        apr_array_header_t *domains, *hosts;
        apr_hash_t *by_name;   /* name → Entry, the first domain of the configuration first */
        apr_hash_t *by_parent; /* what stands behind the first dot → Entry, the first that came */
        apr_hash_t *by_suffix; /* every suffix of whole labels, and "" → array of Entry *; made when the first pattern is met */
        apr_hash_t *added;     /* ManagedDomain * → array of const char *: names of hosts that join */
        apr_array_header_t *notes;
};

static const char *parent_of(const char *name) {
        const char *dot = strchr(name, '.');

        return dot ? dot + 1 : NULL;
}

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

/* The index of names */

static void index_add(Matching *m, const char *name, ManagedDomain *d) {
        Entry *e = apr_pcalloc(m->pool, sizeof(*e)), *first = apr_hash_get(m->by_name, name, APR_HASH_KEY_STRING);
        const char *parent = parent_of(name);

        e->name = name;
        e->domain = d;
        if (first) {
                while (first->next)
                        first = first->next;
                first->next = e;
        } else
                apr_hash_set(m->by_name, name, APR_HASH_KEY_STRING, e);

        if (parent && !d->refused && !domain_name_is_wildcard(name) && !apr_hash_get(m->by_parent, parent, APR_HASH_KEY_STRING))
                apr_hash_set(m->by_parent, parent, APR_HASH_KEY_STRING, e);
}

static Entry *index_find(const Matching *m, const char *name) {
        return apr_hash_get(m->by_name, name, APR_HASH_KEY_STRING);
}

/* The wildcard that covers 'name'. */
static Entry *index_find_wildcard(const Matching *m, const char *name) {
        const char *parent = parent_of(name);

        return parent ? index_find(m, apr_pstrcat(m->pool, "*.", parent, NULL)) : NULL;
}

static bool entries_have(const Entry *e, const ManagedDomain *d) {
        for (; e; e = e->next)
                if (e->domain == d)
                        return true;
        return false;
}

/* Overlaps */

static const Entry *first_in_force(const Entry *e) {
        while (e && e->domain->refused)
                e = e->next;
        return e;
}

/* An earlier domain's name that is the same as 'name', covers it, or is covered by it. */
static const Entry *overlap_of(const Matching *m, const char *name) {
        const Entry *e = first_in_force(index_find(m, name));

        if (!e)
                e = first_in_force(index_find_wildcard(m, name));
        if (!e && domain_name_is_wildcard(name))
                e = apr_hash_get(m->by_parent, parent_of(name), APR_HASH_KEY_STRING);
        return e;
}

static int refuse_overlap(Matching *m, ManagedDomain *d) {
        STRV_FOREACH(name, d->names) {
                const Entry *e = overlap_of(m, *name);

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
                        index_add(m, *name, d);
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

static void host_add_entries(MatchHost *host, const Entry *e) {
        for (; e; e = e->next)
                host_add_domain(host, e->domain);
}

static void host_add_names(Matching *m, MatchHost *host, const apr_array_header_t *names) {
        for (int i = 0; i < names->nelts; i++)
                host_add_entries(host, index_find(m, APR_ARRAY_IDX(names, i, const char *)));
}

/* '*' stands for any number of characters, '?' for one. */
static bool pattern_matches(const char *pattern, const char *name) {
        const char *star = NULL, *resume = NULL;

        while (*name) {
                if (*pattern == '*') {
                        star = pattern++;
                        resume = name;
                } else if (*pattern == '?' || *pattern == *name) {
                        pattern++;
                        name++;
                } else if (star) {
                        pattern = star + 1;
                        name = ++resume;
                } else
                        return false;
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

static void suffix_add(Matching *m, const char *suffix, Entry *e) {
        apr_array_header_t *bucket = apr_hash_get(m->by_suffix, suffix, APR_HASH_KEY_STRING);

        if (!bucket) {
                bucket = apr_array_make(m->pool, 4, sizeof(Entry *));
                apr_hash_set(m->by_suffix, suffix, APR_HASH_KEY_STRING, bucket);
        }
        APR_ARRAY_PUSH(bucket, Entry *) = e;
}

/* In the order of the configuration, because the first domain that a pattern meets may be the one that is served. */
static void index_suffixes(Matching *m) {
        m->by_suffix = apr_hash_make(m->pool);
        for (int i = 0; i < m->domains->nelts; i++) {
                const ManagedDomain *d = APR_ARRAY_IDX(m->domains, i, const ManagedDomain *);

                STRV_FOREACH(name, d->names) {
                        Entry *e = index_find(m, *name);

                        if (e->domain != d)
                                continue; /* came with an earlier domain */
                        for (const char *s = parent_of(e->name); s; s = parent_of(s))
                                suffix_add(m, s, e);
                        suffix_add(m, "", e);
                }
        }
}

/* The labels at the end that hold no wildcard: only names below them can match. */
static const char *fixed_suffix(const char *pattern) {
        const char *last = pattern, *dot;

        for (const char *c = pattern; *c; c++)
                if (*c == '*' || *c == '?')
                        last = c;
        dot = strchr(last, '.');
        return dot ? dot + 1 : "";
}

static void host_add_pattern(Matching *m, MatchHost *host, const char *pattern) {
        const apr_array_header_t *bucket;

        if (!m->by_suffix)
                index_suffixes(m);

        bucket = apr_hash_get(m->by_suffix, fixed_suffix(pattern), APR_HASH_KEY_STRING);
        for (int i = 0; bucket && i < bucket->nelts; i++) {
                const Entry *e = APR_ARRAY_IDX(bucket, i, Entry *);

                if (pattern_matches(pattern, e->name))
                        host_add_entries(host, e);
        }
}

static void host_add_by_name(Matching *m, MatchHost *host) {
        const Entry *exact = index_find(m, host->name);

        host_add_entries(host, exact);
        if (m->mode == MATCH_ALL || !exact)
                host_add_entries(host, index_find_wildcard(m, host->name));
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

static apr_array_header_t *added_to(Matching *m, const ManagedDomain *d) {
        apr_array_header_t *list = apr_hash_get(m->added, &d, sizeof(d));

        if (!list) {
                const ManagedDomain **key = apr_palloc(m->pool, sizeof(*key));

                *key = d;
                list = apr_array_make(m->pool, 4, sizeof(const char *));
                apr_hash_set(m->added, key, sizeof(*key), list);
        }
        return list;
}

/* A name that another domain has stays with that one (unless domains may overlap). The first virtual host with a name is also the
 * one that httpd picks for it. */
static void host_offer_name(Matching *m, const MatchHost *host, const char *name) {
        ManagedDomain *d = host->domain;
        const Entry *exact = index_find(m, name);

        if (!domain_name_is_valid(name) || domain_name_is_wildcard(name) || entries_have(exact, d) || entries_have(index_find_wildcard(m, name), d))
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
        index_add(m, name, d);
        APR_ARRAY_PUSH(added_to(m, d), const char *) = name;
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

        if (entries_have(index_find(m, host->name), d) || entries_have(index_find_wildcard(m, host->name), d))
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
                host_offer_name(m, host, host->name);
        for (int i = 0; i < host->aliases->nelts; i++)
                host_offer_name(m, host, APR_ARRAY_IDX(host->aliases, i, const char *));
}

static int domain_take_names(ManagedDomain *d, const apr_array_header_t *added) {
        size_t n = strv_length(d->names);
        char **names;

        names = realloc(d->names, (n + (size_t) added->nelts + 1) * sizeof(*names));
        if (!names)
                return -ENOMEM;
        d->names = names;

        for (int i = 0; i < added->nelts; i++) {
                names[n] = strdup(APR_ARRAY_IDX(added, i, const char *));
                if (!names[n])
                        return -ENOMEM;
                names[++n] = NULL;
        }
        return 0;
}

static int take_added_names(Matching *m) {
        int r = 0;

        for (int i = 0; r == 0 && i < m->domains->nelts; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(m->domains, i, ManagedDomain *);
                const apr_array_header_t *added = apr_hash_get(m->added, &d, sizeof(d));

                if (!added)
                        continue;
                r = domain_take_names(d, added);
                if (r == 0 && strv_length(d->names) > MANAGED_DOMAIN_NAMES_MAX && !d->refused)
                        r = refuse(m, d, "it has more than %d names, with those of its virtual hosts", MANAGED_DOMAIN_NAMES_MAX);
        }
        apr_hash_clear(m->added);
        return r;
}

static void host_mark_used(const MatchHost *host) {
        for (int i = 0; i < host->domains->nelts; i++)
                APR_ARRAY_IDX(host->domains, i, ManagedDomain *)->used = true;
        if (host->tls && host->domain)
                host->domain->used_tls = true;
}

int matching_new(apr_pool_t *p, MatchMode mode, apr_array_header_t *domains, apr_array_header_t *hosts, Matching **ret) {
        Matching *m = apr_pcalloc(p, sizeof(*m));
        int r;

        m->pool = p;
        m->mode = mode;
        m->domains = domains;
        m->hosts = hosts;
        m->by_name = apr_hash_make(p);
        m->by_parent = apr_hash_make(p);
        m->added = apr_hash_make(p);
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
                host_mark_used(APR_ARRAY_IDX(hosts, i, MatchHost *));
                host_offer_names(m, APR_ARRAY_IDX(hosts, i, MatchHost *));
        }
        r = take_added_names(m);
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
        host_mark_used(host);
        host_offer_names(m, host);
        return take_added_names(m);
}

ManagedDomain *matching_find(const Matching *m, const char *name) {
        const Entry *e = index_find(m, name), *in_force = first_in_force(e);

        if (in_force)
                e = in_force;
        return e ? e->domain : NULL;
}

const apr_array_header_t *matching_notes(const Matching *m) {
        return m->notes;
}
