/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl account: the accounts at CAs, and what can be done with them. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/agent.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/job-wait.h"

enum { INDENT = 16 };

typedef struct Command {
        const char *name;
        const char *argument; /* NULL: takes none */
        int (*run)(Mdctl *c, const struct Command *command, const char *argument);
        const char *method;   /* of org.mdmanager1.Account, for those that have a job */
        const char *doing, *done;
} Command;

/* --- list --- */

static int command_list(Mdctl *c, const Command *command, const char *argument) {
        static const char *const members[] = { "Id", "Path", "CertificateAuthority", "URL", "Status", "Algorithm", "Domains", NULL };
        static const Column columns[] = { { "ACCOUNT" }, { "STATUS" }, { "KEY" }, { "DOMAINS" }, { "CA", .shrinks = true } };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));
        _auto_json_ JsonObject *values = NULL, *accounts = NULL;
        size_t n;
        int r;

        if (!t)
                return mdctl_oom();
        r = client_call_manager(c, "ListAccounts", &reply, NULL);
        if (r != MDCTL_DONE)
                return r;
        r = bus_json_read(reply, &values);
        if (r < 0)
                return client_tell_answer(r);
        accounts = bus_json_name_each(values, members);
        if (!accounts)
                return client_tell_answer(-EBADMSG);
        format_begin(c);
        if (c->json != JSON_OFF)
                return format_json(c, accounts);

        n = json_object_array_length(accounts);
        for (size_t i = 0; i < n; i++) {
                JsonObject *o = json_object_array_get_idx(accounts, i), *domains = json_get_array(o, "Domains");
                char count[24];

                (void) snprintf(count, sizeof(count), "%zu", domains ? json_object_array_length(domains) : 0);
                if (table_add(t, COLOUR_BOLD, get_text(o, "Id")) < 0 ||
                    table_add(t, str_equal(get_text(o, "Status"), "valid") ? COLOUR_GOOD : COLOUR_WARN, get_text(o, "Status")) < 0 ||
                    table_add(t, COLOUR_NONE, get_text(o, "Algorithm")) < 0 || table_add(t, COLOUR_NONE, count) < 0 ||
                    table_add(t, COLOUR_NONE, get_text(o, "CertificateAuthority")) < 0)
                        return mdctl_oom();
        }
        if (n > 0)
                table_print(t, !c->no_legend);
        if (!c->no_legend)
                printf("%s%zu %s.\n", n > 0 ? "\n" : "", n, n == 1 ? "account" : "accounts");
        return MDCTL_DONE;
}

/* --- show --- */

