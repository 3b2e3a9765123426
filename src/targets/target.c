/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/target.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ini.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/drop-ins.h"
#include "base/ini-lines.h"
#include "base/name-component.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/unit-name.h"
#include "domain/name.h"

static const char *const sections[] = {
        [TARGET_PRIVATE_KEY] = "PrivateKey", [TARGET_CERTIFICATE] = "Certificate", [TARGET_CHAIN] = "Chain",
        [TARGET_FULL_CHAIN] = "FullChain",   [TARGET_COMBINED] = "Combined",       [TARGET_PKCS12] = "PKCS12",
};

enum {
        VALUE_SHOWN_MAX = 200,
        UNITS_MAX = 16,
};

typedef struct Reader {
        Target *target;
        IniLines lines; /* inih says nothing of their numbers */
} Reader;

const char *target_format_to_string(TargetFormat f) {
        return (size_t) f < ELEMENTSOF(sections) ? sections[f] : NULL;
}

bool target_format_has_key(TargetFormat f) {
        return f == TARGET_PRIVATE_KEY || f == TARGET_COMBINED || f == TARGET_PKCS12;
}

/* The first thing that is wrong is told. */
static _printf_(3, 4) void refuse(Target *t, unsigned line, const char *format, ...) {
        _auto_free_ char *text = NULL;
        va_list ap;

        if (t->refused)
                return;
        va_start(ap, format);
        text = str_vprintf(format, ap);
        va_end(ap);
        t->refused = line > 0 ? str_printf("%s:%u: %s", t->source, line, str_or(text, "out of memory")) : str_printf("%s: %s", t->source, str_or(text, "out of memory"));
}

/* --- Values: an errno, or 0; *ret_why is a static text --- */

static int set_path(TargetFile *f, const char *value, const char **ret_why) {
        const char *component = value;

        *ret_why = "is no absolute path of a file without '.', '..' and empty parts";
        if (*value != '/' || strlen(value) >= 4096)
                return -EINVAL;
        *ret_why = "comments stand in lines of their own";
        if (strstr(value, " #") || strstr(value, "\t#"))
                return -EINVAL;
        *ret_why = "is no absolute path of a file without '.', '..' and empty parts";
        while (component) {
                const char *end = strchrnul(++component, '/');
                _auto_free_ char *part = strndup(component, (size_t) (end - component));

                if (!part)
                        return -ENOMEM;
                if (!name_component_is_valid(part) || strlen(part) >= NAME_COMPONENT_SIZE)
                        return -EINVAL;
                component = *end ? end : NULL;
        }
        *ret_why = "there is a path already; another file of this kind is another target";
        return f->path ? -EEXIST : str_replace(&f->path, value);
}

static int set_owner(TargetFile *f, const char *value, const char **ret_why) {
        const struct passwd *pw;
        uint32_t uid;

        *ret_why = "no such user";
        if (parse_uint32(value, &uid) == 0 && uid != UINT32_MAX) {
                f->uid = uid;
                return 0;
        }
        pw = getpwnam(value);
        if (!pw)
                return -ESRCH;
        f->uid = pw->pw_uid;
        return 0;
}

static int set_group(TargetFile *f, const char *value, const char **ret_why) {
        const struct group *gr;
        uint32_t gid;

        *ret_why = "no such group";
        if (parse_uint32(value, &gid) == 0 && gid != UINT32_MAX) {
                f->gid = gid;
                return 0;
        }
        gr = getgrnam(value);
        if (!gr)
                return -ESRCH;
        f->gid = gr->gr_gid;
        return 0;
}

static int set_mode(TargetFile *f, TargetFormat format, const char *value, const char **ret_why) {
        size_t n = strspn(value, "01234567");
        mode_t mode;

        *ret_why = "is no mode such as 0640: only reading and writing can be allowed";
        if (n < 3 || n > 4 || value[n])
                return -EINVAL;
        mode = (mode_t) strtoul(value, NULL, 8);
        if ((mode & ~(mode_t) 0666) != 0)
                return -EINVAL;
        *ret_why = "others may not write to a certificate";
        if ((mode & 0002) != 0)
                return -EINVAL;
        *ret_why = "others may not read a private key";
        if (target_format_has_key(format) && (mode & 0007) != 0)
                return -EINVAL;
        f->mode = mode;
        f->has_mode = true;
        return 0;
}

static int set_password_file(TargetFile *f, const char *value, const char **ret_why) {
        *ret_why = "is no absolute path";
        return *value == '/' ? str_replace(&f->password_file, value) : -EINVAL;
}

static int set_password_credential(TargetFile *f, const char *value, const char **ret_why) {
        *ret_why = "is no name of a credential";
        return name_component_is_valid(value) ? str_replace(&f->password_credential, value) : -EINVAL;
}

