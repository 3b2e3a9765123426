/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/account-task.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "manager/account-bus.h"
#include "manager/account-choice.h"
#include "manager/account-doubt.h"
#include "manager/accounts.h"
#include "manager/domain.h"
#include "manager/job-bus.h"
#include "manager/sign-account.h"
#include "manager/worker-bus.h"

typedef struct AccountTask {
        Task task; /* first */
        AccountOperation operation;
        char *account;       /* id; NULL: to be registered */
        EVP_PKEY *next_key;  /* key change */
        bool is_signed;      /* what it is about was signed for: the CA may have done it */
        bool did;            /* the CA said that it did */
} AccountTask;

static const TaskClass account_task_class;

static AccountTask *account_task_of(Task *t) {
        return t && t->class == &account_task_class ? (AccountTask *) t : NULL;
}

static void release(Task *task) {
        AccountTask *t = account_task_of(task);

        EVP_PKEY_free(t->next_key);
        task_done(task);
        free(t->account);
        free(t);
}

const Task *account_task_find(const Manager *m, const char *id) {
        const char *path;
        Task *t;

        MAP_FOREACH(m->tasks, path, t)
                if (account_task_of(t) && str_equal(account_task_of(t)->account, id))
                        return t;
        return NULL;
}

/* --- Whose settings --- */

/* How much a domain's settings fit: its CA file, proxies, contacts and external account. */
static int fits(const Domain *d, const char *ca_url, const char *account) {
        if (!d->managed || !strv_contains(d->config->ca_urls, ca_url))
                return 0;
        return account && str_equal(d->job->account, account) ? 2 : 1;
}

static ManagedDomain *find_settings(const Manager *m, const char *ca_url, const char *account) {
        const Domain *best = NULL;
        const char *name;
        Domain *d;

        MAP_FOREACH(m->domains, name, d)
                if (fits(d, ca_url, account) > (best ? fits(best, ca_url, account) : 0))
                        best = d;
        return best ? managed_domain_copy(best->config) : managed_domain_new("account");
}

static int queue(Manager *m, AccountOperation operation, const char *account, const char *ca_url, const ManagedDomain *settings, Task **ret) {
        AccountTask *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->operation = operation;
        t->task.class = &account_task_class;
        t->task.manager = m;
        r = str_replace(&t->account, account);
        if (r == 0)
                r = task_init(&t->task, m, &account_task_class, str_or(account, ca_url), settings, ca_url);
        if (r < 0) {
                release(&t->task);
                return r;
        }
        account_bus_used(m, account);
        if (ret)
                *ret = &t->task;
        return 0;
}

int account_task_new(Manager *m, const Account *account, AccountOperation operation, Task **ret, Problem **ret_problem) {
        _cleanup_(managed_domain_freep) ManagedDomain *settings = NULL;

        if (account_task_find(m, account->id)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "Account %s has a job already", account->id);
                return -EBUSY;
        }
        /* An update asks the CA what it is. */
        if (operation != ACCOUNT_UPDATE && !str_equal(account->status, "valid")) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "Account %s is of no use any more: its status is '%s', and 'mdctl account update %s' asks the CA whether it still is",
                                   account->id, account->status, account->id);
                return -EINVAL;
        }
        if (operation != ACCOUNT_UPDATE && !account->url) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "The CA has not confirmed account %s yet", account->id);
                return -EINVAL;
        }
        settings = find_settings(m, account->ca_url, account->id);
        return settings ? queue(m, operation, account->id, account->ca_url, settings, ret) : -ENOMEM;
}

/* What is asked for by hand comes on top of what is configured. */
static int amend(ManagedDomain *settings, char *const *contacts, bool agreed) {
        STRV_FOREACH(c, contacts)
                if (strv_extend(&settings->contacts, *c) < 0)
                        return -ENOMEM;
        return agreed ? str_replace(&settings->agreement, "accepted") : 0;
}

