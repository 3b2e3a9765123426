/* SPDX-License-Identifier: Apache-2.0 */
#include "store/account.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/string-util.h"
#include "store/internal.h"

enum {
        HOST_MAX = 16,
        NUMBER_MAX = 9999,
        CONTACTS_MAX = 100,
};

#define NEW ".new" /* an account in the making; hidden, so it is none yet */

Account *account_free(Account *a) {
        if (!a)
                return NULL;

        free(a->id);
        free(a->status);
        free(a->url);
        free(a->ca_url);
        (void) strv_free(a->contacts);
        free(a->agreement);
        free(a->terms);
        free(a->orders);
        free(a->eab_kid);
        free(a->eab_sha256);
        if (a->eab_hmac)
                secret_wipe(a->eab_hmac, strlen(a->eab_hmac));
        free(a->eab_hmac);
        free(a->key_of);
        free(a);
        return NULL;
}

static int from_directory(int r) {
        return r <= 0 ? r : STORE_ACCOUNT_E_NOT_FOUND;
}

static int from_file(int r) {
        if (r <= 0)
                return r;
        return r == FILE_E_NOT_FOUND ? STORE_ACCOUNT_E_NOT_FOUND : STORE_ACCOUNT_E_DAMAGED;
}

int store_account_list(Store *s, char ***ret_ids) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(ret_ids);

        r = store_open_dir(s, STORE_ACCOUNTS, &fd);
        if (r != 0)
                return from_directory(r);
        return store_list_directories(fd, ret_ids);
}

static const char *known_status(const char *status) {
        static const char *const known[] = { "valid", "deactivated", "revoked" };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (str_equal(status, known[i]))
                        return known[i];
        return "unknown";
}

/* Old accounts of mod_md say it with a switch. */
static const char *read_status(JsonObject *o) {
        if (!json_has(o, "status") && json_has(o, "disabled"))
                return json_get_bool(o, "disabled", true) ? "deactivated" : "valid";
        return known_status(json_get_string(o, "status"));
}

/* Below "registration" in old accounts of mod_md. */
static int read_contacts(JsonObject *o, Account *a) {
        JsonObject *registration = json_get_object(o, "registration");

        if (!json_has(o, "contact") && registration)
                return json_get_strv(registration, "contact", CONTACTS_MAX, &a->contacts);
        return json_get_strv(o, "contact", CONTACTS_MAX, &a->contacts);
}

static int read_eab(JsonObject *o, Account *a) {
        JsonObject *eab = json_get_object(o, "eab");

        if (!eab)
                return 0;
        if (str_replace(&a->eab_kid, json_get_string(eab, "kid")) < 0 || str_replace(&a->eab_sha256, json_get_string(eab, "hmac-sha256")) < 0 ||
            str_replace(&a->eab_hmac, json_get_string(eab, "hmac")) < 0)
                return -ENOMEM;
        return 0;
}

static int account_from_json(const char *id, JsonObject *o, Account **ret) {
        _cleanup_(account_freep) Account *a = NULL;
        const char *agreement;
        int r;

        if (!json_object_is_type(o, json_type_object) || !json_get_string(o, "ca-url"))
                return STORE_ACCOUNT_E_DAMAGED;

        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        agreement = json_get_string(o, "agreement");
        if (!agreement)
                agreement = json_get_string(o, "terms-of-service");
        if (str_replace(&a->id, id) < 0 || str_replace(&a->status, read_status(o)) < 0 || str_replace(&a->url, json_get_string(o, "url")) < 0 ||
            str_replace(&a->ca_url, json_get_string(o, "ca-url")) < 0 || str_replace(&a->agreement, agreement) < 0 ||
            str_replace(&a->terms, json_get_string(o, "published-terms")) < 0 || str_replace(&a->orders, json_get_string(o, "orders")) < 0 ||
            str_replace(&a->key_of, json_get_string(o, "key-of")) < 0)
                return -ENOMEM;
        a->rejected_usec = json_get_time(o, "rejected");
        a->try_again = json_get_bool(o, "try-again", false);

        r = read_contacts(o, a);
        if (r == 0)
                r = read_eab(o, a);
        if (r < 0)
                return r == -EBADMSG ? STORE_ACCOUNT_E_DAMAGED : r;

        *ret = take_ptr(a);
        return 0;
}

