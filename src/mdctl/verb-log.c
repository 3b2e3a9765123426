/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl log: what happened to a domain. Its own log in the store outlives the journal; the journal knows more: both in one, each thing once. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/journal.h"

/* What is told to both has nearly the same time in both. */
#define SAME_USEC (5 * USEC_PER_SEC)

static const char *const members[] = { "WhenUSec", "Type", "Status", "Text", NULL };

static int fetch_log(Mdctl *c, const char *path, JsonObject **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *values = NULL;
        int r;

        r = client_call(c, (ClientMethod){ path, BUS_INTERFACE_DOMAIN, "GetLog" }, &error, &reply, NULL);
        if (r < 0)
                return client_tell(&error, NULL);
        r = bus_json_read(reply, &values);
        if (r < 0)
                return client_tell_answer(r);
        *ret = bus_json_name_each(values, members);
        return *ret ? MDCTL_DONE : client_tell_answer(-EBADMSG);
}

static bool is_in_journal(JsonObject *journal, JsonObject *entry) {
        uint64_t when = get_number(entry, "WhenUSec");

        for (size_t i = json_object_array_length(journal); i-- > 0;) {
                JsonObject *o = json_object_array_get_idx(journal, i);
                uint64_t other = get_number(o, "WhenUSec");

                if (MAX_OF(when, other) - MIN_OF(when, other) < SAME_USEC && str_equal(get_text(o, "Text"), get_text(entry, "Text")))
                        return true;
        }
        return false;
}

static int add(JsonObject *list, JsonObject *o, const char *source) {
        if (json_add_string(o, "Source", source) < 0 || json_object_array_add(list, json_object_get(o)) < 0)
                return -ENOMEM;
        return 0;
}

static int by_time(const void *a, const void *b) {
        uint64_t x = get_number(*(JsonObject *const *) a, "WhenUSec"), y = get_number(*(JsonObject *const *) b, "WhenUSec");

        return x < y ? -1 : x > y;
}

/* Both, the oldest first. NULL: out of memory. */
static JsonObject *merge(JsonObject *log, JsonObject *journal) {
        _auto_json_ JsonObject *all = json_object_new_array();

        if (!all)
                return NULL;
        for (size_t i = json_object_array_length(log); i-- > 0;) {
                JsonObject *o = json_object_array_get_idx(log, i);

                if (!is_in_journal(journal, o) && add(all, o, "log") < 0)
                        return NULL;
        }
        for (size_t i = 0; i < json_object_array_length(journal); i++)
                if (add(all, json_object_array_get_idx(journal, i), "journal") < 0)
                        return NULL;
        json_object_array_sort(all, by_time);
        return take_ptr(all);
}

static int read_journal(const Mdctl *c, const char *domain, JsonObject **ret) {
        const JournalQuery q = { .domain = domain, .lines = c->lines };
        int r = c->host ? JOURNAL_E_CLOSED : journal_read(&q, ret);

        if (r == JOURNAL_DONE)
                return MDCTL_DONE;
        if (c->host)
                fprintf(stderr, "The journal of %s is not shown: it is not on the bus.\n", c->host);
        else if (r == JOURNAL_E_CLOSED)
                fprintf(stderr, "The journal is not shown: you may not read it.\n");
        else
                fprintf(stderr, "Cannot read the journal: %s\n", strerror(-r));
        *ret = json_object_new_array();
        return *ret ? MDCTL_DONE : mdctl_oom();
}

static Colour colour_of(JsonObject *o) {
        uint64_t priority;

        if (!json_get_uint(o, "Priority", &priority))
                return str_has_suffix(get_text(o, "Type"), "error") ? COLOUR_BAD : COLOUR_NONE;
        return priority <= 3 ? COLOUR_BAD : priority == 4 ? COLOUR_WARN : priority == 5 ? COLOUR_BOLD : COLOUR_NONE;
}

/* Who said it: the type of an entry of the domain's own log, or the program. */
static const char *speaker_of(JsonObject *o) {
        const char *identifier = get_text(o, "Identifier");

        return str_equal(get_text(o, "Source"), "log") ? get_text(o, "Type") : str_or(identifier, get_text(o, "Unit"));
}

static void print_entry(JsonObject *o) {
        const char *status = get_text(o, "Status"), *speaker = speaker_of(o);
        char when[CLOCK_HUMAN_MAX];
        _auto_free_ char *text = str_printf("%s%s%s", status, str_is_empty(status) ? "" : ": ", get_text(o, "Text"));
        Colour colour = colour_of(o);

        clock_format_utc(when, get_number(o, "WhenUSec"));
        printf("%s  %s%s%s  %s", when, colour_on(COLOUR_DIM), speaker, colour_off(COLOUR_DIM), colour_on(colour));
        format_wrapped(str_or(text, ""), strlen(when) + strlen(speaker) + 4);
        printf("%s", colour_off(colour));
}

static int print(const Mdctl *c, JsonObject *all) {
        size_t n = json_object_array_length(all);

        for (size_t i = n - MIN_OF(n, c->lines); i < n; i++)
                print_entry(json_object_array_get_idx(all, i));
        return MDCTL_DONE;
}

static int print_json(const Mdctl *c, JsonObject *all) {
        size_t n = json_object_array_length(all);

        if (n > c->lines && json_object_array_del_idx(all, 0, n - c->lines) < 0)
                return mdctl_oom();
        return format_json(c, all);
}

int verb_log(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *domain = NULL, *log = NULL, *journal = NULL, *all = NULL;
        _auto_free_ char *path = NULL;
        int r;

        r = client_get_domain(c, arguments[0], &path, &domain);
        if (r == MDCTL_DONE)
                r = fetch_log(c, path, &log);
        if (r == MDCTL_DONE)
                r = read_journal(c, get_text(domain, "Name"), &journal);
        if (r != MDCTL_DONE)
                return r;
        all = merge(log, journal);
        if (!all)
                return mdctl_oom();
        format_begin(c);
        return c->json == JSON_OFF ? print(c, all) : print_json(c, all);
}
