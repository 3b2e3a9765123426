/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/challenges.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "crypto/digest.h"
#include "crypto/jws.h"
#include "domain/name.h"
#include "manager/challenge-alpn.h"
#include "manager/challenge-answer.h"
#include "manager/challenge-dns.h"
#include "manager/challenge-persist.h"
#include "manager/challenge-queue.h"
#include "manager/event.h"
#include "store/challenge.h"

/* One that is being set up: its answer is put in place, then the hook for the event runs, then the worker hears of it. Wherever it fails, the worker hears why,
 * and what was done is taken back. */
struct ChallengeSetup {
        ChallengeSetup *next;
        Renewal *renewal;
        sd_bus_message *call;
        ChallengeType type;
        char *identifier; /* without "*." */
        char *token, *url;   /* dns-persist-01 has no token */
        char *authorization; /* the key authorization */
        char **issuers;      /* dns-persist-01 */
        char *expect;        /* what whoever looks finds, as far as it can be told in a text */
        KeyRequest *key;     /* what it waits for */
        ChallengeCall *hook;
};

static ChallengeSetup *setup_free(ChallengeSetup *s) {
        if (!s)
                return NULL;
        for (ChallengeSetup **p = s->renewal ? &s->renewal->setups : NULL; p && *p; p = &(*p)->next)
                if (*p == s) {
                        *p = s->next;
                        break;
                }
        key_request_free(s->key);
        challenge_call_free(s->hook);
        sd_bus_message_unref(s->call);
        free(s->identifier);
        free(s->token);
        free(s->url);
        free(s->authorization);
        strv_free(s->issuers);
        free(s->expect);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(ChallengeSetup *, setup_free)

ChallengeSetup *challenge_setups_free(ChallengeSetup *list) {
        while (list) {
                ChallengeSetup *next = list->next;

                list->renewal = NULL;
                setup_free(list);
                list = next;
        }
        return NULL;
}

/* --- The end of it --- */

static int append_text(sd_bus_message *m, const char *name, const char *value) {
        return sd_bus_message_append(m, "{sv}", name, "s", value);
}

static uint16_t find_port(const Domain *d, ChallengeType type) {
        for (size_t i = 0; i < d->n_servers; i++) {
                const Snapshot *s = d->servers[i].snapshot;

                if (type == CHALLENGE_TYPE_HTTP01 && s->http_reachable)
                        return s->http_port;
                if (type == CHALLENGE_TYPE_TLS_ALPN01 && s->https_reachable)
                        return s->https_port;
        }
        return 0;
}

static int append_record_check(sd_bus_message *m, const ChallengeSetup *s) {
        _auto_free_ char *record = str_printf("_acme-challenge.%s", s->identifier);
        int r;

        if (!record)
                return -ENOMEM;
        r = append_text(m, "record", record);
        return r < 0 ? r : sd_bus_message_append(m, "{sv}", "wait", "t", s->renewal->task.settings->dns01_wait_usec);
}

static int append_persist_check(sd_bus_message *m, const ChallengeSetup *s) {
        _auto_free_ char *record = challenge_persist_name(s->identifier);
        int r;

        if (!record)
                return -ENOMEM;
        r = append_text(m, "record", record);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "issuers");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, s->issuers);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Whether the worker may try it before it tells the CA: not where nothing of ours is where the internet arrives. */
static bool can_be_checked(const ChallengeSetup *s) {
        const ManagedDomain *settings = s->renewal->task.settings;

        if (!settings->challenge_check)
                return false;
        if (s->type == CHALLENGE_TYPE_DNS01)
                return settings->dns01_wait_usec > 0;
        return s->type == CHALLENGE_TYPE_DNS_PERSIST01 || find_port(s->renewal->domain, s->type) > 0;
}

static int append_checks(sd_bus_message *m, const ChallengeSetup *s) {
        int r;

        if (!can_be_checked(s))
                return 0;
        r = append_text(m, "check", challenge_type_to_string(s->type));
        if (r >= 0)
                r = append_text(m, "expect", s->expect);
        if (r < 0)
                return r;
        if (s->type == CHALLENGE_TYPE_DNS01)
                return append_record_check(m, s);
        if (s->type == CHALLENGE_TYPE_DNS_PERSIST01)
                return append_persist_check(m, s);
        return sd_bus_message_append(m, "{sv}", "port", "q", find_port(s->renewal->domain, s->type));
}

static int send_checks(ChallengeSetup *s) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(s->call, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_checks(m, s);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_send(s->renewal->domain->manager->bus, m, NULL);
}

