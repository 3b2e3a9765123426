/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"

static struct {
        unsigned n;
        int priority;
        char text[8000], message_id[40], field[100];
        size_t n_fields;
} seen;

static void remember(const LogEntry *entry) {
        seen.n++;
        seen.priority = entry->priority;
        seen.n_fields = entry->n_fields;
        (void) snprintf(seen.text, sizeof(seen.text), "%s", entry->text);
        (void) snprintf(seen.message_id, sizeof(seen.message_id), "%s", str_or(entry->message_id, ""));
        if (entry->n_fields > 0)
                (void) snprintf(seen.field, sizeof(seen.field), "%s=%s", entry->fields[0].key, entry->fields[0].value);
}

TEST(sink_gets_everything) {
        const LogField fields[] = { { "MD_NAME", "example.org" }, { "MD_CA", NULL } };

        seen.n = 0;
        log_set_sink(remember);
        CHECK_INT(log_full(LOG_NOTICE, 0, MESSAGE_RENEWED, fields, ELEMENTSOF(fields), "Renewed %s.", "it"), 0);
        CHECK_UINT(seen.n, 1);
        CHECK_INT(seen.priority, LOG_NOTICE);
        CHECK_STR(seen.text, "Renewed it.");
        CHECK_STR(seen.message_id, MESSAGE_RENEWED);
        CHECK_STR(seen.field, "MD_NAME=example.org");
        CHECK_UINT(seen.n_fields, 2);
        log_set_sink(NULL);
}

TEST(returns_the_error_and_keeps_errno) {
        log_set_sink(remember);
        errno = EIO;
        CHECK_INT(log_failure(-ENOENT, "Cannot read %s: %m", "x"), -ENOENT);
        CHECK_STR(seen.text, "Cannot read x: No such file or directory");
        CHECK_INT(seen.priority, LOG_ERR);
        CHECK_INT(errno, EIO);
        CHECK_INT(log_failure(ENOENT, "%m"), -ENOENT);
        CHECK_STR(seen.text, "No such file or directory");
        CHECK_INT(log_oom(), -ENOMEM);
        CHECK_INT(log_error("plain"), 0);
        log_set_sink(NULL);
}

TEST(less_urgent_is_dropped) {
        log_set_sink(remember);
        seen.n = 0;
        CHECK_INT(log_get_max_level(), LOG_INFO);
        CHECK_INT(log_debug("dropped"), 0);
        CHECK_UINT(seen.n, 0);
        CHECK_INT(log_full(LOG_DEBUG, EIO, NULL, NULL, 0, "dropped"), -EIO);
        CHECK_UINT(seen.n, 0);
        log_set_max_level(LOG_DEBUG);
        log_debug("kept");
        CHECK_UINT(seen.n, 1);
        log_set_max_level(LOG_WARNING);
        log_notice("dropped");
        log_info("dropped");
        log_warning("kept");
        CHECK_UINT(seen.n, 2);
        CHECK_STR(seen.text, "kept");
        log_set_max_level(LOG_INFO);
        log_set_sink(NULL);
}

TEST(long_text_is_whole) {
        char text[5001];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        log_set_sink(remember);
        log_failure(EPERM, "%s: %m", text);
        CHECK_UINT(strlen(seen.text), 5000 + strlen(": Operation not permitted"));
        CHECK(str_has_suffix(seen.text, "x: Operation not permitted"));
        log_set_sink(NULL);
}

/* Runs with stderr in a file and gives what was written. */
static char *with_stderr(TmpDir *dir, bool as_journal) {
        int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
        int fd = openat(dir->fd, "stderr", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);
        char stream[100];
        struct stat st = {};

        (void) fstat(fd, &st);
        (void) snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long) st.st_dev,
                        (unsigned long long) st.st_ino + (as_journal ? 0 : 1));
        (void) setenv("JOURNAL_STREAM", stream, true);
        (void) dup2(fd, STDERR_FILENO);
        (void) close(fd);

        log_warning("one\ntwo");
        log_error("three\n");

        (void) dup2(saved, STDERR_FILENO);
        (void) close(saved);
        (void) unsetenv("JOURNAL_STREAM");
        return tmp_dir_read(dir, "stderr");
}

TEST(stderr_has_prefixes_for_the_journal_only) {
        _auto_tmp_dir_ TmpDir dir = tmp_dir_make();
        _auto_free_ char *plain = with_stderr(&dir, false), *journal = with_stderr(&dir, true);

        CHECK_STR(plain, "one\ntwo\nthree\n");
        CHECK_STR(journal, "<4>one\n<4>two\n<3>three\n");
}
