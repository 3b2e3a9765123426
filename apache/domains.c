/* SPDX-License-Identifier: Apache-2.0 */
#include "domains.h"

#include <errno.h>

#include "ap_listen.h"
#include "apr_hash.h"
#include "apr_strings.h"
#include "http_log.h"

#include "base/string-util.h"
#include "contact.h"
#include "crypto/key.h"
#include "domain/name.h"
#include "hosts.h"

static apr_status_t free_domain(void *data) {
        (void) managed_domain_free(data);
        return APR_SUCCESS;
}

static int take_list(char ***list, const apr_array_header_t *words) {
        int r = 0;

        for (int i = 0; r == 0 && words && i < words->nelts; i++)
                r = strv_extend(list, APR_ARRAY_IDX(words, i, const char *));
        return r;
}

/* The name in front is there already. Definitions have no name twice, so nothing is searched. */
static int take_names(ManagedDomain *d, const apr_array_header_t *names) {
        char **list = calloc((size_t) names->nelts + 1, sizeof(*list));

        if (!list)
                return -ENOMEM;
        (void) strv_free(d->names);
        d->names = list;

        for (int i = 0; i < names->nelts; i++) {
                list[i] = strdup(APR_ARRAY_IDX(names, i, const char *));
                if (!list[i])
                        return -ENOMEM;
        }
        return 0;
}

/* The value of one setting: the domain's own, else that of the base server, else (NULL or unset) the default. */
#define IN_FORCE(own, base, member) ((own)->member ? (own)->member : (base)->member)

static int take_settings(ManagedDomain *d, const Settings *own, const Settings *base) {
        const apr_array_header_t *urls = IN_FORCE(own, base, ca_urls), *challenges = IN_FORCE(own, base, challenges);
        const char *ca_file = IN_FORCE(own, base, ca_file), *agreement = IN_FORCE(own, base, agreement);
        const RenewMode *mode = IN_FORCE(own, base, renew_mode);
        const bool *transitive = IN_FORCE(own, base, transitive);
        const KeySpecs *keys = IN_FORCE(own, base, keys);
        int r;

        d->transitive = transitive ? *transitive : true;
        d->renew_mode = mode ? *mode : RENEW_MODE_AUTO;
        d->renew_window = window_is_set(&own->renew_window) ? own->renew_window : base->renew_window;
        d->warn_window = window_is_set(&own->warn_window) ? own->warn_window : base->warn_window;
        if (keys)
                d->keys = *keys;

        r = urls && urls->nelts > 0 ? take_list(&d->ca_urls, urls) : strv_extend(&d->ca_urls, MANAGED_DOMAIN_CA_URL_DEFAULT);
        if (r == 0)
                r = take_list(&d->challenges, challenges);
        if (r == 0 && !str_is_empty(ca_file))
                r = str_replace(&d->ca_file, ca_file);
        if (r == 0 && agreement)
                r = str_replace(&d->agreement, agreement);
        return r;
}

static int domain_make(const Configuration *c, const Definition *definition, apr_pool_t *p, ManagedDomain **ret) {
        ManagedDomain *d = managed_domain_new(APR_ARRAY_IDX(definition->names, 0, const char *));
        int r;

        if (!d)
                return -ENOMEM;
        apr_pool_cleanup_register(p, d, free_domain, apr_pool_cleanup_null);

        r = take_names(d, definition->names);
        if (r == 0)
                r = take_settings(d, &definition->settings, &server_settings(c->base)->settings);
        if (r == 0)
                r = str_replace(&d->defined_file, definition->file);
        d->defined_line = definition->line;
        *ret = d;
        return r;
}

/* Contacts */

static const char *admin_of(const server_rec *s, apr_pool_t *p) {
        if (str_is_empty(s->server_admin) || str_equal(s->server_admin, DEFAULT_ADMIN))
                return NULL;
        return contact_uri_of_admin(p, s->server_admin);
}

static const char *contact_of_host(const Configuration *c, const server_rec *s, apr_pool_t *p) {
        const ServerSettings *settings = server_settings(s);

        if (settings != server_settings(c->base) && settings->settings.contact)
                return settings->settings.contact;
        return admin_of(s, p);
}

