/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl events: what md-manager told lately of all domains, or of one: the entries of the journal that have a message id. */

#include "mdctl/mdctl.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "mdctl/client.h"
#include "mdctl/format.h"
#include "mdctl/journal.h"

#define MANAGER_UNIT "md-manager.service"

/* What has no MD_EVENT goes by a word of ours. */
static const struct {
        const char *id, *word;
} kinds[] = {
        { MESSAGE_RENEWAL_STARTED, "renewing" },
        { MESSAGE_RENEWED, "renewed" },
        { MESSAGE_INSTALLED, "installed" },
        { MESSAGE_RENEWAL_FAILED, "errored" },
        { MESSAGE_RELOAD_FAILED, "reload-failed" },
        { MESSAGE_RELOAD_PENDING, "reload-pending" },
        { MESSAGE_SERVED_DIFFERS, "served-differs" },
        { MESSAGE_SNAPSHOT_REFUSED, "snapshot-refused" },
        { MESSAGE_CONFIGURATION_REFUSED, "configuration-refused" },
        { MESSAGE_RATE_LIMITED, "rate-limited" },
        { MESSAGE_STORE_DAMAGED, "store-damaged" },
        { MESSAGE_DOMAIN_CONFLICT, "domain-conflict" },
        { MESSAGE_EXPIRING, "expiring" },
        { MESSAGE_ACCOUNT_CREATED, "account-created" },
        { MESSAGE_REVOKED, "revoked" },
        { MESSAGE_UNMANAGED, "unmanaged" },
        { MESSAGE_CHALLENGE_SETUP, "challenge-setup" },
        { MESSAGE_CHALLENGE_LEFT, "challenge-left" },
        { MESSAGE_RENEWAL_INFO, "renewal-info" },
        { MESSAGE_OCSP_RENEWED, "ocsp-renewed" },
        { MESSAGE_OCSP_ERRORED, "ocsp-errored" },
        { MESSAGE_HOOK_FAILED, "hook-failed" },
        { MESSAGE_ROLLED_BACK, "rolled-back" },
        { MESSAGE_TARGET_WRITTEN, "target-written" },
        { MESSAGE_TARGET_FAILED, "target-failed" },
        { MESSAGE_STALLED, "stalled" },
};

static const Column columns[] = { { "WHEN" }, { "DOMAIN" }, { "EVENT" }, { "WHAT", .shrinks = true } };

static const char *word_of(JsonObject *o) {
        const char *id = get_text(o, "MessageId");

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (str_equal(kinds[i].id, id))
                        return str_equal(id, MESSAGE_HOOK_FAILED) ? kinds[i].word : str_or(get_text(o, "Event"), kinds[i].word);
        return get_text(o, "Event");
}

static Colour colour_of(JsonObject *o) {
        uint64_t priority = get_number(o, "Priority");

        return priority <= 3 ? COLOUR_BAD : priority == 4 ? COLOUR_WARN : COLOUR_NONE;
}

static int add_row(Table *t, JsonObject *o) {
        char when[CLOCK_HUMAN_MAX];
        int r;

        r = table_add(t, COLOUR_NONE, clock_format_utc(when, get_number(o, "WhenUSec")));
        if (r >= 0)
                r = table_add(t, COLOUR_BOLD, str_or(get_text(o, "Domain"), "-"));
        if (r >= 0)
                r = table_add(t, colour_of(o), get_text(o, "Event"));
        return r < 0 ? r : table_add(t, COLOUR_NONE, get_text(o, "Text"));
}

static int print(const Mdctl *c, JsonObject *events) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));
        size_t n = json_object_array_length(events);

        if (!t)
                return mdctl_oom();
        for (size_t i = 0; i < n; i++)
                if (add_row(t, json_object_array_get_idx(events, i)) < 0)
                        return mdctl_oom();
        if (n > 0)
                table_print(t, !c->no_legend);
        else if (!c->no_legend)
                printf("The journal has no events.\n");
        return MDCTL_DONE;
}

static int name_events(JsonObject *events) {
        for (size_t i = 0; i < json_object_array_length(events); i++) {
                JsonObject *o = json_object_array_get_idx(events, i);
                _auto_free_ char *word = strdup(word_of(o));

                if (!word || json_add_string(o, "Event", word) < 0)
                        return -1;
        }
        return 0;
}

static int fetch(const Mdctl *c, const char *domain, JsonObject **ret) {
        const char *ids[ELEMENTSOF(kinds) + 1] = { NULL };
        const JournalQuery q = { .domain = domain, .unit = MANAGER_UNIT, .ids = ids, .lines = c->lines };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                ids[i] = kinds[i].id;
        r = journal_read(&q, ret);
        if (r == JOURNAL_DONE)
                return name_events(*ret) < 0 ? mdctl_oom() : MDCTL_DONE;
        if (r == JOURNAL_E_CLOSED) {
                fprintf(stderr, "You may not read the journal. root and members of the groups systemd-journal and adm may; 'mdctl log NAME' shows to everybody what md-manager keeps.\n");
                return MDCTL_NOT_ALLOWED;
        }
        fprintf(stderr, "Cannot read the journal: %s\n", strerror(-r));
        return MDCTL_FAILED;
}

/* The journal has a domain under its first name. */
static int find_name(Mdctl *c, const char *argument, JsonObject **ret_domain) {
        return argument ? client_get_domain(c, argument, NULL, ret_domain) : MDCTL_DONE;
}

int verb_events(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *domain = NULL, *events = NULL;
        int r;

        if (c->host) {
                fprintf(stderr, "The journal of another machine is not on the bus. Write: ssh %s mdctl events\n", c->host);
                return MDCTL_USAGE;
        }
        r = find_name(c, arguments[0], &domain);
        if (r == MDCTL_DONE)
                r = fetch(c, domain ? get_text(domain, "Name") : NULL, &events);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        return c->json == JSON_OFF ? print(c, events) : format_json(c, events);
}
