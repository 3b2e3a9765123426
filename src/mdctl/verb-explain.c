/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl explain: facts about a domain, what was decided from them, and why. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

enum { INDENT = 17 };

static const struct {
        const char *topic, *title;
} titles[] = {
        { "configuration", "What is configured" }, { "certificate", "What is live" },      { "server", "What is served" },
        { "renewal", "When it is renewed" },       { "challenge", "How it can be proven" }, { "attempt", "Attempts" },
        { "problem", "The last problem" },         { "decision", "What is decided" },
};

static const char *title_of(const char *topic) {
        for (size_t i = 0; i < ELEMENTSOF(titles); i++)
                if (str_equal(titles[i].topic, topic))
                        return titles[i].title;
        return topic;
}

static int fetch(Mdctl *c, const char *path, JsonObject **ret) {
        static const char *const names[] = { "Topic", "Key", "Text", "TimeUSec", NULL };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_json_ JsonObject *values = NULL;
        int r;

        r = client_call(c, (ClientMethod){ path, BUS_INTERFACE_DOMAIN, "Explain" }, &error, &reply, NULL);
        if (r < 0)
                return client_tell(&error, NULL);
        r = bus_json_read(reply, &values);
        if (r < 0)
                return client_tell_answer(r);
        *ret = bus_json_name_each(values, names);
        return *ret ? MDCTL_DONE : client_tell_answer(-EBADMSG);
}

static int print_fact(JsonObject *fact, const char *label) {
        uint64_t at = get_number(fact, "TimeUSec");
        char relative[CLOCK_HUMAN_MAX];
        _auto_free_ char *text = NULL;

        text = at > 0 ? str_printf("%s (%s)", get_text(fact, "Text"), clock_format_relative(relative, at, clock_now_usec())) : strdup(get_text(fact, "Text"));
        if (!text)
                return mdctl_oom();
        printf("%*s%s ", INDENT, label, str_is_empty(label) ? " " : ":");
        format_wrapped(text, INDENT + 2);
        return MDCTL_DONE;
}

static int print(JsonObject *facts) {
        const char *topic = "", *key = "";
        int r = MDCTL_DONE;

        for (size_t i = 0; r == MDCTL_DONE && i < json_object_array_length(facts); i++) {
                JsonObject *fact = json_object_array_get_idx(facts, i);

                if (!str_equal(topic, get_text(fact, "Topic"))) {
                        topic = get_text(fact, "Topic");
                        key = "";
                        printf("\n%s%s%s\n", colour_on(COLOUR_HEADER), title_of(topic), colour_off(COLOUR_HEADER));
                }
                r = print_fact(fact, str_equal(key, get_text(fact, "Key")) ? "" : get_text(fact, "Key"));
                key = get_text(fact, "Key");
        }
        return r;
}

int verb_explain(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *domain = NULL, *facts = NULL;
        _auto_free_ char *path = NULL;
        int r;

        r = client_get_domain(c, arguments[0], &path, &domain);
        if (r == MDCTL_DONE)
                r = fetch(c, path, &facts);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        if (c->json != JSON_OFF)
                return format_json(c, facts);
        printf("%s%s%s\n", colour_on(COLOUR_BOLD), get_text(domain, "Name"), colour_off(COLOUR_BOLD));
        return print(facts);
}
