/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/problem.h"

#include <errno.h>

#include "acme/retry.h"
#include "acme/url.h"
#include "base/cleanup.h"
#include "base/string-util.h"

enum {
        TEXT_MAX = 512,
        SUBPROBLEMS_SIZE_MAX = 16 * 1024,
};

static int add_printable(JsonObject *o, const char *key, const char *value) {
        _auto_free_ char *text = NULL;

        if (!value)
                return 0;
        text = str_printable(value, strlen(value), TEXT_MAX);
        return text ? json_add_string(o, key, text) : -ENOMEM;
}

static int add_entry(JsonObject *array, const char *type, const char *detail, const char *identifier_type, const char *identifier) {
        _auto_json_ JsonObject *entry = json_object_new_object();
        JsonObject *named;

        if (!entry || add_printable(entry, "type", type) < 0 || add_printable(entry, "detail", detail) < 0)
                return -ENOMEM;
        if (identifier) {
                named = json_object_new_object();
                if (!named || json_add_object(entry, "identifier", named) < 0 ||
                    add_printable(named, "type", identifier_type) < 0 || add_printable(named, "value", identifier) < 0)
                        return -ENOMEM;
        }
        if (json_object_array_add(array, entry) < 0)
                return -ENOMEM;
        entry = NULL;
        return 0;
}

int acme_problem_append(const Problem *p, const char *identifier_type, const char *identifier, JsonObject *array) {
        assert(p);
        assert(array);

        return add_entry(array, p->type, p->detail, identifier_type, identifier);
}

/* A copy of the members that RFC 8555 section 6.7.1 knows, each made printable. */
static int take_subproblems(Problem *p, JsonObject *document) {
        JsonObject *list = json_get_array(document, "subproblems");
        _auto_json_ JsonObject *copy = NULL;
        _auto_free_ char *text = NULL;
        size_t n;

        n = list ? json_object_array_length(list) : 0;
        if (n == 0)
                return 0;
        copy = json_object_new_array();
        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n && i < ACME_SUBPROBLEMS_MAX; i++) {
                JsonObject *entry = json_object_array_get_idx(list, i);
                JsonObject *identifier;

                if (!json_object_is_type(entry, json_type_object))
                        continue;
                identifier = json_get_object(entry, "identifier");
                if (add_entry(copy, json_get_string(entry, "type"), json_get_string(entry, "detail"),
                              identifier ? json_get_string(identifier, "type") : NULL,
                              identifier ? json_get_string(identifier, "value") : NULL) < 0)
                        return -ENOMEM;
        }

        text = json_format_short(copy);
        if (!text)
                return -ENOMEM;
        if (strlen(text) <= SUBPROBLEMS_SIZE_MAX)
                p->subproblems = take_ptr(text);
        return 0;
}

Problem *acme_problem_from_json(JsonObject *o, const char *what) {
        _auto_problem_ Problem *p = NULL;
        const char *type = json_get_string(o, "type");
        const char *words = str_or(json_get_string(o, "detail"), json_get_string(o, "title"));
        uint64_t status;

        assert(what);

        if (str_is_empty(words))
                p = problem_new(str_or(type, PROBLEM_TYPE_BAD_ANSWER), "%s failed, and the CA does not say why", what);
        else
                p = problem_new(str_or(type, PROBLEM_TYPE_BAD_ANSWER), "%s", words);
        if (!p || take_subproblems(p, o) < 0)
                return NULL;
        if (json_get_uint(o, "status", &status) && status >= 100 && status < 600)
                p->status = (unsigned) status;
        return take_ptr(p);
}

static Problem *from_document(const AcmeAnswer *a, const char *host) {
        _auto_free_ char *what = NULL;
        _auto_json_ JsonObject *o = NULL;

        if (a->body.size == 0 || json_parse(a->body.data, a->body.size, &o, NULL) != 0 ||
            str_is_empty(json_get_string(o, "type")) || str_equal(json_get_string(o, "type"), "about:blank"))
                return NULL;
        what = str_printf("The request to %s", host);
        return what ? acme_problem_from_json(o, what) : NULL;
}

static Problem *from_status(const AcmeAnswer *a, const char *host) {
        _auto_free_ char *excerpt = NULL;

        if (a->status >= 300 && a->status < 400)
                return problem_new(PROBLEM_TYPE_HTTP,
                                   "%s answered with HTTP status %u, a redirection to %s; redirections are not followed", host,
                                   a->status, str_or(a->location, "nowhere"));
        if (a->body.size == 0)
                return problem_new(PROBLEM_TYPE_HTTP, "%s answered with HTTP status %u and no explanation", host, a->status);

        excerpt = str_printable(a->body.data, MIN_OF(a->body.size, (size_t) 4 * ACME_EXCERPT_MAX), ACME_EXCERPT_MAX);
        if (!excerpt)
                return NULL;
        for (size_t n = strlen(excerpt); n > 0 && excerpt[n - 1] == ' '; n--)
                excerpt[n - 1] = '\0';
        return problem_new(PROBLEM_TYPE_HTTP, "%s answered with HTTP status %u: %s", host, a->status, excerpt);
}

Problem *acme_problem_from_answer(const AcmeAnswer *a, const char *url, uint64_t now_usec) {
        _auto_free_ char *host = NULL;
        Problem *p;
        uint64_t wait_usec;

        assert(a);
        assert(url);

        host = acme_url_host(url);
        if (!host)
                return NULL;
        p = from_document(a, host);
        if (!p)
                p = from_status(a, host);
        if (!p)
                return NULL;

        p->status = a->status;
        wait_usec = acme_retry_after_usec(a, now_usec);
        if (wait_usec > 0)
                p->retry_after_usec = usec_add(now_usec, wait_usec);
        return p;
}

bool acme_problem_is(const Problem *p, const char *name) {
        return p && str_equal(str_after_prefix(p->type, PROBLEM_ACME_PREFIX), name);
}
