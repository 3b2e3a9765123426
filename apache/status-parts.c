/* SPDX-License-Identifier: Apache-2.0 */
#include "status-parts.h"

#include "apr_strings.h"
#include "http_protocol.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "config.h"
#include "status-page-css.h"
#include "status-page-js.h"
#include "status-write.h"

#define POLICY_STYLE                                                                                                          \
        "default-src 'none'; style-src '" STATUS_PAGE_CSS_HASH "'; img-src data:; form-action 'self'; base-uri 'none'; " \
        "frame-ancestors 'none'"
#define POLICY_SCRIPT POLICY_STYLE "; script-src '" STATUS_PAGE_JS_HASH "'; connect-src 'self'"

void part_begin(request_rec *r, const char *title, bool with_script) {
        ap_set_content_type(r, "text/html; charset=utf-8");
        apr_table_setn(r->headers_out, "Content-Security-Policy", with_script ? POLICY_SCRIPT : POLICY_STYLE);
        apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
        put(r, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
               "<link rel=\"icon\" href=\"data:,\">\n<title>");
        put_html(r, title);
        put(r, "</title>\n<style>" STATUS_PAGE_CSS "</style>\n</head>\n<body>\n<header>\n<h1>");
        put_html(r, title);
        put(r, "</h1>\n");
}

void part_end(request_rec *r, bool with_script) {
        put(r, "</footer>\n");
        if (with_script)
                put(r, "<script>" STATUS_PAGE_JS "</script>\n");
        put(r, "</body>\n</html>\n");
}

const char *part_colour(StatusCondition condition) {
        static const char *const colours[_STATUS_CONDITION_MAX] = {
                [STATUS_EXPIRED] = "bad",    [STATUS_REFUSED] = "bad",  [STATUS_FAILING] = "bad",   [STATUS_EXPIRING] = "warn", [STATUS_INCOMPLETE] = "warn",
                [STATUS_UNKNOWN] = "idle", [STATUS_RENEWING] = "busy", [STATUS_PENDING] = "busy", [STATUS_GOOD] = "good",
        };

        return colours[condition];
}

void part_badge(request_rec *r, StatusCondition condition) {
        putf(r, "<span class=\"badge %s\">%s</span>", part_colour(condition), status_condition_to_string(condition));
}

void part_time(request_rec *r, uint64_t usec, uint64_t now_usec) {
        char full[CLOCK_HUMAN_MAX], relative[CLOCK_HUMAN_MAX], machine[CLOCK_RFC3339_MAX];

        if (usec == 0) {
                put(r, "<span aria-label=\"none\">&#8211;</span>");
                return;
        }
        putf(r, "<time datetime=\"%s\" title=\"%s\">%s</time>", clock_format_rfc3339(machine, usec / USEC_PER_SEC * USEC_PER_SEC),
             clock_format_utc(full, usec), clock_format_relative(relative, usec, now_usec));
}

#define PERCENT "%u.%02u%%"
#define PERCENT_OF(place) (place) / 100, (place) % 100

void part_ticks(request_rec *r, const StatusAxis *a) {
        unsigned now = status_axis_place(a, a->now_usec);
        StatusTick ticks[STATUS_AXIS_TICKS_MAX];
        size_t n = status_axis_ticks(a, ticks);

        put(r, "<svg class=\"ticks\" height=\"20\" role=\"img\" aria-label=\"time axis\">");
        for (size_t i = 0; i < n; i++) {
                unsigned place = ticks[i].place, distance = place > now ? place - now : now - place;

                if (distance < 700 || place > 9600) /* no room for the word */
                        continue;
                putf(r, "<text%s x=\"" PERCENT "\" y=\"14\" text-anchor=\"middle\">%s</text>", i % 2 ? " class=\"minor\"" : "", PERCENT_OF(place), ticks[i].label);
        }
        putf(r, "<text class=\"today\" x=\"" PERCENT "\" y=\"14\" text-anchor=\"%s\">now</text></svg>", PERCENT_OF(now),
             now < 300 ? "start" : now > 9700 ? "end" : "middle");
}

