/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenge-type.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/enum-table.h"
#include "base/string-util.h"
#include "domain/name.h"

static const char *const challenge_type_table[_CHALLENGE_TYPE_MAX] = {
        [CHALLENGE_TYPE_TLS_ALPN01] = "tls-alpn-01",
        [CHALLENGE_TYPE_HTTP01] = "http-01",
        [CHALLENGE_TYPE_DNS01] = "dns-01",
        [CHALLENGE_TYPE_DNS_PERSIST01] = "dns-persist-01",
};

DEFINE_ENUM_TABLE(challenge_type, ChallengeType)

typedef struct Ways {
        char *why_not[_CHALLENGE_TYPE_AUTO]; /* NULL: this one can be used */
} Ways;

static void ways_done(Ways *w) {
        for (size_t i = 0; i < ELEMENTSOF(w->why_not); i++)
                free(w->why_not[i]);
}

/* --- One by one --- */

static char *why_no_http(const Domain *d) {
        for (size_t i = 0; i < d->n_servers; i++)
                if (d->servers[i].snapshot->http_reachable)
                        return NULL;
        if (d->n_servers > 0 && d->servers[0].snapshot->http_port == 0)
                return strdup("for http-01, MDPortMap says that port 80 does not arrive here");
        return str_printf("for http-01, no server listens for http on port %u (MDPortMap says where port 80 arrives)",
                          d->n_servers > 0 ? d->servers[0].snapshot->http_port : 80);
}

/* One name whose virtual host answers is enough: the module answers for the others, too. */
static char *why_no_tls_alpn(const Domain *d) {
        bool reachable = false;

        for (size_t i = 0; i < d->n_servers; i++) {
                reachable = reachable || d->servers[i].snapshot->https_reachable;
                if (d->servers[i].snapshot->https_reachable && strv_length(d->servers[i].view->acme_tls_names) > 0)
                        return NULL;
        }
        if (reachable)
                return strdup("for tls-alpn-01, no virtual host of its names speaks acme-tls/1 ('Protocols http/1.1 acme-tls/1')");
        if (d->n_servers > 0 && d->servers[0].snapshot->https_port == 0)
                return strdup("for tls-alpn-01, MDPortMap says that port 443 does not arrive here");
        return str_printf("for tls-alpn-01, no server listens for https on port %u (MDPortMap says where port 443 arrives)",
                          d->n_servers > 0 ? d->servers[0].snapshot->https_port : 443);
}

static char *why_no_dns(const Domain *d) {
        return strv_length(d->config->dns01_cmd) > 0 ? NULL : strdup("for dns-01, there is no command (MDChallengeDns01)");
}

/* --- Together --- */

static const char *find_name(const Domain *d, bool (*is)(const char *name)) {
        STRV_FOREACH(name, d->config->names)
                if (is(*name))
                        return *name;
        return NULL;
}

static bool is_plain(const char *name) {
        return !domain_name_is_wildcard(name) && !domain_name_is_address(name);
}

static int set_mismatch(const Domain *d, const char *what, const char *first, const char *second, const char *third, Problem **ret_problem) {
        return problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_MISMATCH, "No way to prove %s: %s%s%s%s%s", what, first, second ? "; " : "", str_or(second, ""),
                           third ? "; " : "", str_or(third, ""));
}

/* Each kind of name needs a way of its own. False: there is none for one of them. */
static bool check_names(const Domain *d, const Ways *w, Problem **ret_problem) {
        const char *const http = w->why_not[CHALLENGE_TYPE_HTTP01], *const tls = w->why_not[CHALLENGE_TYPE_TLS_ALPN01], *const dns = w->why_not[CHALLENGE_TYPE_DNS01];
        const char *wildcard = find_name(d, domain_name_is_wildcard), *address = find_name(d, domain_name_is_address);

        if (wildcard && dns) {
                (void) set_mismatch(d, wildcard, "a wildcard is proven by dns-01 alone", dns, NULL, ret_problem);
                return false;
        }
        if (address && tls && http) {
                (void) set_mismatch(d, address, "an address is not proven by dns-01", tls, http, ret_problem);
                return false;
        }
        if (tls && http && dns) {
                (void) set_mismatch(d, DOMAIN_NAME(d), tls, http, dns, ret_problem);
                return false;
        }
        return true;
}

