/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "mdctl/snippet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/dir.h"
#include "base/file.h"
#include "base/string-util.h"

#define COMMENT "# Written by mdctl(1), which keeps what is changed here by hand within the section.\n"
#define BEGIN "<MDomain "
#define END "</MDomain>"
#define BLANKS " \t\r"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

enum {
        NAME_MAX_LENGTH = 253,
        LINE_MAX_LENGTH = 4096,
        FILE_MAX = 256 * 1024,
        FILE_NAME_MAX = 300,
        MODE_OPEN = 0644,
        MODE_CLOSED = 0600,
        MODE_OTHERS = 0004,
};

void snippet_done(Snippet *s) {
        strv_free(s->names);
        strv_free(s->directives);
}

bool snippet_name_is_usable(const char *name) {
        size_t n = strspn(name, LETTERS DIGITS ".*:_-");

        return n > 0 && n <= NAME_MAX_LENGTH && name[n] == '\0' && name[0] != '.' && name[0] != '-';
}

static size_t directive_length(const char *line) {
        return strspn(line, LETTERS DIGITS);
}

bool snippet_directive_is_usable(const char *line) {
        size_t n = directive_length(line), length = strlen(line);

        if (n <= 2 || strncasecmp(line, "MD", 2) != 0 || (line[n] != '\0' && line[n] != ' '))
                return false;
        for (const char *c = line; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        return false;
        return length <= LINE_MAX_LENGTH && line[length - 1] != '\\';
}

static bool is_same_directive(const char *a, const char *b) {
        size_t n = directive_length(b);

        return directive_length(a) == n && strncasecmp(a, b, n) == 0;
}

int snippet_set(Snippet *s, const char *line) {
        _auto_strv_ char **kept = NULL;

        STRV_FOREACH(other, s->directives)
                if (!is_same_directive(*other, line) && strv_extend(&kept, *other) < 0)
                        return -ENOMEM;
        if (line[directive_length(line)] && strv_extend(&kept, line) < 0)
                return -ENOMEM;
        strv_free(s->directives);
        s->directives = take_ptr(kept);
        return 0;
}

/* --- The file --- */

/* A wildcard's star is nothing for a file's name that a shell sees. */
static char *file_name(const char *name) {
        const char *rest = str_after_prefix(name, "*");

        return str_printf("%s%s.conf", rest ? "_wildcard" : "", rest ? rest : name);
}

char *snippet_path(const char *name) {
        _auto_free_ char *file = file_name(name);

        return file ? str_printf("%s/%s", SNIPPET_DIR, file) : NULL;
}

static char *trimmed(char *line) {
        size_t n;

        line += strspn(line, BLANKS);
        for (n = strlen(line); n > 0 && strchr(BLANKS, line[n - 1]); n--)
                ;
        line[n] = '\0';
        return line;
}

static int parse_begin(char *line, Snippet *s) {
        size_t n = strlen(line);

        if (!str_has_prefix(line, BEGIN) || line[n - 1] != '>' || s->names)
                return SNIPPET_E_ODD;
        line[n - 1] = '\0';
        s->names = strv_split(line + strlen(BEGIN), " \t\"");
        if (!s->names)
                return -ENOMEM;
        STRV_FOREACH(name, s->names)
                if (!snippet_name_is_usable(*name))
                        return SNIPPET_E_ODD;
        return s->names[0] ? 0 : SNIPPET_E_ODD;
}

/* One section with its comments and directives, and nothing but comments around it. */
static int parse(char *text, Snippet *s) {
        bool inside = false, ended = false;
        int r = 0;

        for (char *line; r == 0 && (line = strsep(&text, "\n"));) {
                line = trimmed(line);
                if (inside && str_equal(line, END)) {
                        inside = false;
                        ended = true;
                } else if (inside)
                        r = *line ? strv_extend(&s->directives, line) : 0;
                else if (*line && *line != '#') {
                        r = parse_begin(line, s);
                        inside = true;
                }
        }
        return r != 0 ? r : ended && !inside ? SNIPPET_DONE : SNIPPET_E_ODD;
}

static int open_dir(bool make, int *ret) {
        const FileMode mode = { .mode = 0755, .uid = (uid_t) -1, .gid = (gid_t) -1 };
        _auto_close_ int parent = open(SYSCONF_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (parent < 0)
                return errno == ENOENT && !make ? SNIPPET_E_NOT_FOUND : -errno;
        r = make ? dir_ensure_at(parent, "domains.d", &mode, ret) : dir_open_at(parent, "domains.d", ret);
        return r == DIR_E_NOT_FOUND ? SNIPPET_E_NOT_FOUND : r > 0 ? -ENOTDIR : r;
}

int snippet_read(const char *name, Snippet *ret) {
        _auto_free_ char *file = file_name(name), *text = NULL;
        _auto_snippet_ Snippet s = { 0 };
        _auto_close_ int fd = -1;
        struct stat st;
        size_t size;
        int r;

        if (!file)
                return -ENOMEM;
        r = open_dir(false, &fd);
        if (r == 0)
                r = file_read_at(fd, file, FILE_MAX, &text, &size);
        if (r == FILE_E_NOT_FOUND)
                return SNIPPET_E_NOT_FOUND;
        if (r != 0)
                return r < 0 ? r : SNIPPET_E_ODD;
        r = parse(text, &s);
        if (r != SNIPPET_DONE)
                return r;
        if (fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        s.mode = st.st_mode;
        s.gid = st.st_gid;
        *ret = s;
        s = (Snippet){ 0 };
        return SNIPPET_DONE;
}

static int write_text(const Snippet *s, Buffer *b) {
        int r = buffer_append_string(b, COMMENT "<MDomain");

        STRV_FOREACH(name, s->names)
                if (r == 0)
                        r = buffer_printf(b, " %s", *name);
        if (r == 0)
                r = buffer_append_string(b, ">\n");
        STRV_FOREACH(line, s->directives)
                if (r == 0)
                        r = buffer_printf(b, "    %s\n", *line);
        return r == 0 ? buffer_append_string(b, END "\n") : r;
}

/* A key of an external account, or a password for a proxy. Files and credentials that such lines name are no secrets. */
static bool is_secret(const char *line) {
        if (is_same_directive(line, "MDExternalAccountBinding")) {
                _auto_strv_ char **words = strv_split(line, BLANKS);

                return !words || strv_length(words) > 2;
        }
        return is_same_directive(line, "MDHttpProxy") && strchr(line, '@');
}

static bool has_secret(const Snippet *s) {
        STRV_FOREACH(line, s->directives)
                if (is_secret(*line))
                        return true;
        return false;
}

/* Apache reads its configuration as root. */
static FileMode choose_mode(const Snippet *s) {
        FileMode mode = { .mode = s->mode ? s->mode & MODE_OPEN : MODE_OPEN, .uid = (uid_t) -1, .gid = s->mode ? s->gid : (gid_t) -1 };

        if ((mode.mode & MODE_OTHERS) != 0 && has_secret(s))
                mode.mode = MODE_CLOSED;
        return mode;
}

int snippet_write(const Snippet *s) {
        const FileMode mode = choose_mode(s);
        _auto_buffer_ Buffer b = BUFFER_INIT(FILE_MAX);
        _auto_free_ char *file = file_name(s->names[0]);
        _auto_close_ int fd = -1;
        int r;

        r = file ? write_text(s, &b) : -ENOMEM;
        if (r != 0)
                return r < 0 ? r : -E2BIG;
        r = open_dir(true, &fd);
        if (r == 0)
                r = file_replace_at(fd, file, b.data, b.size, &mode);
        return r > 0 ? -EEXIST : r;
}

int snippet_remove(const char *name) {
        _auto_free_ char *file = file_name(name);
        _auto_close_ int fd = -1;
        int r;

        if (!file)
                return -ENOMEM;
        r = open_dir(false, &fd);
        if (r == 0)
                r = file_remove_at(fd, file);
        return r == FILE_E_NOT_FOUND ? SNIPPET_E_NOT_FOUND : r;
}
