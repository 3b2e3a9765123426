/* SPDX-License-Identifier: Apache-2.0 */
#include "ca-directives.h"

#include <errno.h>
#include <unistd.h>

#include "apr_strings.h"
#include "apr_uri.h"

#include "base/encoding.h"
#include "base/string-util.h"
#include "account-binding.h"
#include "ca-name.h"
#include "contact.h"
#include "pass.h"

#define CREDENTIAL_PREFIX "credential:"

static void list_add(apr_array_header_t *list, const char *word) {
        for (int i = 0; i < list->nelts; i++)
                if (str_equal(APR_ARRAY_IDX(list, i, const char *), word))
                        return;
        APR_ARRAY_PUSH(list, const char *) = word;
}

static const char *check_ca_url(Call *call, const char *url) {
        char names[CA_NAMES_TEXT_MAX];

        if (str_has_prefix(url, CA_SOCKET_PREFIX))
                return NULL;
        if (!strchr(url, ':'))
                return call_complain(call, "'%s' is neither a URL nor a CA known by name; known are: %s", url, ca_names_text(names));
        return call_check_url(call, url, true);
}

const char *parse_ca(Call *call, char **words, int n) {
        apr_array_header_t *urls = apr_array_make(call->pool, n > 0 ? n : 1, sizeof(const char *));
        const char *gone = NULL;

        for (; *words; words++) {
                const CaName *known = ca_name_find(*words);
                const char *error;

                if (known && !known->url) {
                        gone = known->name;
                        continue;
                }
                error = known ? NULL : check_ca_url(call, *words);
                if (error)
                        return error;
                list_add(urls, known ? known->url : *words);
        }

        if (gone && urls->nelts == 0)
                return call_complain(call, "%s issues no certificates any more; LetsEncrypt, ZeroSSL, Google and Actalis do", gone);
        if (gone)
                call_warn(call, "%s issues no certificates any more and is left out", gone);
        if (urls->nelts > MANAGED_DOMAIN_CA_URLS_MAX)
                return call_complain(call, "names more than %d CAs", MANAGED_DOMAIN_CA_URLS_MAX);

        /* Without arguments the list is empty, and the default counts again, also inside <MDomain>. */
        call->settings->ca_urls = urls;
        return NULL;
}

const char *parse_protocol(Call *call, char **words, int n) {
        if (str_equal_nocase(words[0], "ACME"))
                call->settings->protocol = "";
        else if (str_equal_nocase(words[0], "tailscale"))
                call->settings->protocol = "tailscale";
        else
                return call_complain(call, "'%s' is neither 'ACME' nor 'tailscale'", words[0]);
        return NULL;
}

/* A URL of the terms is what the first versions of ACME wanted to hear, and still stands in configurations. */
static bool is_consent(Call *call, const char *word) {
        apr_uri_t uri;

        if (str_equal_nocase(word, "accepted"))
                return true;
        return apr_uri_parse(call->pool, word, &uri) == APR_SUCCESS && !str_is_empty(uri.hostname) &&
                (str_equal(uri.scheme, "https") || str_equal(uri.scheme, "http"));
}

const char *parse_agreement(Call *call, char **words, int n) {
        if (!is_consent(call, words[0]))
                return call_complain(call, "'%s' is no consent; write accepted, or leave the line out", words[0]);
        call->settings->agreement = words[0];
        return NULL;
}

const char *parse_contact(Call *call, char **words, int n) {
        const char *contact = contact_uri(call->pool, words[0]);

        if (!contact)
                return call_complain(call, "'%s' is not an e-mail address; it looks like admin@example.org", words[0]);
        call->settings->contact = contact;
        return NULL;
}

/* As systemd names credentials. */
static const char *read_credential(Call *call, const char *name, AccountBinding *eab) {
        if (*name == '\0' || *name == '.' || strlen(name) > 255 || strpbrk(name, "/ "))
                return call_complain(call, "'%s' is not the name of a systemd credential", name);
        eab->credential = name;
        return NULL;
}

/* Who only wants to look at the configuration need not be able to read secrets. */
static const char *read_binding_file(Call *call, const char *word, AccountBinding *eab) {
        const char *path, *error;
        int open_to_all = 0;

        error = call_read_path(call, word, &path);
        if (error || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP)
                return error;

        error = account_binding_read(call->pool, path, &eab->kid, &eab->hmac, &open_to_all);
        if (!error && open_to_all)
                call_warn(call, "every user may read %s, which holds a secret; \"chmod o-r\" mends it", path);
        return error;
}

const char *parse_account_binding(Call *call, char **words, int n) {
        AccountBinding *eab = apr_pcalloc(call->pool, sizeof(*eab));
        const char *credential = str_after_prefix(words[0], CREDENTIAL_PREFIX), *error = NULL;

        if (n == 2) {
                eab->kid = words[0];
                eab->hmac = words[1];
        } else if (credential)
                error = read_credential(call, credential, eab);
        else if (!str_equal_nocase(words[0], "none"))
                error = read_binding_file(call, words[0], eab);
        if (error)
                return error;

        /* An account that is there goes on working with it, so this is no reason to stop a server. */
        if (eab->hmac && !base64url_is_valid(eab->hmac))
                call_warn(call, "the HMAC key of '%s' is not base64url (letters, digits, '-' and '_'), and no account can be registered with it",
                          eab->kid);
        call->settings->eab = eab;
        return NULL;
}

const char *parse_proxy(Call *call, char **words, int n) {
        const char *error;

        if (str_equal_nocase(words[0], "none")) {
                call->settings->proxy_url = "";
                return NULL;
        }
        error = call_check_url(call, words[0], false);
        if (!error)
                call->settings->proxy_url = words[0];
        return error;
}

/* It is read when the CA is talked to, by another user. That it is not there at all is noticed here. */
const char *parse_trust(Call *call, char **words, int n) {
        const char **target = call->target, *error;

        if (str_equal_nocase(words[0], "none")) {
                *target = "";
                return NULL;
        }
        error = call_read_path(call, words[0], target);
        if (!error && access(*target, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
                call_warn(call, "there is no file %s", *target);
        return error;
}
