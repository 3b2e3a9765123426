/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/worker-bus.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "config.h"
#include "manager/accounts.h"
#include "manager/job-bus.h"
#include "manager/ocsp.h"
#include "manager/renewal-info.h"
#include "manager/renewal.h"
#include "manager/served.h"
#include "manager/sign.h"
#include "manager/worker-open.h"
#include "manager/worker-order.h"

enum {
        TEXT_MAX = 1024,
        TERMS_MAX = 2048,
        PROFILES_MAX = 64,
        PROFILE_NAME_MAX = 64,
        /* What an honest worker never comes near: polls for 300 s, nine tries of each request, several challenges for each name. */
        CALLS_MAX = 2000,
        CALLS_PER_NAME_MAX = 100,
};

int worker_bus_append_text(sd_bus_message *m, const char *key, const char *value) {
        return sd_bus_message_append(m, "{sv}", key, "s", str_or(value, ""));
}

int worker_bus_reply_open(Task *t, sd_bus_message *open) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const struct {
                const char *key, *value;
        } texts[] = {
                { "kind", t->class->kind },
                { "ca-url", t->ca_url },
                { "ca-file", t->settings->ca_file },
                { "proxy", t->settings->proxy_url },
                { "proxy-ca-file", t->settings->proxy_ca_file },
                { "user-agent", "md-manager/" PROJECT_VERSION },
                { "account", t->account ? t->account->url : NULL },
        };
        int k;

        k = sd_bus_message_new_method_return(open, &reply);
        if (k >= 0)
                k = sd_bus_message_append(reply, "os", t->path, t->subject);
        if (k >= 0)
                k = sd_bus_message_open_container(reply, 'a', "{sv}");
        for (size_t i = 0; i < ELEMENTSOF(texts) && k >= 0; i++)
                k = worker_bus_append_text(reply, texts[i].key, texts[i].value);
        if (k >= 0)
                k = sd_bus_message_append(reply, "{sv}", "step-timeout", "t", t->manager->settings.step_timeout_usec);
        if (k >= 0)
                k = t->class->describe(t, reply);
        if (k >= 0)
                k = sd_bus_message_close_container(reply);
        if (k >= 0)
                k = sd_bus_send(t->manager->bus, reply, NULL);
        return k;
}

void worker_bus_stop_unit(Task *t) {
        const char *unit = task_unit(t);

        if (unit)
                (void) sd_bus_call_method_async(t->manager->bus, NULL, BUS_SYSTEMD_NAME, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER, "StopUnit", NULL, NULL, "ss", unit,
                                                "replace");
}

/* --- With a job open --- */

/* A worker that asks and asks has lost its way, or is not ours any more. */
static bool is_within_budget(Task *t) {
        return ++t->calls <= (CALLS_MAX + CALLS_PER_NAME_MAX * strv_length(t->settings->names)) * key_specs_count(&t->settings->keys);
}

Task *worker_bus_task(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(call);
        Task *t = sender ? map_get(m->workers, sender) : NULL;
        _auto_problem_ Problem *p = NULL;

        if (!t) {
                (void) sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "This connection has no job open");
                return NULL;
        }
        if (is_within_budget(t))
                return t;
        (void) sd_bus_error_set(error, BUS_ERROR_NOT_ALLOWED, "This job has asked for too much");
        p = problem_new(PROBLEM_TYPE_WORKER, "The worker of %s asked without end; it was stopped", str_or(task_unit(t), t->subject));
        worker_bus_stop_unit(t);
        task_end(t, p);
        return NULL;
}

int worker_bus_not_now(sd_bus_error *error, const char *text) {
        return sd_bus_error_set(error, BUS_ERROR_NOT_NOW, text);
}

static int method_open(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return worker_open(userdata, call, error);
}

static int read_url(const char *url, char **to) {
        if (str_is_empty(url))
                return str_replace(to, NULL);
        return sign_url_is_valid(url) ? str_replace(to, url) : -EINVAL;
}

