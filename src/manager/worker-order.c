/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/worker-order.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "domain/name.h"
#include "manager/accounts.h"
#include "manager/ca.h"
#include "manager/challenge-persist.h"
#include "manager/challenges.h"
#include "manager/deliver.h"
#include "manager/order.h"
#include "manager/renewal-keys.h"
#include "manager/sign.h"
#include "manager/worker-bus.h"

enum {
        AUTHORIZATIONS_MAX = 1000,
        AUTHORIZATIONS_SIZE_MAX = 256 * 1024, /* job.json must stay one that can be read */
        CHALLENGES_PER_NAME_MAX = 4,
        ORDERS_MAX = 3,  /* for each key */
        CHAINS_MAX = 16, /* the CA's own choice and its alternates */
};

static int append_identifiers(sd_bus_message *m, char *const *names) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "identifiers");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a(ss)");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(ss)");
        STRV_FOREACH(name, names)
                if (r >= 0)
                        r = sd_bus_message_append(m, "(ss)", domain_name_is_address(*name) ? "ip" : "dns", *name);
        for (int i = 0; i < 3 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_challenges(sd_bus_message *m, char **types) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", "challenges");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = types ? sd_bus_message_append_strv(m, types) : sd_bus_message_append(m, "as", 0);
        for (int i = 0; i < 2 && r >= 0; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

int worker_order_describe(Task *t, sd_bus_message *details) {
        Renewal *r = renewal_of(t);
        _auto_strv_ char **types = NULL, **names = NULL;
        int k;

        k = challenges_available(r->domain, &types, NULL);
        if (k >= 0)
                k = order_names(t->settings, &names);
        if (k >= 0)
                k = worker_bus_append_text(details, "order", r->domain->job->order_url);
        if (k >= 0)
                k = append_identifiers(details, names);
        if (k >= 0)
                k = append_challenges(details, types);
        if (k >= 0)
                k = sd_bus_message_append(details, "{sv}", "want-alternates", "b", (int) (t->settings->preferred_chain != NULL));
        if (k >= 0)
                k = sd_bus_message_append(details, "{sv}", "update-account", "b", (int) accounts_needs_update(t));
        return k;
}

static size_t count_names(const Renewal *r) {
        return strv_length(r->task.settings->names);
}

/* The renewal that the calling connection has open. */
static Renewal *renewal_job(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        Task *t = worker_bus_task(m, call, error);

        if (t && !renewal_of(t))
                (void) sd_bus_error_set(error, BUS_ERROR_NOT_NOW, "This job has no orders");
        return renewal_of(t);
}

bool worker_order_is_bound(const Renewal *r) {
        return r->domain->job->order_url && !r->binding.resumed;
}

int worker_order_wait_for_key(Renewal *r, sd_bus_message *call, const char *nonce, sd_bus_error *error) {
        int k;

        if (!r || r->finalize)
                return worker_bus_not_now(error, "One request at a time");
        k = str_replace(&r->finalize_nonce, nonce);
        if (k < 0)
                return k;
        r->finalize = sd_bus_message_ref(call);
        return 1;
}

void worker_order_key_ready(Renewal *r) {
        sd_bus_message *call = take_ptr(r->finalize);
        sd_bus_error error = SD_BUS_ERROR_NULL;

        if (!call)
                return;
        if (worker_bus_reply_signed(&r->task, call, "finalize", r->domain->job->finalize_url, r->finalize_nonce, &error) < 0)
                (void) sd_bus_reply_method_error(call, &error);
        sd_bus_error_free(&error);
        sd_bus_message_unref(call);
}

void worker_order_account_changed(Renewal *r) {
        if (!r)
                return;
        /* They were the old account's. */
        r->binding.order_signed = r->binding.replaces_signed = false;
        r->binding.finalized = r->binding.resumed = false;
        r->binding.challenge_urls = strv_free(r->binding.challenge_urls);
        job_forget_order(r->domain->job);
        (void) str_replace(&r->domain->job->account, r->task.account->id);
        domain_save_job(r->domain);
}

/* CAs say in many ways that they do not like the member, or do not know the certificate that it names (RFC 9773 section 5 has alreadyReplaced for one of them; "unauthorized" is what
 * is said when another account ordered it). What is clearly about something else would be said of an order without it, too. */
static bool may_be_about_replaces(const Problem *p) {
        static const char *const others[] = {
                "accountDoesNotExist", "badNonce",           "badSignatureAlgorithm", "externalAccountRequired", "rateLimited",
                "rejectedIdentifier",  "unsupportedIdentifier", "userActionRequired", "invalidProfile",
        };
        const char *type = p ? str_after_prefix(p->type, PROBLEM_ACME_PREFIX) : NULL;

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (str_equal(type, others[i]))
                        return false;
        return p && p->status != 429 && p->status != 503;
}

int worker_order_refused(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = renewal_job(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *text;
        bool again;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &text);
        if (k >= 0)
                k = problem_from_argument(text, &p);
        if (k < 0)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no problem");
        if (!r->binding.order_signed || r->domain->job->order_url)
                return worker_bus_not_now(error, "No new order was signed for");
        /* Naming the predecessor is a courtesy; a CA that does not like it gets the order without (RFC 9773 section 5). */
        again = r->binding.replaces_signed && !r->binding.without_replaces && may_be_about_replaces(p);
        if (again) {
                log_info("%s: %s refuses an order that names the certificate that it replaces (%s); it is ordered without.", DOMAIN_NAME(r->domain), r->task.ca_url,
                         p ? p->detail : "no reason given");
                r->binding.without_replaces = true;
        }
        return sd_bus_reply_method_return(call, "b", (int) again);
}

static int keep_order(Renewal *r, const char *url, const char *finalize, char **authorizations) {
        Job *job = r->domain->job;
        size_t size = 0;

        if (!sign_url_is_valid(url) || !sign_url_is_valid(finalize) || strv_length(authorizations) > AUTHORIZATIONS_MAX)
                return -EINVAL;
        STRV_FOREACH(a, authorizations) {
                size += strlen(*a);
                if (!sign_url_is_valid(*a) || size > AUTHORIZATIONS_SIZE_MAX)
                        return -EINVAL;
        }
        if (str_replace(&job->order_url, url) < 0 || str_replace(&job->finalize_url, finalize) < 0)
                return -ENOMEM;
        strv_free(job->authorizations);
        job->authorizations = strv_copy(authorizations);
        domain_save_job(r->domain);
        return 0;
}

int worker_order_created(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = renewal_job(userdata, call, error);
        _auto_strv_ char **authorizations = NULL;
        const char *url, *finalize;
        uint64_t expires_usec;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "ss", &url, &finalize);
        if (k >= 0)
                k = sd_bus_message_read_strv(call, &authorizations);
        if (k >= 0)
                k = sd_bus_message_read(call, "t", &expires_usec);
        if (k < 0)
                return k;
        if (!r->task.account->url || !r->binding.order_signed || r->domain->job->order_url)
                return worker_bus_not_now(error, "No new order was signed for");
        if (r->orders++ >= ORDERS_MAX * key_specs_count(&r->task.settings->keys))
                return worker_bus_not_now(error, "Too many orders in one run");
        k = keep_order(r, url, finalize, authorizations);
        if (k == -EINVAL)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "The order names something that is no https URL");
        if (k < 0)
                return k;
        accounts_found(&r->task);
        r->binding.order_signed = r->binding.replaces_signed = false;
        r->binding.challenges = 0;
        return sd_bus_reply_method_return(call, NULL);
}

