/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/accounts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "manager/account-bus.h"
#include "manager/account-choice.h"
#include "manager/account-doubt.h"
#include "manager/domain.h"
#include "manager/renewal.h"
#include "manager/sign-url.h"

enum {
        CONTACTS_TOLD_MAX = 10, /* Let's Encrypt takes no more */
        CONTACTS_SEEN_MAX = 64,
        REJECTIONS_MAX = 10, /* within a day, of those that serve the same domains */
};

/* --- What is configured --- */

bool accounts_is_agreed(const ManagedDomain *settings) {
        /* Consent is a word or the document that is consented to; whatever else a snapshot may say is none. */
        return str_equal_nocase(settings->agreement, "accepted") || (settings->agreement && (str_has_prefix(settings->agreement, "https://") ||
                                                                                              str_has_prefix(settings->agreement, "http://")));
}

static bool share_accounts(const ManagedDomain *a, const ManagedDomain *b) {
        return str_equal(a->eab_kid, b->eab_kid) && str_equal(a->eab_hmac, b->eab_hmac) && str_equal(a->eab_credential, b->eab_credential);
}

static int add_contacts(char *const *from, char ***to) {
        STRV_FOREACH(c, from)
                if (!strv_contains(*to, *c) && strv_length(*to) < CONTACTS_SEEN_MAX && strv_extend(to, *c) < 0)
                        return -ENOMEM;
        return 0;
}

int accounts_wanted_contacts(Manager *m, const ManagedDomain *settings, const char *ca_url, char ***ret) {
        _auto_strv_ char **list = NULL;
        const char *name;
        Domain *d;
        int r;

        r = add_contacts(settings->contacts, &list);
        MAP_FOREACH(m->domains, name, d)
                if (r == 0 && d->managed && strv_contains(d->config->ca_urls, ca_url) && share_accounts(settings, d->config))
                        r = add_contacts(d->config->contacts, &list);
        if (r < 0)
                return r;
        if (list)
                strv_sort(list);
        for (size_t n = strv_length(list); n > CONTACTS_TOLD_MAX; n--)
                free(take_ptr(list[n - 1]));
        *ret = take_ptr(list);
        return 0;
}

/* In whatever order. */
static bool same_contacts(char *const *sorted, char *const *list) {
        _auto_strv_ char **copy = strv_copy(list);

        if (copy)
                strv_sort(copy);
        return strv_equal(sorted, copy);
}

/* --- Which one --- */

static int say_store(Task *t, int error, Problem **ret_problem) {
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot keep an account for %s in %s/" STORE_ACCOUNTS ": %s", t->ca_url, store_path(t->manager->store),
                           strerror(-error));
        return error;
}

static void forget_choice(Task *t) {
        t->account = account_free(t->account);
        EVP_PKEY_free(take_ptr(t->account_key));
        t->binding.account_made = t->binding.account_lookup = t->binding.account_next = t->binding.account_asked = false;
}

/* A change of the key was cut off: only the CA knows whether it took place. It is asked for the account of the next key. */
static void look_up_next_key(Task *t) {
        EVP_PKEY *next = NULL;

        if (!t->account->url || account_doubt_is_denied(t->manager, t->account->id) || account_key_load(t->manager->store, t->account->id, true, &next) != 0)
                return;
        EVP_PKEY_free(t->account_key);
        t->account_key = next;
        free(take_ptr(t->account->url)); /* as for one that is not known; the file has it */
        t->binding.account_lookup = t->binding.account_next = true;
}

int accounts_choose(Task *t, Problem **ret_problem) {
        _auto_external_account_ ExternalAccount external = { 0 };
        AccountWish wish = { .ca_url = t->ca_url, .preferred = t->wanted_account, .external = &external, .rejected_too = renewal_of(t) };
        _cleanup_(account_freep) Account *a = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        bool made;
        int k;

        k = external_account_read(t->settings, &external, ret_problem);
        if (k < 0)
                return k;
        k = account_choice_find(t->manager->store, &wish, &a, &key);
        made = k == ACCOUNT_CHOICE_E_NONE;
        if (made)
                k = account_choice_make(t->manager->store, &wish, &a, &key);
        if (k < 0)
                return say_store(t, k, ret_problem);
        forget_choice(t);
        t->account = take_ptr(a);
        t->account_key = take_ptr(key);
        t->binding.account_made = made && !t->account->key_of;
        if (made)
                account_bus_changed(t->manager, t->account->id);
        else
                look_up_next_key(t);
        t->registering = !t->account->url;
        return 0;
}