int store_account_read(Store *s, const char *id, Account **ret) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        size_t size = 0;
        int r;

        assert(s);
        assert(ret);

        r = store_open_sub(s, STORE_ACCOUNTS, id, &fd);
        if (r != 0)
                return from_directory(r);
        r = file_read_at(fd, STORE_FILE_ACCOUNT, STORE_JSON_MAX, &text, &size);
        if (r != 0)
                return from_file(r);

        r = json_parse(text, size, &o, NULL);
        if (r != 0)
                return r < 0 ? r : STORE_ACCOUNT_E_DAMAGED;
        return account_from_json(id, o, ret);
}

static int read_key(Store *s, const char *id, const char *file, Secret **ret_pem) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(ret_pem);

        r = store_open_sub(s, STORE_ACCOUNTS, id, &fd);
        if (r != 0)
                return from_directory(r);
        return from_file(store_read_secret(fd, file, ret_pem));
}

int store_account_read_key(Store *s, const char *id, Secret **ret_pem) {
        return read_key(s, id, STORE_FILE_ACCOUNT_KEY, ret_pem);
}

int store_account_read_next_key(Store *s, const char *id, Secret **ret_pem) {
        return read_key(s, id, STORE_FILE_ACCOUNT_NEXT_KEY, ret_pem);
}

/* mod_md's own form is kept until there is a better one: nothing is lost. */
static int add_eab(JsonObject *o, const Account *a) {
        JsonObject *eab;

        if (!a->eab_kid)
                return 0;
        eab = json_object_new_object();
        if (!eab || json_add_string(eab, "kid", a->eab_kid) < 0 || json_add_string(eab, "hmac-sha256", a->eab_sha256) < 0 ||
            json_add_string(eab, "hmac", a->eab_sha256 ? NULL : a->eab_hmac) < 0) {
                json_object_put(eab);
                return -ENOMEM;
        }
        return json_add_object(o, "eab", eab);
}

static int write_account(int dir_fd, const Account *a) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;

        o = json_object_new_object();
        if (!o)
                return -ENOMEM;
        if (json_add_string(o, "status", str_or(a->status, "valid")) < 0 || json_add_string(o, "url", a->url) < 0 ||
            json_add_string(o, "ca-url", a->ca_url) < 0 || json_add_strv(o, "contact", a->contacts) < 0 ||
            json_add_string(o, "agreement", a->agreement) < 0 || json_add_string(o, "published-terms", a->terms) < 0 ||
            json_add_string(o, "orders", a->orders) < 0 || add_eab(o, a) < 0 || json_add_string(o, "key-of", a->key_of) < 0 ||
            json_add_time(o, "rejected", a->rejected_usec) < 0 || (a->try_again && json_add_bool(o, "try-again", true) < 0))
                return -ENOMEM;
        text = json_format(o);
        if (!text)
                return -ENOMEM;

        return file_replace_at(dir_fd, STORE_FILE_ACCOUNT, text, strlen(text), &STORE_PRIVATE_FILE);
}

/* "https://acme-v02.api.letsencrypt.org/directory" gives ".letsencrypt.org": the last 16 characters, whatever cannot stand in a name replaced. */
static void make_host(const char *url, char host[static HOST_MAX + 1]) {
        const char *begin, *at;
        size_t n;

        begin = strstr(url, "://");
        begin = begin ? begin + 3 : url;
        n = strcspn(begin, "/?#");
        at = memchr(begin, '@', n);
        if (at) {
                n -= (size_t) (at + 1 - begin);
                begin = at + 1;
        }
        n = *begin == '[' ? strcspn(begin, "]/") : MIN_OF(n, strcspn(begin, ":/?#"));
        if (n > HOST_MAX) {
                begin += n - HOST_MAX;
                n = HOST_MAX;
        }

        for (size_t i = 0; i < n; i++)
                host[i] = strchr("abcdefghijklmnopqrstuvwxyz0123456789.-", begin[i]) ? begin[i] : '-';
        host[n] = '\0';
        if (n == 0)
                (void) strcpy(host, "-");
}

