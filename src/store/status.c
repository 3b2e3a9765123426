/* SPDX-License-Identifier: Apache-2.0 */
#include "store/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/map.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"

#define SUFFIX ".json"
#define FILE_MANAGER ".manager" SUFFIX

enum {
        FILE_NAME_SIZE = 256,
        NAME_WHOLE_MAX = 240, /* longer ones leave no room for the suffix and for what replacing puts around the name */
        NAME_BEGIN = 200,     /* of those; the rest is told by a hash */
};

static uint64_t hash_string(const char *s) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *s; s++)
                h = (h ^ (unsigned char) *s) * UINT64_C(0x100000001b3);
        return h;
}

static int file_name(const char *name, char buffer[static FILE_NAME_SIZE]) {
        if (name && !store_name_is_valid(name))
                return -EINVAL;
        if (!name)
                (void) snprintf(buffer, FILE_NAME_SIZE, FILE_MANAGER);
        else if (strlen(name) <= NAME_WHOLE_MAX)
                (void) snprintf(buffer, FILE_NAME_SIZE, "%s" SUFFIX, name);
        else
                (void) snprintf(buffer, FILE_NAME_SIZE, "%.*s-%016" PRIx64 SUFFIX, (int) NAME_BEGIN, name, hash_string(name));
        return 0;
}

static bool stands_there(int fd, const char *file, const char *text) {
        _auto_free_ char *stored = NULL;

        return store_read_text(fd, file, STORE_STATUS_MAX, &stored, NULL) == 0 && str_equal(stored, text);
}

int store_status_write(Store *s, const char *name, const char *text) {
        /* The group is that of the directory: Apache's children. */
        static const FileMode mode = { .mode = 0640, .uid = (uid_t) -1, .gid = (gid_t) -1 };
        char file[FILE_NAME_SIZE];
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(text);

        r = file_name(name, file);
        if (r < 0)
                return r;
        if (strlen(text) > STORE_STATUS_MAX)
                return -EFBIG;
        r = store_open_writable(s, STORE_STATUS, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_STATUS_E_NOT_FOUND;
        if (stands_there(fd, file, text))
                return STORE_STATUS_UNCHANGED;
        return file_replace_derived_at(fd, file, text, strlen(text), &mode);
}

int store_status_remove(Store *s, const char *name) {
        char file[FILE_NAME_SIZE];
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        r = file_name(name, file);
        if (r < 0)
                return r;
        r = store_open_writable(s, STORE_STATUS, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        return store_remove_at(fd, file);
}

static int collect_files(char *const *names, Map **ret) {
        _auto_map_ Map *kept = map_new();

        if (!kept)
                return -ENOMEM;
        STRV_FOREACH(name, names) {
                char file[FILE_NAME_SIZE];
                int r;

                if (file_name(*name, file) < 0)
                        continue;
                r = map_put(kept, file, (void *) names);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        *ret = take_ptr(kept);
        return 0;
}

int store_status_prune(Store *s, char *const *names) {
        _auto_strv_ char **files = NULL;
        _auto_map_ Map *kept = NULL;
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        r = store_open_writable(s, STORE_STATUS, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_STATUS_E_NOT_FOUND;
        r = collect_files(names, &kept);
        if (r == 0)
                r = store_remove_temporaries(fd);
        if (r == 0)
                r = dir_list(fd, &files);
        if (r != 0)
                return r < 0 ? r : -ENOTDIR;

        STRV_FOREACH(file, files) {
                if (**file == '.' || !str_has_suffix(*file, SUFFIX) || map_get(kept, *file))
                        continue;
                r = store_remove_at(fd, *file);
                if (r < 0)
                        return r;
        }
        return 0;
}

int store_status_open(Store *s, int *ret_fd) {
        int r;

        assert(s);
        assert(ret_fd);

        r = store_open_dir(s, STORE_STATUS, ret_fd);
        return r <= 0 ? r : STORE_STATUS_E_NOT_FOUND;
}

int store_status_read_at(int fd, const char *name, char **ret_text, size_t *ret_size) {
        char file[FILE_NAME_SIZE];
        _auto_free_ char *text = NULL;
        size_t size;
        int r;

        assert(ret_text);

        if (file_name(name, file) < 0)
                return STORE_STATUS_E_NOT_FOUND;
        r = store_read_text(fd, file, STORE_STATUS_MAX, &text, &size);
        if (r != 0)
                return r < 0 ? r : STORE_STATUS_E_NOT_FOUND;
        if (!json_is_object(text, size))
                return STORE_STATUS_E_NOT_FOUND;

        *ret_text = take_ptr(text);
        if (ret_size)
                *ret_size = size;
        return 0;
}
