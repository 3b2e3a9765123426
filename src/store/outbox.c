/* SPDX-License-Identifier: Apache-2.0 */
#include "store/outbox.h"

#include <errno.h>

#include "base/dir.h"
#include "base/string-util.h"
#include "store/internal.h"

int store_outbox_list(Store *s, char ***ret_names) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(ret_names);

        r = store_open_dir(s, STORE_OUTBOX, &fd);
        if (r == 0)
                r = store_list_directories(fd, ret_names);
        else if (r > 0) {
                *ret_names = NULL;
                return 0;
        }
        return r <= 0 ? r : -EIO;
}

static int read_file(Store *s, const char *name, char **ret_text, size_t *ret_size) {
        _auto_close_ int fd = -1;
        int r;

        r = store_open_sub(s, STORE_OUTBOX, name, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_OUTBOX_E_NOT_FOUND;
        r = store_read_text(fd, STORE_FILE_OUTBOX, OUTBOX_SIZE_MAX, ret_text, ret_size);
        if (r == FILE_E_NOT_FOUND)
                return STORE_OUTBOX_E_NOT_FOUND;
        return r <= 0 ? r : STORE_OUTBOX_E_DAMAGED;
}

static int read_outbox(Store *s, const char *name, Outbox **ret) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = read_file(s, name, &text, &size);
        if (r != 0)
                return r;
        r = json_parse(text, size, &o, NULL);
        if (r == 0)
                r = outbox_from_json(name, o, ret);
        return r == -EBADMSG || r > 0 ? STORE_OUTBOX_E_DAMAGED : r;
}

int store_outbox_read(Store *s, const char *name, Outbox **ret) {
        Outbox *empty;
        int r;

        assert(s);
        assert(name);
        assert(ret);

        r = read_outbox(s, name, ret);
        if (r <= 0)
                return r;

        empty = outbox_new(name);
        if (!empty)
                return -ENOMEM;
        *ret = empty;
        return r;
}

int store_outbox_write(Store *s, const Outbox *outbox) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(outbox);

        r = outbox_to_json(outbox, &o);
        if (r < 0)
                return r;
        text = json_format(o);
        if (!text)
                return -ENOMEM;
        r = store_ensure_sub(s, STORE_OUTBOX, outbox->name, 0700, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_OUTBOX_E_NOT_FOUND;
        return file_replace_at(fd, STORE_FILE_OUTBOX, text, strlen(text), &STORE_PRIVATE_FILE);
}

int store_outbox_remove(Store *s, const char *name) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        if (!store_name_is_valid(name))
                return -EINVAL;
        r = store_open_writable(s, STORE_OUTBOX, (gid_t) -1, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        return store_remove_at(fd, name);
}
