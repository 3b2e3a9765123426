/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/worker-bus.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "bus/unit.h"
#include "config.h"
#include "manager/accounts.h"
#include "manager/challenges.h"
#include "manager/deliver.h"
#include "manager/job-bus.h"
#include "manager/sign.h"

enum {
        OPENS_MAX = 64,          /* Open() calls that are being looked at */
        AUTHORIZATIONS_MAX = 1000,
        TEXT_MAX = 1024,
        /* What an honest worker never comes near: polls for 300 s, nine tries of each request, several challenges for each name. */
        CALLS_MAX = 2000,
        CALLS_PER_NAME_MAX = 100,
        CHALLENGES_PER_NAME_MAX = 4,
        ORDERS_MAX = 3,          /* for each key */
        CHAINS_MAX = 16,         /* the CA's own choice and its alternates */
};

/* --- Open: who is it? Asked of the bus and of systemd, without waiting. --- */

typedef struct OpenCall {
        Manager *manager;
        char *key;
        sd_bus_message *message;
        sd_bus_slot *credentials;
        sd_bus_slot *unit;
} OpenCall;

static OpenCall *open_call_free(OpenCall *c) {
        if (!c)
                return NULL;
        if (c->key && map_get(c->manager->opens, c->key) == c)
                (void) map_remove(c->manager->opens, c->key);
        sd_bus_slot_unref(c->credentials);
        sd_bus_slot_unref(c->unit);
        sd_bus_message_unref(c->message);
        free(c->key);
        free(c);
        return NULL;
}

void worker_bus_drop_opens(Manager *m) {
        const char *key;
        OpenCall *c;

        if (m->opens)
                MAP_FOREACH(m->opens, key, c)
                        open_call_free(c);
}

static void refuse_open(OpenCall *c, const char *name, const char *text) {
        log_warning("Refused a worker's Open() from %s: %s", str_or(sd_bus_message_get_sender(c->message), "somebody"), text);
        (void) sd_bus_reply_method_errorf(c->message, name, "%s", text);
        open_call_free(c);
}

static void on_unit(const char *unit, const sd_bus_error *error, void *userdata) {
        OpenCall *c = userdata;
        Manager *m = c->manager;
        Domain *d = unit ? map_get(m->units, unit) : NULL;

        if (!unit) {
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, error && error->message ? error->message : "systemd does not know its unit");
                return;
        }
        if (!d || !d->managed) {
                refuse_open(c, BUS_ERROR_NO_SUCH_DOMAIN, "its unit stands for no domain that a server configures");
                return;
        }
        if (!d->renewal)
                domain_evaluate(d);
        if (!d->renewal) {
                (void) sd_bus_reply_method_errorf(c->message, BUS_ERROR_NOTHING_TO_DO, "%s: Nothing is due", DOMAIN_NAME(d));
                open_call_free(c);
                return;
        }
        if (d->renewal->open || d->renewal->sender) {
                refuse_open(c, BUS_ERROR_BUSY, "another worker has this job");
                return;
        }
        renewal_open(d->renewal, c->message);
        open_call_free(c);
}

static int read_credentials(sd_bus_message *reply, uid_t *ret_uid, pid_t *ret_pid) {
        bool have_uid = false, have_pid = false;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *key;
                uint32_t value;

                r = sd_bus_message_read(reply, "s", &key);
                if (r >= 0 && (str_equal(key, "UnixUserID") || str_equal(key, "ProcessID"))) {
                        r = sd_bus_message_read(reply, "v", "u", &value);
                        if (r >= 0 && key[0] == 'U') {
                                *ret_uid = value;
                                have_uid = true;
                        } else if (r >= 0) {
                                *ret_pid = (pid_t) value;
                                have_pid = true;
                        }
                } else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : have_uid && have_pid ? 0 : -ENODATA;
}

