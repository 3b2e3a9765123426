/* SPDX-License-Identifier: Apache-2.0 */
#include "store/crl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"

#define SUFFIX ".crl"
#define MARK "wanted"

enum {
        KEY_LENGTH = 64,
        FILE_MAX = KEY_LENGTH + sizeof(SUFFIX),
};

static bool key_is_valid(const char *key) {
        return strlen(key) == KEY_LENGTH && strspn(key, "0123456789abcdef") == KEY_LENGTH;
}

int store_crl_read(Store *s, const char *key, StoreCrl *ret) {
        _auto_close_ int fd = -1;
        char file[FILE_MAX], *data = NULL;
        StoreCrl crl = { 0 };
        struct stat st;
        int r;

        assert(s);
        assert(key);
        assert(ret);

        if (!key_is_valid(key))
                return -EINVAL;
        r = store_open_dir(s, STORE_CRLS, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CRL_E_NOT_FOUND;
        (void) snprintf(file, sizeof(file), "%s" SUFFIX, key);
        if (fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? STORE_CRL_E_NOT_FOUND : -errno;
        r = file_read_at(fd, file, STORE_CRL_MAX, &data, &crl.size);
        if (r != 0)
                return r < 0 ? r : STORE_CRL_E_NOT_FOUND;
        crl.data = data;
        crl.written_usec = (uint64_t) MAX_OF(st.st_mtim.tv_sec, (time_t) 0) * USEC_PER_SEC;
        *ret = crl;
        return 0;
}

int store_crl_ensure(Store *s) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        r = store_open_writable(s, STORE_CRLS, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CRL_E_NOT_FOUND;
        if (faccessat(fd, MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        return file_replace_derived_at(fd, MARK, "", 0, &STORE_PRIVATE_FILE);
}

int store_crl_write(Store *s, const char *key, const void *data, size_t size) {
        _auto_close_ int fd = -1;
        char file[FILE_MAX];
        int r;

        assert(s);
        assert(key);

        if (!key_is_valid(key) || size > STORE_CRL_MAX)
                return -EINVAL;
        r = store_open_writable(s, STORE_CRLS, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CRL_E_NOT_FOUND;
        (void) snprintf(file, sizeof(file), "%s" SUFFIX, key);
        return file_replace_at(fd, file, data, size, &STORE_PRIVATE_FILE);
}

static bool key_of_file(const char *file, char key[static KEY_LENGTH + 1]) {
        if (strlen(file) != KEY_LENGTH + strlen(SUFFIX) || !str_has_suffix(file, SUFFIX))
                return false;
        memcpy(key, file, KEY_LENGTH);
        key[KEY_LENGTH] = '\0';
        return key_is_valid(key);
}

int store_crl_prune(Store *s, bool (*is_used)(const char *key, void *userdata), void *userdata) {
        _auto_strv_ char **files = NULL;
        _auto_close_ int fd = -1;
        int r, first;

        assert(s);
        assert(is_used);

        r = store_open_writable(s, STORE_CRLS, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CRL_E_NOT_FOUND;
        first = store_remove_temporaries(fd);
        r = dir_list(fd, &files);
        if (r != 0)
                return r < 0 ? r : -ENOTDIR;
        STRV_FOREACH(file, files) {
                char key[KEY_LENGTH + 1];

                if (!str_equal(*file, MARK) && !key_of_file(*file, key))
                        continue;
                if (is_used(str_equal(*file, MARK) ? NULL : key, userdata))
                        continue;
                r = file_remove_at(fd, *file);
                if (r < 0 && first == 0)
                        first = r;
        }
        return first;
}