static void take_back(ChallengeSetup *s) {
        Renewal *r = s->renewal;

        if (s->type == CHALLENGE_TYPE_DNS_PERSIST01)
                return; /* nothing of it is ours */
        challenge_answers_remove(r, s->type, s->identifier, s->type == CHALLENGE_TYPE_HTTP01 ? s->token : s->type == CHALLENGE_TYPE_DNS01 ? s->expect : NULL);
        if (s->type == CHALLENGE_TYPE_DNS01)
                challenge_dns_tear_down(r->domain);
}

/* The worker goes on with another type: this is not the end of the renewal, nor what is told of it. */
static void fail(ChallengeSetup *s, const Problem *p) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *why = p ? p->detail : "out of memory";

        log_warning("%s: %s", DOMAIN_NAME(s->renewal->domain), why);
        (void) bus_error_from_problem(&error, BUS_ERROR_REFUSED, p);
        (void) sd_bus_reply_method_error(s->call, &error);
        task_give_time(&s->renewal->task, 0);
        take_back(s);
        setup_free(s);
}

static void fail_errno(ChallengeSetup *s, int error) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_CHALLENGE_SETUP, "Cannot set up %s for %s: %s", challenge_type_to_string(s->type), s->identifier, strerror(-error));

        fail(s, p);
}

static void succeed(ChallengeSetup *s) {
        int r;

        r = strv_extend(&s->renewal->binding.challenge_urls, s->url);
        if (r >= 0)
                r = send_checks(s);
        if (r < 0) {
                fail_errno(s, r);
                return;
        }
        task_give_time(&s->renewal->task, s->type == CHALLENGE_TYPE_DNS01 ? s->renewal->task.settings->dns01_wait_usec : 0);
        setup_free(s);
}

/* --- The event --- */

static void on_event_ended(const LauncherHookEnd *end, const sd_bus_error *error, void *userdata) {
        _auto_problem_ Problem *p = NULL;
        _auto_free_ char *why = NULL;
        ChallengeSetup *s = userdata;

        s->hook = NULL;
        if (challenge_call_succeeded(end)) {
                succeed(s);
                return;
        }
        why = challenge_call_describe(end, error);
        if (challenge_call_was_not_run(end)) { /* nobody disagrees */
                log_warning("%s: The command of MDMessageCmd could not be asked about the challenge %s for %s: %s", DOMAIN_NAME(s->renewal->domain),
                            challenge_type_to_string(s->type), s->identifier, str_or(why, "out of memory"));
                succeed(s);
                return;
        }
        p = problem_new(PROBLEM_TYPE_CHALLENGE_SETUP, "The command of MDMessageCmd did not agree to the challenge %s for %s: %s", challenge_type_to_string(s->type), s->identifier,
                        str_or(why, "out of memory"));
        fail(s, p);
}

/* The launcher takes the command of the first server that names the domain, too. */
static bool has_event_command(const Domain *d) {
        return d->n_servers > 0 && strv_length(d->servers[0].snapshot->message_cmd) > 0;
}

/* The answer is in place. */
static void run_event(ChallengeSetup *s) {
        Domain *d = s->renewal->domain;
        ChallengeCallSpec spec = {
                .kind = CHALLENGE_CALL_EVENT, .domain = DOMAIN_NAME(d), .type = challenge_type_to_string(s->type), .name = s->identifier,
                .handler = on_event_ended, .userdata = s,
        };
        int r;

        event_tell_challenge(d, spec.type, s->identifier);
        if (!has_event_command(d)) {
                succeed(s);
                return;
        }
        task_give_time(&s->renewal->task, LAUNCHER_HOOK_TIMEOUT_USEC);
        r = challenge_call_new(d->manager->challenge_queue, &spec, &s->hook);
        if (r < 0)
                fail_errno(s, r);
}

/* --- The answer --- */

static void fail_to_write(ChallengeSetup *s, int error) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_CHALLENGE_SETUP, "Cannot write the answer for %s to %s/" STORE_CHALLENGES "/%s: %s", s->identifier,
                                                store_path(s->renewal->domain->manager->store), s->identifier, strerror(-error));

        fail(s, p);
}

static void put_http(ChallengeSetup *s) {
        Renewal *r = s->renewal;
        int k;

        k = challenge_answer_add(r, CHALLENGE_TYPE_HTTP01, s->identifier, s->token, NULL);
        if (k == 0)
                k = store_challenge_add(r->domain->manager->store, s->identifier, s->authorization);
        if (k == 0)
                k = str_replace(&s->expect, s->authorization);
        if (k != 0)
                fail_to_write(s, k < 0 ? k : -EIO);
        else
                run_event(s);
}

static void put_alpn(ChallengeSetup *s) {
        int k;

        k = digest_sha256_hex(s->authorization, strlen(s->authorization), &s->expect);
        if (k == 0)
                k = challenge_alpn_put(s->renewal, s->identifier, s->authorization);
        if (k < 0)
                fail_to_write(s, k);
        else
                run_event(s);
}