/* What the virtual hosts of a domain say, which may be several things. */
static int take_contact_of_host(const Configuration *c, const MatchHost *host, apr_pool_t *p) {
        const char *contact = contact_of_host(c, host->server, p);
        int r = 0;

        for (int i = 0; r == 0 && contact && i < host->domains->nelts; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(host->domains, i, ManagedDomain *);

                if (!strv_contains(d->contacts, contact))
                        r = strv_extend(&d->contacts, contact);
        }
        return r;
}

static int set_contact(ManagedDomain *d, const char *contact) {
        (void) strv_free(d->contacts);
        d->contacts = NULL;
        return strv_extend(&d->contacts, contact);
}

/* The domain's own contact, else that of the base server, else those of its hosts. */
static int take_contacts(const Configuration *c, const apr_array_header_t *hosts, apr_pool_t *p) {
        const char *common = server_settings(c->base)->settings.contact;
        int r = 0;

        if (!common)
                common = admin_of(c->base, p);
        for (int i = 0; r == 0 && !common && i < hosts->nelts; i++)
                r = take_contact_of_host(c, APR_ARRAY_IDX(hosts, i, const MatchHost *), p);

        for (int i = 0; r == 0 && i < c->definitions->nelts; i++) {
                const char *contact = APR_ARRAY_IDX(c->definitions, i, const Definition *)->settings.contact;

                if (!contact)
                        contact = common;
                if (contact)
                        r = set_contact(APR_ARRAY_IDX(c->domains->all, i, ManagedDomain *), contact);
        }
        return r;
}

/* What a domain can be refused for by itself */

static bool listens(uint16_t port, const char *protocol) {
        for (const ap_listen_rec *l = ap_listeners; port != 0 && l; l = l->next)
                if (l->bind_addr->port == port && (str_is_empty(l->protocol) || str_has_prefix(l->protocol, protocol)))
                        return true;
        return false;
}

bool domain_allows_http01(const ManagedDomain *d) {
        return !d->challenges || strv_contains(d->challenges, "http-01");
}

static const char *why_names(const ManagedDomain *d, apr_pool_t *p) {
        if (strv_length(d->names) > MANAGED_DOMAIN_NAMES_MAX)
                return apr_psprintf(p, "it has more than %d names", MANAGED_DOMAIN_NAMES_MAX);

        STRV_FOREACH(name, d->names)
                if (!domain_name_is_valid(*name))
                        return apr_psprintf(p,
                                            "'%s' is not a DNS name that a certificate can have; write letters, digits and hyphens "
                                            "(international names in their xn-- form)",
                                            ap_escape_logitem(p, *name));
        return NULL;
}

/* Whether a key can be made on this curve is best known by making one. Once for each curve, however many domains want it. */
static const char *why_curve(const Configuration *c, const KeySpec *spec, apr_pool_t *p) {
        const char *why = apr_hash_get(c->domains->curves, spec->curve, APR_HASH_KEY_STRING);
        _auto_problem_ Problem *problem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (!why) {
                why = key_make(spec, &key, &problem) == -EINVAL && problem ? apr_psprintf(p, "MDPrivateKeys: %s", problem->detail) : "";
                apr_hash_set(c->domains->curves, apr_pstrdup(p, spec->curve), APR_HASH_KEY_STRING, why);
        }
        return *why ? why : NULL;
}

static const char *why_keys(const Configuration *c, const ManagedDomain *d, apr_pool_t *p) {
        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                KeySpec spec = key_specs_get(&d->keys, i);
                const char *why = spec.type == KEY_TYPE_EC ? why_curve(c, &spec, p) : NULL;

                if (why)
                        return why;
        }
        return NULL;
}

static const char *why_wildcard(const ManagedDomain *d, apr_pool_t *p) {
        STRV_FOREACH(name, d->names)
                if (domain_name_is_wildcard(*name))
                        return apr_psprintf(
                                p, "No way to prove %s: a wildcard cannot be proven by http-01 (dns-01 is not there yet)", *name);
        return NULL;
}

