/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/directory.h"

#include <errno.h>

#include "acme/url.h"
#include "base/cleanup.h"
#include "base/string-util.h"

enum { PROFILE_NAME_MAX = 64 };

AcmeDirectory *acme_directory_free(AcmeDirectory *d) {
        if (!d)
                return NULL;

        free(d->new_nonce);
        free(d->new_account);
        free(d->new_order);
        free(d->revoke_cert);
        free(d->key_change);
        free(d->renewal_info);
        free(d->terms_of_service);
        strv_free(d->profiles);
        free(d);
        return NULL;
}

/* A member that is no URL of use counts as missing. */
static int take_url(JsonObject *o, const char *key, char **ret) {
        const char *url = json_get_string(o, key);

        return acme_url_is_valid(url) ? str_replace(ret, url) : 0;
}

static int take_urls(AcmeDirectory *d, JsonObject *o) {
        const struct {
                const char *key;
                char **url;
        } members[] = {
                { "newNonce",    &d->new_nonce    },
                { "newAccount",  &d->new_account  },
                { "newOrder",    &d->new_order    },
                { "revokeCert",  &d->revoke_cert  },
                { "keyChange",   &d->key_change   },
                { "renewalInfo", &d->renewal_info },
        };

        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (take_url(o, members[i].key, members[i].url) < 0)
                        return -ENOMEM;
        return 0;
}

static int take_profiles(AcmeDirectory *d, JsonObject *meta) {
        JsonObject *profiles = json_get_object(meta, "profiles");
        size_t n = 0;

        if (!profiles)
                return 0;
        json_object_object_foreach(profiles, name, description) {
                _auto_free_ char *printable = NULL;

                (void) description;
                if (n++ >= ACME_PROFILES_MAX)
                        return 0;
                printable = str_printable(name, strlen(name), PROFILE_NAME_MAX);
                if (!printable)
                        return -ENOMEM;
                /* What had to be changed is a name that cannot be asked for. */
                if (str_equal(printable, name) && strv_consume(&d->profiles, take_ptr(printable)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int take_meta(AcmeDirectory *d, JsonObject *o) {
        JsonObject *meta = json_get_object(o, "meta");
        const char *terms;

        if (!meta)
                return 0;
        d->external_account_required = json_get_bool(meta, "externalAccountRequired", false);

        terms = json_get_string(meta, "termsOfService");
        if (!str_is_empty(terms)) {
                d->terms_of_service = str_printable(terms, strlen(terms), ACME_URL_MAX);
                if (!d->terms_of_service)
                        return -ENOMEM;
        }
        return take_profiles(d, meta);
}

static int refuse(const char *url, JsonObject *o, const char *member, Problem **ret_problem) {
        if (json_has(o, "new-reg") || json_has(o, "new-authz"))
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER,
                            "%s is the directory of an ACMEv1 server; only ACMEv2 (RFC 8555) is spoken here", url);
        else if (json_has(o, member))
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The directory %s has a '%s' that is no https URL of use", url,
                            member);
        else
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "%s is no ACME directory: it has no '%s'", url, member);
        return -EBADMSG;
}

int acme_directory_parse(const char *url, const char *data, size_t size, AcmeDirectory **ret, Problem **ret_problem) {
        _auto_acme_directory_ AcmeDirectory *d = NULL;
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *where = NULL;
        int r;

        assert(url);
        assert(ret);

        r = json_parse(data, size, &o, &where);
        if (r < 0)
                return r;
        if (r > 0) {
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "%s is no ACME directory: not JSON (%s)", url,
                            str_or(where, "empty"));
                return -EBADMSG;
        }
        if (!json_object_is_type(o, json_type_object)) {
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "%s is no ACME directory: not a JSON object", url);
                return -EBADMSG;
        }

        d = calloc(1, sizeof(*d));
        if (!d || take_urls(d, o) < 0 || take_meta(d, o) < 0)
                return -ENOMEM;
        if (!d->new_nonce)
                return refuse(url, o, "newNonce", ret_problem);
        if (!d->new_account)
                return refuse(url, o, "newAccount", ret_problem);
        if (!d->new_order)
                return refuse(url, o, "newOrder", ret_problem);

        *ret = take_ptr(d);
        return 0;
}
