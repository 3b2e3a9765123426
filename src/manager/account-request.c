/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/account-request.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/encoding.h"
#include "base/string-util.h"

static int finish(JsonObject *o, char **ret) {
        char *text = json_format_short(o);

        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

int account_request_new(const AccountRequest *q, char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        int r;

        if (!o)
                return -ENOMEM;
        if (q->only_existing) { /* the CA ignores the rest (RFC 8555 section 7.3.1) */
                r = json_add_bool(o, "onlyReturnExisting", true);
                return r < 0 ? r : finish(o, ret);
        }
        r = q->agreed ? json_add_bool(o, "termsOfServiceAgreed", true) : 0;
        if (r == 0)
                r = json_add_strv(o, "contact", q->contacts);
        if (r == 0 && q->binding)
                r = json_add_object(o, "externalAccountBinding", json_object_get(q->binding));
        return r < 0 ? r : finish(o, ret);
}

int account_request_update(const AccountRequest *q, char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();
        int r;

        if (!o)
                return -ENOMEM;
        r = q->agreed ? json_add_bool(o, "termsOfServiceAgreed", true) : 0;
        if (r == 0)
                r = json_add_strv(o, "contact", q->contacts);
        return r < 0 ? r : finish(o, ret);
}

int account_request_deactivate(char **ret) {
        _auto_json_ JsonObject *o = json_object_new_object();

        return o && json_add_string(o, "status", "deactivated") == 0 ? finish(o, ret) : -ENOMEM;
}

int revocation_reason_from_string(const char *s, unsigned *ret) {
        static const struct {
                const char *name;
                unsigned code;
        } reasons[] = {
                { "unspecified", 0 }, { "keyCompromise", 1 }, { "affiliationChanged", 3 }, { "superseded", 4 }, { "cessationOfOperation", 5 },
        };

        for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
                if (str_equal_nocase(reasons[i].name, s)) {
                        *ret = reasons[i].code;
                        return 0;
                }
        return -EINVAL;
}

int revocation_request(X509 *cert, const unsigned *reason, char **ret) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_json_ JsonObject *o = json_object_new_object();
        _auto_openssl_ uint8_t *der = NULL;
        _auto_free_ char *text = NULL;
        int n = i2d_X509(cert, &der);

        if (n <= 0)
                return openssl_failure();
        text = base64url_encode(der, (size_t) n);
        if (!o || !text || json_add_string(o, "certificate", text) < 0 || (reason && json_add_uint(o, "reason", *reason) < 0))
                return -ENOMEM;
        return finish(o, ret);
}