static int on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        OpenCall *c = userdata;
        uid_t uid = (uid_t) -1;
        pid_t pid = 0;
        int r;

        r = sd_bus_message_is_method_error(reply, NULL) ? -EACCES : read_credentials(reply, &uid, &pid);
        if (r < 0) {
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, "the bus does not know who that is");
                return 0;
        }
        if (uid != c->manager->acme_uid) {
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, "only user " ACME_USER " may do the workers' work");
                return 0;
        }
        if (pid <= 0) { /* from another PID namespace */
                refuse_open(c, BUS_ERROR_NOT_ALLOWED, "its process is not known here");
                return 0;
        }
        r = unit_of_pid(c->manager->bus, pid, &c->unit, on_unit, c, NULL);
        if (r < 0)
                refuse_open(c, BUS_ERROR_FAILED, "systemd cannot be asked");
        return 0;
}

static int method_open(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        OpenCall *c;
        int r;

        if (map_get(m->workers, sd_bus_message_get_sender(call)))
                return sd_bus_error_set(error, BUS_ERROR_NOT_NOW, "This connection has a job open");
        if (map_size(m->opens) >= OPENS_MAX)
                return sd_bus_error_set(error, BUS_ERROR_BUSY, "Too many workers at a time");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->manager = m;
        c->message = sd_bus_message_ref(call);
        c->key = str_printf("%p", (void *) c);
        r = c->key ? map_put(m->opens, c->key, c) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_call_method_async(m->bus, &c->credentials, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                             "GetConnectionCredentials", on_credentials, c, "s", sd_bus_message_get_sender(call));
        if (r < 0) {
                open_call_free(c);
                return r;
        }
        return 1;
}

static int append_entry(sd_bus_message *m, const char *key, const char *value) {
        return sd_bus_message_append(m, "{sv}", key, "s", str_or(value, ""));
}

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
                        r = sd_bus_message_append(m, "(ss)", "dns", *name);
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

int worker_bus_reply_open(Renewal *r, sd_bus_message *open) {
        Domain *d = r->domain;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_strv_ char **types = NULL;
        int k;

        k = challenges_available(d, &types, NULL);
        if (k >= 0)
                k = sd_bus_message_new_method_return(open, &reply);
        if (k >= 0)
                k = sd_bus_message_append(reply, "os", r->path, DOMAIN_NAME(d));
        if (k >= 0)
                k = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (k >= 0)
                k = append_entry(reply, "ca-url", r->ca_url);
        if (k >= 0)
                k = append_entry(reply, "ca-file", r->settings->ca_file);
        if (k >= 0)
                k = append_entry(reply, "user-agent", "md-manager/" PROJECT_VERSION);
        if (k >= 0)
                k = append_entry(reply, "account", r->account->url);
        if (k >= 0)
                k = append_entry(reply, "order", d->job->order_url);
        if (k >= 0)
                k = sd_bus_message_append(reply, "{sv}", "step-timeout", "t", d->manager->settings.step_timeout_usec);
        if (k >= 0)
                k = append_identifiers(reply, r->settings->names);
        if (k >= 0)
                k = append_challenges(reply, types);
        if (k >= 0)
                k = sd_bus_message_close_container(reply);
        if (k >= 0)
                k = sd_bus_send(d->manager->bus, reply, NULL);
        return k;
}

void worker_bus_stop_unit(Renewal *r) {
        (void) sd_bus_call_method_async(r->domain->manager->bus, NULL, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "StopUnit", NULL, NULL, "ss",
                                        r->domain->unit, "replace");
}

/* --- With a job open --- */

static size_t count_names(const Renewal *r) {
        return strv_length(r->settings->names);
}

/* A worker that asks and asks has lost its way, or is not ours any more. */
static bool is_within_budget(Renewal *r) {
        return ++r->calls <= (CALLS_MAX + CALLS_PER_NAME_MAX * count_names(r)) * key_specs_count(&r->settings->keys);
}