static void put_rect(request_rec *r, const char *class, unsigned from, unsigned until) {
        unsigned width = MAX_OF(until - from, 100U); /* there is something to see of any */

        putf(r, "<rect class=\"%s\" x=\"" PERCENT "\" y=\"5\" width=\"" PERCENT "\" height=\"12\" rx=\"4\"/>", class, PERCENT_OF(from), PERCENT_OF(width));
}

static void put_line_at(request_rec *r, const char *class, unsigned place, unsigned from, unsigned until) {
        putf(r, "<line class=\"%s\" x1=\"" PERCENT "\" x2=\"" PERCENT "\" y1=\"%u\" y2=\"%u\"/>", class, PERCENT_OF(place), PERCENT_OF(place), from, until);
}

static void put_bar_label(request_rec *r, uint64_t from_usec, uint64_t until_usec, uint64_t renew_at_usec) {
        char text[CLOCK_HUMAN_MAX];

        if (until_usec == 0) {
                put(r, "no certificate");
                return;
        }
        putf(r, "valid from %s ", clock_format_utc(text, from_usec));
        putf(r, "until %s", clock_format_utc(text, until_usec));
        if (renew_at_usec != 0)
                putf(r, ", to be renewed from %s on", clock_format_utc(text, renew_at_usec));
}

void part_bar(request_rec *r, const StatusAxis *a, const char *colour, uint64_t from_usec, uint64_t until_usec, uint64_t renew_at_usec) {
        unsigned from = status_axis_place(a, from_usec), until = status_axis_place(a, until_usec), renew = status_axis_place(a, renew_at_usec);
        StatusTick ticks[STATUS_AXIS_TICKS_MAX];
        size_t n = status_axis_ticks(a, ticks);

        put(r, "<svg class=\"bar\" height=\"22\" role=\"img\" aria-label=\"");
        put_bar_label(r, from_usec, until_usec, renew_at_usec);
        put(r, "\">");
        put_rect(r, "track", 0, 10000);
        for (size_t i = 0; i < n; i++)
                put_line_at(r, "grid", ticks[i].place, 5, 17);
        if (until_usec > from_usec) {
                put_rect(r, apr_pstrcat(r->pool, "life ", colour, NULL), from, until);
                if (renew_at_usec > from_usec && renew_at_usec < until_usec)
                        put_rect(r, "window", renew, until);
        }
        put_line_at(r, "now", status_axis_place(a, a->now_usec), 1, 21);
        put(r, "</svg>");
}

void part_legend(request_rec *r) {
        put(r, "<p class=\"legend\"><span><svg aria-hidden=\"true\"><rect class=\"life good\" width=\"26\" height=\"12\" rx=\"4\"/></svg>valid</span>"
               "<span><svg aria-hidden=\"true\"><rect class=\"life good\" width=\"26\" height=\"12\" rx=\"4\"/>"
               "<rect class=\"window\" width=\"26\" height=\"12\" rx=\"4\"/></svg>valid, time to renew</span>"
               "<span><svg aria-hidden=\"true\"><line class=\"now\" x1=\"13\" x2=\"13\" y1=\"0\" y2=\"12\"/></svg>now</span></p>\n");
}

const char *part_next(const StatusFacts *f) {
        static const struct {
                const char *action, *words;
        } table[] = {
                { "renewing", "Renewing now" },
                { "renew", "Renews now" },
                { "activate", "Puts the new certificate in place" },
                { "install", "Waits for the server\'s reload" },
                { "nothing", "Nothing by itself" },
        };

        if (f->refused)
                return "Nothing by itself";
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (str_equal(table[i].action, f->action))
                        return table[i].words;
        if (!f->action)
                return "Not known";
        return str_equal(f->reason, "retry") ? "Retries" : "Renews";
}
