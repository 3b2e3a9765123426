/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl archive: the earlier sets of certificates and keys of a domain, and what can be put back. */

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

static const char *const members[] = { "Set", "ArchivedUSec", "Certificates", "Obstacle", NULL };
static const char *const certificate_members[] = { "KeySpec", "Issuer", "Serial", "NotBeforeUSec", "NotAfterUSec", "Fingerprint", NULL };

static const Column columns[] = { { "SET" }, { "ARCHIVED" }, { "KEY" }, { "ISSUER", .shrinks = true }, { "EXPIRES" }, { "SERIAL", .shrinks = true }, { "PUT BACK", .shrinks = true } };

/* Names what is in each set. */
static int name_all(JsonObject *values, JsonObject **ret) {
        _auto_json_ JsonObject *sets = bus_json_name_each(values, members);

        for (size_t i = 0; sets && i < json_object_array_length(sets); i++) {
                JsonObject *set = json_object_array_get_idx(sets, i);
                JsonObject *certificates = bus_json_name_each(json_get_array(set, "Certificates"), certificate_members);

                if (!certificates || json_add_object(set, "Certificates", certificates) < 0)
                        return -EBADMSG;
        }
        if (!sets)
                return -EBADMSG;
        *ret = take_ptr(sets);
        return 0;
}

static int fetch(Mdctl *c, const char *name, JsonObject **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _auto_json_ JsonObject *domain = NULL, *values = NULL;
        _auto_free_ char *path = NULL;
        int r;

        r = client_get_domain(c, name, &path, &domain);
        if (r != MDCTL_DONE)
                return r;
        if (client_call(c, (ClientMethod){ path, BUS_INTERFACE_DOMAIN, "ListArchive" }, &error, &reply, NULL) < 0)
                return client_tell(&error, NULL);
        r = bus_json_read(reply, &values);
        if (r >= 0)
                r = name_all(values, ret);
        return r < 0 ? client_tell_answer(r) : MDCTL_DONE;
}

/* What belongs to the set stands in the line of its first certificate. */
static int add_row(Table *t, JsonObject *set, JsonObject *certificate, bool first) {
        uint64_t now = clock_now_usec();
        char number[24], archived[CLOCK_HUMAN_MAX], until[CLOCK_HUMAN_MAX];
        const char *obstacle = get_text(set, "Obstacle");
        Colour colour = str_is_empty(obstacle) ? COLOUR_GOOD : COLOUR_DIM;
        int r;

        (void) snprintf(number, sizeof(number), "%llu", (unsigned long long) get_number(set, "Set"));
        r = table_add(t, COLOUR_BOLD, first ? number : "");
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, first ? clock_format_relative(archived, get_number(set, "ArchivedUSec"), now) : "");
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, certificate ? get_text(certificate, "KeySpec") : "-");
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, certificate ? get_text(certificate, "Issuer") : "-");
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, certificate ? clock_format_relative(until, get_number(certificate, "NotAfterUSec"), now) : "-");
        if (r >= 0)
                r = table_add(t, COLOUR_NONE, certificate ? get_text(certificate, "Serial") : "-");
        return r < 0 ? r : table_add(t, colour, !first ? "" : str_is_empty(obstacle) ? "yes" : obstacle);
}

static int add_set(Table *t, JsonObject *set) {
        JsonObject *certificates = json_get_array(set, "Certificates");
        size_t n = json_object_array_length(certificates);
        int r = n == 0 ? add_row(t, set, NULL, true) : 0;

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_row(t, set, json_object_array_get_idx(certificates, i), i == 0);
        return r;
}

static int print(const Mdctl *c, JsonObject *sets) {
        _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));
        size_t n = json_object_array_length(sets);

        if (!t)
                return mdctl_oom();
        for (size_t i = 0; i < n; i++)
                if (add_set(t, json_object_array_get_idx(sets, i)) < 0)
                        return mdctl_oom();
        if (n > 0)
                table_print(t, !c->no_legend);
        if (!c->no_legend)
                printf("%s%zu archived %s.\n", n > 0 ? "\n" : "", n, n == 1 ? "set" : "sets");
        return MDCTL_DONE;
}

int verb_archive(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *sets = NULL;
        int r;

        r = fetch(c, arguments[0], &sets);
        if (r != MDCTL_DONE)
                return r;
        format_begin(c);
        return c->json == JSON_OFF ? print(c, sets) : format_json(c, sets);
}
