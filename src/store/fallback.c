/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fallback.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"

/* Nothing here waits for the disk: thousands are made at one start, and what a crash of the machine tears is made again. */
static int open_for_writing(Store *s, const char *name, int *ret_fd) {
        _auto_close_ int all_fd = -1;
        int r;

        if (!store_name_is_valid(name))
                return -EINVAL;
        r = store_open_writable(s, STORE_FALLBACK, (gid_t) -1, &all_fd);
        if (r != 0)
                return r;
        if (mkdirat(all_fd, name, 0700) < 0 && errno != EEXIST)
                return -errno;
        return store_ensure_at(s, all_fd, name, 0700, ret_fd);
}

/* The old certificate goes first and the new one comes last, so that a certificate that is there fits its key, also for another server that
 * reads meanwhile. */
int store_fallback_write(Store *s, const char *name, const KeySpec *spec, const Secret *key_pem, const char *cert_pem) {
        char key[KEY_SPEC_FILE_MAX], cert[KEY_SPEC_FILE_MAX];
        _auto_close_ int dir_fd = -1;
        int r;

        assert(s);
        assert(spec);
        assert(key_pem);
        assert(cert_pem);

        r = open_for_writing(s, name, &dir_fd);
        if (r != 0)
                return r < 0 ? r : STORE_FALLBACK_E_NOT_FOUND;

        (void) key_spec_file(spec, STORE_STEM_FALLBACK_KEY, key);
        (void) key_spec_file(spec, STORE_STEM_FALLBACK_CERT, cert);

        if (unlinkat(dir_fd, cert, 0) < 0 && errno != ENOENT)
                return -errno;
        store_step(s, "old certificate removed");

        r = file_replace_derived_at(dir_fd, key, key_pem->data, key_pem->size, &STORE_PRIVATE_FILE);
        if (r != 0)
                return r;
        store_step(s, "key written");

        return file_replace_derived_at(dir_fd, cert, cert_pem, strlen(cert_pem), &STORE_PRIVATE_FILE);
}

/* Files are only ever put in place of others, so a directory is as old as what is in it. */
static bool is_older(int dir_fd, const char *name, uint64_t before_usec) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && st.st_mtim.tv_sec >= 0 &&
                (uint64_t) st.st_mtim.tv_sec < before_usec / USEC_PER_SEC;
}

int store_fallback_prune(Store *s, uint64_t before_usec) {
        _auto_strv_ char **names = NULL;
        _auto_close_ int dir_fd = -1;
        int r, first = 0;

        assert(s);

        r = store_open_writable(s, STORE_FALLBACK, (gid_t) -1, &dir_fd);
        if (r == 0)
                r = dir_list(dir_fd, &names);
        if (r != 0)
                return r < 0 ? r : STORE_FALLBACK_E_NOT_FOUND;

        STRV_FOREACH(name, names) {
                if (!is_older(dir_fd, *name, before_usec))
                        continue;
                r = dir_remove_tree_at(dir_fd, *name);
                if (r < 0 && first == 0)
                        first = r;
        }
        return first;
}

static int make_paths(const Store *s, const char *directory, const char *name, const char *key, const char *cert, char **ret_key, char **ret_cert) {
        _auto_free_ char *key_path = NULL, *cert_path = NULL;

        if (!store_name_is_valid(name))
                return -EINVAL;

        key_path = str_printf("%s/%s/%s/%s", s->path, directory, name, key);
        cert_path = str_printf("%s/%s/%s/%s", s->path, directory, name, cert);
        if (!key_path || !cert_path)
                return -ENOMEM;

        if (ret_key)
                *ret_key = take_ptr(key_path);
        if (ret_cert)
                *ret_cert = take_ptr(cert_path);
        return 0;
}

int store_fallback_paths(Store *s, const char *name, const KeySpec *spec, char **ret_key, char **ret_cert) {
        char key[KEY_SPEC_FILE_MAX], cert[KEY_SPEC_FILE_MAX];

        return make_paths(s, STORE_FALLBACK, name, key_spec_file(spec, STORE_STEM_FALLBACK_KEY, key), key_spec_file(spec, STORE_STEM_FALLBACK_CERT, cert), ret_key, ret_cert);
}

static int make_set_paths(const Store *s, const char *directory, const char *name, const KeySpec *spec, char **ret_key, char **ret_cert) {
        char key[KEY_SPEC_FILE_MAX], cert[KEY_SPEC_FILE_MAX];

        return make_paths(s, directory, name, key_spec_file(spec, STORE_STEM_KEY, key), key_spec_file(spec, STORE_STEM_CERT, cert), ret_key, ret_cert);
}

int store_live_paths(Store *s, const char *name, const KeySpec *spec, char **ret_key, char **ret_cert) {
        return make_set_paths(s, STORE_DOMAINS, name, spec, ret_key, ret_cert);
}

int store_reserve_paths(Store *s, const char *name, const KeySpec *spec, char **ret_key, char **ret_cert) {
        return make_set_paths(s, STORE_RESERVE, name, spec, ret_key, ret_cert);
}
