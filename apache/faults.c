/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_hash.h"
#include "apr_strings.h"

#include "base/string-util.h"
#include "ca-name.h"
#include "crypto/key.h"
#include "domain/name.h"
#include "pair.h"
#include "pass.h"

static const char *why_names(const ManagedDomain *d, apr_pool_t *p) {
        if (strv_length(d->names) > MANAGED_DOMAIN_NAMES_MAX)
                return apr_psprintf(p, "it has more than %d names", MANAGED_DOMAIN_NAMES_MAX);

        STRV_FOREACH(name, d->names)
                if (!domain_identifier_is_valid(*name))
                        return apr_psprintf(p,
                                            "'%.253s' is neither an IP address nor a DNS name that a certificate can have; write letters, digits "
                                            "and hyphens (international names in their xn-- form)",
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

/* The TLS module would stop the server for a file that is not there. */
static const char *why_file(apr_pool_t *p, const char *directive, const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return apr_psprintf(p, "%s: %s cannot be read: %s", directive, path, strerror(errno));
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return apr_psprintf(p, "%s: %s is %s", directive, path, S_ISREG(st.st_mode) ? "empty" : "not a file");
        return NULL;
}

static const char *why_files(const ManagedDomain *d, apr_pool_t *p) {
        size_t certs = strv_length(d->cert_files), keys = strv_length(d->key_files);
        const char *why = NULL;

        if (certs != keys)
                return apr_psprintf(p, "it has %" APR_SIZE_T_FMT " MDCertificateFile and %" APR_SIZE_T_FMT " MDCertificateKeyFile; each certificate needs its key", certs, keys);
        for (size_t i = 0; !why && i < certs; i++)
                why = why_file(p, "MDCertificateFile", d->cert_files[i]);
        for (size_t i = 0; !why && i < keys; i++)
                why = why_file(p, "MDCertificateKeyFile", d->key_files[i]);
        return why;
}

static const char *why_fallback(const Configuration *c, const ManagedDomain *d, apr_pool_t *p) {
        const FilePair *pair = domain_fallback(c, d);
        const char *why;

        if (!pair)
                return NULL;
        why = why_file(p, "MDFallbackCertificate", pair->cert_file);
        return why ? why : why_file(p, "MDFallbackCertificate", pair->key_file);
}

static const char *why_ca(const ManagedDomain *d, apr_pool_t *p) {
        STRV_FOREACH(url, d->ca_urls) {
                bool is_socket = str_has_prefix(*url, CA_SOCKET_PREFIX);

                if (is_socket && !d->protocol)
                        return apr_psprintf(p, "MDCertificateAuthority %s is for MDCertificateProtocol tailscale only", *url);
                if (!is_socket && d->protocol)
                        return apr_psprintf(p, "with MDCertificateProtocol tailscale, MDCertificateAuthority is a socket (%s), not %s", CA_TAILSCALE_SOCKET,
                                            *url);
        }
        return NULL;
}

const char *fault_of_itself(const Configuration *c, const ManagedDomain *d, apr_pool_t *p) {
        const char *why = why_names(d, p);

        if (!why)
                why = why_files(d, p);
        if (!why)
                why = why_fallback(c, d, p);
        if (!why && !managed_domain_is_static(d))
                why = why_keys(c, d, p);
        return why ? why : why_ca(d, p);
}

/* Ways of proving names: section B.7 of what mod_md did. Written down, a way is taken for possible; otherwise it is chosen by what can
 * be reached from outside. */

typedef struct Ways {
        bool http01, tls_alpn01;
        bool dns01; /* dns-01 or dns-persist-01 */
} Ways;

static Ways ways_of(const Configuration *c, const ManagedDomain *d) {
        bool chosen = !d->challenges;

        return (Ways){
                .http01 = domain_allows_challenge(d, "http-01") && (!chosen || c->domains->http_reachable),
                .tls_alpn01 = domain_allows_challenge(d, "tls-alpn-01") && (!chosen || (c->domains->https_reachable && d->acme_tls_names)),
                .dns01 = (domain_allows_challenge(d, "dns-01") && d->dns01_cmd) || strv_contains(d->challenges, "dns-persist-01"),
        };
}

static const char *why_not_http01(const Configuration *c, const ManagedDomain *d, apr_pool_t *p) {
        if (!domain_allows_challenge(d, "http-01"))
                return "http-01 is not in MDCAChallenges";
        if (c->http_port == 0)
                return "http-01 needs port 80, and MDPortMap says that it cannot be reached";
        return apr_psprintf(p,
                            "http-01 needs http on port 80, and no Listen is for port %u (listen there, or tell with MDPortMap where port 80 "
                            "arrives, or write MDCAChallenges http-01)",
                            c->http_port);
}

static const char *why_not_tls_alpn01(const Configuration *c, const ManagedDomain *d, apr_pool_t *p) {
        if (!domain_allows_challenge(d, "tls-alpn-01"))
                return "tls-alpn-01 is not in MDCAChallenges";
        if (c->https_port == 0)
                return "tls-alpn-01 needs port 443, and MDPortMap says that it cannot be reached";
        if (!c->domains->https_reachable)
                return apr_psprintf(p, "tls-alpn-01 needs https on port 443, and no Listen is for port %u", c->https_port);
        return "tls-alpn-01 needs \"Protocols acme-tls/1\" in a virtual host of the domain with TLS";
}

static const char *why_not_dns01(const ManagedDomain *d) {
        return domain_allows_challenge(d, "dns-01") ? "dns-01 needs a program (MDChallengeDns01)" : "dns-01 is not in MDCAChallenges";
}

static const char *why_name(const Configuration *c, const ManagedDomain *d, const char *name, const Ways *ways, apr_pool_t *p) {
        if (domain_name_is_wildcard(name))
                return ways->dns01 ? NULL : apr_psprintf(p, "No way to prove %s: a wildcard needs dns-01, and %s", name, why_not_dns01(d));
        if (ways->http01 || ways->tls_alpn01)
                return NULL;
        if (domain_name_is_address(name))
                return apr_psprintf(p, "No way to prove %s: %s; %s; and dns-01 is not for addresses", name, why_not_http01(c, d, p),
                                    why_not_tls_alpn01(c, d, p));
        if (ways->dns01)
                return NULL;
        return apr_psprintf(p, "No way to prove its names: %s; %s; %s", why_not_http01(c, d, p), why_not_tls_alpn01(c, d, p), why_not_dns01(d));
}

const char *fault_of_proof(const Configuration *c, const ManagedDomain *d, apr_pool_t *p) {
        Ways ways = ways_of(c, d);

        if (d->renew_mode == RENEW_MODE_MANUAL || d->protocol)
                return NULL;
        STRV_FOREACH(name, d->names) {
                const char *why = why_name(c, d, *name, &ways, p);

                if (why)
                        return why;
        }
        return NULL;
}

/* Doubts */

static void doubt(apr_array_header_t *texts, const char *text) {
        APR_ARRAY_PUSH(texts, const char *) = text;
}

/* Names that a wildcard of the domain covers need not be in the order. */
static size_t count_ordered(const ManagedDomain *d, apr_pool_t *p) {
        char **wildcards = apr_pcalloc(p, (strv_length(d->names) + 1) * sizeof(*wildcards));
        size_t n = 0, others = 0;
        const char *first;

        STRV_FOREACH(name, d->names)
                if (domain_name_is_wildcard(*name))
                        wildcards[n++] = *name;
        if (domain_names_uncovered(wildcards, d->names, &first, &others) < 0)
                return strv_length(d->names);
        return n + others;
}

static void doubt_names(const ManagedDomain *d, const CaName *ca, apr_pool_t *p, apr_array_header_t *texts) {
        unsigned max = ca_names_max(ca, d->profile);
        size_t n = strv_length(d->names);

        if (max == 0 || n <= max)
                return;
        n = count_ordered(d, p);
        if (n > max)
                doubt(texts, apr_psprintf(p, "it has %" APR_SIZE_T_FMT " names, and %s puts at most %u into a certificate%s%s; divide them among several MDomain", n,
                                          ca->name, max, d->profile ? " of the profile " : "", str_or(d->profile, "")));
}

static void doubt_addresses(const ManagedDomain *d, const CaName *ca, apr_pool_t *p, apr_array_header_t *texts) {
        if (!ca->is_letsencrypt || str_equal_nocase(d->profile, "shortlived"))
                return;
        STRV_FOREACH(name, d->names)
                if (domain_name_is_address(*name)) {
                        doubt(texts, apr_psprintf(p, "%s certifies addresses such as %s only with MDProfile shortlived", ca->name, *name));
                        return;
                }
}

static void doubt_ca(const ManagedDomain *d, apr_pool_t *p, apr_array_header_t *texts) {
        const CaName *ca = d->ca_urls ? ca_name_find_url(d->ca_urls[0]) : NULL;

        if (!ca || d->renew_mode == RENEW_MODE_MANUAL)
                return;
        doubt_names(d, ca, p, texts);
        doubt_addresses(d, ca, p, texts);
        if (ca->is_letsencrypt && d->must_staple)
                doubt(texts, apr_psprintf(p, "%s refuses orders with MDMustStaple", ca->name));
        if (ca->wants_binding && !managed_domain_has_eab(d))
                doubt(texts, apr_psprintf(p, "%s gives no account without MDExternalAccountBinding", ca->name));
}

/* Ordinary users, who may test a configuration, cannot read keys. */
static bool can_look(const char *key_file) {
        return geteuid() == 0 || access(key_file, R_OK) == 0;
}

static void doubt_pair(const char *directive, const char *cert_file, const char *key_file, apr_pool_t *p, apr_array_header_t *texts) {
        const char *why = NULL;
        PairLeaf leaf;

        if (can_look(key_file) && !pair_files_are_usable(p, cert_file, key_file, &leaf, &why))
                doubt(texts, apr_psprintf(p, "%s %s will not be used: %s", directive, cert_file, why));
}

/* A server that goes to work looks at them when it hands them out. */
static void doubt_files(const Configuration *c, const ManagedDomain *d, apr_pool_t *p, apr_array_header_t *texts) {
        const FilePair *fallback = domain_fallback(c, d);
        size_t n = strv_length(d->key_files);

        for (size_t i = 0; i < n && d->cert_files[i]; i++)
                doubt_pair("MDCertificateFile", d->cert_files[i], d->key_files[i], p, texts);
        if (fallback)
                doubt_pair("MDFallbackCertificate", fallback->cert_file, fallback->key_file, p, texts);
}

const char *fault_of_command(const char *directive, char *const *command, apr_pool_t *p) {
        if (!command || !command[0] || access(command[0], X_OK) == 0)
                return NULL;
        if (errno == EACCES && geteuid() != 0) /* hooks have another user */
                return NULL;
        return apr_psprintf(p, "%s %s cannot be run: %s", directive, command[0], strerror(errno));
}

/* Commands are there when they are wanted, or the launcher says so. */
static void doubt_command(const ManagedDomain *d, apr_pool_t *p, apr_array_header_t *texts) {
        const char *why = fault_of_command("MDChallengeDns01", d->dns01_cmd, p);

        if (why)
                doubt(texts, why);
}

void faults_doubt(const Configuration *c, const ManagedDomain *d, apr_pool_t *p, apr_array_header_t *texts) {
        if (pass_is_test()) {
                doubt_files(c, d, p, texts);
                doubt_command(d, p, texts);
        }
        doubt_ca(d, p, texts);
        if (d->protocol && strv_length(d->names) > 1)
                doubt(texts, apr_psprintf(p, "with MDCertificateProtocol tailscale a certificate has one name, %s", d->name));
        if (d->require_https != REQUIRE_HTTPS_OFF && d->used && !d->used_tls)
                doubt(texts, "MDRequireHttps sends visitors to https, and no virtual host of it has TLS");
}
