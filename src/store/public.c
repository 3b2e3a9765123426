/* SPDX-License-Identifier: Apache-2.0 */
#include "store/public.h"

#include <errno.h>

#include "base/string-util.h"
#include "store/domain.h"
#include "store/internal.h"

static bool stands_there(int fd, const char *file, const char *pem) {
        _auto_free_ char *stored = NULL;

        return store_read_text(fd, file, STORE_CERT_MAX, &stored, NULL) == 0 && str_equal(stored, pem);
}

int store_public_update(Store *s, const char *name, const KeySpec *spec) {
        static const FileMode mode = { .mode = 0644, .uid = (uid_t) -1, .gid = (gid_t) -1 };
        char file[KEY_SPEC_FILE_MAX];
        _auto_free_ char *pem = NULL;
        _auto_close_ int fd = -1;
        int r, live;

        assert(s);
        assert(name);
        assert(spec);

        live = store_domain_read_chain(s, STORE_SET_LIVE, name, spec, &pem);
        if (live < 0)
                return live;
        r = store_ensure_sub(s, STORE_PUBLIC, name, 0755, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_PUBLIC_E_NOT_FOUND;
        (void) key_spec_file(spec, STORE_STEM_CERT, file);
        if (live != 0) {
                r = store_remove_at(fd, file);
                return r < 0 ? r : STORE_PUBLIC_E_NOT_FOUND;
        }
        if (stands_there(fd, file, pem))
                return STORE_PUBLIC_UNCHANGED;
        r = store_remove_temporaries(fd); /* of an update that a crash interrupted, which is why this one is made */
        return r < 0 ? r : file_replace_derived_at(fd, file, pem, strlen(pem), &mode);
}

int store_public_remove(Store *s, const char *name) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        if (!store_name_is_valid(name))
                return -EINVAL;
        r = store_open_writable(s, STORE_PUBLIC, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        return store_remove_at(fd, name);
}

int store_public_list(Store *s, char ***ret_names) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(ret_names);

        r = store_open_dir(s, STORE_PUBLIC, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_PUBLIC_E_NOT_FOUND;
        r = store_list_directories(fd, ret_names);
        return r <= 0 ? r : -EIO;
}
