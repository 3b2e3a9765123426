/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ocsp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"

#define PREFIX "ocsp-"
#define SUFFIX_JSON ".json"
#define SUFFIX_STAPLE ".staple"
#define HEAD "md-staple 1 "

enum {
        ID_LENGTH = 40,
        FILE_MAX = 64,
        HEAD_MAX = 128,
        FILE_SIZE_MAX = 2 * STORE_STAPLE_MAX + 16 * 1024, /* base64url, and a problem */
};

void store_staple_done(StoreStaple *s) {
        free(s->der);
        problem_free(s->last);
        *s = (StoreStaple){ 0 };
}

static bool id_is_valid(const char *id) {
        return id && strlen(id) == ID_LENGTH && strspn(id, "0123456789abcdef") == ID_LENGTH;
}

static const char *file_name(const char *id, const char *suffix, char buffer[static FILE_MAX]) {
        (void) snprintf(buffer, FILE_MAX, PREFIX "%s%s", id, suffix);
        return buffer;
}

/* The group is that of the directory: Apache's children. */
static const FileMode public_file = { .mode = 0640, .uid = (uid_t) -1, .gid = (gid_t) -1 };

/* Set-group-id comes down from ocsp/, as in challenges/. */
static int open_for_writing(Store *s, const char *name, int *ret_fd) {
        int r = store_ensure_sub(s, STORE_OCSP, name, 02750, ret_fd);

        return r <= 0 ? r : STORE_OCSP_E_NOT_FOUND;
}

int store_ocsp_ensure(Store *s, const char *name) {
        _auto_close_ int fd = -1;

        assert(s);
        return open_for_writing(s, name, &fd);
}

/* Writing */

static int add_validity(JsonObject *o, const StoreStaple *staple) {
        _auto_json_ JsonObject *valid = json_object_new_object();

        if (!valid || json_add_time(valid, "from", staple->from_usec) < 0 || json_add_time(valid, "until", staple->until_usec) < 0)
                return -ENOMEM;
        return json_add_object(o, "valid", take_ptr(valid));
}

static int add_response(JsonObject *o, const StoreStaple *staple) {
        _auto_free_ char *text = NULL;

        if (!staple->der)
                return 0;
        text = base64url_encode(staple->der, staple->size);
        if (!text || json_add_string(o, "response", text) < 0 || json_add_string(o, "status", staple->revoked ? "revoked" : "good") < 0)
                return -ENOMEM;
        return staple->came_usec > 0 && json_add_time(o, "fetched", staple->came_usec) < 0 ? -ENOMEM : add_validity(o, staple);
}

static int add_last(JsonObject *o, const StoreStaple *staple) {
        _auto_json_ JsonObject *last = NULL;

        if (!staple->last)
                return 0;
        last = json_object_new_object();
        if (!last || problem_to_json(staple->last, last) < 0)
                return -ENOMEM;
        return json_add_object(o, "last", take_ptr(last));
}

static char *format(const StoreStaple *staple) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || add_response(o, staple) < 0 || json_add_time(o, "renewal", staple->next_usec) < 0 ||
            (staple->errors > 0 && json_add_uint(o, "errors", staple->errors) < 0) || (staple->revoked_told && json_add_bool(o, "revoked-told", true) < 0) ||
            add_last(o, staple) < 0)
                return NULL;
        return json_format(o);
}

static int write_staple(int dir_fd, const char *id, const StoreStaple *staple) {
        char head[HEAD_MAX], file[FILE_MAX];
        _auto_free_ char *data = NULL;
        int n = snprintf(head, sizeof(head), HEAD "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", staple->from_usec, staple->until_usec, staple->next_usec);

        data = malloc((size_t) n + staple->size);
        if (!data)
                return -ENOMEM;
        memcpy(data, head, (size_t) n);
        memcpy(data + n, staple->der, staple->size);
        return file_replace_at(dir_fd, file_name(id, SUFFIX_STAPLE, file), data, (size_t) n + staple->size, &public_file);
}

typedef int (*Replace)(int dir_fd, const char *name, const void *data, size_t size, const FileMode *mode);

static int write_json(Store *s, const char *name, const char *id, const StoreStaple *staple, Replace replace, int *ret_fd) {
        _auto_free_ char *text = NULL;
        char file[FILE_MAX];
        int r;

        if (!id_is_valid(id) || staple->size > STORE_STAPLE_MAX)
                return -EINVAL;
        r = open_for_writing(s, name, ret_fd);
        if (r != 0)
                return r;
        text = format(staple);
        return text ? replace(*ret_fd, file_name(id, SUFFIX_JSON, file), text, strlen(text), &public_file) : -ENOMEM;
}

