/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/error.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/names.h"

/* What a problem may take as an argument; the longest part is the CA's subproblems. */
enum { ARGUMENT_MAX = 256 * 1024 };

char *problem_to_argument(const Problem *p) {
        _auto_json_ JsonObject *o = NULL;

        if (!p)
                return strdup("");

        o = json_object_new_object();
        if (!o || problem_to_json(p, o) < 0)
                return NULL;
        return json_format_short(o);
}

int problem_from_argument(const char *s, Problem **ret) {
        _auto_json_ JsonObject *o = NULL;
        _auto_problem_ Problem *p = NULL;
        size_t size;
        int r;

        assert(s);
        assert(ret);

        size = strlen(s);
        if (size == 0) {
                *ret = NULL;
                return 0;
        }
        if (size > ARGUMENT_MAX)
                return -EBADMSG;

        r = json_parse(s, size, &o, NULL);
        if (r != 0)
                return r < 0 ? r : -EBADMSG;
        if (!json_object_is_type(o, json_type_object))
                return -EBADMSG;

        r = problem_from_json(o, &p);
        if (r < 0)
                return r;
        if (!p)
                return -EBADMSG;

        *ret = take_ptr(p);
        return 0;
}

int bus_error_from_problem(sd_bus_error *error, const char *name, const Problem *p) {
        _auto_free_ char *json = NULL;

        assert(name);

        if (!p)
                return sd_bus_error_set_errno(error, -ENOMEM);
        if (!str_equal(name, BUS_ERROR_REFUSED))
                return sd_bus_error_set(error, name, p->detail);

        /* Details are printable: the first tab is ours. */
        json = problem_to_argument(p);
        if (!json)
                return sd_bus_error_set_errno(error, -ENOMEM);
        return sd_bus_error_setf(error, name, "%s\t%s", p->detail, json);
}

/* The whole problem that bus_error_from_problem() put behind the tab, or NULL. */
static Problem *carried_problem(const sd_bus_error *error) {
        const char *tab;
        Problem *p;

        if (!str_equal(error->name, BUS_ERROR_REFUSED) || !error->message)
                return NULL;
        tab = strchr(error->message, '\t');
        if (!tab || problem_from_argument(tab + 1, &p) < 0)
                return NULL;
        return p;
}

char *bus_error_reason(const sd_bus_error *error) {
        const char *text = error ? str_or(error->message, error->name) : NULL;
        size_t n;

        if (str_is_empty(text))
                return strdup("no reason given");
        n = strlen(text);
        return strndup(text, n - (n > 1 && text[n - 1] == '.' && text[n - 2] != '.'));
}

Problem *problem_from_bus_error(const sd_bus_error *error, const char *type, const char *what) {
        _auto_free_ char *reason = NULL;
        Problem *p;

        assert(what);

        type = type ? type : PROBLEM_TYPE_INTERNAL;
        if (!sd_bus_error_is_set(error))
                return problem_new(type, "%s", what);

        p = carried_problem(error);
        if (p) {
                problem_prefix(p, "%s", what);
                return p;
        }

        reason = bus_error_reason(error);
        return reason ? problem_new(type, "%s: %s", what, reason) : NULL;
}
