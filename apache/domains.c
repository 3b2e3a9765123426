/* SPDX-License-Identifier: Apache-2.0 */
#include "domains.h"

#include <errno.h>

#include "ap_listen.h"
#include "apr_hash.h"
#include "apr_strings.h"
#include "http_log.h"

#include "base/string-util.h"
#include "contact.h"
#include "domain-settings.h"
#include "endpoints.h"
#include "faults.h"
#include "hosts.h"

#define HSTS_DEFAULT "max-age=15768000" /* half a year, as mod_md */

static apr_status_t free_domain(void *data) {
        (void) managed_domain_free(data);
        return APR_SUCCESS;
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

static int domain_make(const Configuration *c, const Definition *definition, apr_pool_t *p, ManagedDomain **ret) {
        ManagedDomain *d = managed_domain_new(APR_ARRAY_IDX(definition->names, 0, const char *));
        int r;

        if (!d)
                return -ENOMEM;
        apr_pool_cleanup_register(p, d, free_domain, apr_pool_cleanup_null);

        r = take_names(d, definition->names);
        if (r == 0)
                r = domain_settings_take(d, &definition->settings, &server_settings(c->base)->settings);
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

/* What can be reached, and what can be known of a domain by itself */

static bool listens(uint16_t port, const char *protocol) {
        for (const ap_listen_rec *l = ap_listeners; port != 0 && l; l = l->next)
                if (l->bind_addr->port == port && (str_is_empty(l->protocol) || str_has_prefix(l->protocol, protocol)))
                        return true;
        return false;
}

bool domain_allows_challenge(const ManagedDomain *d, const char *type) {
        return !d->challenges || strv_contains(d->challenges, type);
}

bool domain_allows_http01(const ManagedDomain *d) {
        return domain_allows_challenge(d, "http-01");
}

static const Settings *own_settings(const Configuration *c, const ManagedDomain *d) {
        const Definition *definition = apr_hash_get(c->domains->definitions, &d, sizeof(d));

        return &definition->settings;
}

const char *domain_hsts(const Configuration *c, const ManagedDomain *d) {
        const char *hsts = own_settings(c, d)->hsts;

        if (d->require_https != REQUIRE_HTTPS_PERMANENT)
                return NULL;
        if (!hsts)
                hsts = server_settings(c->base)->settings.hsts;
        if (!hsts)
                return HSTS_DEFAULT;
        return *hsts ? hsts : NULL;
}

const FilePair *domain_fallback(const Configuration *c, const ManagedDomain *d) {
        const FilePair *pair = own_settings(c, d)->fallback;

        if (!pair)
                pair = server_settings(c->base)->settings.fallback;
        return pair && pair->cert_file ? pair : NULL;
}

/* All together */

static void know_definition(Domains *domains, ManagedDomain *d, const Definition *definition) {
        ManagedDomain **key = apr_pmemdup(domains->pool, &d, sizeof(d));

        apr_hash_set(domains->definitions, key, sizeof(*key), definition);
        APR_ARRAY_PUSH(domains->all, ManagedDomain *) = d;
}

static int make_all(Configuration *c, apr_pool_t *p) {
        for (int i = 0; i < c->definitions->nelts; i++) {
                const Definition *definition = APR_ARRAY_IDX(c->definitions, i, const Definition *);
                const char *why;
                ManagedDomain *d;

                if (domain_make(c, definition, p, &d) < 0)
                        return -ENOMEM;
                know_definition(c->domains, d, definition);
                why = fault_of_itself(c, d, p);
                if (why && str_replace(&d->refused, why) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* Whether they can be proven is known when it is known which virtual hosts they have. */
static int look_at_all(Configuration *c, apr_pool_t *p) {
        for (int i = 0; i < c->domains->all->nelts; i++) {
                ManagedDomain *d = APR_ARRAY_IDX(c->domains->all, i, ManagedDomain *);
                const char *why = d->refused ? NULL : fault_of_proof(c, d, p);

                if (why && str_replace(&d->refused, why) < 0)
                        return -ENOMEM;
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
        domains->definitions = apr_hash_make(p);
        domains->http_reachable = listens(c->http_port, "http");
        domains->https_reachable = listens(c->https_port, "http");
        c->domains = domains;

        r = make_all(c, p);
        if (r < 0)
                return r;

        hosts = hosts_collect(c, p, &domains->hosts);
        r = matching_new(p, c->match_server_names_only ? MATCH_SERVER_NAMES : MATCH_ALL, domains->all, hosts, &domains->matching);
        if (r == 0)
                r = look_at_all(c, p);
        return r == 0 ? take_contacts(c, hosts, p) : r;
}

size_t domains_refused(const Configuration *c) {
        size_t n = 0;

        for (int i = 0; i < c->domains->all->nelts; i++)
                if (APR_ARRAY_IDX(c->domains->all, i, const ManagedDomain *)->refused)
                        n++;
        return n;
}

MatchHost *domains_host(const Configuration *c, const server_rec *s) {
        return c->domains ? apr_hash_get(c->domains->hosts, &s, sizeof(s)) : NULL;
}

/* Telling */

static void tell_refused(const Configuration *c, const ManagedDomain *d) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, c->base, "%.253s (%s:%u) is not managed: %s.",
                     ap_escape_logitem(c->domains->pool, d->name), d->defined_file, d->defined_line, d->refused);
}

static void tell_unused(const Configuration *c, const ManagedDomain *d) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base,
                     "%s (%s:%u) is used by no virtual host and therefore not renewed; with MDRenewMode always it would be.",
                     d->name, d->defined_file, d->defined_line);
}

static void tell_doubts(const Configuration *c, const ManagedDomain *d) {
        apr_array_header_t *texts = apr_array_make(c->domains->pool, 1, sizeof(const char *));

        faults_doubt(c, d, c->domains->pool, texts);
        for (int i = 0; i < texts->nelts; i++)
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base, "%s (%s:%u): %s.", d->name, d->defined_file, d->defined_line,
                             APR_ARRAY_IDX(texts, i, const char *));
}

static void tell_shadowed(const Configuration *c) {
        apr_pool_t *p = NULL;
        apr_array_header_t *texts;

        (void) apr_pool_create(&p, c->domains->pool);
        texts = endpoints_shadowed(c, p);
        for (int i = 0; i < texts->nelts; i++)
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, c->base, "%s.", APR_ARRAY_IDX(texts, i, const char *));
        apr_pool_destroy(p);
}