static int read_profiles(sd_bus_message *call, TaskBinding *b) {
        _auto_strv_ char **list = NULL;
        int r;

        r = sd_bus_message_enter_container(call, 'v', "as");
        if (r < 0)
                return r;
        r = sd_bus_message_read_strv(call, &list);
        if (r < 0)
                return r;
        if (strv_length(list) > PROFILES_MAX)
                return -EINVAL;
        STRV_FOREACH(name, list)
                if (strlen(*name) > PROFILE_NAME_MAX)
                        return -EINVAL;
        strv_free(b->profiles);
        b->profiles = take_ptr(list);
        return sd_bus_message_exit_container(call);
}

/* Shown to people, and kept with the account: it must not make its file one that cannot be read any more. */
static int read_terms(const char *text, TaskBinding *b) {
        char *printable = str_is_empty(text) ? NULL : str_printable(text, strlen(text), TERMS_MAX);

        if (!printable && !str_is_empty(text))
                return -ENOMEM;
        free(b->terms_of_service);
        b->terms_of_service = printable;
        return 0;
}

static int read_directory_entry(sd_bus_message *call, TaskBinding *b) {
        const struct {
                const char *key;
                char **url;
        } urls[] = {
                { "new-account", &b->new_account }, { "new-order", &b->new_order },       { "revoke-cert", &b->revoke_cert },
                { "key-change", &b->key_change },   { "renewal-info", &b->renewal_info },
        };
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
        if (str_equal(key, "profiles"))
                return read_profiles(call, b);
        if (str_equal(key, "terms-of-service")) {
                r = sd_bus_message_read(call, "v", "s", &text);
                return r < 0 ? r : read_terms(text, b);
        }
        for (size_t i = 0; i < ELEMENTSOF(urls); i++)
                if (str_equal(key, urls[i].key)) {
                        r = sd_bus_message_read(call, "v", "s", &text);
                        return r < 0 ? r : read_url(text, urls[i].url);
                }
        return sd_bus_message_skip(call, "v");
}

static int method_directory(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Task *t = worker_bus_task(userdata, call, error);
        Renewal *renewal = renewal_of(t);
        int k;

        if (!t)
                return -EACCES;
        /* The URLs of what was begun are not changed under it. */
        if (t->binding.signed_for)
                return worker_bus_not_now(error, "Something was signed for already");
        if (renewal && worker_order_is_bound(renewal))
                return worker_bus_not_now(error, "There is an order already");
        k = sd_bus_message_enter_container(call, 'a', "{sv}");
        while (k >= 0 && (k = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                k = read_directory_entry(call, &t->binding);
                if (k >= 0)
                        k = sd_bus_message_exit_container(call);
        }
        if (k < 0)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "The directory names something that is no https URL");
        t->binding.directory_known = true;
        accounts_note_terms(t);
        return sd_bus_reply_method_return(call, NULL);
}

int worker_bus_reply_signed(Task *t, sd_bus_message *call, const char *kind, const char *url, const char *nonce, sd_bus_error *error) {
        _auto_free_ char *body = NULL;
        _auto_problem_ Problem *p = NULL;
        int k;

        k = sign_request(t, kind, url, nonce, &body, &p);
        switch (k) {

        case SIGN_DONE:
                t->binding.signed_for = true;
                t->binding.account_signed = t->binding.account_signed || str_equal(kind, "new-account");
                t->binding.update_signed = t->binding.update_signed || str_equal(kind, "account-update");
                return sd_bus_reply_method_return(call, "s", body);

        case SIGN_E_NOT_NOW:
                return bus_error_from_problem(error, BUS_ERROR_NOT_NOW, p);

        case SIGN_E_REFUSED:
                return task_refuse(t, BUS_ERROR_REFUSED, p, error);

        case SIGN_E_WAIT:
                return worker_order_wait_for_key(renewal_of(t), call, nonce, error);

        default:
                if (!p)
                        p = problem_new(PROBLEM_TYPE_INTERNAL, "Cannot sign: %s", strerror(-k));
                return task_refuse(t, BUS_ERROR_FAILED, p, error);
        }
}

