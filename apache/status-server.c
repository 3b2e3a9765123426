/* SPDX-License-Identifier: Apache-2.0 */

/* What is added to mod_status's page: tables of domains and of stapled answers, and with ?auto the same as lines "LABEL: value". Labels, classes
 * and columns are those of mod_md, whose users have scripts that read them. */

#include "status.h"

#include "apr_strings.h"
#include "mod_status.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "domain/decision.h"
#include "domains.h"
#include "ocsp.h"
#include "status-data.h"
#include "status-write.h"

typedef struct Output {
        request_rec *r;
        const Configuration *c;
        uint64_t now_usec;
        const char *prefix; /* of labels: "ManagedDomain[2]" */
} Output;

typedef struct Column {
        const char *name;
        void (*html)(const Output *o, const StatusFacts *f);
        void (*text)(const Output *o, const StatusFacts *f);
} Column;

/* Lines */

static void line(const Output *o, const char *label, const char *value) {
        if (!value)
                return;
        putf(o->r, "%s%s: ", o->prefix, label);
        put_line(o->r, value);
        put(o->r, "\n");
}

static void line_number(const Output *o, const char *label, uint64_t value) {
        putf(o->r, "%s%s: %" PRIu64 "\n", o->prefix, label, value);
}

static const char *day(request_rec *r, uint64_t usec) {
        char buffer[CLOCK_HUMAN_MAX];

        return apr_pstrndup(r->pool, clock_format_utc(buffer, usec), strlen("2026-11-22"));
}

static void put_day(request_rec *r, uint64_t usec, const char *title) {
        put(r, "<span title='");
        put_html(r, title);
        put(r, "' style='white-space: nowrap;'>");
        put_html(r, day(r, usec));
        put(r, "</span>");
}

static void put_link(request_rec *r, const char *url, const char *text) {
        bool linked = is_web_url(url);

        if (linked) {
                put(r, "<a href='");
                put_html(r, url);
                put(r, "'>");
        }
        put_html(r, text);
        if (linked)
                put(r, "</a>");
}

/* Domain, Names, Status */

static void domain_html(const Output *o, const StatusFacts *f) {
        put_html(o->r, f->name);
}

static void domain_text(const Output *o, const StatusFacts *f) {
        line(o, "Domain", f->name);
}