static void tell_domains(const Configuration *c) {
        for (int i = 0; i < c->domains->all->nelts; i++) {
                const ManagedDomain *d = APR_ARRAY_IDX(c->domains->all, i, const ManagedDomain *);

                if (d->refused)
                        tell_refused(c, d);
                else
                        tell_doubts(c, d);
                if (!d->refused && !d->used && d->renew_mode == RENEW_MODE_AUTO)
                        tell_unused(c, d);
        }
}

void domains_tell(Configuration *c) {
        Domains *domains = c->domains;
        const apr_array_header_t *notes = matching_notes(domains->matching);
        bool first = !domains->told;

        domains->told = true;
        if (first) {
                tell_domains(c);
                tell_shadowed(c);
        }

        for (; domains->n_notes_told < notes->nelts; domains->n_notes_told++) {
                const MatchNote *n = &APR_ARRAY_IDX(notes, domains->n_notes_told, MatchNote);

                if (n->kind != MATCH_NOTE_REFUSED)
                        ap_log_error(APLOG_MARK, n->kind == MATCH_NOTE_INFO ? APLOG_INFO : APLOG_WARNING, 0, c->base, "%s: %s.",
                                     n->domain->name, n->text);
                else if (!first)
                        tell_refused(c, n->domain);
        }
}
