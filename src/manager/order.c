/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/order.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/csr.h"
#include "domain/name.h"

int order_names(const ManagedDomain *settings, char ***ret) {
        return domain_names_without_covered(settings->names, ret);
}

int order_profile(const ManagedDomain *settings, char *const *profiles, const char *ca_url, const char **ret, Problem **ret_problem) {
        _auto_free_ char *list = NULL;

        if (!settings->profile) {
                *ret = NULL;
                return 0;
        }
        STRV_FOREACH(p, profiles)
                if (str_equal_nocase(*p, settings->profile)) {
                        *ret = *p;
                        return 0;
                }
        if (!settings->profile_mandatory) {
                *ret = NULL;
                return 0;
        }
        list = strv_join(profiles, ", ");
        (void) problem_set(ret_problem, PROBLEM_ACME_PREFIX "invalidProfile",
                           "%s has no profile '%s', and MDProfileMandatory is on; %s%s", ca_url, settings->profile,
                           str_is_empty(list) ? "it has no profiles at all" : "it has ", str_or(list, ""));
        return -EINVAL;
}

bool order_fits(const ManagedDomain *begun, const ManagedDomain *settings) {
        /* One that was begun when the profile was no must may be one without it. */
        return str_equal_nocase(begun->profile, settings->profile) && (begun->profile_mandatory || !settings->profile_mandatory);
}

static JsonObject *make_identifier(const char *name) {
        JsonObject *o = json_object_new_object();

        if (o && json_add_string(o, "type", domain_name_is_address(name) ? "ip" : "dns") == 0 && json_add_string(o, "value", name) == 0)
                return o;
        json_object_put(o);
        return NULL;
}

static JsonObject *make_identifiers(char *const *names) {
        JsonObject *list = json_object_new_array();

        STRV_FOREACH(name, names) {
                JsonObject *o = list ? make_identifier(*name) : NULL;

                if (!o || json_object_array_add(list, o) < 0) {
                        json_object_put(o);
                        json_object_put(list);
                        return NULL;
                }
        }
        return list;
}

int order_payload(char *const *names, const char *profile, const char *replaces, char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        JsonObject *list = o ? make_identifiers(names) : NULL;
        char *text;

        if (!list || json_add_object(o, "identifiers", list) < 0 || json_add_string(o, "profile", profile) < 0 || json_add_string(o, "replaces", replaces) < 0)
                return -ENOMEM;
        text = json_format_short(o);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

int order_request(EVP_PKEY *key, char *const *names, bool must_staple, char **ret, Problem **ret_problem) {
        _auto_json_ JsonObject *o = json_object_new_object();
        _auto_free_ char *csr = NULL;
        char *text;
        int r;

        r = o ? csr_make(key, names, must_staple, &csr, ret_problem) : -ENOMEM;
        if (r == 0)
                r = json_add_string(o, "csr", csr);
        if (r < 0)
                return r;
        text = json_format_short(o);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
