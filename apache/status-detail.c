/* SPDX-License-Identifier: Apache-2.0 */
#include "status-detail.h"

#include "apr_strings.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "config.h"
#include "status-parts.h"
#include "status-write.h"

typedef struct Detail {
        request_rec *r;
        StatusFacts f;
        StatusAxis axis;
} Detail;

static void put_list(request_rec *r, JsonObject *list) {
        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                put(r, i > 0 ? "<br>" : "");
                put_html(r, json_object_get_string(json_object_array_get_idx(list, i)));
        }
}

static void put_term(const Detail *d, const char *label) {
        putf(d->r, "<dt>%s</dt><dd>", label);
}

static void put_text(const Detail *d, const char *label, const char *text) {
        if (str_is_empty(text))
                return;
        put_term(d, label);
        put_html(d->r, text);
        put(d->r, "</dd>\n");
}

static void put_strings(const Detail *d, const char *label, JsonObject *list) {
        if (!list || json_object_array_length(list) == 0)
                return;
        put_term(d, label);
        put_list(d->r, list);
        put(d->r, "</dd>\n");
}

static void put_when(const Detail *d, const char *label, uint64_t usec) {
        char full[CLOCK_HUMAN_MAX];

        if (usec == 0)
                return;
        put_term(d, label);
        part_time(d->r, usec, d->axis.now_usec);
        putf(d->r, " <span class=\"more\">%s</span></dd>\n", clock_format_utc(full, usec));
}

static void put_overview(const Detail *d) {
        const StatusFacts *f = &d->f;

        put(d->r, "<section class=\"card pad\"><h2>Overview</h2><dl>\n");
        put_strings(d, "Names", json_get_array(f->json, "domains"));
        put_text(d, "Disabled", f->refused);
        put_text(d, "Next", part_next(f));
        put_text(d, "Why", f->detail);
        put_when(d, "When", f->next_usec);
        put_when(d, "To be renewed from", f->renew_at_usec);
        put_text(d, "Served", f->until_usec == 0 ? NULL : f->served ? "yes, by every server that uses it" : "not yet, as far as the servers said");
        put_when(d, "Since", f->installed_usec);
        put_when(d, "Last attempt", f->last_run_usec);
        put_strings(d, "CA", json_get_array(json_get_object(f->json, "ca"), "urls"));
        put_strings(d, "Contact", json_get_array(f->json, "contacts"));
        put_text(d, "Profile", json_get_string(f->json, "profile"));
        put(d->r, "</dl></section>\n");
}

static void put_problem(const Detail *d) {
        if (!d->f.problem_detail)
                return;
        put(d->r, "<section class=\"card pad problem\"><h2>Last problem</h2><p>");
        put_html(d->r, d->f.problem_detail);
        put(d->r, "</p><p class=\"more\"><code>");
        put_html(d->r, d->f.problem);
        put(d->r, "</code>");
        if (d->f.errors > 0)
                putf(d->r, " &#183; %" PRIu64 " failed %s in a row", d->f.errors, d->f.errors == 1 ? "attempt" : "attempts");
        put(d->r, "</p></section>\n");
}

static bool is_certificate(const char *key, JsonObject *cert) {
        return !str_equal(key, "valid") && json_object_is_type(cert, json_type_object);
}

/* What its OCSP responder or CRL says. */
static void put_revocation(const Detail *d, JsonObject *cert) {
        JsonObject *ocsp = json_get_object(cert, "ocsp"), *known = ocsp ? ocsp : json_get_object(cert, "crl"), *last = json_get_object(known, "last");

        if (!known)
                return;
        put_text(d, ocsp ? "OCSP" : "CRL", json_get_string(known, "status"));
        put_when(d, "Counts until", json_get_time(json_get_object(known, "valid"), "until"));
        put_when(d, "Asked again", json_get_time(known, "renewal"));
        put_text(d, "Responder", ocsp ? json_get_string(known, "url") : NULL);
        put_text(d, "List", ocsp ? NULL : json_get_string(known, "url"));
        put_text(d, "Failure", json_get_string(last, "detail"));
}

static void put_certificate(const Detail *d, const char *key, JsonObject *cert) {
        JsonObject *valid = json_get_object(cert, "valid");
        uint64_t from = json_get_time(valid, "from"), until = json_get_time(valid, "until");

        put(d->r, "<section class=\"card pad\"><h2>Certificate ");
        put_html(d->r, key);
        put(d->r, "</h2>\n");
        part_ticks(d->r, &d->axis);
        part_bar(d->r, &d->axis, part_colour(d->f.condition), from, until, d->f.renew_at_usec);
        put(d->r, "<dl>\n");
        put_when(d, "Valid from", from);
        put_when(d, "Until", until);
        put_text(d, "Issuer", str_or(json_get_string(cert, "issuer"), json_get_string(cert, "issuer-name")));
        put_text(d, "Serial", json_get_string(cert, "serial"));
        put_text(d, "SHA-256", json_get_string(cert, "sha256-fingerprint"));
        put_revocation(d, cert);
        put(d->r, "</dl></section>\n");
}

static void put_certificates(const Detail *d) {
        JsonObject *certs = json_get_object(d->f.json, "cert");

        if (!certs)
                return;
        json_object_object_foreach(certs, key, cert)
                if (is_certificate(key, cert))
                        put_certificate(d, key, cert);
}

static void put_log(const Detail *d) {
        JsonObject *entries = json_get_array(json_get_object(d->f.json, "log"), "entries");

        if (!entries || json_object_array_length(entries) == 0)
                return;
        put(d->r, "<section class=\"card log\"><h2 class=\"pad\">What happened</h2><table><caption class=\"hidden\">Log, newest first</caption>"
                  "<thead><tr><th scope=\"col\">When</th><th scope=\"col\">What</th></tr></thead><tbody>\n");
        for (size_t i = 0; i < json_object_array_length(entries); i++) {
                JsonObject *e = json_object_array_get_idx(entries, i);

                put(d->r, "<tr><td class=\"num\">");
                part_time(d->r, json_get_time(e, "when"), d->axis.now_usec);
                put(d->r, "</td><td><b>");
                put_html(d->r, json_get_string(e, "type"));
                put(d->r, "</b> ");
                put_html(d->r, json_get_string(e, "detail"));
                put(d->r, "</td></tr>\n");
        }
        put(d->r, "</tbody></table></section>\n");
}

int status_detail(request_rec *r, const ManagedDomain *config) {
        Detail d = { .r = r };
        StatusDomain found;

        if (status_data_one(r, config, &found) < 0 || status_data_facts(r, &found, &d.f) < 0)
                return HTTP_INTERNAL_SERVER_ERROR;
        status_axis_init(&d.axis, clock_now_usec());
        status_axis_include(&d.axis, d.f.from_usec, d.f.until_usec);
        status_axis_finish(&d.axis);

        part_begin(r, d.f.name, false);
        put(r, "<p class=\"sub\">");
        part_badge(r, d.f.condition);
        put(r, " <a href=\"./\">All domains</a></p>\n</header>\n<main>\n");
        put_problem(&d);
        put_overview(&d);
        put_certificates(&d);
        put_log(&d);
        put(r, "</main>\n<footer><a href=\"?json\">JSON</a>md-manager " PROJECT_VERSION);
        part_end(r, false);
        return OK;
}