static int method_sign(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Task *t = worker_bus_task(userdata, call, error);
        const char *kind, *url, *nonce;
        int k;

        if (!t)
                return -EACCES;
        k = sd_bus_message_read(call, "sss", &kind, &url, &nonce);
        if (k < 0)
                return k;
        return worker_bus_reply_signed(t, call, kind, url, nonce, error);
}

static int method_account_created(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Task *t = worker_bus_task(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *url;
        int k;

        if (!t)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &url);
        if (k < 0)
                return k;
        if (!t->account || t->account->url || !t->binding.account_signed || !t->binding.new_account)
                return worker_bus_not_now(error, "No registration was signed for");
        if (!sign_url_is_valid(url) || !sign_same_origin(t->binding.new_account, url))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "The account's URL is no https URL of this CA");
        k = t->class->account_created ? t->class->account_created(t, url, &p) : accounts_created(t, url, &p);
        if (k < 0)
                return task_refuse(t, BUS_ERROR_FAILED, p, error);
        t->registering = false;
        k = sd_bus_reply_method_return(call, NULL);
        task_wake_waiting(t->manager, t->ca_url);
        return k;
}

static int method_account_rejected(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Task *t = worker_bus_task(userdata, call, error);
        _auto_problem_ Problem *p = NULL, *why = NULL;
        const char *text;
        int k;

        if (!t)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &text);
        if (k < 0)
                return k;
        if (!renewal_of(t) || !t->account || !t->account->url || t->binding.account_rejected)
                return worker_bus_not_now(error, "There is no account that could be rejected");
        if (!t->binding.account_asked)
                return worker_bus_not_now(error, "The CA was not asked anything in the account's name");
        if (problem_from_argument(text, &why) < 0 || !accounts_says_unknown(why))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "That is nothing that a CA says of an account that it does not know");
        t->binding.account_rejected = true;
        k = accounts_rejected(t, &p);
        if (k < 0)
                return task_refuse(t, BUS_ERROR_FAILED, p, error);
        t->registering = !t->account->url;
        worker_order_account_changed(renewal_of(t));
        return sd_bus_reply_method_return(call, "s", str_or(t->account->url, ""));
}

static int method_account_done(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Task *t = worker_bus_task(userdata, call, error);
        _auto_problem_ Problem *p = NULL;
        const char *status;
        int k;

        if (!t)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &status);
        if (k < 0)
                return k;
        if (!t->class->account_done)
                return worker_bus_not_now(error, "This job is not about an account");
        if (renewal_of(t) && !t->binding.update_signed)
                return worker_bus_not_now(error, "No update of the account was signed for");
        k = t->class->account_done(t, status, &p);
        if (k < 0)
                return task_refuse(t, BUS_ERROR_REFUSED, p, error);
        return sd_bus_reply_method_return(call, NULL);
}

static int method_progress(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Task *t = worker_bus_task(userdata, call, error);
        const char *activity;
        char *printable;
        int k;

        if (!t)
                return -EACCES;
        k = sd_bus_message_read(call, "s", &activity);
        if (k < 0)
                return k;
        printable = str_printable(activity, strlen(activity), TEXT_MAX);
        if (!printable)
                return -ENOMEM;
        free(t->activity);
        t->activity = printable;
        if (usec_sub(clock_monotonic_usec(), t->activity_told_usec) >= USEC_PER_SEC) {
                t->activity_told_usec = clock_monotonic_usec();
                job_bus_changed(t);
        }
        return sd_bus_reply_method_return(call, NULL);
}