static void on_alpn_key(KeyRequest *request, EVP_PKEY *key, const Problem *problem, void *userdata) {
        ChallengeSetup *s = userdata;
        int r;

        r = key ? challenge_alpn_take_key(s->renewal->domain->manager, key) : -EIO;
        s->key = key_request_free(s->key);
        if (r < 0)
                fail(s, problem);
        else
                put_alpn(s);
}

static void begin_alpn(ChallengeSetup *s) {
        KeySpec spec;
        int r;

        if (!challenge_alpn_wants_key(s->renewal, &spec)) {
                put_alpn(s);
                return;
        }
        r = key_request_new(s->renewal->domain->manager->keys, &spec, on_alpn_key, s, &s->key);
        if (r < 0)
                fail_errno(s, r);
}

static int begin_record(void *userdata) {
        ChallengeSetup *s = userdata;
        int r;

        r = challenge_answer_add(s->renewal, CHALLENGE_TYPE_DNS01, s->identifier, s->expect, NULL);
        return r < 0 ? r : challenge_dns_remember(s->renewal->domain, s->identifier, s->expect);
}

static void on_record_set_up(const LauncherHookEnd *end, const sd_bus_error *error, void *userdata) {
        _auto_problem_ Problem *p = NULL;
        _auto_free_ char *why = NULL;
        ChallengeSetup *s = userdata;

        s->hook = NULL;
        if (challenge_call_succeeded(end)) {
                run_event(s);
                return;
        }
        why = challenge_call_describe(end, error);
        p = problem_new(PROBLEM_TYPE_CHALLENGE_SETUP, "The command of MDChallengeDns01 could not set up _acme-challenge.%s: %s", s->identifier, str_or(why, "out of memory"));
        fail(s, p);
}

static void begin_dns(ChallengeSetup *s) {
        Domain *d = s->renewal->domain;
        uint8_t digest[DIGEST_SHA256_SIZE];
        int r;

        r = digest_sha256(s->authorization, strlen(s->authorization), digest);
        if (r == 0) {
                s->expect = base64url_encode(digest, sizeof(digest));
                r = s->expect ? 0 : -ENOMEM;
        }
        if (r == 0) {
                const ChallengeCallSpec spec = {
                        .kind = CHALLENGE_CALL_SETUP, .domain = DOMAIN_NAME(d), .name = s->identifier, .value = s->expect,
                        .begin = begin_record, .handler = on_record_set_up, .userdata = s,
                };

                task_give_time(&s->renewal->task, LAUNCHER_HOOK_TIMEOUT_USEC);
                r = challenge_call_new(d->manager->challenge_queue, &spec, &s->hook);
        }
        if (r < 0)
                fail_errno(s, r);
}

static void begin(ChallengeSetup *s) {
        switch (s->type) {

        case CHALLENGE_TYPE_HTTP01:
                put_http(s);
                return;

        case CHALLENGE_TYPE_TLS_ALPN01:
                begin_alpn(s);
                return;

        case CHALLENGE_TYPE_DNS01:
                begin_dns(s);
                return;

        case CHALLENGE_TYPE_DNS_PERSIST01:
                run_event(s); /* the record is somebody else's affair */
                return;

        default:
                fail_errno(s, -EOPNOTSUPP);
                return;
        }
}

/* --- The request --- */

/* Of a wildcard the CA names what is below it. */
static bool is_ours(const Renewal *r, const char *identifier_type, const char *identifier) {
        _auto_free_ char *wildcard = str_printf("*.%s", identifier);
        bool address = domain_name_is_address(identifier);

        if (!str_equal(identifier_type, address ? "ip" : "dns") || domain_name_is_wildcard(identifier))
                return false;
        return strv_contains(r->task.settings->names, identifier) || (!address && wildcard && strv_contains(r->task.settings->names, wildcard));
}

/* What the worker must not ask for, because nothing good comes of it. False: refused, with a problem. */
static bool check_type(Renewal *r, const char *type, bool persistent, ChallengeType *ret, Problem **ret_problem) {
        _auto_strv_ char **allowed = NULL;

        if (challenge_type_from_string(type, ret) < 0 || (*ret == CHALLENGE_TYPE_DNS_PERSIST01) != persistent) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "Challenge type %s is not known here", type);
                return false;
        }
        if (challenges_available(r->domain, &allowed, NULL) < 0 || !strv_contains(allowed, type)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "Challenge type %s cannot be used here", type);
                return false;
        }
        return true;
}

