/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/import-source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/bundle.h"
#include "base/cleanup.h"
#include "base/dir.h"
#include "base/secret.h"
#include "base/string-util.h"

enum { DEPTH_MAX = 8 };

static const struct {
        const char *format;
        const char *marks[4]; /* one of them is there */
        int (*find)(ImportSource *s);
} formats[] = {
        { "mod_md",  { "md_store.json" },             import_source_find_mod_md  },
        { "certbot", { "renewal", "live" },           import_source_find_certbot },
        { "acme.sh", { "account.conf", "ca" },        import_source_find_acme_sh },
};

/* Links are followed as long as they stay below the directory: certbot's live/ is made of them. A device or a pipe does not stop us. */
static int open_beneath(const ImportSource *s, const char *path, int flags) {
        const int reading = flags & O_PATH ? 0 : O_RDONLY|O_NONBLOCK|O_NOCTTY;
        const struct open_how how = {
                .flags = (uint64_t) (reading|O_CLOEXEC|flags),
                .resolve = RESOLVE_BENEATH|RESOLVE_NO_MAGICLINKS,
        };
        long fd = syscall(SYS_openat2, s->fd, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int) fd;
}

static const char *explain(int error) {
        switch (error) {
        case EXDEV:
                return "a link leads out of the directory";
        case EFBIG:
                return "it is larger than 1 MiB";
        case EMEDIUMTYPE:
                return "it is no regular file";
        case EACCES:
        case EPERM:
                return "you may not read it";
        default:
                return strerror(error);
        }
}

int import_source_leave_out(ImportSource *s, const char *path, const char *reason) {
        int r = strv_consume(&s->left_out, str_printable(path, strlen(path), BUNDLE_NAME_MAX));

        return r < 0 ? r : strv_extend(&s->left_out, reason);
}

bool import_source_has(const ImportSource *s, const char *path) {
        _auto_close_ int fd = open_beneath(s, path, O_PATH);

        return fd >= 0;
}

int import_source_list(ImportSource *s, const char *path, char ***ret) {
        _auto_close_ int fd = open_beneath(s, path, O_DIRECTORY);
        int r = fd < 0 ? fd : dir_list(fd, ret);

        if (r == 0 || r == -ENOMEM || r == -ENOENT)
                return r == -ENOENT ? 0 : r;
        return import_source_leave_out(s, path, explain(-r));
}

ImportItem *import_source_add(ImportSource *s, const char *kind, const char *name, const char *label) {
        ImportItem *grown = reallocarray(s->items, s->n + 1, sizeof(*grown)), *item;

        if (!grown)
                return NULL;
        s->items = grown;
        item = &s->items[s->n];
        *item = (ImportItem){ .kind = kind, .name = strdup(name), .label = str_printable(label, strlen(label), BUNDLE_NAME_MAX) };
        s->n++;
        return item->name && item->label ? item : NULL;
}

int import_item_add(ImportItem *item, const char *directory, const char *file, const char *name) {
        int r = strv_consume(&item->files, *directory ? str_printf("%s/%s", directory, file) : strdup(file));

        return r < 0 ? r : strv_extend(&item->files, name);
}

static bool is_directory(const ImportSource *s, const char *path) {
        _auto_close_ int fd = open_beneath(s, path, O_PATH|O_DIRECTORY|O_NOFOLLOW);

        return fd >= 0;
}

static int add_account(ImportSource *s, const char *path, const char *name, const char *const *files) {
        ImportItem *item = import_source_add(s, "account", name, path);
        int r = item ? 0 : -ENOMEM;

        for (; r == 0 && *files; files++)
                r = import_item_add(item, path, *files, *files);
        return r;
}

