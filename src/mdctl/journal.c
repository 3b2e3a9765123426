/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/journal.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "config.h"

#define OUR_PREFIX "md-"

enum { TEXT_MAX = 8 * 1024 };

static int match(sd_journal *j, const char *field, const char *value) {
        _auto_free_ char *text = str_printf("%s=%s", field, value);

        return text ? sd_journal_add_match(j, text, 0) : -ENOMEM;
}

/* Values of one field are alternatives; fields have to match all. */
static int match_all(sd_journal *j, const JournalQuery *q) {
        int r = 0;

        if (q->domain)
                r = match(j, "MD_NAME", q->domain);
        if (r >= 0 && q->unit)
                r = match(j, "_SYSTEMD_UNIT", q->unit);
        for (size_t i = 0; r >= 0 && q->ids && q->ids[i]; i++)
                r = match(j, "MESSAGE_ID", q->ids[i]);
        return r;
}

/* A printable copy; NULL when there is none. */
static char *get_field(sd_journal *j, const char *field) {
        const void *data;
        size_t size, skip = strlen(field) + 1;

        if (sd_journal_get_data(j, field, &data, &size) < 0 || size < skip)
                return NULL;
        return str_printable((const char *) data + skip, size - skip, TEXT_MAX);
}

/* When a worker has ended before journald comes to read its last words, all that is known of it is its user. */
static bool is_by_our_user(sd_journal *j) {
        _auto_free_ char *uid = get_field(j, "_UID"), *identifier = get_field(j, "SYSLOG_IDENTIFIER");
        const struct passwd *worker;
        uint32_t number;

        if (!uid || parse_uint32(uid, &number) < 0 || !identifier || !str_has_prefix(identifier, OUR_PREFIX))
                return false;
        worker = getpwnam(ACME_USER);
        return number == 0 || (worker && number == worker->pw_uid);
}

static bool is_ours(sd_journal *j) {
        _auto_free_ char *pid = get_field(j, "_PID"), *unit = get_field(j, "_SYSTEMD_UNIT"), *about = NULL;

        if (!str_equal(pid, "1"))
                return unit ? str_has_prefix(unit, OUR_PREFIX) : is_by_our_user(j);
        about = get_field(j, "UNIT");
        return about && str_has_prefix(about, OUR_PREFIX);
}

static int add_field(sd_journal *j, JsonObject *o, const char *key, const char *field) {
        _auto_free_ char *value = get_field(j, field);

        return json_add_string(o, key, value);
}

static int add_text(sd_journal *j, JsonObject *o, const char *domain) {
        _auto_free_ char *text = get_field(j, "MESSAGE");
        const char *rest = text && domain ? str_after_prefix(text, domain) : NULL;

        rest = rest ? str_after_prefix(rest, ": ") : NULL;
        return json_add_string(o, "Text", rest ? rest : str_or(text, ""));
}

static int read_entry(sd_journal *j, JsonObject **ret) {
        static const char *const fields[][2] = {
                { "Domain", "MD_NAME" }, { "Event", "MD_EVENT" }, { "MessageId", "MESSAGE_ID" }, { "Problem", "MD_PROBLEM" }, { "Identifier", "SYSLOG_IDENTIFIER" },
        };
        _auto_free_ char *priority = get_field(j, "PRIORITY"), *domain = get_field(j, "MD_NAME"), *unit = get_field(j, "UNIT");
        _auto_json_ JsonObject *o = json_object_new_object();
        uint32_t n = 6;
        uint64_t when;
        int r;

        r = o ? sd_journal_get_realtime_usec(j, &when) : -ENOMEM;
        if (r >= 0)
                r = json_add_uint(o, "WhenUSec", when);
        if (priority)
                (void) parse_uint32(priority, &n);
        if (r >= 0)
                r = json_add_uint(o, "Priority", n);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(fields); i++)
                r = add_field(j, o, fields[i][0], fields[i][1]);
        if (r >= 0)
                r = unit ? json_add_string(o, "Unit", unit) : add_field(j, o, "Unit", "_SYSTEMD_UNIT");
        if (r >= 0)
                r = add_text(j, o, domain);
        if (r >= 0)
                *ret = take_ptr(o);
        return r;
}

/* The newest first. */
static int collect(sd_journal *j, size_t lines, JsonObject *list) {
        int r = sd_journal_seek_tail(j);

        while (r >= 0 && json_object_array_length(list) < lines && (r = sd_journal_previous(j)) > 0) {
                JsonObject *o;

                if (!is_ours(j))
                        continue;
                r = read_entry(j, &o);
                if (r >= 0 && json_object_array_add(list, o) < 0) {
                        (void) json_object_put(o);
                        r = -ENOMEM;
                }
        }
        return r;
}

static JsonObject *reversed(JsonObject *list) {
        JsonObject *turned = json_object_new_array();

        for (size_t i = turned ? json_object_array_length(list) : 0; i-- > 0;)
                if (json_object_array_add(turned, json_object_get(json_object_array_get_idx(list, i))) < 0) {
                        (void) json_object_put(turned);
                        return NULL;
                }
        return turned;
}

/* Whoever may not read the system's journal finds their own entries there, and none of PID 1. */
static bool is_closed(void) {
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;

        return geteuid() != 0 && (sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM) < 0 || sd_journal_add_match(j, "_PID=1", 0) < 0 ||
                                  sd_journal_seek_tail(j) < 0 || sd_journal_previous(j) <= 0);
}

int journal_read(const JournalQuery *q, JsonObject **ret) {
        _cleanup_(sd_journal_closep) sd_journal *j = NULL;
        _auto_json_ JsonObject *list = json_object_new_array();
        JsonObject *turned;
        int r;

        if (is_closed())
                return JOURNAL_E_CLOSED;
        /* Also the files of users, in which a hook's words are that runs as a person's. */
        r = list ? sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) : -ENOMEM;
        if (r >= 0)
                r = match_all(j, q);
        if (r >= 0)
                r = collect(j, q->lines, list);
        if (r < 0)
                return r;
        turned = reversed(list);
        if (!turned)
                return -ENOMEM;
        *ret = turned;
        return JOURNAL_DONE;
}