static Renewal *job_of(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(call);
        Renewal *r = sender ? map_get(m->workers, sender) : NULL;
        _auto_problem_ Problem *p = NULL;

        if (!r) {
                (void) sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "This connection has no job open");
                return NULL;
        }
        if (is_within_budget(r))
                return r;
        (void) sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "This renewal has asked for too much");
        p = problem_new(PROBLEM_TYPE_WORKER, "The worker of %s asked without end; it was stopped", r->domain->unit);
        worker_bus_stop_unit(r);
        renewal_end(r, p);
        return NULL;
}

static int not_now(sd_bus_error *error, const char *text) {
        return sd_bus_error_set(error, BUS_ERROR_NOT_NOW, text);
}

static int read_url(const char *url, char **to) {
        if (str_is_empty(url))
                return str_replace(to, NULL);
        return sign_url_is_valid(url) ? str_replace(to, url) : -EINVAL;
}

static int read_directory_entry(sd_bus_message *call, RenewalBinding *b) {
        const char *key, *text;
        int r, flag;

        r = sd_bus_message_read(call, "s", &key);
        if (r < 0)
                return r;
        if (str_equal(key, "external-account-required")) {
                r = sd_bus_message_read(call, "v", "b", &flag);
                b->external_account_required = r >= 0 && flag;
                return r;
        }
        if (!str_equal(key, "new-account") && !str_equal(key, "new-order") && !str_equal(key, "terms-of-service"))
                return sd_bus_message_skip(call, "v");
        r = sd_bus_message_read(call, "v", "s", &text);
        if (r < 0)
                return r;
        if (str_equal(key, "new-account"))
                return read_url(text, &b->new_account);
        if (str_equal(key, "new-order"))
                return read_url(text, &b->new_order);
        return str_replace(&b->terms_of_service, str_is_empty(text) ? NULL : text); /* shown to people only */
}

static int method_directory(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
        int k;

        if (!r)
                return -EACCES;
        if (r->domain->job->order_url && !r->binding.resumed)
                return not_now(error, "There is an order already"); /* the URLs of one order are not changed under it */
        k = sd_bus_message_enter_container(call, 'a', "{sv}");
        while (k >= 0 && (k = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                k = read_directory_entry(call, &r->binding);
                if (k >= 0)
                        k = sd_bus_message_exit_container(call);
        }
        if (k < 0)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "The directory names something that is no https URL");
        return sd_bus_reply_method_return(call, NULL);
}

static int reply_signed(Renewal *r, sd_bus_message *call, const char *kind, const char *url, const char *nonce, sd_bus_error *error) {
        _auto_free_ char *body = NULL;
        _auto_problem_ Problem *p = NULL;
        int k;

        k = sign_request(r, kind, url, nonce, &body, &p);
        switch (k) {

        case SIGN_DONE:
                r->binding.account_signed = r->binding.account_signed || str_equal(kind, "new-account");
                r->binding.order_signed = r->binding.order_signed || str_equal(kind, "new-order");
                return sd_bus_reply_method_return(call, "s", body);

        case SIGN_E_NOT_NOW:
                return bus_error_from_problem(error, BUS_ERROR_NOT_NOW, p);

        case SIGN_E_REFUSED:
                return renewal_refuse(r, BUS_ERROR_REFUSED, p, error);

        case SIGN_E_WAIT:
                if (r->finalize)
                        return not_now(error, "One request at a time");
                k = str_replace(&r->finalize_nonce, nonce);
                if (k < 0)
                        return k;
                r->finalize = sd_bus_message_ref(call);
                return 1;

        default:
                if (!p)
                        p = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot sign: %s", strerror(-k));
                return renewal_refuse(r, BUS_ERROR_FAILED, p, error);
        }
}

static int method_sign(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
        const char *kind, *url, *nonce;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "sss", &kind, &url, &nonce);
        if (k < 0)
                return k;
        return reply_signed(r, call, kind, url, nonce, error);
}