static int find_accounts(ImportSource *s, const char *path, size_t skip, const char *const *files, unsigned depth) {
        _auto_strv_ char **names = NULL;
        int r = import_source_list(s, path, &names);

        if (r == 0 && strv_contains(names, files[0]))
                return bundle_name_is_valid(path + skip) ? add_account(s, path, path + skip, files) : import_source_leave_out(s, path, "its name is none");
        STRV_FOREACH(name, names) {
                _auto_free_ char *below = str_printf("%s/%s", path, *name);

                if (!below)
                        return -ENOMEM;
                if (r < 0 || depth == DEPTH_MAX)
                        break;
                if (is_directory(s, below))
                        r = find_accounts(s, below, skip, files, depth + 1);
        }
        return r;
}

int import_source_find_accounts(ImportSource *s, const char *path, const char *const *files) {
        return find_accounts(s, path, strlen(path) + 1, files, 0);
}

/* --- The directory --- */

static int find(ImportSource *s) {
        for (size_t i = 0; i < ELEMENTSOF(formats); i++)
                for (size_t k = 0; k < ELEMENTSOF(formats[i].marks) && formats[i].marks[k]; k++)
                        if (import_source_has(s, formats[i].marks[k])) {
                                s->format = formats[i].format;
                                return formats[i].find(s);
                        }
        return IMPORT_SOURCE_E_UNKNOWN;
}

int import_source_open(const char *path, ImportSource *ret) {
        _auto_import_source_ ImportSource s = { .fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC) };
        int r;

        if (s.fd < 0)
                return -errno;
        s.path = realpath(path, NULL);
        if (!s.path)
                return -errno;
        r = find(&s);
        if (r != 0)
                return r;
        *ret = s;
        s = (ImportSource){ .fd = -1 };
        return 0;
}

void import_source_done(ImportSource *s) {
        cleanup_close(&s->fd);
        s->fd = -1;
        free(s->path);
        for (size_t i = 0; i < s->n; i++) {
                free(s->items[i].name);
                free(s->items[i].label);
                (void) strv_free(s->items[i].files);
        }
        free(s->items);
        (void) strv_free(s->left_out);
}

/* --- Files --- */

static int read_file(int fd, Secret **ret) {
        _auto_secret_ Secret *bytes = NULL;
        struct stat st;
        size_t done = 0;
        ssize_t n;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EMEDIUMTYPE;
        if (st.st_size > BUNDLE_FILE_MAX)
                return -EFBIG;
        bytes = secret_new_empty((size_t) st.st_size);
        if (!bytes)
                return -ENOMEM;
        while (done < bytes->size) {
                n = pread(fd, bytes->data + done, bytes->size - done, (off_t) done);
                if (n <= 0)
                        return n < 0 ? -errno : -EAGAIN; /* it became shorter meanwhile */
                done += (size_t) n;
        }
        *ret = take_ptr(bytes);
        return 0;
}

static int pack_file(ImportSource *s, const char *path, const char *name, int to_fd, size_t *total) {
        _auto_close_ int fd = open_beneath(s, path, 0);
        _auto_secret_ Secret *bytes = NULL;
        int r = fd < 0 ? fd : read_file(fd, &bytes);

        if (r == -ENOMEM || r == -ENOENT)
                return r == -ENOENT ? 0 : r;
        if (r < 0)
                return import_source_leave_out(s, path, explain(-r));
        *total += bytes->size + strlen(name) + sizeof("1048576 \n");
        if (*total > BUNDLE_SIZE_MAX)
                return -EFBIG;
        r = bundle_write(to_fd, name, bytes->data, bytes->size);
        return r > 0 ? -EINVAL : r;
}

int import_source_pack(ImportSource *s, const ImportItem *item, int *ret_fd) {
        _auto_close_ int fd = memfd_create("md-import", MFD_CLOEXEC|MFD_ALLOW_SEALING);
        size_t total = 0, n = 0;
        int r;

        if (fd < 0)
                return -errno;
        for (char *const *f = item->files; f && f[0] && f[1]; f += 2, n++) {
                r = n < BUNDLE_FILES_MAX ? pack_file(s, f[0], f[1], fd, &total) : -EFBIG;

                if (r < 0)
                        return r;
        }
        r = bundle_seal(fd);
        if (r == 0)
                *ret_fd = take_fd(fd);
        return r;
}
