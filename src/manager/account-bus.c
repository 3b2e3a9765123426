/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/account-bus.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "crypto/jws.h"
#include "crypto/key.h"
#include "manager/account-doubt.h"
#include "manager/account-task.h"
#include "manager/manager-bus.h"
#include "manager/sign-url.h"

enum {
        ACCOUNTS_MAX = 1000, /* in one message */
        CONTACTS_MAX = 16,
        CONTACT_LENGTH_MAX = 1024,
};

void account_bus_free(void *listed_account) {
        ListedAccount *a = listed_account;

        if (!a)
                return;
        account_doubt_end(a);
        account_free(a->account);
        free(a->algorithm);
        free(a->path);
        free(a);
}

static bool anybody_listens(const Manager *m) {
        return m->bus && sd_bus_is_ready(m->bus) > 0;
}

/* --- What lies in the store --- */

static char *read_algorithm(Manager *m, const char *id) {
        _auto_secret_ Secret *pem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        const char *algorithm;

        if (store_account_read_key(m->store, id, &pem) != 0 || key_from_pem(pem->data, pem->size, &key, NULL) < 0)
                return NULL;
        algorithm = jws_algorithm(key);
        return algorithm ? strdup(algorithm) : NULL;
}

static bool has_next_key(Manager *m, const char *id) {
        _auto_secret_ Secret *pem = NULL;

        return store_account_read_next_key(m->store, id, &pem) == 0;
}

static void forget(Manager *m, const char *id) {
        ListedAccount *a = map_remove(m->accounts, id);

        if (a && anybody_listens(m))
                (void) sd_bus_emit_object_removed(m->bus, a->path);
        account_bus_free(a);
}

static int add(Manager *m, const char *id, ListedAccount **ret) {
        ListedAccount *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->manager = m;
        r = sd_bus_path_encode(BUS_PATH_ACCOUNT, id, &a->path);
        if (r >= 0)
                r = map_put(m->accounts, id, a);
        if (r < 0) {
                account_bus_free(a);
                return r;
        }
        *ret = a;
        return 0;
}

static void tell_changed(const ListedAccount *a) {
        if (anybody_listens(a->manager))
                (void) sd_bus_emit_properties_changed(a->manager->bus, a->path, BUS_INTERFACE_ACCOUNT, "URL", "Status", "Contacts", "Agreement",
                                                      "PublishedTerms", "Algorithm", "ExternalAccount", "ChangingKey", "Domains", "Job", NULL);
}

static bool same(const Account *a, const Account *b) {
        return str_equal(a->url, b->url) && str_equal(a->status, b->status) && strv_equal(a->contacts, b->contacts) && str_equal(a->agreement, b->agreement) &&
               str_equal(a->terms, b->terms) && str_equal(a->eab_kid, b->eab_kid);
}

/* Takes 'account'. */
static int put(Manager *m, Account *account) {
        ListedAccount *a = map_get(m->accounts, account->id);
        _auto_free_ char *algorithm = read_algorithm(m, account->id);
        bool is_new = !a, changing_key = has_next_key(m, account->id), changed;
        int r = is_new ? add(m, account->id, &a) : 0;

        if (r < 0) {
                account_free(account);
                return r;
        }
        changed = is_new || !same(a->account, account) || !str_equal(a->algorithm, algorithm) || a->changing_key != changing_key;
        account_free(a->account);
        a->account = account;
        free(a->algorithm);
        a->algorithm = take_ptr(algorithm);
        a->changing_key = changing_key;
        if (!changing_key)
                account_doubt_end(a);
        if (is_new && anybody_listens(m))
                (void) sd_bus_emit_object_added(m->bus, a->path);
        else if (changed)
                tell_changed(a);
        return 0;
}

void account_bus_changed(Manager *m, const char *id) {
        Account *account = NULL;
        int r = store_account_read(m->store, id, &account);

        if (r == 0)
                r = put(m, account);
        else if (r > 0)
                forget(m, id);
        if (r < 0)
                (void) log_failure(r, "Cannot read account %s: %m", id);
}