void worker_bus_key_ready(Renewal *r) {
        sd_bus_message *call = take_ptr(r->finalize);
        sd_bus_error error = SD_BUS_ERROR_NULL;

        if (!call)
                return;
        if (reply_signed(r, call, "finalize", r->domain->job->finalize_url, r->finalize_nonce, &error) < 0)
                (void) sd_bus_reply_method_error(call, &error);
        sd_bus_error_free(&error);
        sd_bus_message_unref(call);
}

static int method_account_created(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *url;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &url);
        if (k < 0)
                return k;
        if (r->account->url || !r->binding.account_signed)
                return not_now(error, "No registration was signed for");
        if (!sign_url_is_valid(url) || !sign_same_origin(r->binding.new_account, url))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "The account's URL is no https URL of this CA");
        k = accounts_created(r, url, &p);
        if (k < 0)
                return renewal_refuse(r, BUS_ERROR_FAILED, p, error);
        r->registering = false;
        k = sd_bus_reply_method_return(call, NULL);
        renewal_wake_waiting(r->domain->manager, r->ca_url);
        return k;
}

static int method_account_rejected(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *why;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &why);
        if (k < 0)
                return k;
        if (!r->account->url || r->binding.account_rejected)
                return not_now(error, "There is no account that could be rejected");
        r->binding.account_rejected = true;
        k = accounts_rejected(r, &p);
        if (k < 0)
                return renewal_refuse(r, BUS_ERROR_FAILED, p, error);
        job_forget_order(r->domain->job); /* it was the old account's */
        r->registering = !r->account->url;
        (void) str_replace(&r->domain->job->account, r->account->id);
        domain_save_job(r->domain);
        return sd_bus_reply_method_return(call, NULL);
}

static int keep_order(Renewal *r, const char *url, const char *finalize, char **authorizations) {
        Job *job = r->domain->job;

        if (!sign_url_is_valid(url) || !sign_url_is_valid(finalize) || strv_length(authorizations) > AUTHORIZATIONS_MAX)
                return -EINVAL;
        STRV_FOREACH(a, authorizations)
                if (!sign_url_is_valid(*a))
                        return -EINVAL;
        if (str_replace(&job->order_url, url) < 0 || str_replace(&job->finalize_url, finalize) < 0)
                return -ENOMEM;
        strv_free(job->authorizations);
        job->authorizations = strv_copy(authorizations);
        domain_save_job(r->domain);
        return 0;
}

static int method_order_created(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
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
        if (!r->account->url || !r->binding.order_signed || r->domain->job->order_url)
                return not_now(error, "No new order was signed for");
        if (r->orders++ >= ORDERS_MAX * key_specs_count(&r->settings->keys))
                return not_now(error, "Too many orders in one run");
        k = keep_order(r, url, finalize, authorizations);
        if (k == -EINVAL)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "The order names something that is no https URL");
        if (k < 0)
                return k;
        r->binding.order_signed = false;
        return sd_bus_reply_method_return(call, NULL);
}

static int method_order_gone(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
        const char *why;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &why);
        if (k < 0)
                return k;
        if (!r->domain->job->order_url)
                return not_now(error, "There is no order");
        challenges_tear_down(r);
        job_forget_order(r->domain->job);
        r->binding.resumed = r->binding.finalized = false;
        domain_save_job(r->domain);
        return sd_bus_reply_method_return(call, NULL);
}

static int method_set_up_challenge(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
        const char *identifier_type, *identifier, *type, *token, *url;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "sssss", &identifier_type, &identifier, &type, &token, &url);
        if (k < 0)
                return k;
        if (!r->domain->job->order_url)
                return not_now(error, "There is no order yet");
        if (!sign_url_is_valid(url))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This challenge makes no sense");
        if (strv_length(r->binding.challenge_urls) >= CHALLENGES_PER_NAME_MAX * count_names(r))
                return not_now(error, "Too many challenges for one order");
        return challenges_set_up(r, call, identifier_type, identifier, type, token, url, error);
}

