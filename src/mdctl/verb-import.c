/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl import: hands what another program left behind to md-manager, one account or certificate after the other, and tells what became of it. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/import-source.h"

enum {
        BUSY_TRIES = 100,
        BUSY_MSEC = 100,
        INDENT = 10,
};

/* Where these programs have their things, below / and below the home directory. */
static const char *const places[] = { "/etc/apache2/md", "/var/lib/apache2/md", "/etc/httpd/md", "/var/lib/httpd/md", "/etc/letsencrypt", "/root/.acme.sh" };

typedef struct Outcome {
        JsonObject *items; /* an array */
        size_t n_taken, n_refused;
} Outcome;

static void outcome_done(Outcome *o) {
        cleanup_json(&o->items);
}

/* --- Looking for something --- */

static size_t tell_place(const char *path) {
        _auto_import_source_ ImportSource s = { .fd = -1 };

        if (import_source_open(path, &s) != 0)
                return 0;
        printf("%s: %s, accounts and certificates: %zu. Look at it: mdctl import --dry-run %s\n", path, s.format, s.n, path);
        return 1;
}

static int look_around(void) {
        const char *home = getenv("HOME");
        _auto_free_ char *own = str_printf("%s/.acme.sh", str_or(home, "/root"));
        size_t n = 0;

        if (!own)
                return mdctl_oom();
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                n += tell_place(places[i]);
        if (!str_equal(own, "/root/.acme.sh"))
                n += tell_place(own);
        if (n > 0)
                return MDCTL_DONE;
        fprintf(stderr, "Neither mod_md, certbot nor acme.sh left something behind in the usual places, as far as you may look. Name the directory.\n");
        return MDCTL_NOTHING_TO_DO;
}

/* --- One of them --- */

static int call_import(Mdctl *c, const ImportSource *s, const ImportItem *item, int fd, sd_bus_error *error, sd_bus_message **ret) {
        static const struct timespec pause = { .tv_nsec = BUSY_MSEC * 1000000L };
        int r = -EBUSY;

        for (unsigned i = 0; i < BUSY_TRIES; i++) {
                sd_bus_error_free(error);
                r = client_call(c, (ClientMethod){ BUS_PATH, BUS_INTERFACE_MANAGER, "Import" }, error, ret, "ssshb", s->format, item->kind, item->name, fd,
                                (int) c->dry_run);
                if (r >= 0 || !sd_bus_error_has_name(error, BUS_ERROR_BUSY))
                        break;
                (void) nanosleep(&pause, NULL);
        }
        return r;
}

static JsonObject *make_refusal(const char *why) {
        JsonObject *o = json_object_new_object();
        char *remarks[] = { (char *) why, NULL };

        if (o && (json_add_string(o, "Result", "refused") < 0 || json_add_string(o, "Target", "") < 0 || json_add_strv(o, "Remarks", remarks) < 0)) {
                json_object_put(o);
                return NULL;
        }
        return o;
}

/* Exit codes: what concerns one does not keep the others, as long as we are allowed at all. */
static int ask(Mdctl *c, ImportSource *s, const ImportItem *item, JsonObject **ret) {
        static const char *const members[] = { "Result", "Target", "Remarks", "Configuration", NULL };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _auto_close_ int fd = -1;
        int r;

        r = import_source_pack(s, item, &fd);
        if (r < 0) {
                *ret = make_refusal(r == -EFBIG ? "its files are too many, or too large" : strerror(-r));
                return *ret ? MDCTL_DONE : mdctl_oom();
        }
        r = call_import(c, s, item, fd, &error, &reply);
        if (r < 0 && !sd_bus_error_has_name(&error, BUS_ERROR_BUSY) && !sd_bus_error_has_name(&error, BUS_ERROR_FAILED))
                return client_tell(&error, "Import");
        if (r < 0) {
                *ret = make_refusal(str_or(error.message, "no reason given"));
                return *ret ? MDCTL_DONE : mdctl_oom();
        }
        r = bus_json_read_named(reply, members, ret);
        return r < 0 ? client_tell_answer(r) : MDCTL_DONE;
}

static int take_one(Mdctl *c, ImportSource *s, const ImportItem *item, Outcome *outcome) {
        JsonObject *o = NULL;
        const char *result;
        int r = ask(c, s, item, &o);

        if (r != MDCTL_DONE)
                return r;
        if (json_add_string(o, "Kind", item->kind) < 0 || json_add_string(o, "Name", item->label) < 0 || json_object_array_add(outcome->items, o) < 0) {
                json_object_put(o);
                return mdctl_oom();
        }
        result = get_text(o, "Result");
        outcome->n_taken += str_equal(result, "taken");
        outcome->n_refused += str_equal(result, "refused");
        return MDCTL_DONE;
}

/* --- The report --- */

static void print_list(JsonObject *o, const char *member, int indent) {
        JsonObject *list = json_get_array(o, member);
        size_t n = list ? json_object_array_length(list) : 0;

        for (size_t i = 0; i < n; i++) {
                printf("%*s", indent, "");
                format_wrapped(str_or(json_object_get_string(json_object_array_get_idx(list, i)), ""), (size_t) indent);
        }
}

static Colour colour_of(const char *result) {
        return str_equal(result, "taken") ? COLOUR_GOOD : str_equal(result, "refused") ? COLOUR_BAD : COLOUR_DIM;
}