void account_bus_read(Manager *m) {
        _auto_strv_ char **ids = NULL, **gone = NULL;
        const char *id;
        ListedAccount *a;
        int r = store_account_list(m->store, &ids);

        if (r < 0) {
                (void) log_failure(r, "Cannot list the accounts: %m");
                return;
        }
        STRV_FOREACH(i, ids)
                account_bus_changed(m, *i);
        MAP_FOREACH(m->accounts, id, a)
                if (!strv_contains(ids, id) && strv_extend(&gone, id) < 0)
                        return;
        STRV_FOREACH(i, gone)
                forget(m, *i);
}

void account_bus_used(Manager *m, const char *id) {
        ListedAccount *a = id ? map_get(m->accounts, id) : NULL;

        if (a && anybody_listens(m))
                (void) sd_bus_emit_properties_changed(m->bus, a->path, BUS_INTERFACE_ACCOUNT, "Domains", "Job", NULL);
}

/* --- Properties --- */

#define GETTER(name)                                                                                                                          \
        static int name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, \
                        sd_bus_error *error)

GETTER(get_word) {
        ListedAccount *a = userdata;
        const char *s = NULL;

        if (str_equal(property, "Id"))
                s = a->account->id;
        else if (str_equal(property, "CertificateAuthority"))
                s = a->account->ca_url;
        else if (str_equal(property, "URL"))
                s = a->account->url;
        else if (str_equal(property, "Status"))
                s = a->account->status;
        else if (str_equal(property, "Agreement"))
                s = a->account->agreement;
        else if (str_equal(property, "PublishedTerms"))
                s = a->account->terms;
        else if (str_equal(property, "Algorithm"))
                s = a->algorithm;
        else if (str_equal(property, "ExternalAccount"))
                s = a->account->eab_kid;
        return sd_bus_message_append(reply, "s", str_or(s, ""));
}

GETTER(get_contacts) {
        ListedAccount *a = userdata;

        return a->account->contacts ? sd_bus_message_append_strv(reply, a->account->contacts) : sd_bus_message_append(reply, "as", 0);
}

GETTER(get_changing_key) {
        ListedAccount *a = userdata;

        return sd_bus_message_append(reply, "b", (int) a->changing_key);
}

