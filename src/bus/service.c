/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/service.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>

#define SD_JOURNAL_SUPPRESS_LOCATION /* it would always be this file */
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"

/* The journal */

enum { LOG_FIELDS_MAX = 32 };

static const char *journal_identifier;

static bool stderr_is_journal(void) {
        unsigned long long dev, ino;
        const char *stream;
        struct stat st;

        stream = getenv("JOURNAL_STREAM");
        if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st) < 0)
                return false;
        return st.st_dev == dev && st.st_ino == ino;
}

static void add_field(struct iovec *iov, int *n, const char *key, const char *value) {
        char *text;

        if (!value || *n >= LOG_FIELDS_MAX)
                return;
        text = str_printf("%s=%s", key, value);
        if (text)
                iov[(*n)++] = (struct iovec) { .iov_base = text, .iov_len = strlen(text) };
}

static void log_to_journal(const LogEntry *entry) {
        struct iovec iov[LOG_FIELDS_MAX];
        char priority[] = { '0' + (char) (entry->priority & 7), '\0' };
        int n = 0;

        add_field(iov, &n, "MESSAGE", entry->text);
        add_field(iov, &n, "PRIORITY", priority);
        add_field(iov, &n, "SYSLOG_IDENTIFIER", journal_identifier);
        add_field(iov, &n, "MESSAGE_ID", entry->message_id);
        for (size_t i = 0; i < entry->n_fields; i++)
                add_field(iov, &n, entry->fields[i].key, entry->fields[i].value);

        (void) sd_journal_sendv(iov, n);

        for (int i = 0; i < n; i++)
                free(iov[i].iov_base);
}

/* As in programs of systemd: a word, or its number. Anything else leaves it as it is. */
static void read_level(void) {
        static const char *const levels[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };
        const char *wanted = getenv("SYSTEMD_LOG_LEVEL");

        for (size_t i = 0; wanted && i < ELEMENTSOF(levels); i++)
                if (str_equal(wanted, levels[i]) || (wanted[0] == '0' + (char) i && !wanted[1]))
                        log_set_max_level((int) i);
}

void service_log_to_journal(const char *identifier) {
        assert(identifier);

        journal_identifier = identifier;
        log_set_sink(stderr_is_journal() ? log_to_journal : NULL);
        read_level();
}

/* The process */

int service_close_to_others(void) {
        return prctl(PR_SET_DUMPABLE, 0) < 0 ? log_failure(errno, "Cannot close this process to others of its user: %m") : 0;
}

/* The loop */

int service_event_new(sd_event **ret) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        sigset_t set;
        int r;

        assert(ret);

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;

        r = sd_event_default(&event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_set_watchdog(event, 1);
        if (r < 0)
                return r;

        *ret = take_ptr(event);
        return 0;
}

/* Telling systemd */

/* A line break would begin another assignment. */
static _printf_(1, 0) char *format_status(const char *format, va_list ap) {
        char *status = str_vprintf(format, ap);

        for (char *c = status; c && *c; c++)
                if (*c == '\n' || *c == '\r')
                        *c = ' ';
        return status;
}

int service_notify_ready(const char *format, ...) {
        _auto_free_ char *status = NULL;
        va_list ap;
        int r;

        if (!format) {
                r = sd_notify(0, "READY=1");
                return r < 0 ? r : 0;
        }

        va_start(ap, format);
        status = format_status(format, ap);
        va_end(ap);
        if (!status)
                return -ENOMEM;
        r = sd_notifyf(0, "READY=1\nSTATUS=%s", status);
        return r < 0 ? r : 0;
}

int service_notify_status(const char *format, ...) {
        _auto_free_ char *status = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        status = format_status(format, ap);
        va_end(ap);
        if (!status)
                return -ENOMEM;
        r = sd_notifyf(0, "STATUS=%s", status);
        return r < 0 ? r : 0;
}

int service_notify_stopping(void) {
        int r = sd_notify(0, "STOPPING=1");

        return r < 0 ? r : 0;
}

/* The bus */

int service_bus_open(sd_event *event, sd_bus **ret) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        assert(event);
        assert(ret);

        r = sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_exit_on_disconnect(bus, 1);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;

        *ret = take_ptr(bus);
        return 0;
}

typedef struct Leaving {
        bool asked, released;
} Leaving;

static int on_released(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Leaving *leaving = userdata;

        leaving->released = true;
        return 0;
}

/* STOPPING=1 comes first: from here on a request for the name starts a new process behind this one, and losing the name is no failure of the unit. What the
 * bus handed to us before it released the name stands in front of its answer, so it has been dispatched when the answer is. */
static int ask_to_leave(sd_bus *bus, const char *bus_name, sd_bus_slot **slot, Leaving *leaving) {
        int r;

        (void) service_notify_stopping();
        r = sd_bus_release_name_async(bus, slot, bus_name, on_released, leaving);
        if (r < 0)
                return r;
        leaving->asked = true;
        return 0;
}

static int exit_result(sd_event *event) {
        int code;

        if (sd_event_get_state(event) != SD_EVENT_FINISHED || sd_event_get_exit_code(event, &code) < 0)
                return 0;
        return code == 0 ? 0 : -ECONNRESET; /* only the bus going away ends the loop with a failure */
}

int service_run_until_idle(sd_event *event, sd_bus *bus, const char *bus_name, uint64_t timeout_usec, bool (*is_idle)(void *userdata), void *userdata) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Leaving leaving = {};
        bool idle;
        int r;

        assert(event);
        assert(bus);
        assert(bus_name);
        assert(is_idle);

        while (sd_event_get_state(event) != SD_EVENT_FINISHED) {
                idle = is_idle(userdata);
                if (leaving.released && idle)
                        break;

                r = sd_event_run(event, idle && !leaving.asked ? timeout_usec : UINT64_MAX);
                if (r < 0)
                        return r;
                if (r > 0 || leaving.asked || !is_idle(userdata))
                        continue;

                r = ask_to_leave(bus, bus_name, &slot, &leaving);
                if (r < 0)
                        return r;
        }

        /* Replies that are still in our hands. */
        (void) sd_bus_flush(bus);
        return exit_result(event);
}
