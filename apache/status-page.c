/* SPDX-License-Identifier: Apache-2.0 */

/* "md-status" for people: all domains. Works without the script, which only does at once what the server does with a query. */

#include "status.h"

#include "apr_strings.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "config.h"
#include "status-detail.h"
#include "status-parts.h"
#include "status-view.h"
#include "status-write.h"

typedef struct Page {
        request_rec *r;
        StatusView view;
        StatusAxis axis;
        const char *self; /* the last segment of the own path, for links: "md-status" */
        unsigned counts[_STATUS_SHOW_MAX];
        unsigned n_pages;
} Page;

static const struct {
        const char *label, *colour;
} groups[_STATUS_SHOW_MAX] = {
        [STATUS_SHOW_ALL] = { "All", NULL },
        [STATUS_SHOW_ATTENTION] = { "Needs attention", "bad" },
        [STATUS_SHOW_PROGRESS] = { "In progress", "busy" },
        [STATUS_SHOW_GOOD] = { "Good", "good" },
};

static const struct {
        const char *label;
} orders[_STATUS_SORT_MAX] = {
        [STATUS_SORT_ATTENTION] = { "Worst first" },
        [STATUS_SORT_NAME] = { "Name" },
        [STATUS_SORT_EXPIRY] = { "Expiry" },
        [STATUS_SORT_NEXT] = { "Next action" },
};

/* A link to the same page with another query. */
static void put_query(const Page *p, StatusShow show, StatusSort sort, unsigned page) {
        const char *separator = "";

        put(p->r, "?");
        if (*p->view.words) {
                put(p->r, "q=");
                put_url(p->r, p->view.words);
                separator = "&amp;";
        }
        if (show != STATUS_SHOW_ALL) {
                putf(p->r, "%sshow=%s", separator, status_show_to_string(show));
                separator = "&amp;";
        }
        if (sort != STATUS_SORT_ATTENTION) {
                putf(p->r, "%ssort=%s", separator, status_sort_to_string(sort));
                separator = "&amp;";
        }
        if (page > 1)
                putf(p->r, "%spage=%u", separator, page);
}

static void put_summary(const Page *p) {
        char now[CLOCK_HUMAN_MAX];

        putf(p->r, "<p class=\"sub\">%u managed %s of ", p->counts[STATUS_SHOW_ALL], p->counts[STATUS_SHOW_ALL] == 1 ? "domain" : "domains");
        put_html(p->r, str_or(p->r->hostname, "this server"));
        putf(p->r, ", seen at <time>%s</time></p>\n<nav aria-label=\"Groups\"><ul class=\"chips\">\n", clock_format_utc(now, p->axis.now_usec));
        for (StatusShow i = 0; i < _STATUS_SHOW_MAX; i++) {
                putf(p->r, "<li><a data-show=\"%s\"%s href=\"", status_show_to_string(i), i == p->view.show ? " aria-current=\"true\"" : "");
                put_query(p, i, p->view.sort, 1);
                put(p->r, "\">");
                if (groups[i].colour)
                        putf(p->r, "<span class=\"dot %s\" aria-hidden=\"true\"></span>", groups[i].colour);
                putf(p->r, "%s <b>%u</b></a></li>\n", groups[i].label, p->counts[i]);
        }
        put(p->r, "</ul></nav>\n");
}

static void put_option(const Page *p, const char *value, const char *label, bool selected) {
        putf(p->r, "<option value=\"%s\"%s>%s</option>", value, selected ? " selected" : "", label);
}

static void put_form(const Page *p) {
        put(p->r, "<form method=\"get\" role=\"search\">\n<label class=\"grow\">Find a name<input type=\"search\" name=\"q\" maxlength=\"253\" value=\"");
        put_html(p->r, p->view.words);
        put(p->r, "\" autocomplete=\"off\" spellcheck=\"false\"></label>\n<label>Show<select name=\"show\">");
        for (StatusShow i = 0; i < _STATUS_SHOW_MAX; i++)
                put_option(p, status_show_to_string(i), groups[i].label, i == p->view.show);
        put(p->r, "</select></label>\n<label>Sort by<select name=\"sort\">");
        for (StatusSort i = 0; i < _STATUS_SORT_MAX; i++)
                put_option(p, status_sort_to_string(i), orders[i].label, i == p->view.sort);
        put(p->r, "</select></label>\n<button>Apply</button>\n</form>\n</header>\n");
}

