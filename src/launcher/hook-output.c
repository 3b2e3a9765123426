/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/hook-output.h"

#include <errno.h>
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"

#define FIELD_MESSAGE "MESSAGE"
#define FIELD_IDENTIFIER "SYSLOG_IDENTIFIER"

enum { LINE_MAX_SIZE = 8 * 1024 };

/* A printable copy; NULL: there is none. */
static char *get_field(sd_journal *j, const char *field) {
        size_t size, skip = strlen(field) + 1;
        const void *data;

        if (sd_journal_get_data(j, field, &data, &size) < 0 || size < skip)
                return NULL;
        return str_printable((const char *) data + skip, size - skip, LINE_MAX_SIZE);
}

/* systemd writes in the name of the unit before it becomes the command. */
static bool is_printed(sd_journal *j) {
        _auto_free_ char *identifier = get_field(j, FIELD_IDENTIFIER);

        return !str_equal(identifier, "systemd");
}

/* The newest first. */
static int collect(sd_journal *j, char ***lines) {
        size_t n = 0, size = 0;
        int r = sd_journal_seek_tail(j);

        while (r >= 0 && n < HOOK_OUTPUT_LINES_MAX && size < HOOK_OUTPUT_SIZE_MAX && (r = sd_journal_previous(j)) > 0) {
                char *line = is_printed(j) ? get_field(j, FIELD_MESSAGE) : NULL;

                if (!line)
                        continue;
                size += strlen(line);
                n++;
                r = strv_consume(lines, line);
        }
        return r < 0 ? r : 0;
}

static void reverse(char **lines) {
        for (size_t i = 0, n = strv_length(lines); i < n / 2; i++) {
                char *line = lines[i];

                lines[i] = lines[n - 1 - i];
                lines[n - 1 - i] = line;
        }
}

int hook_output_read(const char *unit, char ***ret) {
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;
        _auto_free_ char *match = str_printf("_SYSTEMD_UNIT=%s", unit);
        _auto_strv_ char **lines = NULL;
        int r;

        assert(ret);

        /* What a person's user writes is in a file of that user's. */
        r = match ? sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) : -ENOMEM;
        if (r >= 0)
                r = sd_journal_add_match(j, match, 0);
        if (r >= 0)
                r = collect(j, &lines);
        if (r < 0)
                return r;
        reverse(lines);
        *ret = take_ptr(lines);
        return 0;
}