static void print_item(JsonObject *o) {
        const char *result = get_text(o, "Result"), *target = get_text(o, "Target");

        printf("%s%-9s%s %s %s%s%s\n", colour_on(colour_of(result)), result, colour_off(colour_of(result)), get_text(o, "Kind"), get_text(o, "Name"),
               *target ? " as " : "", target);
        print_list(o, "Remarks", INDENT);
}

static void print_left_out(const ImportSource *s) {
        for (char *const *l = s->left_out; l && l[0] && l[1]; l += 2)
                printf("%s%-9s%s %s: %s\n", colour_on(COLOUR_DIM), "left-out", colour_off(COLOUR_DIM), l[0], l[1]);
}

static void print_configuration(const Outcome *outcome) {
        size_t n = json_object_array_length(outcome->items);
        bool told = false;

        for (size_t i = 0; i < n; i++) {
                JsonObject *o = json_object_array_get_idx(outcome->items, i), *lines = json_get_array(o, "Configuration");

                if (!lines || json_object_array_length(lines) == 0)
                        continue;
                if (!told)
                        printf("\nA proposal for Apache's configuration:\n");
                told = true;
                printf("\n");
                for (size_t k = 0; k < json_object_array_length(lines); k++)
                        printf("%s\n", str_or(json_object_get_string(json_object_array_get_idx(lines, k)), ""));
        }
}

static void print_summary(const Mdctl *c, const ImportSource *s, const Outcome *outcome) {
        printf("\n%zu of %zu %s taken over from %s; nothing in there %s changed. See md-manager-migration(7) for what comes next, and for the way back.\n",
               outcome->n_taken, s->n, c->dry_run ? "would be" : "were", s->path, c->dry_run ? "would be" : "was");
}

static int add_left_out(JsonObject *o, const ImportSource *s) {
        JsonObject *list = json_object_new_array();
        int r = list ? 0 : -ENOMEM;

        for (char *const *l = s->left_out; r == 0 && l && l[0] && l[1]; l += 2) {
                JsonObject *entry = json_object_new_object();

                if (!entry || json_add_string(entry, "Path", l[0]) < 0 || json_add_string(entry, "Reason", l[1]) < 0 || json_object_array_add(list, entry) < 0) {
                        json_object_put(entry);
                        r = -ENOMEM;
                }
        }
        if (r < 0) {
                json_object_put(list);
                return r;
        }
        return json_add_object(o, "LeftOut", list);
}

static int report_json(const Mdctl *c, const ImportSource *s, Outcome *outcome) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "Format", s->format) < 0 || json_add_string(o, "Source", s->path) < 0 || json_add_bool(o, "DryRun", c->dry_run) < 0 ||
            json_add_object(o, "Items", json_object_get(outcome->items)) < 0 || add_left_out(o, s) < 0)
                return mdctl_oom();
        return format_json(c, o);
}

static int report(const Mdctl *c, const ImportSource *s, Outcome *outcome) {
        format_begin(c);
        if (c->json != JSON_OFF)
                return report_json(c, s, outcome);
        for (size_t i = 0; i < json_object_array_length(outcome->items); i++)
                print_item(json_object_array_get_idx(outcome->items, i));
        print_left_out(s);
        print_configuration(outcome);
        if (!c->no_legend)
                print_summary(c, s, outcome);
        return MDCTL_DONE;
}

/* --- All of them --- */

static int tell_unusable(const char *path, int r) {
        if (r == IMPORT_SOURCE_E_UNKNOWN)
                fprintf(stderr, "%s is neither a store of mod_md (md_store.json), nor certbot's directory (renewal/, live/), nor that of acme.sh (account.conf, ca/)%s.\n",
                        path, geteuid() == 0 ? "" : ", as far as you may look");
        else
                fprintf(stderr, "%s cannot be read: %s\n", path, strerror(-r));
        return MDCTL_FAILED;
}

static int take_all(Mdctl *c, ImportSource *s) {
        _cleanup_(outcome_done) Outcome outcome = { .items = json_object_new_array() };
        int r;

        if (!outcome.items)
                return mdctl_oom();
        agent_open(c);
        for (size_t i = 0; i < s->n; i++) {
                r = take_one(c, s, &s->items[i], &outcome);
                if (r != MDCTL_DONE)
                        return r;
        }
        agent_close();
        r = report(c, s, &outcome);
        if (r != MDCTL_DONE || outcome.n_refused > 0)
                return r != MDCTL_DONE ? r : MDCTL_FAILED;
        return outcome.n_taken > 0 ? MDCTL_DONE : MDCTL_NOTHING_TO_DO;
}

int verb_import(Mdctl *c, char *const *arguments) {
        _auto_import_source_ ImportSource s = { .fd = -1 };
        int r;

        if (c->host) {
                fprintf(stderr, "Files are taken over on the machine that they are on: log in there, and leave out --host.\n");
                return MDCTL_USAGE;
        }
        if (!arguments[0])
                return look_around();
        r = import_source_open(arguments[0], &s);
        if (r != 0)
                return tell_unusable(arguments[0], r);
        r = client_connect(c);
        return r == MDCTL_DONE ? take_all(c, &s) : r;
}