static int method_deliver(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
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
                return not_now(error, "No certificate is expected");
        k = deliver_chain(r, chains, &p);
        if (k < 0) {
                if (!p || !str_equal(p->type, PROBLEM_TYPE_STORE))
                        job_forget_order(r->domain->job); /* the same order would give the same chain */
                return renewal_refuse(r, BUS_ERROR_REFUSED, p, error);
        }
        if (renewal_next_spec(r))
                return sd_bus_reply_method_return(call, "b", (int) true);
        r->binding.delivered = true;
        r->domain->job->phase = JOB_PHASE_STAGED;
        domain_save_job(r->domain);
        k = sd_bus_reply_method_return(call, "b", (int) false);
        renewal_end(r, NULL); /* what is left of the worker is its good-bye */
        return k;
}

static int method_progress(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Renewal *r = job_of(userdata, call, error);
        const char *activity;
        char *printable;
        int k;

        if (!r)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &activity);
        if (k < 0)
                return k;
        printable = str_printable(activity, strlen(activity), TEXT_MAX);
        if (!printable)
                return -ENOMEM;
        free(r->activity);
        r->activity = printable;
        if (usec_sub(clock_monotonic_usec(), r->activity_told_usec) >= USEC_PER_SEC) {
                r->activity_told_usec = clock_monotonic_usec();
                job_bus_changed(r);
        }
        return sd_bus_reply_method_return(call, NULL);
}

static int method_close(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        const char *sender = sd_bus_message_get_sender(call), *text;
        Renewal *r = sender ? map_get(m->workers, sender) : NULL;
        _auto_problem_ Problem *p = NULL;
        int k;

        k = sd_bus_message_read(call, "s", &text);
        if (k < 0)
                return k;
        if (!r) /* ended with the delivery */
                return sd_bus_reply_method_return(call, NULL);
        k = problem_from_argument(text, &p);
        if (k < 0 || !p)
                p = problem_new(PROBLEM_TYPE_WORKER, "The worker ended without a certificate");
        k = sd_bus_reply_method_return(call, NULL);
        renewal_end(r, p);
        return k;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Open", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", job, "s", domain, "a{sv}", details), method_open, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Directory", SD_BUS_ARGS("a{sv}", directory), SD_BUS_NO_RESULT, method_directory, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Sign", SD_BUS_ARGS("s", kind, "s", url, "s", nonce), SD_BUS_RESULT("s", body), method_sign, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AccountCreated", SD_BUS_ARGS("s", url), SD_BUS_NO_RESULT, method_account_created, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AccountRejected", SD_BUS_ARGS("s", problem), SD_BUS_NO_RESULT, method_account_rejected, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OrderCreated", SD_BUS_ARGS("s", url, "s", finalize, "as", authorizations, "t", expires_usec), SD_BUS_NO_RESULT,
                                method_order_created, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OrderGone", SD_BUS_ARGS("s", why), SD_BUS_NO_RESULT, method_order_gone, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetUpChallenge", SD_BUS_ARGS("s", identifier_type, "s", identifier, "s", type, "s", token, "s", url),
                                SD_BUS_RESULT("a{sv}", checks),
                                method_set_up_challenge, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Deliver", SD_BUS_ARGS("as", chains), SD_BUS_RESULT("b", more), method_deliver, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Progress", SD_BUS_ARGS("s", activity), SD_BUS_NO_RESULT, method_progress, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_ARGS("s", problem), SD_BUS_NO_RESULT, method_close, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int worker_bus_register(Manager *m) {
        return sd_bus_add_object_vtable(m->bus, NULL, BUS_PATH_WORKER, BUS_INTERFACE_WORKER, vtable, m);
}