int accounts_take(Task *t, const char *id, Problem **ret_problem) {
        int k;

        forget_choice(t);
        k = store_account_read(t->manager->store, id, &t->account);
        if (k == 0)
                k = account_key_load(t->manager->store, id, false, &t->account_key);
        if (k != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Account %s is missing or damaged in %s/" STORE_ACCOUNTS, id, store_path(t->manager->store));
                return k < 0 ? k : -EBADMSG;
        }
        if (t->account->url && !sign_url_is_valid(t->account->url))
                free(take_ptr(t->account->url));
        t->binding.account_lookup = !t->account->url;
        look_up_next_key(t);
        t->registering = true;
        return 0;
}

/* --- What became of it --- */

static LogField ca_field(const Task *t) {
        return (LogField){ "MD_CA", t->ca_url };
}

/* The file as it is now: others may have changed it since it was read. */
static int edit(Task *t, Account **ret, Problem **ret_problem) {
        int k = store_account_read(t->manager->store, t->account->id, ret);

        if (k == 0)
                return 0;
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot read account %s: %s", t->account->id, k < 0 ? strerror(-k) : "it is missing or damaged");
        return k < 0 ? k : -EIO;
}

/* Takes 'a' for the task's account when it is written. */
static int keep(Task *t, Account *a, Problem **ret_problem) {
        int k = store_account_write(t->manager->store, a);

        if (k != 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write account %s: %s", a->id, k < 0 ? strerror(-k) : "it is missing");
                return k < 0 ? k : -EIO;
        }
        account_free(t->account);
        t->account = a;
        account_bus_changed(t->manager, a->id);
        return 0;
}

static int note_told(const Task *t, Account *a) {
        int k = 0;

        if (t->binding.contacts) {
                strv_free(a->contacts);
                a->contacts = strv_copy(t->binding.contacts);
                k = a->contacts ? 0 : -ENOMEM;
        }
        if (k == 0 && t->binding.agreed) {
                k = str_replace(&a->agreement, str_or(t->binding.terms_of_service, "accepted"));
                free(take_ptr(a->terms));
        }
        return k;
}

static int take_next_key(Task *t, Problem **ret_problem) {
        int k = store_account_take_next_key(t->manager->store, t->account->id);

        if (k == 0)
                return 0;
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot put the new key of account %s into its place: %s", t->account->id,
                           k < 0 ? strerror(-k) : "it is missing");
        return k < 0 ? k : -EIO;
}

/* The CA knows the next key. */
static int found_next_key(Task *t, const char *url, Problem **ret_problem) {
        LogField fields[] = { ca_field(t) };
        _cleanup_(account_freep) Account *a = NULL;
        int k;

        k = edit(t, &a, ret_problem);
        if (k < 0)
                return k;
        if (!str_equal(a->url, url)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "%s knows the new key of account %s as that of %s", t->ca_url, a->id, url);
                return -EBADMSG;
        }
        k = take_next_key(t, ret_problem);
        if (k < 0)
                return k;
        t->binding.account_lookup = t->binding.account_next = false;
        log_full(LOG_NOTICE, 0, NULL, fields, ELEMENTSOF(fields), "%s knows account %s by its new key, which counts from now on.", t->ca_url, a->id);
        account_free(t->account);
        t->account = take_ptr(a);
        account_bus_changed(t->manager, t->account->id);
        return 0;
}