int account_task_register(Manager *m, const char *ca_url, char *const *contacts, bool agreed, Task **ret, Problem **ret_problem) {
        _cleanup_(managed_domain_freep) ManagedDomain *settings = find_settings(m, ca_url, NULL);
        _auto_external_account_ ExternalAccount external = { 0 };
        _cleanup_(account_freep) Account *found = NULL;
        EVP_PKEY *key = NULL;
        int r;

        if (!settings)
                return -ENOMEM;
        r = amend(settings, contacts, agreed);
        if (r == 0)
                r = external_account_read(settings, &external, ret_problem);
        if (r < 0)
                return r;
        r = account_choice_find(m->store, &(AccountWish){ .ca_url = ca_url, .external = &external }, &found, &key);
        EVP_PKEY_free(key);
        if (r == 0 && found->url) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "There is account %s at %s", found->id, ca_url);
                return -EEXIST;
        }
        return r < 0 ? r : queue(m, ACCOUNT_REGISTER, NULL, ca_url, settings, ret);
}

void account_task_recover(Manager *m) {
        const char *id;
        ListedAccount *a;

        MAP_FOREACH(m->accounts, id, a)
                if (a->changing_key && !a->next_key_denied && a->account->url && str_equal(a->account->status, "valid") && !account_task_find(m, id))
                        (void) account_task_new(m, a->account, ACCOUNT_UPDATE, NULL, NULL);
}

/* --- The conversation --- */

/* The next key is on disk before the CA hears of it. */
static int make_next_key(AccountTask *t, Problem **ret_problem) {
        _auto_secret_ Secret *pem = NULL;
        int r;

        r = account_key_make(&t->next_key, &pem);
        if (r == 0)
                r = store_account_write_next_key(t->task.manager->store, t->account, pem);
        if (r != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write the new key of account %s: %s", t->account, r < 0 ? strerror(-r) : "it is missing");
                return r < 0 ? r : -EIO;
        }
        account_bus_changed(t->task.manager, t->account);
        return 0;
}

static int choose_account(Task *task, Problem **ret_problem) {
        AccountTask *t = account_task_of(task);
        int r;

        if (!t->account) {
                r = accounts_choose(task, ret_problem);
                if (r == 0)
                        r = str_replace(&t->account, task->account->id);
                if (r == 0 && task->account->url) {
                        (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "There is account %s at %s", t->account, task->ca_url);
                        return -EEXIST;
                }
                task->registering = true;
                return r;
        }
        r = accounts_take(task, t->account, ret_problem);
        if (r < 0)
                return r;
        if (task->binding.account_lookup && t->operation != ACCOUNT_UPDATE) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "A change of the key of account %s was cut off, and the CA must be asked first: 'mdctl account update %s'",
                                   t->account, t->account);
                return -EINVAL;
        }
        if (t->operation != ACCOUNT_KEY_CHANGE)
                return 0;
        if (account_doubt_is_denied(task->manager, t->account)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "A change of the key of account %s was cut off, and may reach the CA yet; try again in some minutes", t->account);
                return -EBUSY;
        }
        return make_next_key(t, ret_problem);
}

static int describe(Task *task, sd_bus_message *details) {
        static const char *const words[_ACCOUNT_OPERATION_MAX] = {
                [ACCOUNT_REGISTER] = "register",
                [ACCOUNT_UPDATE] = "update",
                [ACCOUNT_KEY_CHANGE] = "key-change",
                [ACCOUNT_DEACTIVATE] = "deactivate",
        };

        /* Looking for an account is a registration that makes none. */
        return worker_bus_append_text(details, "operation", words[task->binding.account_lookup ? ACCOUNT_REGISTER : account_task_of(task)->operation]);
}

static int sign(Task *task, const char *kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        AccountTask *t = account_task_of(task);
        int r = SIGN_E_NOT_NOW;

        if (str_equal(kind, "new-account") && (t->operation == ACCOUNT_REGISTER || task->binding.account_lookup))
                r = sign_new_account(task, url, nonce, ret_body, ret_problem);
        else if (str_equal(kind, "account-update") && t->operation == ACCOUNT_UPDATE)
                r = sign_account_update(task, url, nonce, ret_body, ret_problem);
        else if (str_equal(kind, "account-deactivate") && t->operation == ACCOUNT_DEACTIVATE)
                r = sign_account_deactivate(task, url, nonce, ret_body, ret_problem);
        else if (str_equal(kind, "key-change") && t->next_key)
                r = sign_key_change(task, t->next_key, url, nonce, ret_body, ret_problem);
        else if (str_equal(kind, "post-as-get"))
                return sign_account_look(task, url, nonce, ret_body, ret_problem);
        else
                return sign_not_now(ret_problem, "this job is about something else");
        t->is_signed = t->is_signed || r == SIGN_DONE;
        return r;
}