static int make_new(const Store *s, int accounts_fd, const Account *a, const Secret *key_pem) {
        _auto_close_ int fd = -1;
        int r;

        r = dir_remove_tree_at(accounts_fd, NEW); /* a crash may have left one */
        if (r < 0)
                return r;
        r = store_ensure_at(s, accounts_fd, NEW, 0700, &fd);
        if (r != 0)
                return r < 0 ? r : -ENOTDIR;

        r = file_replace_at(fd, STORE_FILE_ACCOUNT_KEY, key_pem->data, key_pem->size, &STORE_PRIVATE_FILE);
        if (r < 0)
                return r;
        store_step(s, "account key written");
        r = write_account(fd, a);
        if (r < 0)
                return r;
        store_step(s, "account written");
        return 0;
}

/* The set gets its name when it is whole. */
static int give_number(int accounts_fd, const char *host, char **ret_id) {
        for (unsigned i = 0; i <= NUMBER_MAX; i++) {
                _auto_free_ char *id = NULL;
                int r;

                id = str_printf("ACME-%s-%04u", host, i);
                if (!id)
                        return -ENOMEM;
                r = dir_rename_at(accounts_fd, NEW, accounts_fd, id);
                if (r == DIR_E_EXISTS)
                        continue;
                if (r == 0)
                        *ret_id = take_ptr(id);
                return r <= 0 ? r : -ENOENT;
        }
        return -EEXIST;
}

int store_account_create(Store *s, Account *a, const Secret *key_pem) {
        _auto_close_ int fd = -1;
        _auto_free_ char *id = NULL;
        char host[HOST_MAX + 1];
        int r;

        assert(s);
        assert(a);
        assert(a->ca_url);
        assert(key_pem);

        r = store_open_writable(s, STORE_ACCOUNTS, (gid_t) -1, &fd);
        if (r != 0)
                return from_directory(r);

        make_host(a->ca_url, host);
        r = make_new(s, fd, a, key_pem);
        if (r == 0)
                r = give_number(fd, host, &id);
        if (r < 0) {
                (void) dir_remove_tree_at(fd, NEW);
                return r;
        }

        free(a->id);
        a->id = take_ptr(id);
        return 0;
}

int store_account_write(Store *s, const Account *a) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(a);

        r = store_open_sub(s, STORE_ACCOUNTS, a->id, &fd);
        if (r != 0)
                return from_directory(r);
        return write_account(fd, a);
}

int store_account_write_next_key(Store *s, const char *id, const Secret *key_pem) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(key_pem);

        r = store_open_sub(s, STORE_ACCOUNTS, id, &fd);
        if (r != 0)
                return from_directory(r);
        return file_replace_at(fd, STORE_FILE_ACCOUNT_NEXT_KEY, key_pem->data, key_pem->size, &STORE_PRIVATE_FILE);
}

int store_account_take_next_key(Store *s, const char *id) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        r = store_open_sub(s, STORE_ACCOUNTS, id, &fd);
        if (r != 0)
                return from_directory(r);
        if (!store_has_file(fd, STORE_FILE_ACCOUNT_NEXT_KEY))
                return STORE_ACCOUNT_E_NOT_FOUND;
        if (renameat(fd, STORE_FILE_ACCOUNT_NEXT_KEY, fd, STORE_FILE_ACCOUNT_KEY) < 0)
                return -errno;
        return dir_sync(fd);
}

int store_account_drop_next_key(Store *s, const char *id) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        r = store_open_sub(s, STORE_ACCOUNTS, id, &fd);
        if (r != 0)
                return from_directory(r);
        return from_file(file_remove_at(fd, STORE_FILE_ACCOUNT_NEXT_KEY));
}