static const char *entry(JsonObject *list, size_t i) {
        JsonObject *v = json_object_array_get_idx(list, i);

        return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

static size_t n_entries(JsonObject *list) {
        return list ? json_object_array_length(list) : 0;
}

static void names_html(const Output *o, const StatusFacts *f) {
        JsonObject *names = json_get_array(f->json, "domains");

        put(o->r, "<div style=\"max-width:400px;\">");
        for (size_t i = 0; i < n_entries(names); i++) {
                put(o->r, i > 0 ? " " : "");
                put_html(o->r, entry(names, i));
        }
        put(o->r, "</div>");
}

static void names_text(const Output *o, const StatusFacts *f) {
        JsonObject *names = json_get_array(f->json, "domains");

        for (size_t i = 0; i < n_entries(names); i++)
                line(o, apr_psprintf(o->r->pool, "Names[%" APR_SIZE_T_FMT "]", i), entry(names, i));
}

static const char *status_word(const Output *o, const StatusFacts *f) {
        enum { STATE_MISSING_INFORMATION = 5 }; /* only in old stores */

        switch (f->state) {

        case DOMAIN_STATE_INCOMPLETE:
                return f->state_descr ? apr_pstrcat(o->r->pool, "incomplete: ", f->state_descr, NULL) : "incomplete";

        case DOMAIN_STATE_COMPLETE:
        case DOMAIN_STATE_EXPIRED_OBSOLETE:
                return f->until_usec == 0 || f->until_usec > o->now_usec ? "good" : "expired";

        case DOMAIN_STATE_ERROR:
                return "error";

        case STATE_MISSING_INFORMATION:
                return "missing information";

        default:
                return "unknown";
        }
}

static void status_html(const Output *o, const StatusFacts *f) {
        put_html(o->r, status_word(o, f));
}

static void status_text(const Output *o, const StatusFacts *f) {
        line(o, "Status", status_word(o, f));
}

/* Valid */

static void put_valid_html(const Output *o, uint64_t from_usec, uint64_t until_usec) {
        char from[CLOCK_RFC822_MAX], until[CLOCK_RFC822_MAX];
        const char *title;

        if (until_usec == 0)
                return;
        title = apr_psprintf(o->r->pool, "%s - %s", clock_format_rfc822(from, from_usec), clock_format_rfc822(until, until_usec));
        if (from_usec > o->now_usec) {
                put(o->r, "from ");
                put_day(o->r, from_usec, title);
                put(o->r, " ");
        }
        put(o->r, "until ");
        put_day(o->r, until_usec, title);
}

static void put_valid_text(const Output *o, const char *label, uint64_t from_usec, uint64_t until_usec) {
        if (until_usec == 0)
                return;
        line(o, apr_pstrcat(o->r->pool, label, "From", NULL), day(o->r, from_usec));
        line(o, apr_pstrcat(o->r->pool, label, "Until", NULL), day(o->r, until_usec));
}

static void valid_html(const Output *o, const StatusFacts *f) {
        put_valid_html(o, f->from_usec, f->until_usec);
}

static void valid_text(const Output *o, const StatusFacts *f) {
        put_valid_text(o, "Valid", f->from_usec, f->until_usec);
}

/* CA, Stapling */

static void ca_html(const Output *o, const StatusFacts *f) {
        JsonObject *urls = json_get_array(json_get_object(f->json, "ca"), "urls");

        for (size_t i = 0; i < n_entries(urls); i++) {
                put(o->r, i > 0 ? " " : "");
                put_link(o->r, entry(urls, i), url_host(o->r->pool, entry(urls, i)));
        }
}

static void ca_text(const Output *o, const StatusFacts *f) {
        JsonObject *urls = json_get_array(json_get_object(f->json, "ca"), "urls");

        for (size_t i = 0; i < n_entries(urls); i++) {
                const char *number = i > 0 ? apr_psprintf(o->r->pool, "%" APR_SIZE_T_FMT, i) : "";

                line(o, apr_pstrcat(o->r->pool, "CAName", number, NULL), url_host(o->r->pool, entry(urls, i)));
                line(o, apr_pstrcat(o->r->pool, "CAURL", number, NULL), entry(urls, i));
        }
}

static void stapling_html(const Output *o, const StatusFacts *f) {
        put(o->r, f->stapling ? "on" : "off");
}

static void stapling_text(const Output *o, const StatusFacts *f) {
        line(o, "Stapling", f->stapling ? "on" : "off");
}

/* CheckAt: every certificate has a fingerprint. */

static bool is_certificate(const char *key, JsonObject *value) {
        return !str_equal(key, "valid") && json_object_is_type(value, json_type_object) && json_get_string(value, "sha256-fingerprint");
}

static const char *check_url(const Output *o, JsonObject *cert) {
        return apr_pstrcat(o->r->pool, o->c->check_url, json_get_string(cert, "sha256-fingerprint"), NULL);
}

static void check_html(const Output *o, const StatusFacts *f) {
        JsonObject *certs = json_get_object(f->json, "cert");

        if (!certs || str_is_empty(o->c->check_url))
                return;
        json_object_object_foreach(certs, key, cert)
                if (is_certificate(key, cert)) {
                        put_link(o->r, check_url(o, cert), apr_psprintf(o->r->pool, "%s[%s]", o->c->check_name, key));
                        put(o->r, "<br>");
                }
}

static void check_text(const Output *o, const StatusFacts *f) {
        JsonObject *certs = json_get_object(f->json, "cert");

        if (!certs || str_is_empty(o->c->check_url))
                return;
        json_object_object_foreach(certs, key, cert)
                if (is_certificate(key, cert)) {
                        line(o, "CheckAtType", key);
                        line(o, "CheckAtName", o->c->check_name);
                        line(o, "CheckAtURL", check_url(o, cert));
                        line(o, "CheckAtFingerprint", json_get_string(cert, "sha256-fingerprint"));
                }
}

/* Activity */

/* What the last attempt came to, in a word. NULL: it did not fail. */
static const char *last_status(const Output *o, const StatusFacts *f) {
        JsonObject *last = json_get_object(f->renewal, "last");
        const char *description = json_get_string(last, "status-description");
        uint64_t status;

        if (f->errors == 0)
                return NULL;
        if (description)
                return description;
        return json_get_uint(last, "status", &status) && status != 0 ? apr_psprintf(o->r->pool, "%" PRIu64, status) : "error";
}

/* What is going on apart from a renewal that has ended one way or the other. NULL: its time is known and to come. */
static const char *activity_word(const Output *o, const StatusFacts *f) {
        if (f->renewal)
                return f->errors == 0 && !f->finished ? "Ongoing" : NULL;
        if (f->renew_at_usec > o->now_usec)
                return NULL;
        if (!f->watched)
                return "Manual renew";
        return "Pending";
}

static void activity_html(const Output *o, const StatusFacts *f) {
        const char *status = last_status(o, f), *word = activity_word(o, f);
        char buffer[CLOCK_HUMAN_MAX], full[CLOCK_RFC822_MAX];

        if (status) {
                put(o->r, "Error[");
                put_html(o->r, f->problem ? f->problem : status);
                put(o->r, "]: ");
                put_html(o->r, f->problem_detail);
                if (f->errors > 1)
                        putf(o->r, " (%" PRIu64 " %s)", f->errors - 1, f->errors == 2 ? "retry" : "retries");
        } else if (f->finished)
                put(o->r, "New certificate staged");
        put_html(o->r, word);
        if (f->renewal && f->next_run_usec > o->now_usec) {
                put(o->r, "<br>Next run <span title='");
                put_html(o->r, clock_format_rfc822(full, f->next_run_usec));
                put(o->r, "'>");
                put_html(o->r, clock_format_relative(buffer, f->next_run_usec, o->now_usec));
                put(o->r, "</span>");
        }
        if (!f->renewal && !word) {
                put(o->r, "Renew ");
                put_day(o->r, f->renew_at_usec, clock_format_rfc822(full, f->renew_at_usec));
        }
}

static void activity_text(const Output *o, const StatusFacts *f) {
        const char *status = last_status(o, f), *word = activity_word(o, f);

        if (status) {
                line(o, "ActivityLastStatus", status);
                line(o, "ActivityLastProblem", f->problem);
        }
        if (f->renewal && (status || f->finished))
                line(o, "ActivityFinished", f->finished ? "yes" : "no");
        if (f->finished)
                line(o, "ActivityNewStaged", "yes");
        if (status) {
                line(o, "ActivityLastDetail", f->problem_detail);
                if (f->errors > 1)
                        line_number(o, "ActivityRetries", f->errors - 1);
        }
        if (f->renewal && f->next_run_usec > o->now_usec)
                line_number(o, "ActivityNextRun", (f->next_run_usec - o->now_usec) / USEC_PER_SEC);
        line(o, "Activity", word);
        if (!f->renewal && !word)
                line_number(o, "ActivityRenew", (f->renew_at_usec - o->now_usec) / USEC_PER_SEC);
}

static const Column columns[] = {
        { "Domain", domain_html, domain_text }, { "Names", names_html, names_text },          { "Status", status_html, status_text },
        { "Valid", valid_html, valid_text },    { "CA", ca_html, ca_text },                   { "Stapling", stapling_html, stapling_text },
        { "CheckAt", check_html, check_text },  { "Activity", activity_html, activity_text },
};

/* Certificates */

static void write_table_head(const Output *o, const char *title, const char *class, const char *const *names, size_t n) {
        putf(o->r, "<hr>\n<h3>%s</h3>\n<table class='%s'><thead><tr>\n", title, class);
        for (size_t i = 0; i < n; i++)
                putf(o->r, "<th class=\"%s\">%s</th>", names[i], names[i]);
        put(o->r, "</tr>\n</thead><tbody>\n");
}

static void write_domains_html(const Output *o, const apr_array_header_t *all) {
        const char *names[ELEMENTSOF(columns)];

        for (size_t i = 0; i < ELEMENTSOF(columns); i++)
                names[i] = columns[i].name;
        write_table_head(o, "Managed Certificates", "md_status", names, ELEMENTSOF(names));
        for (int i = 0; i < all->nelts; i++) {
                putf(o->r, "<tr class=\"%s\">", i % 2 ? "odd" : "even");
                for (size_t k = 0; k < ELEMENTSOF(columns); k++) {
                        put(o->r, "<td>");
                        columns[k].html(o, &APR_ARRAY_IDX(all, i, StatusFacts));
                        put(o->r, "</td>");
                }
                put(o->r, "</tr>\n");
        }
        put(o->r, "</tbody>\n</table>\n");
}

static void write_domains_text(const Output *o, const apr_array_header_t *all) {
        uint64_t ok = 0, renew = 0, errored = 0, ready = 0;
        Output sums = *o;

        for (int i = 0; i < all->nelts; i++) {
                const StatusFacts *f = &APR_ARRAY_IDX(all, i, StatusFacts);

                ok += f->state == DOMAIN_STATE_COMPLETE || f->state == DOMAIN_STATE_EXPIRED_OBSOLETE;
                renew += f->renew;
                errored += f->errors > 0;
                ready += f->errors == 0 && f->finished;
        }
        sums.prefix = "ManagedCertificates";
        line_number(&sums, "Total", (uint64_t) all->nelts);
        line_number(&sums, "OK", ok);
        line_number(&sums, "Renew", renew);
        line_number(&sums, "Errored", errored);
        line_number(&sums, "Ready", ready);
        for (int i = 0; i < all->nelts; i++) {
                Output row = *o;

                row.prefix = apr_psprintf(o->r->pool, "ManagedDomain[%d]", i);
                for (size_t k = 0; k < ELEMENTSOF(columns); k++)
                        columns[k].text(&row, &APR_ARRAY_IDX(all, i, StatusFacts));
        }
}

/* Staplings: every certificate that this server staples. */

static void stapling_activity_html(const Output *o, const OcspShown *s) {
        char full[CLOCK_RFC822_MAX];

        if (s->errors > 0) {
                put(o->r, "Error[");
                put_html(o->r, s->problem);
                put(o->r, "]: ");
                put_html(o->r, s->problem_detail);
                put(o->r, "<br>");
        }
        if (s->refresh_usec != 0) {
                put(o->r, "Refresh ");
                put_day(o->r, s->refresh_usec, clock_format_rfc822(full, s->refresh_usec));
        }
}

static void stapling_activity_text(const Output *o, const OcspShown *s) {
        if (s->errors > 0) {
                line(o, "ActivityLastProblem", s->problem);
                line(o, "ActivityLastDetail", s->problem_detail);
                if (s->errors > 1)
                        line_number(o, "ActivityRetries", s->errors - 1);
        }
        if (s->refresh_usec > o->now_usec)
                line_number(o, "ActivityRefresh", (s->refresh_usec - o->now_usec) / USEC_PER_SEC);
}

static void write_staplings_html(const Output *o, const apr_array_header_t *all) {
        static const char *const names[] = { "Domain", "CertificateID", "OCSPStatus", "StaplingValid", "Responder", "Activity" };

        if (all->nelts == 0)
                return;
        write_table_head(o, "Managed Staplings", "md_ocsp_status", names, ELEMENTSOF(names));
        for (int i = 0; i < all->nelts; i++) {
                const OcspShown *s = &APR_ARRAY_IDX(all, i, OcspShown);

                putf(o->r, "<tr class=\"%s\"><td>", i % 2 ? "odd" : "even");
                put_html(o->r, s->domain);
                put(o->r, "</td><td>");
                put_html(o->r, s->id);
                put(o->r, "</td><td>");
                put_html(o->r, s->status);
                put(o->r, "</td><td>");
                put_valid_html(o, s->from_usec, s->until_usec);
                put(o->r, "</td><td>");
                put_link(o->r, s->url, url_host(o->r->pool, s->url));
                put(o->r, "</td><td>");
                stapling_activity_html(o, s);
                put(o->r, "</td></tr>\n");
        }
        put(o->r, "</tbody>\n</table>\n");
}

static void write_staplings_text(const Output *o, const apr_array_header_t *all) {
        uint64_t good = 0, revoked = 0, unknown = 0;
        Output row = *o;

        for (int i = 0; i < all->nelts; i++) {
                const char *status = APR_ARRAY_IDX(all, i, OcspShown).status;

                *(str_equal(status, "good") ? &good : str_equal(status, "revoked") ? &revoked : &unknown) += 1;
        }
        row.prefix = "ManagedStaplings";
        line_number(&row, "Total", (uint64_t) all->nelts);
        line_number(&row, "OK", good);
        line_number(&row, "Renew", revoked);
        line_number(&row, "Errored", unknown);
        for (int i = 0; i < all->nelts; i++) {
                const OcspShown *s = &APR_ARRAY_IDX(all, i, OcspShown);

                row.prefix = apr_psprintf(o->r->pool, "ManagedStapling[%d]", i);
                line(&row, "Domain", s->domain);
                line(&row, "CertificateID", s->id);
                line(&row, "OCSPStatus", s->status);
                put_valid_text(&row, "StaplingValid", s->from_usec, s->until_usec);
                line(&row, "ResponderName", url_host(o->r->pool, s->url));
                line(&row, "ResponderURL", s->url);
                stapling_activity_text(&row, s);
        }
}

int status_server(request_rec *r, int flags) {
        Output o = { .r = r, .c = server_configuration(r->server), .now_usec = clock_now_usec(), .prefix = "" };
        bool managed = o.c->domains && o.c->domains->all->nelts > 0;
        const apr_array_header_t *all, *staplings;

        if (!o.c->server_status || (!managed && !ocsp_is_used(o.c)))
                return DECLINED;
        all = status_data_all_facts(r);
        if (!all)
                return DECLINED;
        staplings = ocsp_show(o.c, r->pool);
        if (flags & AP_STATUS_SHORT) {
                write_domains_text(&o, all);
                write_staplings_text(&o, staplings);
        } else {
                if (managed)
                        write_domains_html(&o, all);
                write_staplings_html(&o, staplings);
        }
        return OK;
}
