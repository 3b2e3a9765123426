/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/string-util.h"
#include "store/challenge.h"
#include "store/internal.h"

/* Two files, replaced one after the other while somebody reads. The writer takes the certificate away before it changes the key; a reader that finds the same
 * certificate before and after it has read the key has a pair. */

enum { READ_TRIES = 3 };

/* What is not to be believed is not there. */
static int read_cert(int dir_fd, const KeySpec *spec, char **ret) {
        char file[KEY_SPEC_FILE_MAX];
        int r;

        r = store_read_text(dir_fd, key_spec_file(spec, STORE_STEM_ALPN_CERT, file), STORE_CHALLENGE_MAX, ret, NULL);
        return r <= 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;
}

static int read_pair(int dir_fd, const KeySpec *spec, char **ret_cert, Secret **ret_key) {
        char file[KEY_SPEC_FILE_MAX];
        _auto_free_ char *before = NULL, *after = NULL;
        _auto_secret_ Secret *key = NULL;
        int r;

        r = read_cert(dir_fd, spec, &before);
        if (r != 0)
                return r;
        r = store_read_secret(dir_fd, key_spec_file(spec, STORE_STEM_ALPN_KEY, file), &key);
        if (r != 0)
                return r < 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;
        r = read_cert(dir_fd, spec, &after);
        if (r != 0)
                return r;
        if (!str_equal(before, after))
                return STORE_CHALLENGE_E_NOT_FOUND;

        *ret_cert = take_ptr(before);
        *ret_key = take_ptr(key);
        return 0;
}

int store_challenge_read_alpn(Store *s, const char *name, const KeySpec *spec, char **ret_cert, Secret **ret_key) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(spec);
        assert(ret_cert);
        assert(ret_key);

        name = store_challenge_directory(name);
        if (!name)
                return STORE_CHALLENGE_E_NOT_FOUND;
        r = store_open_sub(s, STORE_CHALLENGES, name, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;
        for (unsigned i = 0; i < READ_TRIES; i++) {
                r = read_pair(fd, spec, ret_cert, ret_key);
                if (r <= 0)
                        return r;
        }
        return r;
}

static int write_file(int dir_fd, const char *file, const void *data, size_t size) {
        /* The group is that of the directory: Apache's children. */
        static const FileMode mode = { .mode = 0640, .uid = (uid_t) -1, .gid = (gid_t) -1 };

        return file_replace_at(dir_fd, file, data, size, &mode);
}

int store_challenge_write_alpn(Store *s, const char *name, const KeySpec *spec, const char *cert, const Secret *key) {
        char cert_file[KEY_SPEC_FILE_MAX], key_file[KEY_SPEC_FILE_MAX];
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(spec);
        assert(cert);
        assert(key);

        name = store_challenge_directory(name);
        if (!name || strlen(cert) > STORE_CHALLENGE_MAX || key->size > STORE_KEY_MAX)
                return -EINVAL;
        r = store_challenge_ensure(s, name, &fd);
        if (r != 0)
                return r;

        (void) key_spec_file(spec, STORE_STEM_ALPN_CERT, cert_file);
        (void) key_spec_file(spec, STORE_STEM_ALPN_KEY, key_file);
        r = file_remove_at(fd, cert_file);
        if (r < 0)
                return r;
        r = write_file(fd, key_file, key->data, key->size);
        if (r != 0)
                return r;
        return write_file(fd, cert_file, cert, strlen(cert));
}

int store_challenge_remove_alpn(Store *s, const char *name, const KeySpec *spec, const char *cert) {
        char file[KEY_SPEC_FILE_MAX];
        _auto_close_ int challenges_fd = -1, fd = -1;
        _auto_free_ char *present = NULL;
        int r;

        assert(s);
        assert(spec);
        assert(cert);

        name = store_challenge_directory(name);
        if (!name)
                return STORE_CHALLENGE_E_NOT_FOUND;
        r = store_open_dir(s, STORE_CHALLENGES, &challenges_fd);
        if (r == 0)
                r = dir_open_at(challenges_fd, name, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;

        r = read_cert(fd, spec, &present);
        if (r != 0)
                return r;
        if (!str_equal(present, cert))
                return STORE_CHALLENGE_E_NOT_FOUND;
        r = file_remove_at(fd, key_spec_file(spec, STORE_STEM_ALPN_CERT, file));
        if (r >= 0)
                r = file_remove_at(fd, key_spec_file(spec, STORE_STEM_ALPN_KEY, file));
        return r < 0 ? r : store_challenge_leave(challenges_fd, name);
}