static int set_file_value(TargetFile *f, TargetFormat format, const char *name, const char *value, const char **ret_why) {
        if (str_equal(name, "Path"))
                return set_path(f, value, ret_why);
        if (str_equal(name, "Owner"))
                return set_owner(f, value, ret_why);
        if (str_equal(name, "Group"))
                return set_group(f, value, ret_why);
        if (str_equal(name, "Mode"))
                return set_mode(f, format, value, ret_why);
        if (format == TARGET_PKCS12 && str_equal(name, "PasswordFile"))
                return set_password_file(f, value, ret_why);
        if (format == TARGET_PKCS12 && str_equal(name, "PasswordCredential"))
                return set_password_credential(f, value, ret_why);
        return -ENOENT;
}

static int set_domain(Target *t, const char *value, const char **ret_why) {
        _auto_free_ char *name = domain_name_normalize(value);

        *ret_why = "is no name of a domain";
        return name && domain_identifier_is_valid(name) ? str_replace(&t->domain, name) : -EINVAL;
}

static int set_key(Target *t, const char *value, const char **ret_why) {
        _auto_strv_ char **words = strv_split(value, " \t");
        KeySpecs specs;

        *ret_why = "is not one key as in MDPrivateKeys";
        if (!words || key_specs_parse(words, &specs, ret_why) != KEY_SPEC_DONE || key_specs_count(&specs) != 1)
                return -EINVAL;
        t->key = key_specs_get(&specs, 0);
        t->has_key = true;
        return 0;
}

static int add_units(char ***list, const char *value, const char **ret_why) {
        _auto_strv_ char **words = strv_split(value, " \t");

        STRV_FOREACH(unit, words) {
                *ret_why = "every unit has its whole name, such as postfix.service";
                if (!unit_name_is_valid(*unit))
                        return -EINVAL;
                *ret_why = "there are more than 16 units";
                if (strv_length(*list) >= UNITS_MAX)
                        return -EINVAL;
                if (strv_extend(list, *unit) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int set_target_value(Target *t, const char *name, const char *value, const char **ret_why) {
        if (str_equal(name, "Domain"))
                return set_domain(t, value, ret_why);
        if (str_equal(name, "KeyType"))
                return set_key(t, value, ret_why);
        if (str_equal(name, "ReloadUnit"))
                return add_units(&t->reload, value, ret_why);
        if (str_equal(name, "RestartUnit"))
                return add_units(&t->restart, value, ret_why);
        return -ENOENT;
}

/* --- The file --- */

static int find_format(const char *section, TargetFormat *ret) {
        for (size_t i = 0; i < ELEMENTSOF(sections); i++)
                if (str_equal(section, sections[i])) {
                        *ret = (TargetFormat) i;
                        return 0;
                }
        return -ENOENT;
}

static int set_value(Reader *reader, const char *section, const char *name, const char *value, const char **ret_why) {
        Target *t = reader->target;
        TargetFormat format;
        int r;

        if (str_equal(section, "Target"))
                return set_target_value(t, name, value, ret_why);
        if (find_format(section, &format) < 0) {
                if (*section)
                        refuse(t, reader->lines.line, "There is no section [%.*s]", VALUE_SHOWN_MAX, section);
                else
                        refuse(t, reader->lines.line, "'%.*s=' stands before the first [Section]", VALUE_SHOWN_MAX, name);
                return 0;
        }
        r = set_file_value(&t->files[format], format, name, value, ret_why);
        if (r == 0 && str_equal(name, "Path"))
                t->files[format].line = reader->lines.line;
        return r;
}

/* Stops at a handler that returns 0: nothing is done for a target that makes no sense, so that nobody is handed what was not meant. */
static int handle_line(void *userdata, const char *section, const char *name, const char *value) {
        Reader *reader = userdata;
        const char *why = NULL;
        int r = set_value(reader, section, name, str_or(value, ""), &why);

        if (r == -ENOMEM)
                refuse(reader->target, reader->lines.line, "Out of memory");
        else if (r == -ENOENT)
                refuse(reader->target, reader->lines.line, "There is no '%.*s=' in [%.*s]", VALUE_SHOWN_MAX, name, VALUE_SHOWN_MAX, section);
        else if (r < 0)
                refuse(reader->target, reader->lines.line, "%s=%.*s: %s", name, VALUE_SHOWN_MAX, str_or(value, ""), why);
        return !reader->target->refused;
}

static bool wants_any(const Target *t) {
        for (size_t i = 0; i < _TARGET_FORMAT_MAX; i++)
                if (t->files[i].line > 0)
                        return true;
        return false;
}

static bool is_touched(const TargetFile *f) {
        return f->uid != 0 || f->gid != 0 || f->has_mode || f->password_file || f->password_credential;
}

/* What the lines come to together. */
static void complete(Target *t) {
        const TargetFile *p12 = &t->files[TARGET_PKCS12];

        if (!t->domain)
                refuse(t, 0, "[Target] has no 'Domain='");
        for (size_t i = 0; i < _TARGET_FORMAT_MAX; i++) {
                TargetFile *f = &t->files[i];

                if (f->line == 0 && is_touched(f))
                        refuse(t, 0, "[%s] has no 'Path='", sections[i]);
                if (!f->has_mode)
                        f->mode = target_format_has_key((TargetFormat) i) ? 0600 : 0644;
        }
        if (!wants_any(t))
                refuse(t, 0, "No file is wanted: there is no section with a 'Path='");
        if (p12->line > 0 && !p12->password_file == !p12->password_credential)
                refuse(t, p12->line, "[PKCS12] wants a 'PasswordFile=' or a 'PasswordCredential='");
}

/* What root runs by must be said by root. */
static void check_source(Target *t, FILE *f) {
        struct stat st;

        if (fstat(fileno(f), &st) < 0)
                refuse(t, 0, "Cannot look at it: %s", strerror(errno));
        else if (!S_ISREG(st.st_mode))
                refuse(t, 0, "It is no file");
        else if (st.st_uid != 0 || (st.st_mode & 022) != 0)
                refuse(t, 0, "It must belong to root, and nobody else may write to it");
}

static void parse(Target *t, FILE *f) {
        Reader reader = { .target = t, .lines = { .file = f } };
        int r = ini_parse_stream(ini_lines_next, &reader.lines, handle_line, &reader);

        if (reader.lines.too_long > 0)
                refuse(t, reader.lines.too_long, "This line is too long");
        if (r < 0)
                refuse(t, 0, "It cannot be read");
        else if (r > 0) /* or one that the handler refused: that was told */
                refuse(t, (unsigned) r, "This is neither '[Section]' nor 'Name=value'");
        complete(t);
}

/* A pipe in its place does not make us wait. */
static FILE *open_source(const char *path) {
        _auto_close_ int fd = open(path, O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);
        FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

        if (f)
                (void) take_fd(fd);
        return f;
}

static int name_target(Target *t, const char *path) {
        const char *base = strrchr(path, '/');

        base = base ? base + 1 : path;
        t->name = strndup(base, strlen(base) - (str_has_suffix(base, ".conf") ? strlen(".conf") : 0));
        return t->name ? str_replace(&t->source, path) : -ENOMEM;
}

static int new_target(const char *path, Target **ret) {
        Target *t = calloc(1, sizeof(*t));

        if (!t || name_target(t, path) < 0) {
                target_free(t);
                return -ENOMEM;
        }
        *ret = t;
        return 0;
}

int target_parse(const char *path, FILE *f, Target **ret) {
        int r;

        assert(path);
        assert(f);
        assert(ret);

        r = new_target(path, ret);
        if (r == 0)
                parse(*ret, f);
        return r;
}

int target_read(const char *path, Target **ret) {
        _auto_fclose_ FILE *f = NULL;
        int r;

        assert(path);
        assert(ret);

        r = new_target(path, ret);
        if (r < 0)
                return r;
        f = open_source(path);
        if (!f)
                refuse(*ret, 0, "Cannot open it: %s", strerror(errno));
        else
                check_source(*ret, f);
        if (!(*ret)->refused)
                parse(*ret, f);
        return 0;
}

Target *target_free(Target *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < _TARGET_FORMAT_MAX; i++) {
                free(t->files[i].path);
                free(t->files[i].password_file);
                free(t->files[i].password_credential);
        }
        strv_free(t->reload);
        strv_free(t->restart);
        free(t->domain);
        free(t->refused);
        free(t->source);
        free(t->name);
        free(t);
        return NULL;
}

/* --- All of them --- */

/* A link to /dev/null, or nothing in it: switched off. */
static bool is_masked(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0));
}