static const char *why_challenges(const Configuration *c, const ManagedDomain *d, apr_pool_t *p) {
        const char *why;

        if (d->renew_mode == RENEW_MODE_MANUAL)
                return NULL;
        if (!domain_allows_http01(d))
                return "MDCAChallenges names no way of proving names that is known here; known is http-01";
        why = why_wildcard(d, p);
        if (why)
                return why;
        if (d->challenges || c->domains->http_reachable)
                return NULL;

        if (c->http_port == 0)
                return "its names cannot be proven: http-01 needs port 80, and MDPortMap says that it cannot be reached";
        return apr_psprintf(p,
                            "its names cannot be proven: http-01 needs http on port 80, and no Listen is for port %u; "
                            "listen there, or tell with MDPortMap where port 80 arrives, or write MDCAChallenges http-01",
                            c->http_port);
}

static int refuse_alone(const Configuration *c, ManagedDomain *d, apr_pool_t *p) {
        const char *why = why_names(d, p);

        if (!why)
                why = why_keys(c, d, p);
        if (!why)
                why = why_challenges(c, d, p);
        return why ? str_replace(&d->refused, why) : 0;
}

/* All together */

static int make_all(Configuration *c, apr_pool_t *p) {
        for (int i = 0; i < c->definitions->nelts; i++) {
                ManagedDomain *d;
                int r;

                r = domain_make(c, APR_ARRAY_IDX(c->definitions, i, const Definition *), p, &d);
                if (r == 0)
                        r = refuse_alone(c, d, p);
                if (r < 0)
                        return r;
                APR_ARRAY_PUSH(c->domains->all, ManagedDomain *) = d;
        }
        return 0;
}

int domains_make(Configuration *c, apr_pool_t *p) {
        Domains *domains = apr_pcalloc(p, sizeof(*domains));
        apr_array_header_t *hosts;
        int r;

        domains->pool = p;
        domains->all = apr_array_make(p, c->definitions->nelts, sizeof(ManagedDomain *));
        domains->certs = apr_hash_make(p);
        domains->curves = apr_hash_make(p);
        domains->http_reachable = listens(c->http_port, "http");
        domains->https_reachable = listens(c->https_port, "http");
        c->domains = domains;

        r = make_all(c, p);
        if (r < 0)
                return r;

        hosts = hosts_collect(c, p, &domains->hosts);
        r = matching_new(p, c->match_server_names_only ? MATCH_SERVER_NAMES : MATCH_ALL, domains->all, hosts, &domains->matching);
        if (r < 0)
                return r;
        return take_contacts(c, hosts, p);
}

MatchHost *domains_host(const Configuration *c, const server_rec *s) {
        return c->domains ? apr_hash_get(c->domains->hosts, &s, sizeof(s)) : NULL;
}

/* Telling */

static void tell_refused(const Configuration *c, const ManagedDomain *d) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base, "%s (%s:%u) is not managed: %s.",
                     ap_escape_logitem(c->domains->pool, d->name), d->defined_file, d->defined_line, d->refused);
}

static void tell_unused(const Configuration *c, const ManagedDomain *d) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base,
                     "%s (%s:%u) is used by no virtual host and therefore not renewed; with MDRenewMode always it would be.",
                     d->name, d->defined_file, d->defined_line);
}

static void tell_domains(const Configuration *c) {
        for (int i = 0; i < c->domains->all->nelts; i++) {
                const ManagedDomain *d = APR_ARRAY_IDX(c->domains->all, i, const ManagedDomain *);

                if (d->refused)
                        tell_refused(c, d);
                else if (!d->used && d->renew_mode == RENEW_MODE_AUTO)
                        tell_unused(c, d);
        }
}

void domains_tell(Configuration *c) {
        Domains *domains = c->domains;
        const apr_array_header_t *notes = matching_notes(domains->matching);
        bool first = !domains->told;

        domains->told = true;
        if (first)
                tell_domains(c);

        for (; domains->n_notes_told < notes->nelts; domains->n_notes_told++) {
                const MatchNote *n = &APR_ARRAY_IDX(notes, domains->n_notes_told, MatchNote);

                if (n->kind != MATCH_NOTE_REFUSED)
                        ap_log_error(APLOG_MARK, n->kind == MATCH_NOTE_INFO ? APLOG_INFO : APLOG_WARNING, 0, c->base, "%s: %s.",
                                     n->domain->name, n->text);
                else if (!first)
                        tell_refused(c, n->domain);
        }
}
