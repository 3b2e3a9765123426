/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl domain: managed domains in configuration files of their own, for names that no virtual host serves: certificates of a mail server, for instance. They are
 * Apache's configuration as any other, so that there is one truth, that "configtest" sees it, and that every directive works. */

#include "config.h"
#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "bus/names.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/reload-wait.h"
#include "mdctl/snippet.h"

#define RENEW_MODE "MDRenewMode always" /* nothing serves it: otherwise it would be nobody's */

/* --- list --- */

static const Column columns[] = { { "NAME" }, { "NAMES", .shrinks = true }, { "RENEWED" }, { "CONFIGURED AT", .shrinks = true } };

static char *join(JsonObject *list) {
        _auto_strv_ char **words = NULL;

        for (size_t i = 0; list && i < json_object_array_length(list); i++)
                if (strv_extend(&words, str_or(json_object_get_string(json_object_array_get_idx(list, i)), "")) < 0)
                        return NULL;
        return words ? strv_join(words, " ") : strdup("");
}

static int add_row(Table *t, JsonObject *o) {
        _auto_free_ char *names = join(json_get_array(o, "Names"));

        if (!names || table_add(t, COLOUR_BOLD, get_text(o, "Name")) < 0 || table_add(t, COLOUR_NONE, names) < 0 || table_add(t, COLOUR_NONE, get_text(o, "RenewMode")) < 0)
                return -ENOMEM;
        return table_add(t, COLOUR_NONE, get_text(o, "DefinedAt"));
}

static int print_list(const Mdctl *c, JsonObject *list) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return mdctl_oom();
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (add_row(t, json_object_array_get_idx(list, i)) < 0)
                        return mdctl_oom();
        if (table_rows(t) > 0)
                table_print(t, !c->no_legend);
        else if (!c->no_legend)
                printf("No domain is managed.\n");
        return MDCTL_DONE;
}

static bool is_snippet(JsonObject *domain) {
        return str_has_prefix(get_text(domain, "DefinedAt"), SNIPPET_DIR "/");
}

static int collect(Mdctl *c, JsonObject *domains, JsonObject *list) {
        static const char *const shown[] = { "Name", "Names", "RenewMode", "DefinedAt" };
        int r = MDCTL_DONE;

        for (size_t i = 0; r == MDCTL_DONE && i < json_object_array_length(domains); i++) {
                _auto_json_ JsonObject *domain = NULL, *o = json_object_new_object();

                r = client_get_all(c, get_text(json_object_array_get_idx(domains, i), "Path"), BUS_INTERFACE_DOMAIN, &domain);
                if (r != MDCTL_DONE || !o)
                        return r != MDCTL_DONE ? r : mdctl_oom();
                for (size_t k = 0; k < ELEMENTSOF(shown); k++)
                        if (json_add_object(o, shown[k], json_object_get(json_object_object_get(domain, shown[k]))) < 0)
                                return mdctl_oom();
                if (json_add_bool(o, "OwnFile", is_snippet(domain)) < 0 || json_object_array_add(list, take_ptr(o)) < 0)
                        return mdctl_oom();
        }
        return r;
}

static int command_list(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *domains = NULL, *list = json_object_new_array();
        int r;

        if (!list)
                return mdctl_oom();
        r = client_list_domains(c, &domains);
        if (r == MDCTL_DONE)
                r = collect(c, domains, list);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        return c->json == JSON_OFF ? print_list(c, list) : format_json(c, list);
}

/* --- The file --- */

static int tell_file(int r, const char *name, const char *what) {
        _auto_free_ char *path = snippet_path(name);

        if (r == SNIPPET_E_ODD)
                fprintf(stderr, "%s is not one <MDomain> section any more: change it by hand.\n", str_or(path, "The file"));
        else
                fprintf(stderr, "Cannot %s %s: %s\n", what, str_or(path, "the file"), strerror(-r));
        return r == -EACCES || r == -EPERM ? MDCTL_NOT_ALLOWED : MDCTL_FAILED;
}

static int check_words(const Mdctl *c, char *const *names) {
        STRV_FOREACH(name, names)
                if (!snippet_name_is_usable(*name)) {
                        fprintf(stderr, "'%s' is no name of a domain.\n", *name);
                        return MDCTL_USAGE;
                }
        STRV_FOREACH(line, c->directives)
                if (!snippet_directive_is_usable(*line)) {
                        fprintf(stderr, "'%s' is no directive of one line; write --directive=\"MDProfile shortlived\", for instance.\n", *line);
                        return MDCTL_USAGE;
                }
        return MDCTL_DONE;
}