/* 'token' NULL: there is none, and no key authorization either. */
static int setup_new(Renewal *r, sd_bus_message *call, ChallengeType type, const char *identifier, const char *token, const char *url, ChallengeSetup **ret) {
        _cleanup_(setup_freep) ChallengeSetup *s = calloc(1, sizeof(*s));
        int k;

        if (!s || str_replace(&s->identifier, identifier) < 0 || str_replace(&s->token, token) < 0 || str_replace(&s->url, url) < 0)
                return -ENOMEM;
        k = token ? jws_key_authorization(r->task.account_key, token, &s->authorization) : 0;
        if (k < 0)
                return k;
        s->type = type;
        s->call = sd_bus_message_ref(call);
        s->renewal = r;
        s->next = r->setups;
        r->setups = s;
        *ret = take_ptr(s);
        return 0;
}

static int refuse_name(Renewal *r, const char *identifier, sd_bus_error *error) {
        _auto_problem_ Problem *p = problem_new(PROBLEM_TYPE_BAD_ANSWER, "The CA asks to prove %s, which is no name of this domain", identifier);

        return task_refuse(&r->task, BUS_ERROR_REFUSED, p, error);
}

int challenges_set_up_persistent(Renewal *r, sd_bus_message *call, const char *identifier_type, const char *identifier, char *const *issuers,
                                 const char *account_uri, const char *url, sd_bus_error *error) {
        _auto_free_ char *value = NULL;
        _auto_problem_ Problem *p = NULL;
        ChallengeSetup *s;
        ChallengeType t;
        int k;

        if (!is_ours(r, identifier_type, identifier))
                return refuse_name(r, identifier, error);
        if (!check_type(r, challenge_type_to_string(CHALLENGE_TYPE_DNS_PERSIST01), true, &t, &p))
                return bus_error_from_problem(error, BUS_ERROR_REFUSED, p);
        k = challenge_persist_keep(r, identifier, issuers, account_uri, &value, &p);
        if (p)
                return bus_error_from_problem(error, BUS_ERROR_REFUSED, p);
        if (k == 0)
                k = setup_new(r, call, t, identifier, NULL, url, &s);
        if (k < 0)
                return k;
        s->expect = take_ptr(value);
        s->issuers = strv_copy(issuers);
        if (s->issuers)
                begin(s);
        else
                fail_errno(s, -ENOMEM);
        return 1;
}

int challenges_set_up(Renewal *r, sd_bus_message *call, const char *identifier_type, const char *identifier, const char *type, const char *token,
                      const char *url, sd_bus_error *error) {
        _auto_problem_ Problem *p = NULL;
        ChallengeSetup *s;
        ChallengeType t;
        int k;

        if (!is_ours(r, identifier_type, identifier))
                return refuse_name(r, identifier, error);
        if (!store_challenge_token_is_valid(token)) {
                p = problem_new(PROBLEM_TYPE_BAD_ANSWER, "The CA's token for %s is none (RFC 8555 section 8.3)", identifier);
                return task_refuse(&r->task, BUS_ERROR_REFUSED, p, error);
        }
        if (!check_type(r, type, false, &t, &p))
                return bus_error_from_problem(error, BUS_ERROR_REFUSED, p);
        k = setup_new(r, call, t, identifier, token, url, &s);
        if (k < 0)
                return k;
        begin(s);
        return 1;
}

/* --- Taking back --- */

void challenges_forget(Renewal *r, char *const *names) {
        STRV_FOREACH(name, names)
                if (!challenge_answers_of_others(r, domain_name_is_wildcard(*name) ? *name + 2 : *name))
                        (void) store_challenge_purge(r->domain->manager->store, *name);
}

static void refuse_setups(Renewal *r) {
        while (r->setups) {
                (void) sd_bus_reply_method_errorf(r->setups->call, BUS_ERROR_NOT_NOW, "The order is gone");
                setup_free(r->setups);
        }
}

void challenges_tear_down(Renewal *r) {
        refuse_setups(r);
        challenge_answers_remove_all(r);
        if (r->inherited)
                challenges_forget(r, r->task.settings->names);
        r->inherited = false;
        challenge_dns_tear_down(r->domain);
}

void challenges_purge_stale(Manager *m) {
        _auto_strv_ char **names = NULL;

        challenge_dns_recover(m);
        if (store_challenge_list(m->store, &names) < 0)
                return;
        STRV_FOREACH(name, names) {
                _auto_free_ char *wildcard = str_printf("*.%s", *name);
                Domain *d = manager_find_domain_by_any_name(m, *name);

                if (!d && wildcard)
                        d = manager_find_domain_by_any_name(m, wildcard);
                if (d && d->job->phase == JOB_PHASE_ORDERING)
                        continue;
                (void) store_challenge_purge(m->store, *name);
        }
}