static int method_close(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        const char *sender = sd_bus_message_get_sender(call), *text;
        Task *t = sender ? map_get(m->workers, sender) : NULL;
        _auto_problem_ Problem *p = NULL;
        int k;

        k = sd_bus_message_read(call, "s", &text);
        if (k < 0)
                return k;
        if (!t) /* ended with the delivery */
                return sd_bus_reply_method_return(call, NULL);
        k = problem_from_argument(text, &p);
        if (k < 0)
                p = problem_new(PROBLEM_TYPE_WORKER, "The worker ended with a problem that cannot be read");
        k = sd_bus_reply_method_return(call, NULL);
        if (t->class->close)
                t->class->close(t, p);
        else
                task_end(t, p);
        return k;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Open", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", job, "s", domain, "a{sv}", details), method_open, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Directory", SD_BUS_ARGS("a{sv}", directory), SD_BUS_NO_RESULT, method_directory, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Sign", SD_BUS_ARGS("s", kind, "s", url, "s", nonce), SD_BUS_RESULT("s", body), method_sign, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AccountCreated", SD_BUS_ARGS("s", url), SD_BUS_NO_RESULT, method_account_created, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AccountRejected", SD_BUS_ARGS("s", problem), SD_BUS_RESULT("s", account), method_account_rejected, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AccountDone", SD_BUS_ARGS("s", status), SD_BUS_NO_RESULT, method_account_done, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OrderRefused", SD_BUS_ARGS("s", problem), SD_BUS_RESULT("b", again), worker_order_refused, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OrderCreated", SD_BUS_ARGS("s", url, "s", finalize, "as", authorizations, "t", expires_usec), SD_BUS_NO_RESULT,
                                worker_order_created, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OrderGone", SD_BUS_ARGS("s", why), SD_BUS_NO_RESULT, worker_order_gone, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetUpChallenge", SD_BUS_ARGS("s", identifier_type, "s", identifier, "s", type, "s", token, "s", url),
                                SD_BUS_RESULT("a{sv}", checks),
                                worker_order_set_up_challenge, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetUpPersistentChallenge", SD_BUS_ARGS("s", identifier_type, "s", identifier, "as", issuers, "s", account_uri, "s", url),
                                SD_BUS_RESULT("a{sv}", checks), worker_order_set_up_persistent, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RecordSeen", SD_BUS_ARGS("s", identifier, "t", until_usec), SD_BUS_NO_RESULT, worker_order_record_seen,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Deliver", SD_BUS_ARGS("as", chains), SD_BUS_RESULT("b", more), worker_order_deliver, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RenewalInfo", SD_BUS_ARGS("s", token, "t", start_usec, "t", end_usec, "t", retry_after_usec, "s", explanation_url), SD_BUS_NO_RESULT,
                                renewal_info_received, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RenewalInfoFailed", SD_BUS_ARGS("s", token, "s", problem, "t", retry_after_usec), SD_BUS_NO_RESULT, renewal_info_failed,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OcspNext", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tsayaybss)", requests), ocsp_worker_next, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OcspResponse", SD_BUS_ARGS("t", token, "ay", data, "b", by_get), SD_BUS_NO_RESULT, ocsp_worker_response, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OcspFailed", SD_BUS_ARGS("t", token, "s", problem), SD_BUS_NO_RESULT, ocsp_worker_failed, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ServedNext", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tasqssas)", looks), served_worker_next, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ServedSeen", SD_BUS_ARGS("t", token, "s", fingerprint, "s", where, "s", why), SD_BUS_NO_RESULT, served_worker_seen,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Progress", SD_BUS_ARGS("s", activity), SD_BUS_NO_RESULT, method_progress, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_ARGS("s", problem), SD_BUS_NO_RESULT, method_close, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int worker_bus_register(Manager *m) {
        return sd_bus_add_object_vtable(m->bus, NULL, BUS_PATH_WORKER, BUS_INTERFACE_WORKER, vtable, m);
}