static const Target *find_writer(const Targets *all, const char *path, const TargetFile *except) {
        for (size_t i = 0; i < all->n; i++)
                for (size_t k = 0; !all->items[i]->refused && k < _TARGET_FORMAT_MAX; k++)
                        if (&all->items[i]->files[k] != except && str_equal(all->items[i]->files[k].path, path))
                                return all->items[i];
        return NULL;
}

/* The last one is compared with itself and those before it. */
static void refuse_same_path(Targets *all) {
        Target *last = all->items[all->n - 1];

        for (size_t i = 0; i < _TARGET_FORMAT_MAX && !last->refused; i++) {
                const Target *other = last->files[i].path ? find_writer(all, last->files[i].path, &last->files[i]) : NULL;

                if (other)
                        refuse(last, last->files[i].line, "%s is written by %s already", last->files[i].path, other == last ? "another section" : other->source);
        }
}

int targets_read(Targets *ret) {
        _auto_strv_ char **paths = NULL;
        Targets all = { 0 };
        int r;

        assert(ret);

        r = drop_ins_list("targets.d", &paths);
        if (r == 0) {
                all.items = calloc(strv_length(paths) + 1, sizeof(*all.items));
                r = all.items ? 0 : -ENOMEM;
        }
        STRV_FOREACH(path, paths) {
                if (r < 0 || is_masked(*path))
                        continue;
                r = target_read(*path, &all.items[all.n]);
                if (r < 0)
                        break;
                all.n++;
                refuse_same_path(&all);
        }
        if (r < 0) {
                targets_done(&all);
                return r;
        }
        *ret = all;
        return 0;
}

void targets_done(Targets *t) {
        for (size_t i = 0; i < t->n; i++)
                target_free(t->items[i]);
        free(t->items);
        *t = (Targets){ 0 };
}