static int account_created(Task *task, const char *url, Problem **ret_problem) {
        int r = accounts_created(task, url, ret_problem);

        if (r == 0)
                accounts_found(task);
        account_task_of(task)->did = r == 0;
        return r;
}

static int account_done(Task *task, const char *status, Problem **ret_problem) {
        AccountTask *t = account_task_of(task);
        bool is_valid = str_equal(status, "valid");
        int r;

        if (!t->is_signed || t->did || task->binding.account_lookup) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_WORKER, "Nothing was signed for that could be done");
                return -EPROTO;
        }
        if (!is_valid && (str_equal(status, "deactivated") || str_equal(status, "revoked")))
                r = accounts_set_status(task, status, ret_problem);
        else if (t->operation == ACCOUNT_KEY_CHANGE) {
                r = accounts_change_key(task, t->next_key, ret_problem);
                if (r == 0)
                        t->next_key = NULL;
        } else
                r = t->operation == ACCOUNT_UPDATE ? accounts_updated(task, ret_problem) : 0;
        if (r == 0 && is_valid && t->operation == ACCOUNT_UPDATE)
                accounts_found(task);
        if (r == 0 && is_valid != (t->operation != ACCOUNT_DEACTIVATE)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "%s says that the status of account %s is '%s'", task->ca_url, t->account, status);
                r = -EBADMSG;
        }
        t->did = r == 0;
        return r;
}

/* --- The end --- */

/* What is known of the next key: signed for, the CA may have taken it, whatever it answered; not signed for, nobody knows it. */
static void settle_next_key(AccountTask *t) {
        if (!t->next_key || t->is_signed)
                return;
        (void) store_account_drop_next_key(t->task.manager->store, t->account);
        account_bus_changed(t->task.manager, t->account);
}

static void note_failure(AccountTask *t, const Problem *p) {
        accounts_refused(&t->task, p);
        settle_next_key(t);
        if (t->is_signed && t->task.account && t->task.account->url && str_equal(t->task.account->status, "valid") &&
            str_equal(p->type, PROBLEM_ACME_PREFIX "accountDoesNotExist"))
                (void) accounts_set_status(&t->task, "unknown", NULL);
}

/* What the CA answers it has dealt with. A gateway in front of it may speak for itself. */
static bool is_answered(const Problem *p) {
        return p->status >= 400 && p->status < 500;
}

static void end(Task *task, const Problem *problem) {
        AccountTask *t = account_task_of(task);
        Manager *m = task->manager;
        LogField fields[] = { { "MD_CA", task->ca_url }, { "MD_PROBLEM", problem ? problem->type : NULL } };
        const Problem *why = task->refusal ? task->refusal : problem;
        _auto_problem_ Problem *told = t->did || !why ? NULL : problem_copy(why);
        _auto_free_ char *account = t->account ? strdup(t->account) : NULL;
        bool recover = t->operation == ACCOUNT_KEY_CHANGE && !t->did && t->is_signed, doubt = recover && !(problem && is_answered(problem));

        if (!t->did && !told)
                told = problem_new(PROBLEM_TYPE_WORKER, "The worker ended without having done it");
        if (told) {
                note_failure(t, told);
                log_full(LOG_WARNING, 0, NULL, fields, ELEMENTSOF(fields), "Account %s: %s", task->subject, told->detail);
        }
        job_bus_ended(task, told);
        release(task);
        account_bus_used(m, account);
        if (recover && doubt)
                account_doubt_begin(m, account);
        if (recover)
                account_task_recover(m);
        manager_kick(m);
}

static const TaskClass account_task_class = {
        .kind = "account",
        .exclusive = true,
        .choose_account = choose_account,
        .describe = describe,
        .sign = sign,
        .account_created = account_created,
        .account_done = account_done,
        .end = end,
        .release = release,
        .steps_max = 2,
};
