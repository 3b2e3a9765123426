/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/string-util.h"

enum { DIGITS_MAX = 7 };

#define SEALS (F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_WRITE)

bool bundle_name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n == 0 || n > BUNDLE_NAME_MAX)
                return false;
        for (; *name; name++)
                if (*name <= ' ' || *name > '~')
                        return false;
        return true;
}

int bundle_write(int fd, const char *name, const void *data, size_t size) {
        char header[DIGITS_MAX + BUNDLE_NAME_MAX + 4];
        int r;

        if (!bundle_name_is_valid(name) || size > BUNDLE_FILE_MAX)
                return BUNDLE_E_INVALID;
        (void) snprintf(header, sizeof(header), "%zu %s\n", size, name);
        r = fd_write_all(fd, header, strlen(header));
        if (r == 0)
                r = fd_write_all(fd, data, size);
        return r == 0 ? fd_write_all(fd, "", 1) : r;
}

void bundle_done(Bundle *b) {
        b->bytes = secret_free(b->bytes);
        b->n = 0;
}

const BundleFile *bundle_find(const Bundle *b, const char *name) {
        for (size_t i = 0; i < b->n; i++)
                if (str_equal(b->files[i].name, name))
                        return &b->files[i];
        return NULL;
}

/* Decimal digits without a zero in front, up to the blank. */
static bool read_size(char **p, const char *end, size_t *ret) {
        char *begin = *p;
        size_t n = 0;

        for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
                n = n * 10 + (size_t) (**p - '0');
        if (*p == begin || *p - begin > DIGITS_MAX || (*begin == '0' && *p - begin > 1) || *p == end || **p != ' ')
                return false;
        (*p)++;
        *ret = n;
        return n <= BUNDLE_FILE_MAX;
}

static bool read_file(Bundle *b, char **p, const char *end) {
        BundleFile *f = &b->files[b->n];
        char *newline;

        if (b->n == ELEMENTSOF(b->files) || !read_size(p, end, &f->size))
                return false;
        newline = memchr(*p, '\n', (size_t) (end - *p));
        if (!newline)
                return false;
        *newline = '\0';
        f->name = *p;
        f->data = newline + 1;
        if (strlen(f->name) != (size_t) (newline - *p) || !bundle_name_is_valid(f->name) || bundle_find(b, f->name))
                return false;
        if ((size_t) (end - f->data) <= f->size || f->data[f->size] != '\0')
                return false;
        *p = newline + 1 + f->size + 1;
        b->n++;
        return true;
}

int bundle_parse(Secret *bytes, Bundle *ret) {
        _auto_bundle_ Bundle b = { .bytes = bytes };
        char *p = bytes->data, *end = bytes->data + bytes->size;

        assert(ret);

        if (bytes->size > BUNDLE_SIZE_MAX)
                return BUNDLE_E_INVALID;
        while (p < end)
                if (!read_file(&b, &p, end))
                        return BUNDLE_E_INVALID;
        *ret = b;
        b = (Bundle){ 0 };
        return BUNDLE_DONE;
}

int bundle_seal(int fd) {
        return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL|SEALS) < 0 ? -errno : 0;
}

static bool is_sealed(int fd, size_t *ret_size) {
        int seals = fcntl(fd, F_GET_SEALS);
        struct stat st;

        if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size < 0 || st.st_size > BUNDLE_SIZE_MAX)
                return false;
        *ret_size = (size_t) st.st_size;
        return true;
}

int bundle_read(int fd, Bundle *ret) {
        _auto_secret_ Secret *bytes = NULL;
        size_t size, done = 0;

        assert(ret);

        if (!is_sealed(fd, &size))
                return BUNDLE_E_INVALID;
        bytes = secret_new_empty(size);
        if (!bytes)
                return -ENOMEM;
        while (done < size) {
                ssize_t n = pread(fd, bytes->data + done, size - done, (off_t) done);

                if (n <= 0)
                        return n < 0 ? -errno : BUNDLE_E_INVALID;
                done += (size_t) n;
        }
        return bundle_parse(take_ptr(bytes), ret);
}
