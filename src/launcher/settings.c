/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/drop-ins.h"
#include "base/ini-lines.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"

#define BASE "md-manager.conf"

typedef struct Reader {
        HookSettings *settings;
        const char *path;
} Reader;

/* The other settings are md-manager's, which also tells of sections and names that nobody knows. */
static int handle_line(void *userdata, const char *section, const char *name, const char *value) {
        Reader *reader = userdata;
        int r;

        r = str_equal(section, "Manager") ? hook_settings_set(reader->settings, name, value ?: "") : -ENOENT;
        if (r < 0 && r != -ENOENT)
                log_warning("%s: '%s=%s' makes no sense here, what was said before or the default counts.", reader->path, name, value ?: "");
        return 1;
}

static bool is_roots(const struct stat *st) {
        return st->st_uid == 0 && (st->st_mode & 022) == 0;
}

/* The directory says who may put another file there. */
static bool has_roots_directory(const char *path) {
        _auto_free_ char *directory = strndup(path, (size_t) (strrchr(path, '/') - path));
        struct stat st;

        return directory && stat(directory, &st) == 0 && is_roots(&st);
}

static int open_roots(const char *path, FILE **ret) {
        _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISCHR(st.st_mode)) /* a link to /dev/null switches a drop-in off */
                return -ENOENT;
        if (!S_ISREG(st.st_mode) || !is_roots(&st) || !has_roots_directory(path))
                return -EPERM;
        *ret = fdopen(fd, "re");
        if (!*ret)
                return -errno;
        take_fd(fd);
        return 0;
}

static void read_file(HookSettings *s, const char *path) {
        Reader reader = { s, path };
        _auto_fclose_ FILE *f = NULL;
        int r = open_roots(path, &f);
        IniLines lines = { .file = f };

        if (r == 0)
                (void) ini_parse_stream(ini_lines_next, &lines, handle_line, &reader); /* md-manager tells of lines that make no sense */
        else if (r == -EPERM)
                log_warning("%s: What it says about hooks does not count: it and its directory must belong to root, and nobody else may write to them.", path);
        else if (r != -ENOENT)
                (void) log_failure(r, "Cannot read %s: %m", path);
}

int launcher_settings_read(HookSettings *ret) {
        _auto_strv_ char **paths = NULL;
        int r;

        assert(ret);

        r = drop_ins_list_settings(BASE, &paths);
        if (r < 0)
                return r;
        hook_settings_init(ret);
        STRV_FOREACH(path, paths)
                read_file(ret, *path);
        return 0;
}
