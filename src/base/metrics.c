/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/string-util.h"

typedef struct Writer {
        MetricsSink sink;
        void *userdata;
} Writer;

static void say(const Writer *w, const char *text) {
        w->sink(text, w->userdata);
}

/* What stands in front of the samples of a family. 'unit' is the end of the name, too; NULL: none. */
static void begin_family(const Writer *w, const char *name, const char *type, const char *unit, const char *help) {
        char text[512];

        (void) snprintf(text, sizeof(text), "# TYPE %s %s\n%s%s%s%s%s# HELP %s %s\n", name, type, unit ? "# UNIT " : "", unit ? name : "", unit ? " " : "",
                        str_or(unit, ""), unit ? "\n" : "", name, help);
        say(w, text);
}

/* The only three bytes with a meaning in a label's value; what is no UTF-8 is not let in. */
static void say_escaped(const Writer *w, const char *s) {
        size_t size = strlen(s);
        char piece[5];

        for (size_t i = 0, n; i < size; i += n) {
                n = str_utf8_sequence(s + i, size - i, NULL);
                if (n == 0) {
                        say(w, "?");
                        n = 1;
                } else if (s[i] == '\\' || s[i] == '"')
                        say(w, s[i] == '"' ? "\\\"" : "\\\\");
                else if (s[i] == '\n')
                        say(w, "\\n");
                else {
                        memcpy(piece, s + i, n);
                        piece[n] = '\0';
                        say(w, piece);
                }
        }
}

typedef struct Label {
        const char *name, *value; /* name NULL: there is none */
} Label;

static void begin_labelled(const Writer *w, const char *name, const Label *labels, size_t n) {
        say(w, name);
        say(w, "{");
        for (size_t i = 0; i < n && labels[i].name; i++) {
                say(w, i > 0 ? "," : "");
                say(w, labels[i].name);
                say(w, "=\"");
                say_escaped(w, str_or(labels[i].value, ""));
                say(w, "\"");
        }
        say(w, "} ");
}

static void begin_sample(const Writer *w, const char *name, Label a, Label b) {
        const Label labels[] = { a, b };

        begin_labelled(w, name, labels, ELEMENTSOF(labels));
}

static void say_number(const Writer *w, uint64_t value) {
        char text[32];

        (void) snprintf(text, sizeof(text), "%" PRIu64 "\n", value);
        say(w, text);
}

/* Seconds since the epoch; certificates have no finer times. */
static void say_time(const Writer *w, uint64_t usec) {
        say_number(w, usec / USEC_PER_SEC);
}

#define LABEL_DOMAIN(d) ((Label){ "domain", (d)->name })
#define NO_LABEL ((Label){ NULL, NULL })

/* Families of one sample for each domain */

static const struct {
        const char *name, *unit, *help;
        size_t offset; /* of an uint64_t in MetricsDomain */
} domain_families[] = {
        { "md_next_action_timestamp_seconds", "seconds", "When the domain is looked at next.", offsetof(MetricsDomain, next_usec) },
        { "md_renewal_due_timestamp_seconds", "seconds", "When its certificates are to be renewed by their age.", offsetof(MetricsDomain, renew_at_usec) },
        { "md_last_attempt_timestamp_seconds", "seconds", "When a renewal was tried last.", offsetof(MetricsDomain, last_run_usec) },
        { "md_installed_timestamp_seconds", "seconds", "When a server was first seen serving the newest certificates.", offsetof(MetricsDomain, installed_usec) },
        { "md_renewal_info_start_timestamp_seconds", "seconds", "Begin of the renewal window that the CA suggests (RFC 9773).", offsetof(MetricsDomain, ari_start_usec) },
        { "md_renewal_info_end_timestamp_seconds", "seconds", "End of the renewal window that the CA suggests (RFC 9773).", offsetof(MetricsDomain, ari_end_usec) },
};

