/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tmp-dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void __attribute__((noreturn)) give_up(const char *what) {
        perror(what);
        printf("Bail out! %s\n", what);
        exit(EXIT_FAILURE);
}

TmpDir tmp_dir_make(void) {
        const char *base = getenv("TMPDIR");
        TmpDir dir = { .fd = -1 };

        if (!base || !*base)
                base = "/tmp";
        if ((size_t) snprintf(dir.path, sizeof(dir.path), "%s/md-manager-test-XXXXXX", base) >= sizeof(dir.path))
                give_up("TMPDIR is too long");
        if (!mkdtemp(dir.path))
                give_up("mkdtemp");
        dir.fd = open(dir.path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        if (dir.fd < 0)
                give_up("open of a temporary directory");
        return dir;
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *where) {
        (void) st;
        (void) where;
        /* A test may have left a directory that cannot be read. */
        if (type == FTW_DNR || type == FTW_D)
                (void) chmod(path, 0700);
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where) {
        (void) st;
        (void) type;
        (void) where;
        (void) remove(path);
        return 0;
}

void tmp_dir_done(TmpDir *dir) {
        if (dir->fd < 0)
                return;
        (void) close(dir->fd);
        dir->fd = -1;
        (void) nftw(dir->path, open_up, 16, FTW_PHYS);
        (void) nftw(dir->path, remove_one, 16, FTW_PHYS|FTW_DEPTH);
}

void tmp_dir_write(TmpDir *dir, const char *name, const char *text) {
        size_t size = strlen(text);
        int fd;

        fd = openat(dir->fd, name, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, size) != (ssize_t) size || close(fd) < 0)
                give_up(name);
}

char *tmp_dir_read(TmpDir *dir, const char *name) {
        char *text = NULL;
        size_t size = 0;
        FILE *f;
        int fd;

        fd = openat(dir->fd, name, O_RDONLY|O_CLOEXEC);
        if (fd < 0)
                return NULL;
        f = fdopen(fd, "r");
        if (!f)
                give_up(name);
        if (getdelim(&text, &size, '\0', f) < 0) {
                free(text);
                text = strdup("");
        }
        (void) fclose(f);
        if (!text)
                give_up(name);
        return text;
}

bool tmp_dir_has(TmpDir *dir, const char *name) {
        struct stat st;

        return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

size_t tmp_dir_count(TmpDir *dir, const char *name) {
        struct dirent *entry;
        size_t n = 0;
        DIR *d;
        int fd;

        fd = openat(dir->fd, name, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d)
                give_up(name);
        while ((entry = readdir(d)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        n++;
        (void) closedir(d);
        return n;
}
