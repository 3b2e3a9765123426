/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
        TEXT_MAX = 1024, /* longer text needs memory, and is cut when there is none */
};

/* Programs set these before they start; a thread that makes keys may read them later. */
static _Atomic(LogSink) current_sink;
static atomic_int max_level = LOG_INFO;

void log_set_sink(LogSink sink) {
        atomic_store(&current_sink, sink);
}

void log_set_max_level(int priority) {
        atomic_store(&max_level, priority);
}

int log_get_max_level(void) {
        return atomic_load(&max_level);
}

/* systemd says in $JOURNAL_STREAM which file its stream is; a redirected stderr is another one. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        uint64_t device, inode;
        struct stat st;

        return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
                fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void write_line(const char *prefix, const char *line, size_t length) {
        struct iovec parts[] = {
                { .iov_base = (char *) prefix, .iov_len = strlen(prefix) },
                { .iov_base = (char *) line, .iov_len = length },
                { .iov_base = (char *) "\n", .iov_len = 1 },
        };

        /* Nobody is left to be told of a failure here. */
        if (writev(STDERR_FILENO, parts, ELEMENTSOF(parts)) < 0)
                return;
}

static void write_to_stderr(const LogEntry *entry) {
        char prefix[16] = "";
        const char *line = entry->text;

        if (stderr_is_journal())
                (void) snprintf(prefix, sizeof(prefix), "<%d>", LOG_PRI(entry->priority));

        /* The journal takes each line as a message of its own, so each gets the prefix. */
        for (;;) {
                size_t length = strcspn(line, "\n");

                write_line(prefix, line, length);
                line += length;
                if (line[0] == '\0' || line[1] == '\0')
                        return;
                line++;
        }
}

int log_full(int priority, int error, const char *message_id, const LogField *fields, size_t n_fields, const char *format, ...) {
        char text[TEXT_MAX], *long_text = NULL;
        int saved_errno = errno, length;
        LogSink sink;
        va_list args;

        assert(format);

        error = error < 0 ? error : -error;
        if (LOG_PRI(priority) > log_get_max_level())
                return error;

        errno = -error;
        va_start(args, format);
        length = vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (length < 0)
                (void) snprintf(text, sizeof(text), "%s", format);
        else if ((size_t) length >= sizeof(text)) {
                long_text = malloc((size_t) length + 1);
                if (long_text) {
                        errno = -error;
                        va_start(args, format);
                        (void) vsnprintf(long_text, (size_t) length + 1, format, args);
                        va_end(args);
                }
        }

        sink = atomic_load(&current_sink);
        (sink ? sink : write_to_stderr)(&(const LogEntry) {
                .priority = LOG_PRI(priority),
                .message_id = message_id,
                .text = long_text ? long_text : text,
                .fields = fields,
                .n_fields = n_fields,
        });

        free(long_text);
        errno = saved_errno;
        return error;
}
