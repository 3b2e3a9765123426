/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/drop-ins.h"
#include "base/ini-lines.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/unit-name.h"
#include "config.h"
#include "domain/job.h"

typedef struct Reader {
        Settings *settings;
        const char *path;
        IniLines lines; /* inih says nothing of their numbers */
} Reader;

/* Told at once, and by 'mdctl check' as long as it counts. 'line' is 0 for the whole file. */
static _printf_(3, 4) void complain(Reader *reader, unsigned line, const char *format, ...) {
        _auto_free_ char *text = NULL, *whole = NULL;
        va_list ap;

        va_start(ap, format);
        text = str_vprintf(format, ap);
        va_end(ap);
        whole = line > 0 ? str_printf("%s:%u: %s", reader->path, line, str_or(text, "out of memory")) : str_printf("%s: %s", reader->path, str_or(text, "out of memory"));
        if (!whole || strv_extend(&reader->settings->complaints, whole) < 0) {
                (void) log_oom();
                return;
        }
        log_warning("%s.", whole);
}

static int read_unsigned(const char *value, unsigned min, unsigned max, unsigned *ret) {
        uint32_t n;
        int r;

        r = parse_uint32(value, &n);
        if (r < 0)
                return r;
        if (n < min || n > max)
                return -ERANGE;
        *ret = n;
        return 0;
}

/* One that is asked for without pause makes no sense. */
static int read_interval(const char *value, uint64_t *ret) {
        uint64_t usec;
        int r = parse_seconds_usec(value, &usec);

        if (r < 0 || usec < USEC_PER_SEC)
                return r < 0 ? r : -ERANGE;
        *ret = usec;
        return 0;
}

/* None: NULL. "none" stands alone. */
static int read_units(const char *value, char ***ret) {
        _auto_strv_ char **parts = strv_split(value, " "), **words = NULL;

        if (!parts)
                return -ENOMEM;
        STRV_FOREACH(word, parts) {
                if (str_is_empty(*word))
                        continue;
                if (!str_equal(*word, "none") && !unit_name_is_valid(*word))
                        return -EINVAL;
                if (strv_extend(&words, *word) < 0)
                        return -ENOMEM;
        }
        if (strv_contains(words, "none") && strv_length(words) > 1)
                return -EINVAL;
        strv_free(*ret);
        *ret = take_ptr(words);
        return 0;
}

static int set_value(Settings *c, const char *name, const char *value) {
        if (str_equal(name, "StoreDir"))
                return value[0] == '/' ? str_replace(&c->store_dir, value) : -EINVAL;
        if (str_equal(name, "MaxConcurrentRenewals"))
                return read_unsigned(value, 1, 256, &c->max_renewals);
        if (str_equal(name, "MaxTimers"))
                return read_unsigned(value, 1, 1000, &c->max_timers);
        if (str_equal(name, "ReloadUnit"))
                return read_units(value, &c->reload_units);
        if (str_equal(name, "ReloadOnCalendar"))
                return str_replace(&c->reload_on_calendar, str_is_empty(value) ? NULL : value);
        if (str_equal(name, "ReloadUrgentSec"))
                return parse_seconds_usec(value, &c->reload_urgent_usec);
        if (str_equal(name, "ReloadIntervalSec"))
                return parse_seconds_usec(value, &c->reload_interval_usec);
        if (str_equal(name, "ReloadMaxWaitSec"))
                return parse_seconds_usec(value, &c->reload_max_wait_usec);
        if (str_equal(name, "ServedTimeoutSec"))
                return parse_seconds_usec(value, &c->served_timeout_usec);
        if (str_equal(name, "VerifyServed"))
                return parse_boolean(value, &c->verify_served);
        if (str_equal(name, "RestartIfNotServedSec"))
                return parse_seconds_usec(value, &c->restart_not_served_usec);
        if (str_equal(name, "StepTimeoutSec"))
                return parse_seconds_usec(value, &c->step_timeout_usec);
        if (str_equal(name, "RenewalInfoIntervalSec"))
                return read_interval(value, &c->renewal_info_usec);
        if (str_equal(name, "CertificatesPerWeek"))
                return read_unsigned(value, 0, JOB_ISSUED_MAX, &c->certificates_per_week);
        if (str_equal(name, "ForgetServersSec"))
                return parse_seconds_usec(value, &c->forget_servers_usec);
        if (str_equal(name, "ArchiveKeep"))
                return read_unsigned(value, 0, 1000, &c->archive_keep);
        if (str_equal(name, "ArchiveMaxAgeSec"))
                return parse_seconds_usec(value, &c->archive_age_usec);
        if (str_equal(name, "RevocationCheck"))
                return parse_boolean(value, &c->revocation_check);
        if (str_equal(name, "HookMergeSec"))
                return parse_seconds_usec(value, &c->hook_merge_usec);
        return hook_settings_set(&c->hooks, name, value);
}

