/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/external-account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/json.h"
#include "base/name-component.h"
#include "base/string-util.h"
#include "crypto/digest.h"

enum {
        CREDENTIAL_MAX = 64 * 1024,
        KID_MAX = 1024,
        MAC_KEY_MAX = 4096,
};

void external_account_done(ExternalAccount *e) {
        free(e->kid);
        secret_free(e->mac_key);
        free(e->sha256);
        *e = (ExternalAccount){ 0 };
}

/* CAs hand the key out with padding, or without as RFC 7515 has it. */
static int decode_mac_key(const char *text, Secret **ret) {
        size_t n = strlen(text), size = 0;
        void *data = NULL;
        int r;

        while (n > 0 && text[n - 1] == '=')
                n--;
        if (n == 0 || n > MAC_KEY_MAX)
                return -EBADMSG;
        r = base64url_decode(text, n, &data, &size);
        if (r < 0)
                return r;
        *ret = secret_new(data, size);
        secret_wipe(data, size);
        free(data);
        return *ret ? 0 : -ENOMEM;
}

static bool kid_is_valid(const char *kid) {
        if (str_is_empty(kid) || strlen(kid) > KID_MAX)
                return false;
        for (const char *p = kid; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 127)
                        return false;
        return true;
}

/* 'where' for people: the directive, or the credential. */
static int from_values(const char *where, const char *kid, const char *hmac, ExternalAccount *ret, Problem **ret_problem) {
        _auto_external_account_ ExternalAccount e = { 0 };
        int r;

        if (!kid_is_valid(kid) || str_is_empty(hmac)) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_EAB, "%s gives no usable %s", where, str_is_empty(hmac) ? "\"hmac\"" : "\"kid\"");
                return -EINVAL;
        }
        r = decode_mac_key(hmac, &e.mac_key);
        if (r == -EBADMSG) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_EAB, "The HMAC key that %s gives for key id '%s' is not base64url", where, kid);
                return -EINVAL;
        }
        if (r == 0)
                r = digest_sha256_hex(e.mac_key->data, e.mac_key->size, &e.sha256);
        if (r == 0)
                r = str_replace(&e.kid, kid);
        if (r < 0)
                return r;
        *ret = e;
        e = (ExternalAccount){ 0 };
        return 0;
}

static int refuse_credential(const char *name, const char *why, Problem **ret_problem) {
        (void) problem_set(ret_problem, PROBLEM_TYPE_EAB,
                           "The credential '%s' that MDExternalAccountBinding names cannot be used: %s. md-manager.service gets it by LoadCredential= or "
                           "LoadCredentialEncrypted= in a drop-in, as {\"kid\": \"…\", \"hmac\": \"…\"}, when it is started",
                           name, why);
        return -EINVAL;
}

static int read_credential(const char *name, char **ret_text, size_t *ret_size, Problem **ret_problem) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        _auto_close_ int fd = -1;
        int r;

        if (!name_component_is_valid(name))
                return refuse_credential(name, "this is no name of a credential", ret_problem);
        if (str_is_empty(directory))
                return refuse_credential(name, "md-manager.service was given no credentials", ret_problem);
        fd = open(directory, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        if (fd < 0)
                return refuse_credential(name, strerror(errno), ret_problem);
        r = file_read_at(fd, name, CREDENTIAL_MAX, ret_text, ret_size);
        if (r == FILE_E_NOT_FOUND)
                return refuse_credential(name, "md-manager.service was not given it", ret_problem);
        if (r != 0)
                return refuse_credential(name, r == FILE_E_TOO_LARGE ? "it is too large" : r < 0 ? strerror(-r) : "it is no file", ret_problem);
        return 0;
}

static int from_credential(const char *name, ExternalAccount *ret, Problem **ret_problem) {
        _auto_free_ char *text = NULL, *where = str_printf("credential '%s' of md-manager.service", name);
        _auto_json_ JsonObject *o = NULL;
        size_t size = 0;
        int r;

        if (!where)
                return -ENOMEM;
        r = read_credential(name, &text, &size, ret_problem);
        if (r < 0)
                return r;
        r = json_parse(text, size, &o, NULL);
        secret_wipe(text, size);
        if (r < 0)
                return r;
        if (r > 0 || !json_object_is_type(o, json_type_object))
                return refuse_credential(name, "it is no JSON object", ret_problem);
        return from_values(where, json_get_string(o, "kid"), json_get_string(o, "hmac"), ret, ret_problem);
}

int external_account_read(const ManagedDomain *settings, ExternalAccount *ret, Problem **ret_problem) {
        assert(settings);
        assert(ret);

        if (settings->eab_credential)
                return from_credential(settings->eab_credential, ret, ret_problem);
        if (settings->eab_kid)
                return from_values("MDExternalAccountBinding", settings->eab_kid, settings->eab_hmac, ret, ret_problem);
        *ret = (ExternalAccount){ 0 };
        return 0;
}

bool external_account_matches(const ExternalAccount *e, const Account *a) {
        _auto_secret_ Secret *key = NULL;
        _auto_free_ char *sha256 = NULL;

        if (!e->kid || !a->eab_kid)
                return !e->kid && !a->eab_kid;
        if (!str_equal(e->kid, a->eab_kid))
                return false;
        if (a->eab_sha256)
                return str_equal(e->sha256, a->eab_sha256);
        /* an account of mod_md */
        return a->eab_hmac && decode_mac_key(a->eab_hmac, &key) == 0 && digest_sha256_hex(key->data, key->size, &sha256) == 0 &&
               str_equal(e->sha256, sha256);
}

int external_account_note(const ExternalAccount *e, Account *a) {
        int r;

        r = str_replace(&a->eab_sha256, e->sha256);
        if (r == 0)
                r = str_replace(&a->eab_kid, e->kid);
        return r;
}
