/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ca-limit.h"

#include <errno.h>

#include "base/string-util.h"
#include "store/internal.h"

int store_ca_limits_read(Store *s, uint64_t now_usec, CaLimits *ret) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        size_t size = 0;
        int r;

        assert(s);
        assert(ret);

        r = store_open_dir(s, STORE_ACCOUNTS, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CA_LIMIT_E_NOT_FOUND;
        r = store_read_text(fd, STORE_FILE_LIMITS, STORE_JSON_MAX, &text, &size);
        if (r != 0)
                return r < 0 ? r : r == FILE_E_NOT_FOUND ? STORE_CA_LIMIT_E_NOT_FOUND : STORE_CA_LIMIT_E_DAMAGED;
        r = json_parse(text, size, &o, NULL);
        if (r == 0)
                r = ca_limits_from_json(o, now_usec, ret);
        return r == -EBADMSG || r > 0 ? STORE_CA_LIMIT_E_DAMAGED : r;
}

int store_ca_limits_write(Store *s, const CaLimits *limits, uint64_t now_usec) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(limits);

        r = ca_limits_to_json(limits, now_usec, &o);
        if (r < 0)
                return r;
        text = json_format(o);
        if (!text)
                return -ENOMEM;
        r = store_open_writable(s, STORE_ACCOUNTS, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CA_LIMIT_E_NOT_FOUND;
        return file_replace_at(fd, STORE_FILE_LIMITS, text, strlen(text), &STORE_PRIVATE_FILE);
}