int accounts_created(Task *t, const char *url, Problem **ret_problem) {
        LogField fields[] = { ca_field(t), { "MD_NAME", t->subject } };
        _cleanup_(account_freep) Account *a = NULL;
        int k;

        if (t->binding.account_next)
                return found_next_key(t, url, ret_problem);
        k = edit(t, &a, ret_problem);
        if (k == 0)
                k = str_replace(&a->url, url);
        /* One that the CA may have had before knows nothing of what we said now (RFC 8555 section 7.3.1): it is told by an update. */
        if (k == 0 && t->binding.account_made)
                k = note_told(t, a);
        if (k == 0)
                k = keep(t, a, ret_problem);
        if (k < 0)
                return k;
        a = NULL; /* it is the task's */
        t->binding.account_lookup = false;
        log_full(LOG_NOTICE, 0, MESSAGE_ACCOUNT_CREATED, fields, ELEMENTSOF(fields), "Registered account %s at %s.", t->account->id, t->ca_url);
        return 0;
}

void accounts_found(Task *t) {
        if (str_equal(t->account->status, "valid"))
                return;
        log_notice("%s knows account %s, which was '%s': it is used again.", t->ca_url, t->account->id, t->account->status);
        (void) accounts_set_status(t, "valid", NULL); /* when this fails, it is found again with the next order */
}

int accounts_updated(Task *t, Problem **ret_problem) {
        LogField fields[] = { ca_field(t) };
        _cleanup_(account_freep) Account *a = NULL;
        int k;

        k = edit(t, &a, ret_problem);
        if (k == 0)
                k = note_told(t, a);
        if (k == 0)
                k = keep(t, a, ret_problem);
        if (k < 0)
                return k;
        a = NULL; /* it is the task's */
        log_full(LOG_INFO, 0, NULL, fields, ELEMENTSOF(fields), "%s was told what is configured for account %s.", t->ca_url, t->account->id);
        return 0;
}

int accounts_set_status(Task *t, const char *status, Problem **ret_problem) {
        _cleanup_(account_freep) Account *a = NULL;
        int k;

        k = edit(t, &a, ret_problem);
        if (k == 0)
                k = str_replace(&a->status, status);
        if (k == 0) {
                a->rejected_usec = str_equal(status, "unknown") ? clock_now_usec() : 0;
                a->try_again = false;
                k = keep(t, a, ret_problem);
        }
        if (k == 0)
                a = NULL; /* it is the task's */
        return k;
}

/* A CA that is set up anew forgets each once; one that forgets and forgets is none that it makes sense to register with. */
static int check_rejections(Task *t, Problem **ret_problem) {
        _auto_external_account_ ExternalAccount external = { 0 };
        AccountWish wish = { .ca_url = t->ca_url, .external = &external };
        int k;

        k = external_account_read(t->settings, &external, ret_problem);
        if (k < 0)
                return k;
        k = account_choice_count_rejected(t->manager->store, &wish, usec_sub(clock_now_usec(), USEC_PER_DAY));
        if (k < 0)
                return say_store(t, k, ret_problem);
        if (k < REJECTIONS_MAX)
                return 0;
        (void) problem_set(ret_problem, PROBLEM_TYPE_WORKER, "%s is said not to know account %s, as %d others within a day; no more are given up: see 'mdctl account list'", t->ca_url,
                           t->account->id, k);
        return -EPERM;
}

int accounts_rejected(Task *t, Problem **ret_problem) {
        _auto_free_ char *rejected = NULL;
        int k;

        if (account_doubt_retract(t->manager, t->account->id)) {
                log_notice("%s does not accept the old key of account %s any more; it is asked for the new one.", t->ca_url, t->account->id);
                return accounts_choose(t, ret_problem);
        }
        k = str_equal(t->account->status, "valid") ? check_rejections(t, ret_problem) : 0; /* given up before, and doubted, is not once more */
        if (k < 0)
                return k;
        rejected = strdup(t->account->id);
        k = rejected ? accounts_set_status(t, "unknown", ret_problem) : -ENOMEM;
        if (k == 0)
                k = accounts_choose(t, ret_problem);
        if (k < 0)
                return k;
        if (t->account->url)
                log_notice("%s does not accept account %s any more; account %s takes its place.", t->ca_url, rejected, t->account->id);
        else
                log_warning("%s does not accept account %s any more; a new one is registered. If the old one is good, 'mdctl account update %s' takes it back.", t->ca_url,
                            rejected, rejected);
        return 0;
}

