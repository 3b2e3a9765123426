/* SPDX-License-Identifier: Apache-2.0 */
#include "account-binding.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/string-util.h"

enum {
        FILE_SIZE_MAX = 64 * 1024,
};

static const char *member(apr_pool_t *p, JsonObject *o, const char *key, const char *path, const char **ret) {
        const char *value = json_get_string(o, key);

        if (str_is_empty(value))
                return apr_psprintf(p, "the file %s has no text \"%s\"; it looks like {\"kid\": \"…\", \"hmac\": \"…\"}", path, key);
        *ret = apr_pstrdup(p, value);
        return NULL;
}

static const char *read_text(apr_pool_t *p, const char *path, char **ret, size_t *ret_size, int *ret_open_to_all) {
        _auto_close_ int fd = open(path, O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return apr_psprintf(p, "the file %s cannot be read: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return apr_psprintf(p, "%s is not a file", path);
        if (fd_read_to_end(fd, FILE_SIZE_MAX, ret, ret_size) != 0)
                return apr_psprintf(p, "the file %s cannot be read, or is larger than %d KiB", path, FILE_SIZE_MAX / 1024);
        *ret_open_to_all = (st.st_mode & S_IROTH) != 0;
        return NULL;
}

const char *account_binding_read(apr_pool_t *p, const char *path, const char **ret_kid, const char **ret_hmac, int *ret_open_to_all) {
        _auto_free_ char *text = NULL, *where = NULL;
        _auto_json_ JsonObject *o = NULL;
        const char *error;
        size_t size = 0;

        error = read_text(p, path, &text, &size, ret_open_to_all);
        if (error)
                return error;

        if (json_parse(text, size, &o, &where) != JSON_DONE || !json_object_is_type(o, json_type_object))
                return apr_psprintf(p, "the file %s is not JSON as {\"kid\": \"…\", \"hmac\": \"…\"}%s%s", path, where ? ": " : "", str_or(where, ""));
        error = member(p, o, "kid", path, ret_kid);
        return error ? error : member(p, o, "hmac", path, ret_hmac);
}