static int add_types(const Domain *d, const Ways *w, char ***types) {
        bool direct = find_name(d, domain_name_is_address) || find_name(d, is_plain), dns = find_name(d, domain_name_is_wildcard) || find_name(d, is_plain);

        for (ChallengeType type = 0; type < _CHALLENGE_TYPE_AUTO; type++) {
                int r;

                if (w->why_not[type] || !(type == CHALLENGE_TYPE_DNS01 ? dns : direct))
                        continue;
                r = strv_extend(types, challenge_type_to_string(type));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int choose(const Domain *d, char ***types, Problem **ret_problem) {
        _cleanup_(ways_done) Ways w = {
                .why_not = {
                        [CHALLENGE_TYPE_TLS_ALPN01] = why_no_tls_alpn(d),
                        [CHALLENGE_TYPE_HTTP01] = why_no_http(d),
                        [CHALLENGE_TYPE_DNS01] = why_no_dns(d),
                },
        };

        return check_names(d, &w, ret_problem) ? add_types(d, &w, types) : 0;
}

static int take_explicit(char *const *challenges, char ***types) {
        STRV_FOREACH(type, challenges) {
                char *copy = strdup(*type);
                int r;

                if (copy)
                        str_to_lower(copy);
                r = strv_consume(types, copy);
                if (r < 0)
                        return r;
        }
        return 0;
}

int challenges_available(Domain *d, char ***ret_types, Problem **ret_problem) {
        _auto_strv_ char **types = NULL;
        int r;

        r = d->config->challenges ? take_explicit(d->config->challenges, &types) : choose(d, &types, ret_problem);
        if (r < 0)
                return r;
        *ret_types = take_ptr(types);
        return 0;
}

static bool is_named(const Domain *d, ChallengeType type) {
        STRV_FOREACH(c, d->config->challenges)
                if (str_equal_nocase(*c, challenge_type_to_string(type)))
                        return true;
        return false;
}

/* The sentences of above, without the words that say which type they are about. */
static char *without_type(char *why) {
        char *rest = why && str_has_prefix(why, "for ") ? strchr(why, ',') : NULL;

        if (rest)
                memmove(why, rest + 2, strlen(rest + 2) + 1);
        return why;
}

char *challenge_why_not(const Domain *d, ChallengeType type) {
        bool plain = find_name(d, is_plain), direct = plain || find_name(d, domain_name_is_address), dns = plain || find_name(d, domain_name_is_wildcard);

        if (d->config->challenges)
                return is_named(d, type) ? NULL : strdup("MDCAChallenges does not name it");
        switch (type) {

        case CHALLENGE_TYPE_TLS_ALPN01:
                return direct ? without_type(why_no_tls_alpn(d)) : strdup("wildcards are proven by dns-01 alone");

        case CHALLENGE_TYPE_HTTP01:
                return direct ? without_type(why_no_http(d)) : strdup("wildcards are proven by dns-01 alone");

        case CHALLENGE_TYPE_DNS01:
                return dns ? without_type(why_no_dns(d)) : strdup("addresses are not proven by it");

        default:
                return strdup("it is used only when MDCAChallenges names it");
        }
}

unsigned challenges_usable(const Domain *d) {
        unsigned usable = 0;

        for (ChallengeType type = 0; type < _CHALLENGE_TYPE_MAX; type++) {
                _auto_free_ char *why = challenge_why_not(d, type);

                usable |= why ? 0 : 1U << type;
        }
        return usable;
}