static void put_head_cell(const Page *p, const char *class, const char *label, StatusSort sort) {
        putf(p->r, "<th scope=\"col\" role=\"columnheader\" class=\"%s\" data-sort=\"%s\"%s><a href=\"", class, status_sort_to_string(sort),
             p->view.sort == sort ? " aria-sort=\"ascending\"" : "");
        put_query(p, p->view.show, sort, 1);
        putf(p->r, "\">%s</a>", label);
}

static void put_head(const Page *p) {
        put(p->r, "<table role=\"table\">\n<caption class=\"hidden\">Managed domains</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">");
        put_head_cell(p, "name", "Domain", STATUS_SORT_NAME);
        put(p->r, "</th>");
        put_head_cell(p, "state", "State", STATUS_SORT_ATTENTION);
        put(p->r, "</th><th scope=\"col\" role=\"columnheader\" class=\"axis\"><span class=\"hidden\">Validity</span>");
        part_ticks(p->r, &p->axis);
        put(p->r, "</th>");
        put_head_cell(p, "expiry", "Expires", STATUS_SORT_EXPIRY);
        put(p->r, "</th>");
        put_head_cell(p, "next", "Next", STATUS_SORT_NEXT);
        put(p->r, "</th></tr></thead>\n<tbody role=\"rowgroup\">\n");
}

/* A long name goes on in the next line behind a dot. */
static void put_breakable(request_rec *r, const char *name) {
        for (size_t n; *name; name += n) {
                n = strcspn(name, ".");
                n += name[n] == '.';
                put_html(r, apr_pstrmemdup(r->pool, name, n));
                put(r, name[n] ? "<wbr>" : "");
        }
}

static void put_name_cell(const Page *p, const StatusFacts *f) {
        JsonObject *names = json_get_array(f->json, "domains");
        size_t n = names ? json_object_array_length(names) : 0;

        put(p->r, "<th scope=\"row\" role=\"rowheader\" class=\"name\"><a href=\"");
        put_url(p->r, p->self);
        put(p->r, *p->self ? "/" : "");
        put_url(p->r, f->name);
        put(p->r, "\">");
        put_breakable(p->r, f->name);
        put(p->r, "</a>");
        if (n > 1) {
                const char *second = json_object_get_string(json_object_array_get_idx(names, 1));

                put(p->r, "<span class=\"more\">");
                put_html(p->r, second);
                if (n > 2)
                        putf(p->r, " and %" APR_SIZE_T_FMT " more", n - 2);
                put(p->r, "</span>");
        }
        put(p->r, "</th>");
}

/* Why it is as it is, where somebody should know. */
static void put_why(const Page *p, const StatusFacts *f) {
        bool failed = f->errors > 0 && f->problem_detail;
        const char *why = f->refused ? f->refused : failed ? f->problem_detail : f->condition == STATUS_GOOD ? NULL : str_or(f->detail, f->state_descr);

        if (str_is_empty(why))
                return;
        putf(p->r, "<span class=\"why%s\" title=\"", failed || f->refused ? " bad" : "");
        put_html(p->r, why);
        put(p->r, "\">");
        put_html(p->r, why);
        put(p->r, "</span>");
}

static void put_next_cell(const Page *p, const StatusFacts *f) {
        put(p->r, "<td role=\"cell\" class=\"next\"><span class=\"num\">");
        put_html(p->r, part_next(f));
        if (!f->refused && f->next_usec != 0 && (str_equal(f->action, "wait"))) {
                put(p->r, " ");
                part_time(p->r, f->next_usec, p->axis.now_usec);
        }
        put(p->r, "</span>");
        put_why(p, f);
        put(p->r, "</td>");
}

/* For numbers in the script: what has no time comes last. */
static uint64_t sort_key(uint64_t usec) {
        return usec == 0 ? UINT64_C(9007199254740991) : usec / USEC_PER_SEC;
}

static void put_row(const Page *p, const StatusFacts *f) {
        put(p->r, "<tr role=\"row\" data-name=\"");
        put_html(p->r, f->name);
        put(p->r, "\" data-names=\"");
        put_html(p->r, status_view_names(p->r->pool, f));
        putf(p->r, "\" data-group=\"%s\" data-rank=\"%u\" data-expiry=\"%" PRIu64 "\" data-next=\"%" PRIu64 "\">", status_show_to_string(status_show_of(f)),
             (unsigned) f->condition, sort_key(f->until_usec), sort_key(f->next_usec));
        put_name_cell(p, f);
        put(p->r, "<td role=\"cell\" class=\"state\">");
        part_badge(p->r, f->condition);
        put(p->r, "</td><td role=\"cell\" class=\"axis\">");
        part_bar(p->r, &p->axis, part_colour(f->condition), f->from_usec, f->until_usec, f->renew_at_usec);
        put(p->r, "</td><td role=\"cell\" class=\"expiry num\">");
        part_time(p->r, f->until_usec, p->axis.now_usec);
        put(p->r, "</td>");
        put_next_cell(p, f);
        put(p->r, "</tr>\n");
}

static void put_pages(const Page *p) {
        if (p->n_pages < 2)
                return;
        put(p->r, "<nav class=\"pages\" aria-label=\"Pages\">");
        for (int step = -1; step <= 1; step += 2) {
                unsigned page = (unsigned) ((int) p->view.page + step);

                if (page < 1 || page > p->n_pages)
                        continue;
                put(p->r, "<a href=\"");
                put_query(p, p->view.show, p->view.sort, page);
                putf(p->r, "\" rel=\"%s\">%s</a>", step < 0 ? "prev" : "next", step < 0 ? "Previous page" : "Next page");
        }
        putf(p->r, "<span>Page %u of %u</span></nav>\n", p->view.page, p->n_pages);
}

static void put_list(Page *p, const apr_array_header_t *shown) {
        int first = (int) ((p->view.page - 1) * STATUS_PAGE_ROWS), end = MIN_OF(first + (int) STATUS_PAGE_ROWS, shown->nelts);

        put(p->r, "<main>\n<div class=\"card list\">\n");
        put_head(p);
        for (int i = first; i < end; i++)
                put_row(p, &APR_ARRAY_IDX(shown, i, StatusFacts));
        putf(p->r, "</tbody>\n</table>\n<p class=\"none\"%s>%s</p>\n</div>\n", shown->nelts > 0 ? " hidden" : "",
             p->counts[STATUS_SHOW_ALL] > 0 ? "No domain matches." : "This server has no managed domains: there is no MDomain in its configuration.");
        put(p->r, "<p class=\"sub\" id=\"count\" role=\"status\">");
        if ((unsigned) shown->nelts < p->counts[STATUS_SHOW_ALL])
                putf(p->r, "Showing %d of %u.", shown->nelts, p->counts[STATUS_SHOW_ALL]);
        put(p->r, "</p>\n");
        put_pages(p);
        part_legend(p->r);
        put(p->r, "</main>\n<footer><a href=\"?json\">JSON</a><a href=\"?openmetrics\">OpenMetrics</a>md-manager " PROJECT_VERSION);
}

static void look_over(Page *p, const apr_array_header_t *all) {
        for (int i = 0; i < all->nelts; i++) {
                const StatusFacts *f = &APR_ARRAY_IDX(all, i, StatusFacts);

                p->counts[STATUS_SHOW_ALL]++;
                p->counts[status_show_of(f)]++;
                status_axis_include(&p->axis, f->from_usec, f->until_usec);
        }
        status_axis_finish(&p->axis);
}

static int write_list(request_rec *r) {
        const char *slash = strrchr(r->uri, '/');
        const apr_array_header_t *all = status_data_all_facts(r), *shown;
        Page p = { .r = r, .self = slash ? slash + 1 : "" };

        if (!all)
                return HTTP_INTERNAL_SERVER_ERROR;
        status_view_parse(r->pool, r->args, &p.view);
        status_axis_init(&p.axis, clock_now_usec());
        look_over(&p, all);
        shown = status_view_apply(r->pool, &p.view, all);
        p.n_pages = (unsigned) (shown->nelts + STATUS_PAGE_ROWS - 1) / STATUS_PAGE_ROWS;
        p.view.page = MAX_OF(MIN_OF(p.view.page, p.n_pages), 1U);

        part_begin(r, "Managed domains", true);
        put_summary(&p);
        put_form(&p);
        put_list(&p, shown);
        part_end(r, true);
        return OK;
}

int status_page(request_rec *r, const ManagedDomain *d) {
        return d ? status_detail(r, d) : write_list(r);
}