static void write_times(const Writer *w, const Metrics *m) {
        for (size_t i = 0; i < ELEMENTSOF(domain_families); i++) {
                begin_family(w, domain_families[i].name, "gauge", domain_families[i].unit, domain_families[i].help);
                for (size_t k = 0; k < m->n_domains; k++) {
                        const MetricsDomain *d = &m->domains[k];
                        uint64_t usec = *(const uint64_t *) ((const char *) d + domain_families[i].offset);

                        if (usec == 0)
                                continue;
                        begin_sample(w, domain_families[i].name, LABEL_DOMAIN(d), NO_LABEL);
                        say_time(w, usec);
                }
        }
}

static void write_states(const Writer *w, const Metrics *m) {
        static const char *const states[] = { "unknown", "incomplete", "complete", "error" };

        begin_family(w, "md_state", "stateset", NULL, "Whether there are certificates for all names and keys.");
        for (size_t k = 0; k < m->n_domains; k++)
                for (size_t i = 0; i < ELEMENTSOF(states); i++) {
                        begin_sample(w, "md_state", LABEL_DOMAIN(&m->domains[k]), (Label){ "md_state", states[i] });
                        say_number(w, str_equal(m->domains[k].state, states[i]));
                }
        begin_family(w, "md_served", "gauge", NULL, "1 when every server that uses the domain serves its newest certificates.");
        for (size_t k = 0; k < m->n_domains; k++) {
                begin_sample(w, "md_served", LABEL_DOMAIN(&m->domains[k]), NO_LABEL);
                say_number(w, m->domains[k].served);
        }
        begin_family(w, "md_renewal_consecutive_failures", "gauge", NULL, "Attempts to renew that failed since one went well.");
        for (size_t k = 0; k < m->n_domains; k++) {
                begin_sample(w, "md_renewal_consecutive_failures", LABEL_DOMAIN(&m->domains[k]), NO_LABEL);
                say_number(w, m->domains[k].errors);
        }
}

static void write_certificates(const Writer *w, const Metrics *m) {
        static const char *const names[] = { "md_certificate_not_before_timestamp_seconds", "md_certificate_expiry_timestamp_seconds" };
        static const char *const helps[] = { "When the certificate begins to be valid.", "When the certificate runs out." };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                begin_family(w, names[i], "gauge", "seconds", helps[i]);
                for (size_t k = 0; k < m->n_domains; k++)
                        for (size_t n = 0; n < m->domains[k].n_certificates; n++) {
                                const MetricsCertificate *c = &m->domains[k].certificates[n];

                                begin_sample(w, names[i], LABEL_DOMAIN(&m->domains[k]), (Label){ "key", c->key });
                                say_time(w, i == 0 ? c->from_usec : c->until_usec);
                        }
        }
}

const char *const metrics_statuses[3] = { "revoked", "unknown", "good" };

static void write_revocation(const Writer *w, const MetricsDomain *d, const MetricsCertificate *c) {
        for (size_t i = 0; i < ELEMENTSOF(metrics_statuses); i++) {
                const Label labels[] = { LABEL_DOMAIN(d), { "key", c->key }, { "md_revocation_status", metrics_statuses[i] } };

                begin_labelled(w, "md_revocation_status", labels, ELEMENTSOF(labels));
                say_number(w, str_equal(c->status, metrics_statuses[i]));
        }
}

/* What no managed domain has goes by the name that it has in events; the serial number is for people, and only the hash is one certificate's alone. */
#define LABEL_OTHER { "domain", "other" }

static void write_other_number(const Writer *w, const MetricsStapling *s, const char *name, uint64_t value) {
        const Label labels[] = { LABEL_OTHER, { "serial", s->serial }, { "id", s->id } };

        begin_labelled(w, name, labels, ELEMENTSOF(labels));
        say_number(w, value);
}

static void write_other_status(const Writer *w, const MetricsStapling *s, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(metrics_statuses); i++) {
                const Label labels[] = { LABEL_OTHER, { "serial", s->serial }, { "id", s->id }, { "md_revocation_status", metrics_statuses[i] } };

                begin_labelled(w, name, labels, ELEMENTSOF(labels));
                say_number(w, str_equal(s->status, metrics_statuses[i]));
        }
}

