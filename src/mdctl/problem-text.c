/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/problem-text.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/string-util.h"
#include "mdctl/bus-json.h"
#include "mdctl/format.h"

enum { TEXT_MAX = 4096 };

/* What the text of the subproblems decodes to; what is no JSON stays text. */
static JsonObject *decode_subproblems(const char *text) {
        JsonObject *o;

        if (json_parse(text, strlen(text), &o, NULL) == JSON_DONE)
                return o;
        return json_object_new_string(text);
}

JsonObject *problem_text_decode(JsonObject *last) {
        static const char *const names[] = { "Type", "Detail", "Activity", "Subproblems", "RetryAfterUSec", NULL };
        _auto_json_ JsonObject *o = bus_json_name(last, names);
        _auto_free_ char *text = NULL;
        JsonObject *subproblems;

        if (!o || str_is_empty(get_text(o, "Type")))
                return NULL;
        text = strdup(get_text(o, "Subproblems"));
        if (!text)
                return NULL;
        (void) json_object_object_del(o, "Subproblems");
        if (!str_is_empty(text)) {
                subproblems = decode_subproblems(text);
                if (!subproblems || json_add_object(o, "Subproblems", subproblems) < 0)
                        return NULL;
        }
        return take_ptr(o);
}

/* Escapes in the JSON text may stand for anything. */
static char *printable(const char *s) {
        return str_printable(s, strlen(s), TEXT_MAX);
}

/* Without the part that all types of ACME have in common. */
static const char *short_type(const char *type) {
        const char *rest = str_after_prefix(type, PROBLEM_ACME_PREFIX);

        return rest ? rest : type;
}

static void print_subproblem(JsonObject *o, int indent) {
        _auto_free_ char *type = printable(short_type(get_text(o, "type"))), *detail = printable(get_text(o, "detail")), *name = NULL;
        JsonObject *identifier = json_get_object(o, "identifier");

        name = printable(identifier ? get_text(identifier, "value") : "");
        printf("%*s  %s%s%s%s%s\n", indent, "", str_or(name, ""), str_is_empty(name) ? "" : ": ", str_or(detail, "no detail"),
               str_is_empty(type) ? "" : " – ", str_or(type, ""));
}

static void print_subproblems(JsonObject *problem, int indent) {
        JsonObject *list = json_get_array(problem, "Subproblems");
        const char *text = json_get_string(problem, "Subproblems");

        if (text)
                printf("%*s: %s\n", indent, "In Detail", text);
        if (!list)
                return;
        printf("%*s:\n", indent, "In Detail");
        for (size_t i = 0; i < json_object_array_length(list); i++)
                print_subproblem(json_object_array_get_idx(list, i), indent);
}

void problem_text_print(JsonObject *problem, int indent) {
        char when[FORMAT_TIME_MAX];

        printf("%*s: %s%s%s\n", indent, "Problem", colour_on(COLOUR_BAD), get_text(problem, "Detail"), colour_off(COLOUR_BAD));
        printf("%*s: %s\n", indent, "Type", get_text(problem, "Type"));
        if (!str_is_empty(get_text(problem, "Activity")))
                printf("%*s: %s\n", indent, "While", get_text(problem, "Activity"));
        print_subproblems(problem, indent);
        if (get_number(problem, "RetryAfterUSec") > 0)
                printf("%*s: %s\n", indent, "Not Before", format_time(when, get_number(problem, "RetryAfterUSec")));
}
