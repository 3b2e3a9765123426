/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Telling. Only programs call these; floors return.
 *
 * The sink is chosen by the program: stderr until told otherwise. A sink receives one message with its fields and must
 * not wait. Under systemd the program sets a sink that writes to the journal (bus/journal.h); inside httpd nobody calls
 * these functions. */

#include <errno.h>
#include <stdarg.h>
#include <syslog.h>

#include "base/macro.h"

typedef struct LogField {
        const char *key;   /* upper case, as systemd.journal-fields(7) wants: "MD_NAME" */
        const char *value; /* NULL: the field is left out */
} LogField;

typedef struct LogEntry {
        int priority;           /* LOG_ERR … LOG_DEBUG */
        const char *message_id; /* 32 hex digits from base/message-ids.h, or NULL */
        const char *text;
        const LogField *fields;
        size_t n_fields;
} LogEntry;

typedef void (*LogSink)(const LogEntry *entry);

void log_set_sink(LogSink sink);      /* NULL: stderr, with "<N>" prefixes if it is a journal stream */
void log_set_max_level(int priority); /* less urgent messages are dropped; LOG_INFO at the start */
int log_get_max_level(void);

/* Writes one message with fields. 'error' is the errno of '%m' (sign does not matter; 0: none). Returns -abs(error), so that
 * it can stand in the return statement. */
int log_full(int priority, int error, const char *message_id, const LogField *fields, size_t n_fields, const char *format, ...)
        _printf_(6, 7);

#define log_error(...) log_full(LOG_ERR, 0, NULL, NULL, 0, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, 0, NULL, NULL, 0, __VA_ARGS__)
#define log_notice(...) log_full(LOG_NOTICE, 0, NULL, NULL, 0, __VA_ARGS__)
#define log_info(...) log_full(LOG_INFO, 0, NULL, NULL, 0, __VA_ARGS__)
#define log_debug(...) log_full(LOG_DEBUG, 0, NULL, NULL, 0, __VA_ARGS__)

/* Tells a failure that nobody planned for and returns it: return log_failure(r, "Cannot read %s: %m", path); */
#define log_failure(error, ...) log_full(LOG_ERR, (error), NULL, NULL, 0, __VA_ARGS__)

/* Out of memory, told where it happened. Returns -ENOMEM. */
#define log_oom() log_full(LOG_ERR, ENOMEM, NULL, NULL, 0, "Out of memory.")