/* No other account was made, for whatever reason: those that the CA is said not to know may be all that there will ever be, where an external account is good
 * for one. */
static void try_rejected(Task *t, const Problem *why) {
        _auto_external_account_ ExternalAccount external = { 0 };
        AccountWish wish = { .ca_url = t->ca_url, .external = &external };
        _auto_strv_ char **ids = NULL;
        int k;

        if (external_account_read(t->settings, &external, NULL) < 0)
                return;
        k = account_choice_try_rejected(t->manager->store, &wish, usec_sub(clock_now_usec(), USEC_PER_DAY), &ids);
        if (k < 0)
                (void) log_failure(k, "Cannot go back to an account for %s that was given up: %m", t->ca_url);
        STRV_FOREACH(id, ids) {
                log_notice("No account at %s took the place of account %s (%s): that one is tried again.", t->ca_url, *id, why ? why->detail : "no reason given");
                account_bus_changed(t->manager, *id);
        }
}

bool accounts_says_unknown(const Problem *p) {
        return p && (str_equal(p->type, PROBLEM_ACME_PREFIX "accountDoesNotExist") || str_equal(p->type, PROBLEM_ACME_PREFIX "unauthorized"));
}

/* It comes from the CA, and may be about the key. CAs have many words for a signature that does not fit. */
static bool may_be_about_key(const Problem *p) {
        return p && (accounts_says_unknown(p) || str_equal(p->type, PROBLEM_ACME_PREFIX "malformed"));
}

bool accounts_refused(Task *t, const Problem *problem) {
        if (!t->account)
                return false;
        if (t->account->url)
                return may_be_about_key(problem) && account_doubt_retract(t->manager, t->account->id);
        if (!t->binding.account_lookup)
                try_rejected(t, problem);
        if (!t->binding.account_signed || !accounts_says_unknown(problem))
                return false;
        if (t->binding.account_next && account_doubt_deny(t->manager, t->account->id))
                log_notice("%s does not know the new key of account %s yet: both are kept for some minutes, in case that the request is on its way.", t->ca_url, t->account->id);
        else if (t->binding.account_next) {
                log_notice("%s does not know the new key of account %s: the one that it has goes on counting.", t->ca_url, t->account->id);
                (void) store_account_drop_next_key(t->manager->store, t->account->id);
                account_bus_changed(t->manager, t->account->id);
        } else if (t->account->key_of) {
                log_warning("%s does not take the key of account %s for another directory; the next attempt makes a new one.", t->ca_url, t->account->key_of);
                (void) accounts_set_status(t, "unknown", NULL);
        }
        return false;
}

int accounts_change_key(Task *t, EVP_PKEY *next, Problem **ret_problem) {
        LogField fields[] = { ca_field(t) };
        int k = take_next_key(t, ret_problem);

        if (k < 0)
                return k;
        EVP_PKEY_free(t->account_key);
        t->account_key = next;
        account_bus_changed(t->manager, t->account->id);
        log_full(LOG_NOTICE, 0, NULL, fields, ELEMENTSOF(fields), "Account %s at %s has a new key.", t->account->id, t->ca_url);
        return 0;
}

/* --- What the CA should be told --- */

void accounts_note_terms(Task *t) {
        const char *published = t->binding.terms_of_service;
        _cleanup_(account_freep) Account *a = NULL;
        bool is_new;

        if (!t->account || !t->account->url)
                return;
        is_new = published && !str_equal(published, t->account->agreement);
        if (str_equal(t->account->terms, is_new ? published : NULL))
                return;
        /* When this fails, it is found again with the next directory. */
        if (edit(t, &a, NULL) == 0 && str_replace(&a->terms, is_new ? published : NULL) == 0 && keep(t, a, NULL) == 0)
                a = NULL; /* it is the task's */
}

bool accounts_needs_update(Task *t) {
        _auto_strv_ char **wanted = NULL;

        if (!t->account->url)
                return false;
        if (t->account->terms && accounts_is_agreed(t->settings))
                return true;
        return accounts_wanted_contacts(t->manager, t->settings, t->ca_url, &wanted) == 0 && wanted && !same_contacts(wanted, t->account->contacts);
}