/* Each once: whoever repeats the first among all names means the same. */
static int set_names(Snippet *s, char *const *names) {
        s->names = strv_free(s->names);
        STRV_FOREACH(name, names)
                if (!strv_contains(s->names, *name) && strv_extend(&s->names, *name) < 0)
                        return -ENOMEM;
        return 0;
}

static int change(const Mdctl *c, Snippet *s, char *const *names) {
        int r = names ? set_names(s, names) : 0;

        STRV_FOREACH(line, c->directives)
                if (r == 0)
                        r = snippet_set(s, *line);
        return s->names && r == 0 ? MDCTL_DONE : mdctl_oom();
}

/* --- Until the manager knows --- */

typedef struct Expected {
        const char *name;
        const Snippet *snippet; /* NULL: it is gone */
        char **ret_refused;     /* why the server disabled it; NULL stays there: it did not */
} Expected;

static bool has_names(JsonObject *domain, char *const *names) {
        JsonObject *list = json_get_array(domain, "Names");

        if (!list || json_object_array_length(list) < strv_length(names))
                return false;
        STRV_FOREACH(name, names) {
                bool found = false;

                for (size_t i = 0; i < json_object_array_length(list); i++)
                        found = found || str_equal_nocase(json_object_get_string(json_object_array_get_idx(list, i)), *name);
                if (!found)
                        return false;
        }
        return true;
}

static bool has_arrived(Mdctl *c, void *userdata) {
        _auto_json_ JsonObject *domains = NULL, *domain = NULL;
        const Expected *e = userdata;
        const char *path = NULL;

        if (client_list_domains(c, &domains) != MDCTL_DONE)
                return false;
        for (size_t i = 0; i < json_object_array_length(domains); i++)
                if (str_equal_nocase(get_text(json_object_array_get_idx(domains, i), "Name"), e->name))
                        path = get_text(json_object_array_get_idx(domains, i), "Path");
        if (!path || client_get_all(c, path, BUS_INTERFACE_DOMAIN, &domain) != MDCTL_DONE)
                return !path && !e->snippet;
        if (!e->snippet)
                return !json_get_bool(domain, "Managed", true) || !is_snippet(domain);
        if (!is_snippet(domain) || !has_names(domain, e->snippet->names))
                return false;
        if (!str_is_empty(get_text(domain, "Refused")))
                (void) str_replace(e->ret_refused, get_text(domain, "Refused"));
        return true;
}

/* The server refused it, or did not take it up: as it was before. */
static void put_back(Mdctl *c, const char *name, const Snippet *before) {
        _cleanup_(reload_wait_done) ReloadWait again = { .mdctl = c };
        int r = before ? snippet_write(before) : snippet_remove(name);

        if (r < 0)
                (void) tell_file(r, name, "put back");
        else
                (void) reload_wait_begin(&again);
}

static int report(const Mdctl *c, const char *name, const char *what, const char *then) {
        _auto_json_ JsonObject *o = json_object_new_object();
        _auto_free_ char *path = snippet_path(name);

        if (!o || !path || json_add_string(o, "Name", name) < 0 || json_add_string(o, "File", path) < 0 || json_add_string(o, "Result", what) < 0)
                return mdctl_oom();
        if (c->json != JSON_OFF)
                return format_json(c, o);
        printf("%s: %s%s\n", path, what, then);
        return MDCTL_DONE;
}

static int judge(Mdctl *c, ReloadWait *w, int r, const Expected *e, const Snippet *before, const char *what) {
        switch (r) {

        case RELOAD_WAIT_DONE:
                if (!*e->ret_refused)
                        return report(c, e->name, what, "; the server has taken it up.");
                fprintf(stderr, "%s: The server disables it, and it is put back: %s\n", e->name, *e->ret_refused);
                put_back(c, e->name, before);
                return MDCTL_FAILED;

        case RELOAD_WAIT_E_FAILED:
                fprintf(stderr, "%s: The server refuses it, and it is put back: %s\n", e->name, str_or(w->trouble, "no reason given"));
                put_back(c, e->name, before);
                return MDCTL_FAILED;

        case RELOAD_WAIT_E_LATE:
                fprintf(stderr,
                        "%s: The server has not taken it up in time. Does its configuration have \"IncludeOptional " SNIPPET_DIR "/*.conf\"? See also 'mdctl check'.\n",
                        e->name);
                return MDCTL_FAILED;

        default:
                return MDCTL_FAILED;
        }
}