static void write_other_until(const Writer *w, const MetricsStapling *s, const char *name) {
        if (s->status_until_usec > 0)
                write_other_number(w, s, name, s->status_until_usec / USEC_PER_SEC);
}

static void write_other_errors(const Writer *w, const MetricsStapling *s, const char *name) {
        write_other_number(w, s, name, s->status_errors);
}

/* The same ones for each family, the worst first. */
static void write_others(const Writer *w, const Metrics *m, const char *name, void (*write)(const Writer *w, const MetricsStapling *s, const char *name)) {
        size_t room = METRICS_OTHERS_MAX;

        for (size_t i = 0; i < ELEMENTSOF(metrics_statuses); i++)
                for (size_t k = 0; k < m->n_others && room > 0; k++)
                        if (str_equal(m->others[k].status, metrics_statuses[i])) {
                                write(w, &m->others[k], name);
                                room--;
                        }
}

static void write_status_number(const Writer *w, const MetricsDomain *d, const MetricsCertificate *c, const char *name, uint64_t value) {
        begin_sample(w, name, LABEL_DOMAIN(d), (Label){ "key", c->key });
        say_number(w, value);
}

#define FOREACH_CHECKED(m, d, c)                                                                                 \
        for (const MetricsDomain *d = (m)->domains; d < (m)->domains + (m)->n_domains; d++)                      \
                for (const MetricsCertificate *c = d->certificates; c < d->certificates + d->n_certificates; c++) \
                        if (c->status)

/* What responders (OCSP) and lists (CRL) say. */
static void write_statuses(const Writer *w, const Metrics *m) {
        begin_family(w, "md_revocation_status", "stateset", NULL, "What the certificate's OCSP responder or CRL says.");
        FOREACH_CHECKED(m, d, c)
                write_revocation(w, d, c);
        write_others(w, m, "md_revocation_status", write_other_status);
        begin_family(w, "md_revocation_status_expiry_timestamp_seconds", "gauge", "seconds", "Until when the OCSP response or CRL counts.");
        FOREACH_CHECKED(m, d, c)
                if (c->status_until_usec > 0)
                        write_status_number(w, d, c, "md_revocation_status_expiry_timestamp_seconds", c->status_until_usec / USEC_PER_SEC);
        write_others(w, m, "md_revocation_status_expiry_timestamp_seconds", write_other_until);
        begin_family(w, "md_revocation_status_consecutive_failures", "gauge", NULL, "Attempts to get an OCSP response or CRL that failed since one went well.");
        FOREACH_CHECKED(m, d, c)
                write_status_number(w, d, c, "md_revocation_status_consecutive_failures", c->status_errors);
        write_others(w, m, "md_revocation_status_consecutive_failures", write_other_errors);
}

static void write_reloads(const Writer *w, const Metrics *m) {
        begin_family(w, "md_reloads", "counter", NULL, "Reloads of a web server that went well, since md-manager was started.");
        for (size_t i = 0; i < m->n_reloads; i++) {
                begin_sample(w, "md_reloads_total", (Label){ "unit", m->reloads[i].unit }, NO_LABEL);
                say_number(w, m->reloads[i].n_done);
        }
        begin_family(w, "md_reload_failures", "counter", NULL,
                     "Reloads of a web server that failed, or after which it did not serve the new certificates.");
        for (size_t i = 0; i < m->n_reloads; i++) {
                begin_sample(w, "md_reload_failures_total", (Label){ "unit", m->reloads[i].unit }, NO_LABEL);
                say_number(w, m->reloads[i].n_failed);
        }
}

void metrics_write(const Metrics *m, MetricsSink sink, void *userdata) {
        const Writer w = { sink, userdata };

        begin_family(&w, "md_manager", "info", NULL, "Version of md-manager.");
        begin_sample(&w, "md_manager_info", (Label){ "version", m->version }, NO_LABEL);
        say(&w, "1\n");
        write_certificates(&w, m);
        write_statuses(&w, m);
        write_times(&w, m);
        write_states(&w, m);
        write_reloads(&w, m);
        say(&w, "# EOF\n");
}