int worker_order_gone(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = renewal_job(userdata, call, error);
        const char *why;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &why);
        if (k < 0)
                return k;
        if (!r->domain->job->order_url)
                return worker_bus_not_now(error, "There is no order");
        challenges_tear_down(r);
        job_forget_order(r->domain->job);
        r->binding.resumed = r->binding.finalized = false;
        domain_save_job(r->domain);
        return sd_bus_reply_method_return(call, NULL);
}

/* Commands may run for each: what fails counts as what does not. */
static int check_challenge(Renewal *r, const char *url, sd_bus_error *error) {
        if (!r->domain->job->order_url)
                return worker_bus_not_now(error, "There is no order yet");
        if (!sign_url_is_valid(url))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This challenge makes no sense");
        if (r->binding.challenges >= CHALLENGES_PER_NAME_MAX * count_names(r))
                return worker_bus_not_now(error, "Too many challenges for one order");
        r->binding.challenges++;
        return 0;
}

int worker_order_set_up_challenge(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = renewal_job(userdata, call, error);
        const char *identifier_type, *identifier, *type, *token, *url;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "sssss", &identifier_type, &identifier, &type, &token, &url);
        if (k < 0)
                return k;
        k = check_challenge(r, url, error);
        return k < 0 ? k : challenges_set_up(r, call, identifier_type, identifier, type, token, url, error);
}

int worker_order_set_up_persistent(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = renewal_job(userdata, call, error);
        const char *identifier_type, *identifier, *account_uri, *url;
        _auto_strv_ char **issuers = NULL;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "ss", &identifier_type, &identifier);
        if (k >= 0)
                k = sd_bus_message_read_strv(call, &issuers);
        if (k >= 0)
                k = sd_bus_message_read(call, "ss", &account_uri, &url);
        if (k >= 0)
                k = check_challenge(r, url, error);
        return k < 0 ? k : challenges_set_up_persistent(r, call, identifier_type, identifier, issuers, account_uri, url, error);
}

int worker_order_record_seen(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = renewal_job(userdata, call, error);
        const char *identifier;
        uint64_t until_usec;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "st", &identifier, &until_usec);
        if (k < 0)
                return k;
        if (!challenge_persist_seen(r->domain, identifier, until_usec))
                return worker_bus_not_now(error, "No record of this name was to be looked for");
        return sd_bus_reply_method_return(call, NULL);
}

int worker_order_deliver(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = renewal_job(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        _auto_strv_ char **chains = NULL;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read_strv(call, &chains);
        if (k < 0)
                return k;
        if (!chains || strv_length(chains) > CHAINS_MAX)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "No chain, or too many");
        if (r->binding.delivered || (!r->binding.finalized && !r->binding.resumed))
                return worker_bus_not_now(error, "No certificate is expected");
        k = deliver_chain(r, chains, &p);
        if (k < 0) {
                if (!p || !str_equal(p->type, PROBLEM_TYPE_STORE)) {
                        job_forget_order(r->domain->job); /* the same order would give the same chain; the CA counts it all the same */
                        job_note_issued(r->domain->job, clock_now_usec());
                        domain_save_job(r->domain);
                }
                return task_refuse(&r->task, BUS_ERROR_REFUSED, p, error);
        }
        job_note_issued(r->domain->job, clock_now_usec());
        if (renewal_next_spec(r)) {
                ca_succeeded(r->domain, r->task.ca_url);
                return sd_bus_reply_method_return(call, "b", (int) true);
        }
        renewal_certificate_came(r);
        k = sd_bus_reply_method_return(call, "b", (int) false);
        task_end(&r->task, NULL); /* what is left of the worker is its good-bye */
        return k;
}