/* The file is there, or gone. */
static int reload(Mdctl *c, const char *name, const Snippet *snippet, const Snippet *before, const char *what) {
        _cleanup_(reload_wait_done) ReloadWait w = { .mdctl = c };
        _auto_free_ char *refused = NULL;
        Expected e = { name, snippet, &refused };
        int r = reload_wait_begin(&w);

        if (r == MDCTL_NOTHING_TO_DO)
                return report(c, name, what, ". No server with managed domains is known yet: reload it by hand.");
        if (r != MDCTL_DONE)
                return r;
        if (c->no_wait)
                return report(c, name, what, "; the server is going to be reloaded.");
        return judge(c, &w, reload_wait_run(&w, has_arrived, &e), &e, before, what);
}

/* --- Commands --- */

/* Where the manager has it from; an exit code, MDCTL_NOTHING_TO_DO: it does not know it. */
static int find_definition(Mdctl *c, const char *name, char **ret) {
        _auto_json_ JsonObject *domains = NULL, *domain = NULL;
        int r = client_list_domains(c, &domains);

        for (size_t i = 0; r == MDCTL_DONE && i < json_object_array_length(domains); i++) {
                JsonObject *o = json_object_array_get_idx(domains, i);

                if (!str_equal_nocase(get_text(o, "Name"), name))
                        continue;
                r = client_get_all(c, get_text(o, "Path"), BUS_INTERFACE_DOMAIN, &domain);
                if (r == MDCTL_DONE && str_replace(ret, get_text(domain, "DefinedAt")) < 0)
                        r = mdctl_oom();
                return r;
        }
        return r == MDCTL_DONE ? MDCTL_NOTHING_TO_DO : r;
}

/* Whose name it is; NULL: nobody's that is managed. */
static int find_owner(Mdctl *c, const char *name, JsonObject **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *domain = NULL;
        const char *path;
        int r = client_connect(c);

        if (r != MDCTL_DONE)
                return r;
        r = client_call(c, (ClientMethod){ BUS_PATH, BUS_INTERFACE_MANAGER, "GetDomain" }, &error, &reply, "s", name);
        if (r < 0)
                return sd_bus_error_has_name(&error, BUS_ERROR_NO_SUCH_DOMAIN) ? MDCTL_DONE : client_tell(&error, NULL);
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return client_tell_answer(r);
        r = client_get_all(c, path, BUS_INTERFACE_DOMAIN, &domain);
        if (r == MDCTL_DONE && json_get_bool(domain, "Managed", true))
                *ret = take_ptr(domain);
        return r;
}

/* A name that belongs to another domain would have the server disable one of the two. 'had' (may be NULL) are names that it has already. */
static int check_free(Mdctl *c, char *const *names, char *const *had) {
        STRV_FOREACH(name, names) {
                _auto_json_ JsonObject *owner = NULL;
                int r = strv_contains(had, *name) ? MDCTL_DONE : find_owner(c, *name, &owner);

                if (r != MDCTL_DONE)
                        return r;
                if (owner && !str_equal_nocase(get_text(owner, "Name"), names[0])) {
                        fprintf(stderr, "%s belongs to the domain %s already, which is configured at %s.\n", *name, get_text(owner, "Name"), get_text(owner, "DefinedAt"));
                        return MDCTL_FAILED;
                }
        }
        return MDCTL_DONE;
}

static int command_add(Mdctl *c, char *const *names) {
        _auto_free_ char *defined = NULL;
        _auto_snippet_ Snippet there = { 0 }, s = { 0 };
        int r;

        r = find_definition(c, names[0], &defined);
        if (r == MDCTL_DONE) {
                fprintf(stderr, "%s is configured at %s.\n", names[0], defined);
                return MDCTL_FAILED;
        }
        if (r != MDCTL_NOTHING_TO_DO)
                return r;
        r = snippet_read(names[0], &there);
        if (r != SNIPPET_E_NOT_FOUND) {
                fprintf(stderr, "There is a file for %s in " SNIPPET_DIR " already; try 'mdctl domain update'.\n", names[0]);
                return MDCTL_FAILED;
        }
        r = check_free(c, names, NULL);
        if (r != MDCTL_DONE)
                return r;
        if (snippet_set(&s, RENEW_MODE) < 0)
                return mdctl_oom();
        r = change(c, &s, names);
        if (r != MDCTL_DONE)
                return r;
        r = snippet_write(&s);
        return r < 0 ? tell_file(r, names[0], "write") : reload(c, names[0], &s, NULL, "added");
}