/* inih stops at a handler that returns 0; we tell and go on. */
static int handle_line(void *userdata, const char *section, const char *name, const char *value) {
        Reader *reader = userdata;
        int r;

        if (str_is_empty(section)) {
                complain(reader, reader->lines.line, "'%s=' stands before the first [Section], it is ignored", name);
                return 1;
        }
        if (!str_equal(section, "Manager")) {
                complain(reader, reader->lines.line, "There is no section [%s], '%s=' is ignored", section, name);
                return 1;
        }
        r = set_value(reader->settings, name, value ?: "");
        if (r == -ENOENT)
                complain(reader, reader->lines.line, "There is no setting '%s=', it is ignored", name);
        else if (r < 0)
                complain(reader, reader->lines.line, "'%s=%s' makes no sense, it is ignored%s", name, value ?: "",
                         str_equal(name, "ReloadUnit") ? ": every unit has its whole name, such as apache2.service, and 'none' stands alone" : "");
        return 1;
}

/* A pipe in its place does not make us wait. NULL: there is nothing to read, which was told if it is not by a link to /dev/null. */
static FILE *open_file(Reader *reader) {
        _auto_close_ int fd = open(reader->path, O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);
        struct stat st;
        FILE *f;

        if (fd < 0 || fstat(fd, &st) < 0) {
                complain(reader, 0, "It cannot be read: %s", strerror(errno));
                return NULL;
        }
        if (S_ISCHR(st.st_mode))
                return NULL;
        if (!S_ISREG(st.st_mode)) {
                complain(reader, 0, "It is no file");
                return NULL;
        }
        f = fdopen(fd, "r");
        if (f)
                (void) take_fd(fd);
        return f;
}

static void read_file(Settings *c, const char *path) {
        Reader reader = { c, path, .lines = { 0 } };
        _auto_fclose_ FILE *f = open_file(&reader);
        int r;

        if (!f)
                return;
        reader.lines.file = f;
        r = ini_parse_stream(ini_lines_next, &reader.lines, handle_line, &reader);
        if (reader.lines.too_long > 0)
                complain(&reader, reader.lines.too_long, "This line is too long, it is ignored");
        if (r > 0)
                complain(&reader, (unsigned) r, "This is neither '[Section]' nor 'Name=value', it is ignored");
}

int settings_load(Settings *ret) {
        Settings c = {
                .max_renewals = 8,
                .max_timers = 50,
                .reload_interval_usec = 10 * USEC_PER_SEC,
                .reload_max_wait_usec = 20 * USEC_PER_SEC,
                .reload_urgent_usec = USEC_PER_DAY,
                .served_timeout_usec = 30 * USEC_PER_SEC,
                .verify_served = true,
                .step_timeout_usec = 300 * USEC_PER_SEC,
                .renewal_info_usec = 6 * USEC_PER_HOUR,
                .certificates_per_week = 4, /* one below what Let's Encrypt grants: it is left for the administrator */
                .forget_servers_usec = 7 * USEC_PER_DAY,
                .archive_keep = 5,
                .archive_age_usec = 90 * USEC_PER_DAY,
                .revocation_check = true,
                .hook_merge_usec = USEC_PER_MINUTE,
        };
        _auto_strv_ char **paths = NULL;
        int r;

        assert(ret);

        hook_settings_init(&c.hooks);
        r = str_replace(&c.store_dir, STORE_DIR);
        if (r == 0)
                r = drop_ins_list_settings("md-manager.conf", &paths);
        STRV_FOREACH(path, paths)
                read_file(&c, *path);
        if (r < 0) {
                settings_done(&c);
                return r;
        }
        *ret = c;
        return 0;
}

void settings_done(Settings *c) {
        strv_free(c->complaints);
        free(c->store_dir);
        strv_free(c->reload_units);
        free(c->reload_on_calendar);
        hook_settings_done(&c->hooks);
        *c = (Settings){ 0 };
}