int store_ocsp_write(Store *s, const char *name, const char *id, const StoreStaple *staple) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(staple);

        /* What one of them says after a crash is in the other, too: one that is waited for is enough. */
        r = write_json(s, name, id, staple, staple->der ? file_replace_derived_at : file_replace_at, &fd);
        if (r != 0 || !staple->der)
                return r;
        return write_staple(fd, id, staple);
}

int store_ocsp_write_attempt(Store *s, const char *name, const char *id, const StoreStaple *staple) {
        _auto_close_ int fd = -1;

        assert(s);
        assert(staple);

        return write_json(s, name, id, staple, file_replace_derived_at, &fd);
}

/* Reading */

static int read_response(JsonObject *o, StoreStaple *ret) {
        const char *text = json_get_string(o, "response"), *status = json_get_string(o, "status");
        JsonObject *valid = json_get_object(o, "valid");
        int r;

        if (!text)
                return 0;
        ret->from_usec = json_get_time(valid, "from");
        ret->until_usec = json_get_time(valid, "until");
        if (ret->from_usec == 0 || ret->until_usec <= ret->from_usec || (!str_equal(status, "good") && !str_equal(status, "revoked")))
                return -EBADMSG;
        ret->revoked = str_equal(status, "revoked");
        ret->came_usec = json_get_time(o, "fetched");
        r = base64url_decode(text, strlen(text), &ret->der, &ret->size);
        return r == 0 && (ret->size == 0 || ret->size > STORE_STAPLE_MAX) ? -EBADMSG : r;
}

static int read_json(const char *text, size_t size, StoreStaple *ret) {
        _auto_staple_ StoreStaple staple = { 0 };
        _auto_json_ JsonObject *o = NULL;
        JsonObject *last;
        uint64_t errors = 0;
        int r;

        r = json_parse(text, size, &o, NULL);
        if (r != 0)
                return r < 0 ? r : -EBADMSG;
        r = read_response(o, &staple);
        if (r < 0)
                return r;
        staple.next_usec = json_get_time(o, "renewal");
        if (json_get_uint(o, "errors", &errors))
                staple.errors = (unsigned) MIN_OF(errors, (uint64_t) 1000);
        staple.revoked_told = json_get_bool(o, "revoked-told", false);
        last = json_get_object(o, "last");
        if (last)
                (void) problem_from_json(last, &staple.last);
        *ret = staple;
        staple = (StoreStaple){ 0 };
        return 0;
}

static int read_file(Store *s, const char *name, const char *id, StoreStaple *ret) {
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        char file[FILE_MAX];
        size_t size = 0;
        int r;

        if (!id_is_valid(id))
                return STORE_OCSP_E_NOT_FOUND;
        r = store_open_sub(s, STORE_OCSP, name, &fd);
        if (r == 0)
                r = store_read_text(fd, file_name(id, SUFFIX_JSON, file), FILE_SIZE_MAX, &text, &size);
        if (r != 0)
                return r < 0 ? r : STORE_OCSP_E_NOT_FOUND;
        r = read_json(text, size, ret);
        return r == -EBADMSG ? STORE_OCSP_E_NOT_FOUND : r;
}

/* "md-staple 1 FROM UNTIL NEXT\n" */
static int read_head(const char *data, size_t size, StoreStaple *ret, size_t *ret_length) {
        const char *end = memchr(data, '\n', MIN_OF(size, (size_t) HEAD_MAX));
        char head[HEAD_MAX + 1] = "";
        int n = 0;

        if (!end)
                return -EBADMSG;
        memcpy(head, data, (size_t) (end - data));
        if (sscanf(head, HEAD "%20" SCNu64 " %20" SCNu64 " %20" SCNu64 "%n", &ret->from_usec, &ret->until_usec, &ret->next_usec, &n) != 3 || head[n] != '\0' ||
            ret->until_usec <= ret->from_usec)
                return -EBADMSG;
        *ret_length = (size_t) (end + 1 - data);
        return 0;
}

static int parse_staple(const char *data, size_t size, StoreStaple *ret) {
        StoreStaple staple = { 0 };
        size_t length;
        int r;

        r = read_head(data, size, &staple, &length);
        if (r < 0)
                return r;
        staple.size = size - length;
        if (staple.size == 0 || staple.size > STORE_STAPLE_MAX)
                return -EBADMSG;
        staple.der = malloc(staple.size);
        if (!staple.der)
                return -ENOMEM;
        memcpy(staple.der, data + length, staple.size);
        *ret = staple;
        return 0;
}