/* The file of a domain that is ours to change. */
static int read_own(Mdctl *c, const char *name, Snippet *ret) {
        _auto_free_ char *defined = NULL;
        int r = snippet_read(name, ret);

        if (r == SNIPPET_DONE)
                return MDCTL_DONE;
        if (r != SNIPPET_E_NOT_FOUND)
                return tell_file(r, name, "read");
        r = find_definition(c, name, &defined);
        if (r == MDCTL_DONE)
                fprintf(stderr, "%s is configured at %s: change it there.\n", name, defined);
        else if (r == MDCTL_NOTHING_TO_DO)
                fprintf(stderr, "There is no domain %s.\n", name);
        return r == MDCTL_DONE || r == MDCTL_NOTHING_TO_DO ? MDCTL_FAILED : r;
}

static int command_update(Mdctl *c, char *const *names) {
        _auto_snippet_ Snippet before = { 0 }, s = { 0 };
        int r;

        if (!names[1] && !c->directives) {
                fprintf(stderr, "Say what is to be changed: all names of the domain, or --directive=.\n");
                return MDCTL_USAGE;
        }
        r = read_own(c, names[0], &before);
        if (r != MDCTL_DONE)
                return r;
        r = check_free(c, names, before.names);
        if (r != MDCTL_DONE)
                return r;
        s = (Snippet){ strv_copy(before.names), before.directives ? strv_copy(before.directives) : NULL, before.mode, before.gid };
        r = change(c, &s, names[1] ? names : NULL);
        if (r != MDCTL_DONE)
                return r;
        if (strv_equal(s.names, before.names) && strv_equal(s.directives, before.directives)) {
                fprintf(stderr, "%s: It says so already.\n", names[0]);
                return MDCTL_NOTHING_TO_DO;
        }
        r = snippet_write(&s);
        return r < 0 ? tell_file(r, names[0], "write") : reload(c, names[0], &s, &before, "changed");
}

static int command_remove(Mdctl *c, char *const *names) {
        _auto_snippet_ Snippet before = { 0 };
        int r = read_own(c, names[0], &before);

        if (r != MDCTL_DONE)
                return r;
        r = snippet_remove(names[0]);
        return r < 0 ? tell_file(r, names[0], "remove") : reload(c, names[0], NULL, &before, "removed");
}

static const struct {
        const char *name, *arguments;
        size_t min, max;
        bool takes_directives;
        int (*run)(Mdctl *c, char *const *names);
} commands[] = {
        { "list", "", 0, 0, false, command_list },
        { "add", " NAME [NAME...]", 1, SIZE_MAX, true, command_add },
        { "update", " NAME [NAME...]", 1, SIZE_MAX, true, command_update },
        { "remove", " NAME", 1, 1, false, command_remove },
};

static int run(Mdctl *c, size_t i, char *const *names) {
        int r;

        if (strv_length(names) < commands[i].min || strv_length(names) > commands[i].max || (c->directives && !commands[i].takes_directives)) {
                fprintf(stderr, "Write: mdctl domain %s%s%s\n", commands[i].name, commands[i].arguments, commands[i].takes_directives ? " [--directive=TEXT...]" : "");
                return MDCTL_USAGE;
        }
        if (c->host && commands[i].min > 0) {
                fprintf(stderr, "The configuration of another machine is not on the bus. Write: ssh %s mdctl domain ...\n", c->host);
                return MDCTL_USAGE;
        }
        r = check_words(c, names);
        return r == MDCTL_DONE ? commands[i].run(c, names) : r;
}

int verb_domain(Mdctl *c, char *const *arguments) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (str_equal(commands[i].name, arguments[0]))
                        return run(c, i, arguments + 1);
        fprintf(stderr, "There is no command 'domain %s'; there are list, add, update and remove.\n", arguments[0]);
        return MDCTL_USAGE;
}
