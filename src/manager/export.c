/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/export.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "crypto/key.h"
#include "crypto/pkcs12.h"
#include "manager/manager-bus.h"
#include "store/domain.h"

/* The key of this name, or the first with a live certificate. */
static int find_spec(const Domain *d, const char *wanted, KeySpec *ret, sd_bus_error *error) {
        char name[KEY_SPEC_NAME_MAX];

        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                *ret = key_specs_get(&d->config->keys, i);
                key_spec_name(ret, name);
                if (str_is_empty(wanted) ? cert_facts_find(&d->live, name) != NULL : str_equal_nocase(name, wanted))
                        return 0;
        }
        if (str_is_empty(wanted))
                return sd_bus_error_setf(error, BUS_ERROR_NOTHING_TO_DO, "%s has no certificate yet", DOMAIN_NAME(d));
        return sd_bus_error_setf(error, BUS_ERROR_INVALID, "%s is configured with no such key; 'mdctl show' names those that it has", DOMAIN_NAME(d));
}

static int judge_read(const Domain *d, int r, sd_bus_error *error) {
        if (r == STORE_DOMAIN_E_NOT_FOUND)
                return sd_bus_error_setf(error, BUS_ERROR_NOTHING_TO_DO, "%s has no certificate for this key yet", DOMAIN_NAME(d));
        if (r > 0)
                return sd_bus_error_setf(error, BUS_ERROR_FAILED, "The files of %s in the store are damaged", DOMAIN_NAME(d));
        return r;
}

int export_chain(Domain *d, sd_bus_message *call, sd_bus_error *error) {
        _auto_free_ char *chain = NULL;
        const char *wanted;
        KeySpec spec;
        int r;

        r = sd_bus_message_read(call, "s", &wanted);
        if (r >= 0)
                r = find_spec(d, wanted, &spec, error);
        if (r < 0)
                return r;
        r = judge_read(d, store_domain_read_chain(d->manager->store, STORE_SET_LIVE, DOMAIN_NAME(d), &spec, &chain), error);
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", chain);
}

static int read_pair(const Domain *d, const KeySpec *spec, Secret **ret_key, char **ret_chain, sd_bus_error *error) {
        int r = judge_read(d, store_domain_read_key(d->manager->store, STORE_SET_LIVE, DOMAIN_NAME(d), spec, ret_key), error);

        return r < 0 ? r : judge_read(d, store_domain_read_chain(d->manager->store, STORE_SET_LIVE, DOMAIN_NAME(d), spec, ret_chain), error);
}

static int reply_pair(sd_bus_message *call, const Secret *key, const char *chain) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_sensitive(reply); /* wiped when it is sent */
        if (r >= 0)
                r = sd_bus_message_append(reply, "ss", key->data, chain);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* > 0: here it is; 0: polkit was asked. */
static int hand_out(Domain *d, sd_bus_message *call, const char *wanted, Secret **ret_key, char **ret_chain, sd_bus_error *error) {
        KeySpec spec;
        int r;

        r = authorize(d->manager, call, ACTION_EXPORT_KEY, DOMAIN_NAME(d), error);
        if (r <= 0)
                return r;
        r = find_spec(d, wanted, &spec, error);
        if (r >= 0)
                r = read_pair(d, &spec, ret_key, ret_chain, error);
        if (r < 0)
                return r;
        log_notice("%s: A private key is handed out (%s).", DOMAIN_NAME(d), sd_bus_message_get_sender(call));
        return 1;
}

int export_key(Domain *d, sd_bus_message *call, sd_bus_error *error) {
        _auto_secret_ Secret *key = NULL;
        _auto_free_ char *chain = NULL;
        const char *wanted;
        int r;

        r = sd_bus_message_read(call, "s", &wanted);
        if (r >= 0)
                r = hand_out(d, call, wanted, &key, &chain, error);
        return r <= 0 ? (r < 0 ? r : 1) : reply_pair(call, key, chain);
}

static int make_pkcs12(const Domain *d, const Secret *key_pem, const char *chain_pem, const char *password, Secret **ret, sd_bus_error *error) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_problem_ Problem *problem = NULL;
        _auto_pkey_ EVP_PKEY *key = NULL;
        int r;

        r = cert_chain_from_pem(chain_pem, strlen(chain_pem), &chain, &problem);
        if (r == 0)
                r = key_from_pem(key_pem->data, key_pem->size, &key, &problem);
        if (r == 0)
                r = pkcs12_make(&chain, key, DOMAIN_NAME(d), password, ret, &problem);
        return r < 0 && problem ? bus_error_from_problem(error, BUS_ERROR_FAILED, problem) : r;
}

static int reply_bytes(sd_bus_message *call, const Secret *data) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_sensitive(reply);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', data->data, data->size);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int export_pkcs12(Domain *d, sd_bus_message *call, sd_bus_error *error) {
        _auto_secret_ Secret *key = NULL, *data = NULL;
        const char *wanted, *password;
        _auto_free_ char *chain = NULL;
        int r;

        r = sd_bus_message_read(call, "ss", &wanted, &password);
        if (r >= 0)
                r = hand_out(d, call, wanted, &key, &chain, error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = make_pkcs12(d, key, chain, password, &data, error);
        return r < 0 ? r : reply_bytes(call, data);
}