static bool is_same(const StoreOcspMark *a, const StoreOcspMark *b) {
        return a->ino == b->ino && a->dev == b->dev && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

int store_ocsp_read_staple(Store *s, const char *name, const char *id, StoreOcspMark *mark, StoreStaple *ret) {
        StoreOcspMark found = { 0 };
        _auto_free_ char *data = NULL;
        _auto_close_ int fd = -1;
        char file[FILE_MAX];
        struct stat st;
        size_t size = 0;
        int r;

        assert(s);
        assert(mark);
        assert(ret);

        if (!id_is_valid(id))
                return STORE_OCSP_E_NOT_FOUND;
        r = store_open_sub(s, STORE_OCSP, name, &fd);
        if (r == 0 && fstatat(fd, file_name(id, SUFFIX_STAPLE, file), &st, AT_SYMLINK_NOFOLLOW) < 0)
                r = errno == ENOENT ? STORE_OCSP_E_NOT_FOUND : -errno;
        if (r != 0) {
                *mark = found;
                return r < 0 ? r : STORE_OCSP_E_NOT_FOUND;
        }
        found = (StoreOcspMark){ .ino = st.st_ino, .dev = st.st_dev, .size = st.st_size, .changed = st.st_mtim };
        if (is_same(mark, &found))
                return STORE_OCSP_UNCHANGED;
        *mark = found; /* of before it is read: one that comes in between is found the next time */
        r = file_read_at(fd, file, STORE_STAPLE_MAX + HEAD_MAX, &data, &size);
        if (r != 0)
                return r < 0 ? r : STORE_OCSP_E_NOT_FOUND;
        r = parse_staple(data, size, ret);
        return r == -EBADMSG ? STORE_OCSP_E_NOT_FOUND : r;
}

int store_ocsp_read(Store *s, const char *name, const char *id, StoreStaple *ret) {
        StoreOcspMark mark = { 0 };
        int r;

        assert(s);
        assert(ret);

        r = read_file(s, name, id, ret);
        return r == STORE_OCSP_E_NOT_FOUND ? store_ocsp_read_staple(s, name, id, &mark, ret) : r;
}

/* Cleaning up */

typedef struct Prune {
        uint64_t older_usec;
        bool (*is_used)(const char *name, const char *id, void *userdata);
        void *userdata;
} Prune;

/* The id in "ocsp-ID.json" and "ocsp-ID.staple". */
static bool id_of_file(const char *file, char id[static ID_LENGTH + 1]) {
        const char *rest = str_after_prefix(file, PREFIX);

        if (!rest || strlen(rest) < ID_LENGTH || (!str_equal(rest + ID_LENGTH, SUFFIX_JSON) && !str_equal(rest + ID_LENGTH, SUFFIX_STAPLE)))
                return false;
        memcpy(id, rest, ID_LENGTH);
        id[ID_LENGTH] = '\0';
        return id_is_valid(id);
}

static bool is_old(const Prune *p, int dir_fd, const char *file) {
        struct stat st;

        return fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t) st.st_mtim.tv_sec * USEC_PER_SEC < p->older_usec;
}

static int prune_directory(const Prune *p, int dir_fd, const char *name) {
        _auto_strv_ char **files = NULL;
        int r, first = 0;

        first = store_remove_temporaries(dir_fd);
        r = dir_list(dir_fd, &files);
        if (r != 0)
                return r < 0 ? r : -ENOTDIR;
        STRV_FOREACH(file, files) {
                char id[ID_LENGTH + 1];

                if (!id_of_file(*file, id) || !is_old(p, dir_fd, *file) || p->is_used(name, id, p->userdata))
                        continue;
                r = file_remove_at(dir_fd, *file);
                if (r < 0 && first == 0)
                        first = r;
        }
        return first;
}

int store_ocsp_prune(Store *s, uint64_t older_usec, bool (*is_used)(const char *name, const char *id, void *userdata), void *userdata) {
        const Prune p = { older_usec, is_used, userdata };
        _auto_strv_ char **names = NULL;
        _auto_close_ int fd = -1;
        int r, first = 0;

        assert(s);

        r = store_open_writable(s, STORE_OCSP, (gid_t) -1, &fd);
        if (r == 0)
                r = store_list_directories(fd, &names);
        if (r != 0)
                return r < 0 ? r : STORE_OCSP_E_NOT_FOUND;
        STRV_FOREACH(name, names) {
                _auto_close_ int dir_fd = -1;

                r = dir_open_at(fd, *name, &dir_fd);
                if (r == 0)
                        r = prune_directory(&p, dir_fd, *name);
                if (r < 0 && first == 0)
                        first = r;
                (void) unlinkat(fd, *name, AT_REMOVEDIR); /* as long as there is something in it, it stays */
        }
        return first;
}
