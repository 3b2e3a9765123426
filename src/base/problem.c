/* SPDX-License-Identifier: Apache-2.0 */
#include "base/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"

enum {
        DETAIL_MAX = 2048,
        SUBPROBLEMS_MAX = 16 * 1024,
};

static char *printable(const char *s) {
        return str_printable(s, strlen(s), DETAIL_MAX);
}

Problem *problem_new(const char *type, const char *detail_format, ...) {
        _auto_problem_ Problem *p = NULL;
        _auto_free_ char *text = NULL;
        va_list ap;

        assert(type);
        assert(detail_format);

        va_start(ap, detail_format);
        text = str_vprintf(detail_format, ap);
        va_end(ap);
        if (!text)
                return NULL;

        p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        p->type = printable(type);
        p->detail = printable(text);
        if (!p->type || !p->detail)
                return NULL;
        return take_ptr(p);
}

Problem *problem_copy(const Problem *p) {
        _auto_problem_ Problem *copy = NULL;

        assert(p);

        copy = problem_new(p->type, "%s", p->detail);
        if (!copy || str_replace(&copy->activity, p->activity) < 0 || str_replace(&copy->subproblems, p->subproblems) < 0)
                return NULL;
        copy->status = p->status;
        copy->retry_after_usec = p->retry_after_usec;
        return take_ptr(copy);
}

Problem *problem_free(Problem *p) {
        if (!p)
                return NULL;
        free(p->type);
        free(p->detail);
        free(p->activity);
        free(p->subproblems);
        free(p);
        return NULL;
}

void problem_prefix(Problem *p, const char *format, ...) {
        _auto_free_ char *context = NULL, *joined = NULL;
        char *detail;
        va_list ap;

        if (!p)
                return;
        va_start(ap, format);
        context = str_vprintf(format, ap);
        va_end(ap);
        joined = context ? str_printf("%s: %s", context, p->detail) : NULL;
        detail = joined ? printable(joined) : NULL;
        if (!detail)
                return;
        free(p->detail);
        p->detail = detail;
}

int problem_to_json(const Problem *p, JsonObject *o) {
        assert(p);
        assert(o);

        if (json_add_string(o, "problem", p->type) < 0 || json_add_string(o, "detail", p->detail) < 0 ||
            json_add_string(o, "activity", p->activity) < 0)
                return -ENOMEM;
        if (p->status != 0 && json_add_uint(o, "status", p->status) < 0)
                return -ENOMEM;
        if (p->subproblems) {
                JsonObject *list = NULL;

                if (json_parse(p->subproblems, strlen(p->subproblems), &list, NULL) == 0 && json_add_object(o, "subproblems", list) < 0)
                        return -ENOMEM;
        }
        return json_add_time(o, "retry-after", usec_round_up(p->retry_after_usec));
}

int problem_from_json(JsonObject *o, Problem **ret) {
        _auto_problem_ Problem *p = NULL;
        const char *type = json_get_string(o, "problem");
        JsonObject *list;
        uint64_t status;

        assert(ret);

        if (!type) {
                *ret = NULL;
                return 0;
        }
        p = problem_new(type, "%s", str_or(json_get_string(o, "detail"), "no details"));
        if (!p)
                return -ENOMEM;
        if (json_get_string(o, "activity")) {
                p->activity = printable(json_get_string(o, "activity"));
                if (!p->activity)
                        return -ENOMEM;
        }
        if (json_get_uint(o, "status", &status) && status < 1000)
                p->status = (unsigned) status;
        list = json_get_array(o, "subproblems");
        if (list) {
                p->subproblems = json_format_short(list);
                if (!p->subproblems)
                        return -ENOMEM;
                if (strlen(p->subproblems) > SUBPROBLEMS_MAX) {
                        free(p->subproblems);
                        p->subproblems = NULL;
                }
        }
        p->retry_after_usec = json_get_time(o, "retry-after");
        *ret = take_ptr(p);
        return 0;
}
