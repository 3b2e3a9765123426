/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenges.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "crypto/jws.h"
#include "domain/name.h"
#include "manager/event.h"
#include "store/challenge.h"

#define TYPE_HTTP01 "http-01"

static const Snapshot *reachable_server(const Domain *d) {
        for (size_t i = 0; i < d->n_servers; i++)
                if (d->servers[i].snapshot->http_reachable)
                        return d->servers[i].snapshot;
        return NULL;
}

static bool has_wildcard(const Domain *d) {
        STRV_FOREACH(name, d->config->names)
                if (domain_name_is_wildcard(*name))
                        return true;
        return false;
}

int challenges_available(Domain *d, char ***ret_types, Problem **ret_problem) {
        _auto_strv_ char **types = NULL;
        uint16_t port = d->n_servers > 0 ? d->servers[0].snapshot->http_port : 80;

        if (d->config->challenges) {
                types = strv_copy(d->config->challenges);
                if (!types)
                        return -ENOMEM;
        } else if (reachable_server(d) && !has_wildcard(d)) {
                if (strv_extend(&types, TYPE_HTTP01) < 0)
                        return -ENOMEM;
        }
        if (!types && ret_problem && has_wildcard(d))
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_MISMATCH, "No way to prove %s: a wildcard cannot be proven by http-01", DOMAIN_NAME(d));
        else if (!types && ret_problem)
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_MISMATCH,
                                   "No way to prove %s: for http-01 no server listens for http on port %u (MDPortMap says where port 80 arrives)",
                                   DOMAIN_NAME(d), port);
        *ret_types = take_ptr(types);
        return 0;
}

static int set_up_http(Renewal *r, const char *identifier, const char *type, const char *token, const char *url, Problem **ret_problem) {
        _auto_free_ char *answer = NULL;
        int k;

        if (!strv_contains(r->task.settings->names, identifier)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The CA asks to prove %s, which is no name of this domain", identifier);
                return -EBADMSG;
        }
        if (!str_equal(type, TYPE_HTTP01)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "Challenge type %s is not known here", type);
                return -EOPNOTSUPP;
        }
        if (!store_challenge_token_is_valid(token)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The CA's token for %s is none (RFC 8555 section 8.3)", identifier);
                return -EBADMSG;
        }
        k = jws_key_authorization(r->task.account_key, token, &answer);
        if (k == 0)
                k = store_challenge_add(r->domain->manager->store, identifier, answer);
        if (k != 0) {
                k = k < 0 ? k : -EIO;
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "Cannot write the answer for %s to %s/" STORE_CHALLENGES "/%s: %s", identifier,
                                   store_path(r->domain->manager->store), identifier, strerror(-k));
                return k;
        }
        if (strv_extend(&r->challenge_names, identifier) < 0 || strv_extend(&r->challenge_names, token) < 0 ||
            strv_extend(&r->binding.challenge_urls, url) < 0)
                return -ENOMEM;
        return 0;
}

int challenges_set_up(Renewal *r, sd_bus_message *call, const char *identifier_type, const char *identifier, const char *type, const char *token,
                      const char *url, sd_bus_error *error) {
        _auto_problem_ Problem *p = NULL;
        int k;

        if (!str_equal(identifier_type, "dns"))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This challenge makes no sense");
        k = set_up_http(r, identifier, type, token, url, &p);
        if (k < 0)
                return task_refuse(&r->task, BUS_ERROR_REFUSED, p, error);
        return sd_bus_reply_method_return(call, "a{sv}", 0);
}

static bool is_proven_by_another(const Renewal *me, const char *name) {
        const char *path;
        Task *t;

        MAP_FOREACH(me->task.manager->tasks, path, t) {
                const Renewal *r = renewal_of(t);

                if (r && r != me && strv_contains(r->challenge_names, name))
                        return true;
        }
        return false;
}

void challenges_forget(Renewal *r, char *const *names) {
        STRV_FOREACH(name, names)
                if (!domain_name_is_wildcard(*name) && !is_proven_by_another(r, *name))
                        (void) store_challenge_purge(r->domain->manager->store, *name);
}

void challenges_tear_down(Renewal *r) {
        for (char **p = r->challenge_names; p && p[0] && p[1]; p += 2)
                (void) store_challenge_remove(r->domain->manager->store, p[0], p[1]);
        r->challenge_names = strv_free(r->challenge_names);
        if (r->inherited)
                challenges_forget(r, r->task.settings->names);
        r->inherited = false;
}

void challenges_purge_stale(Manager *m) {
        _auto_strv_ char **names = NULL;

        if (store_challenge_list(m->store, &names) < 0)
                return;
        STRV_FOREACH(name, names) {
                Domain *d = manager_find_domain_by_any_name(m, *name);

                if (d && d->job->phase == JOB_PHASE_ORDERING)
                        continue;
                (void) store_challenge_purge(m->store, *name);
        }
}