static int append_domains(sd_bus_message *reply, const ListedAccount *a) {
        const char *name;
        Domain *d;
        int r = sd_bus_message_open_container(reply, 'a', "s");

        MAP_FOREACH(a->manager->domains, name, d)
                if (r >= 0 && d->managed && str_equal(d->job->account, a->account->id))
                        r = sd_bus_message_append(reply, "s", name);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

GETTER(get_domains) {
        return append_domains(reply, userdata);
}

GETTER(get_job) {
        ListedAccount *a = userdata;
        const Task *t = account_task_find(a->manager, a->account->id);

        return sd_bus_message_append(reply, "o", t ? t->path : "/");
}

/* --- Methods --- */

static int start(ListedAccount *a, AccountOperation operation, sd_bus_message *call, sd_bus_error *error) {
        _auto_problem_ Problem *p = NULL;
        Task *t;
        int r;

        r = authorize(a->manager, call, ACTION_ACCOUNT, a->account->id, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = account_task_new(a->manager, a->account, operation, &t, &p);
        if (r == -EBUSY || r == -EINVAL)
                return bus_error_from_problem(error, r == -EBUSY ? BUS_ERROR_BUSY : BUS_ERROR_NOTHING_TO_DO, p);
        return r < 0 ? r : sd_bus_reply_method_return(call, "o", t->path);
}

static int method_update(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return start(userdata, ACCOUNT_UPDATE, call, error);
}

static int method_rollover(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return start(userdata, ACCOUNT_KEY_CHANGE, call, error);
}

static int method_deactivate(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return start(userdata, ACCOUNT_DEACTIVATE, call, error);
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CertificateAuthority", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("URL", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Status", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Contacts", "as", get_contacts, 0, CHANGES),
        SD_BUS_PROPERTY("Agreement", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("PublishedTerms", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Algorithm", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("ExternalAccount", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("ChangingKey", "b", get_changing_key, 0, CHANGES),
        SD_BUS_PROPERTY("Domains", "as", get_domains, 0, CHANGES),
        SD_BUS_PROPERTY("Job", "o", get_job, 0, CHANGES),
        SD_BUS_METHOD_WITH_ARGS("Update", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", job), method_update, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rollover", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", job), method_rollover, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Deactivate", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", job), method_deactivate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int find_account(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found, sd_bus_error *error) {
        Manager *m = userdata;
        _auto_free_ char *id = NULL;
        int r;

        r = sd_bus_path_decode(path, BUS_PATH_ACCOUNT, &id);
        if (r <= 0)
                return r;
        *ret_found = map_get(m->accounts, id);
        return *ret_found ? 1 : 0;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        Manager *m = userdata;
        _auto_strv_ char **nodes = NULL;
        const char *id;
        ListedAccount *a;
        int r;

        if (map_size(m->accounts) > ACCOUNTS_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many accounts for one message");
        MAP_FOREACH(m->accounts, id, a) {
                r = strv_extend(&nodes, a->path);
                if (r < 0)
                        return r;
        }
        *ret_nodes = take_ptr(nodes);
        return 0;
}

int account_bus_register(Manager *m) {
        int r = sd_bus_add_fallback_vtable(m->bus, NULL, BUS_PATH_ACCOUNT, BUS_INTERFACE_ACCOUNT, vtable, find_account, m);

        return r < 0 ? r : sd_bus_add_node_enumerator(m->bus, NULL, BUS_PATH_ACCOUNT, enumerate, m);
}

static int append_account(sd_bus_message *reply, const ListedAccount *a) {
        int r = sd_bus_message_open_container(reply, 'r', "sossssas");

        if (r >= 0)
                r = sd_bus_message_append(reply, "sossss", a->account->id, a->path, a->account->ca_url, str_or(a->account->url, ""), a->account->status,
                                          str_or(a->algorithm, ""));
        if (r >= 0)
                r = append_domains(reply, a);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int account_bus_list(Manager *m, sd_bus_message *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *id;
        ListedAccount *a;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sossssas)");
        MAP_FOREACH(m->accounts, id, a)
                if (r >= 0)
                        r = append_account(reply, a);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(m->bus, reply, NULL);
}

int account_bus_get(Manager *m, const char *id, sd_bus_message *call, sd_bus_error *error) {
        const ListedAccount *a = map_get(m->accounts, id);
        _auto_free_ char *shown = NULL;

        if (a)
                return sd_bus_reply_method_return(call, "o", a->path);
        shown = str_printable(id, strlen(id), 300);
        return sd_bus_error_setf(error, BUS_ERROR_NO_SUCH_ACCOUNT, "There is no account '%s'", str_or(shown, ""));
}

static bool contacts_are_valid(char *const *contacts) {
        STRV_FOREACH(c, contacts) {
                if (!strchr(*c, ':') || strlen(*c) > CONTACT_LENGTH_MAX)
                        return false;
                for (const char *p = *c; *p; p++)
                        if (*p <= ' ' || *p >= 127)
                                return false;
        }
        return strv_length(contacts) <= CONTACTS_MAX;
}

/* There is no account to be named yet. */
static int authorize_registration(Manager *m, const char *url, sd_bus_message *call, sd_bus_error *error) {
        char *details[] = { (char *) "account", (char *) "", (char *) "ca", (char *) url,
                            (char *) POLKIT_MESSAGE, (char *) "Authentication is required to register an account at $(ca).", NULL };

        return authorize_details(m, call, ACTION_ACCOUNT, details, error);
}

int account_bus_register_new(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        _auto_strv_ char **contacts = NULL;
        _auto_problem_ Problem *p = NULL;
        const char *url;
        Task *t;
        int r, agreed;

        r = sd_bus_message_read(call, "s", &url);
        if (r >= 0)
                r = sd_bus_message_read_strv(call, &contacts);
        if (r >= 0)
                r = sd_bus_message_read(call, "b", &agreed);
        if (r < 0)
                return r;
        if (!sign_url_is_valid(url))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "This is no https URL");
        if (!contacts_are_valid(contacts))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "A contact is no URI");
        r = authorize_registration(m, url, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = account_task_register(m, url, contacts, agreed, &t, &p);
        if (r == -EEXIST || r == -EINVAL)
                return bus_error_from_problem(error, r == -EEXIST ? BUS_ERROR_NOTHING_TO_DO : BUS_ERROR_REFUSED, p);
        return r < 0 ? r : sd_bus_reply_method_return(call, "o", t->path);
}