static int get_account(Mdctl *c, const char *id, char **ret_path, JsonObject **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_free_ char *copy = NULL;
        const char *path;
        int r;

        r = client_call_manager(c, "GetAccount", &reply, "s", id);
        if (r != MDCTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return client_tell_answer(r);
        copy = strdup(path);
        if (!copy)
                return mdctl_oom();
        r = ret ? client_get_all(c, path, BUS_INTERFACE_ACCOUNT, ret) : MDCTL_DONE;
        if (r == MDCTL_DONE && ret_path)
                *ret_path = take_ptr(copy);
        return r;
}

static void print_field(const char *label, const char *text) {
        if (!str_is_empty(text))
                printf("%*s: %s\n", INDENT, label, text);
}

static void print_list(const char *label, JsonObject *list) {
        if (!list || json_object_array_length(list) == 0)
                return;
        printf("%*s:", INDENT, label);
        for (size_t i = 0; i < json_object_array_length(list); i++)
                printf(" %s", str_or(json_object_get_string(json_object_array_get_idx(list, i)), "-"));
        putchar('\n');
}

static void print_account(JsonObject *o) {
        const char *status = get_text(o, "Status");
        Colour colour = str_equal(status, "valid") ? COLOUR_GOOD : COLOUR_WARN;

        printf("%s%s%s\n", colour_on(COLOUR_BOLD), get_text(o, "Id"), colour_off(COLOUR_BOLD));
        printf("%*s: %s%s%s%s\n", INDENT, "Status", colour_on(colour), status, colour_off(colour),
               str_is_empty(get_text(o, "URL")) ? "; the CA has not confirmed it yet" : "");
        print_field("CA", get_text(o, "CertificateAuthority"));
        print_field("URL", get_text(o, "URL"));
        print_list("Contact", json_get_array(o, "Contacts"));
        print_field("Agreed To", get_text(o, "Agreement"));
        print_field("Now Published", get_text(o, "PublishedTerms"));
        print_field("External Account", get_text(o, "ExternalAccount"));
        printf("%*s: %s%s\n", INDENT, "Key", str_or(get_text(o, "Algorithm"), "missing or damaged"),
               json_get_bool(o, "ChangingKey", false) ? "; another one is to take its place" : "");
        print_list("Domains", json_get_array(o, "Domains"));
        if (!str_equal(str_or(get_text(o, "Job"), "/"), "/"))
                print_field("Job", get_text(o, "Job"));
}

static int command_show(Mdctl *c, const Command *command, const char *id) {
        _auto_json_ JsonObject *account = NULL;
        int r;

        r = get_account(c, id, NULL, &account);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        if (c->json != JSON_OFF)
                return format_json(c, account);
        print_account(account);
        return MDCTL_DONE;
}

/* --- What has a job --- */

static int report_end(JobWait *w, const Command *command, const char *what) {
        bool failed = job_wait_failed(w);
        int r = MDCTL_DONE;

        w->mdctl->no_pager = true;
        format_begin(w->mdctl);
        if (w->mdctl->json != JSON_OFF)
                r = format_json(w->mdctl, w->end);
        else if (failed)
                printf("%s: %sIt failed%s: %s\n", what, colour_on(COLOUR_BAD), colour_off(COLOUR_BAD), get_text(w->end, "Detail"));
        else
                printf("%s: %s%s%s.\n", what, colour_on(COLOUR_GOOD), command->done, colour_off(COLOUR_GOOD));
        return r != MDCTL_DONE ? r : failed ? MDCTL_FAILED : MDCTL_DONE;
}

static int finish(JobWait *w, const Command *command, const char *what) {
        _auto_free_ char *doing = str_printf("%s %s", command->doing, what);
        int r;

        if (w->mdctl->no_wait)
                return job_wait_report_started(w);
        if (!doing)
                return mdctl_oom();
        r = job_wait_run(w, doing, "See 'mdctl account list' when it runs again.");
        return r == MDCTL_DONE ? report_end(w, command, what) : r;
}

static int command_change(Mdctl *c, const Command *command, const char *id) {
        _cleanup_(job_wait_done) JobWait w = { .mdctl = c };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _auto_free_ char *path = NULL;
        int r;

        r = get_account(c, id, &path, NULL);
        if (r == MDCTL_DONE)
                r = job_wait_subscribe(&w);
        if (r != MDCTL_DONE)
                return r;
        agent_open(c);
        r = client_call(c, (ClientMethod){ path, BUS_INTERFACE_ACCOUNT, command->method }, &error, &reply, NULL);
        agent_close();
        if (r < 0)
                return client_tell(&error, NULL);
        r = job_wait_started(&w, reply);
        return r == MDCTL_DONE ? finish(&w, command, id) : r;
}

static int call_register(Mdctl *c, const char *url, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE_MANAGER, "RegisterAccount");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", url);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, c->contacts);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", (int) c->agree);
        if (r < 0)
                return client_tell_answer(r);
        r = client_send(c, m, &error, ret);
        return r < 0 ? client_tell(&error, NULL) : MDCTL_DONE;
}

static int command_register(Mdctl *c, const Command *command, const char *url) {
        _cleanup_(job_wait_done) JobWait w = { .mdctl = c };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = job_wait_subscribe(&w);
        if (r != MDCTL_DONE)
                return r;
        agent_open(c);
        r = call_register(c, url, &reply);
        agent_close();
        if (r == MDCTL_DONE)
                r = job_wait_started(&w, reply);
        return r == MDCTL_DONE ? finish(&w, command, url) : r;
}

static const Command commands[] = {
        { "list",       NULL,  command_list,     NULL,         NULL,                         NULL                                },
        { "show",       "ID",  command_show,     NULL,         NULL,                         NULL                                },
        { "register",   "URL", command_register, NULL,         "Registering an account at",  "The account is registered"         },
        { "update",     "ID",  command_change,   "Update",     "Updating account",           "The CA knows what is configured"   },
        { "rollover",   "ID",  command_change,   "Rollover",   "Changing the key of account", "The account has a new key"        },
        { "deactivate", "ID",  command_change,   "Deactivate", "Deactivating account",       "The account is deactivated"        },
};

static const Command *find_command(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (str_equal(commands[i].name, name))
                        return &commands[i];
        return NULL;
}

int verb_account(Mdctl *c, char *const *arguments) {
        const Command *command = find_command(arguments[0]);

        if (!command) {
                fprintf(stderr, "There is no command 'account %s'; there are list, show, register, update, rollover and deactivate.\n", arguments[0]);
                return MDCTL_USAGE;
        }
        if (!command->argument != !arguments[1]) {
                fprintf(stderr, "Write: mdctl account %s%s%s\n", command->name, command->argument ? " " : "", str_or(command->argument, ""));
                return MDCTL_USAGE;
        }
        if ((c->contacts || c->agree) && command->run != command_register) {
                fprintf(stderr, "--contact and --agree are for 'mdctl account register' only.\n");
                return MDCTL_USAGE;
        }
        return command->run(c, command, arguments[1]);
}
