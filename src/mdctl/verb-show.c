/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl show: everything about a domain on one page. */

#include "mdctl/mdctl.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/domain-text.h"
#include "mdctl/format.h"
#include "mdctl/problem-text.h"

enum {
        INDENT = 12,
        LOG_SHOWN = 10, /* on the page; --json has all */
};

/* Gives the parts of structures names. Members that this program does not know stay as they are. */
static int decode(JsonObject *domain) {
        static const char *const certificate[] = { "KeySpec", "Issuer", "Serial", "NotBeforeUSec", "NotAfterUSec", "SHA256", NULL };
        static const char *const key[] = { "KeySpec", "Live", "Next", NULL };
        static const char *const record[] = { "Record", "Value", "UntilUSec", NULL };
        static const char *const status[] = { "KeySpec", "Source", "Status", "URL", "Stapled", "ThisUpdateUSec", "NextUpdateUSec", "NextUSec", "Errors", "LastProblem", NULL };
        static const char *const entry[] = { "WhenUSec", "Type", "Status", "Detail", NULL };
        JsonObject *certificates = bus_json_name_each(json_get_array(domain, "Certificates"), certificate);
        JsonObject *keys = bus_json_name_each(json_get_array(domain, "KeyHashes"), key);
        JsonObject *revocation = bus_json_name_each(json_get_array(domain, "Revocation"), status);
        JsonObject *log = bus_json_name_each(json_get_array(domain, "Log"), entry);
        JsonObject *records = bus_json_name_each(json_get_array(domain, "PersistRecords"), record);
        JsonObject *problem = problem_text_decode(json_get_array(domain, "LastProblem"));
        int r = 0;

        /* Each takes its object, also when it fails. */
        if (certificates)
                r = json_add_object(domain, "Certificates", certificates);
        if (keys && json_add_object(domain, "KeyHashes", keys) < 0)
                r = -1;
        if (records && json_add_object(domain, "PersistRecords", records) < 0)
                r = -1;
        if (revocation && json_add_object(domain, "Revocation", revocation) < 0)
                r = -1;
        if (log && json_add_object(domain, "Log", log) < 0)
                r = -1;
        json_object_object_del(domain, "LastProblem");
        if (problem && json_add_object(domain, "LastProblem", problem) < 0)
                r = -1;
        return r;
}

static void print_field(const char *label, const char *text) {
        if (!str_is_empty(text))
                printf("%*s: %s\n", INDENT, label, text);
}

static void print_list(const char *label, JsonObject *domain, const char *key) {
        JsonObject *list = json_get_array(domain, key);

        if (!list || json_object_array_length(list) == 0)
                return;
        printf("%*s:", INDENT, label);
        for (size_t i = 0; i < json_object_array_length(list); i++)
                printf(" %s", str_or(json_object_get_string(json_object_array_get_idx(list, i)), "-"));
        putchar('\n');
}

static bool has_certificate(JsonObject *domain) {
        JsonObject *list = json_get_array(domain, "Certificates");

        return list && json_object_array_length(list) > 0;
}

static void print_state(JsonObject *domain) {
        uint64_t until = get_number(domain, "ValidUntilUSec");
        bool expired = until != 0 && until <= clock_now_usec(), good = str_equal(get_text(domain, "State"), "complete") && !expired;
        Colour colour = good ? COLOUR_GOOD : expired ? COLOUR_BAD : COLOUR_WARN;

        printf("%*s: %s%s%s%s%s\n", INDENT, "State", colour_on(colour), get_text(domain, "State"), expired ? ", expired" : "", colour_off(colour),
               !json_get_bool(domain, "Managed", true) ? "; no server names it any more" : "");
        print_field("Refused", get_text(domain, "Refused"));
}

static void print_served(JsonObject *domain) {
        uint64_t installed = get_number(domain, "InstalledUSec");
        char when[FORMAT_TIME_MAX];

        if (!has_certificate(domain))
                return;
        if (json_get_bool(domain, "Served", false))
                printf("%*s: %syes%s%s%s\n", INDENT, "Served", colour_on(COLOUR_GOOD), colour_off(COLOUR_GOOD), installed > 0 ? ", since " : "",
                       installed > 0 ? format_time(when, installed) : "");
        else
                printf("%*s: %snot the newest certificate, as far as the servers said%s\n", INDENT, "Served", colour_on(COLOUR_WARN), colour_off(COLOUR_WARN));
}

/* What connections to the listeners showed. */
static void print_seen(JsonObject *domain) {
        const char *problem = get_text(domain, "SeenProblem");
        uint64_t seen = get_number(domain, "SeenUSec");
        char when[FORMAT_TIME_MAX];

        if (!str_is_empty(problem))
                printf("%*s: %s%s%s\n", INDENT, "Seen", colour_on(COLOUR_BAD), problem, colour_off(COLOUR_BAD));
        else if (seen > 0)
                printf("%*s: %sat every listener%s, %s\n", INDENT, "Seen", colour_on(COLOUR_GOOD), colour_off(COLOUR_GOOD), format_time(when, seen));
}

static void print_waiting(JsonObject *domain) {
        const char *name = get_text(domain, "Name"), *refused = get_text(domain, "Refused");

        if (!str_equal(get_text(domain, "WaitsFor"), "administrator"))
                return;
        printf("%*s: %syou%s: ", INDENT, "Waits For", colour_on(COLOUR_WARN), colour_off(COLOUR_WARN));
        if (str_is_empty(refused))
                printf("change the configuration, or say 'mdctl retry %s' when it is mended\n", name);
        else
                printf("the server disabled it until its configuration is changed\n");
}

static void print_next(JsonObject *domain) {
        const char *timer = get_text(domain, "TimerUnit");
        uint64_t next = get_number(domain, "NextUSec");
        char when[FORMAT_TIME_MAX];

        if (domain_text_is_reloading(domain)) { /* the times are those of the renewal after it */
                next = 0;
                timer = "";
        }
        printf("%*s: %s%s%s%s%s\n", INDENT, "Next", domain_text_next(domain), next > 0 ? ", " : "", next > 0 ? format_time(when, next) : "",
               str_is_empty(timer) ? "" : ", by ", timer);
        print_field("Why", str_or(get_text(domain, "Detail"), get_text(domain, "Reason")));
        print_waiting(domain);
        if (!str_equal(get_text(domain, "Job"), "/"))
                print_field("Job", get_text(domain, "Job"));
}

static void print_status(JsonObject *o) {
        const char *status = get_text(o, "Status"), *problem = get_text(o, "LastProblem");
        bool ocsp = str_equal(get_text(o, "Source"), "ocsp"), stapled = json_get_bool(o, "Stapled", false), known = !str_equal(status, "unknown");
        Colour colour = str_equal(status, "good") ? COLOUR_GOOD : str_equal(status, "revoked") ? COLOUR_BAD : COLOUR_WARN;
        char when[FORMAT_TIME_MAX];

        printf("%*s: %s%s%s%s%s%s\n", INDENT, ocsp ? "OCSP" : "CRL", colour_on(colour), status, colour_off(colour), stapled ? known ? ", stapled" : ", not stapled" : "",
               known ? " until " : "", known ? format_time(when, get_number(o, "NextUpdateUSec")) : "");
        print_field("Asked Again", format_time(when, get_number(o, "NextUSec")));
        if (!str_is_empty(problem))
                printf("%*s: %s (%u in a row)\n", INDENT, "Failed", problem, (unsigned) get_number(o, "Errors"));
}

static void print_certificate(JsonObject *domain, JsonObject *o) {
        JsonObject *list = json_get_array(domain, "Revocation");
        char begin[FORMAT_TIME_MAX], end[FORMAT_TIME_MAX];

        putchar('\n');
        printf("%*s: %s%s%s\n", INDENT, "Certificate", colour_on(COLOUR_BOLD), get_text(o, "KeySpec"), colour_off(COLOUR_BOLD));
        print_field("Valid", format_time(begin, get_number(o, "NotBeforeUSec")));
        printf("%*s  to %s\n", INDENT, "", format_time(end, get_number(o, "NotAfterUSec")));
        print_field("Issuer", get_text(o, "Issuer"));
        print_field("Serial", get_text(o, "Serial"));
        print_field("SHA-256", get_text(o, "SHA256"));
        for (size_t i = 0; list && i < json_object_array_length(list); i++)
                if (str_equal(get_text(json_object_array_get_idx(list, i), "KeySpec"), get_text(o, "KeySpec")))
                        print_status(json_object_array_get_idx(list, i));
}

/* Of keys that somebody wants to know before they are used; of the others, mdctl tlsa tells. */
static void print_next_keys(JsonObject *domain) {
        JsonObject *list = json_get_array(domain, "KeyHashes");
        bool any = false;

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                JsonObject *o = json_object_array_get_idx(list, i);

                if (str_is_empty(get_text(o, "Next")))
                        continue;
                if (!any)
                        putchar('\n');
                any = true;
                printf("%*s: %s, TLSA 3 1 1 %s\n", INDENT, "Next Key", get_text(o, "KeySpec"), get_text(o, "Next"));
        }
}

static void print_certificates(JsonObject *domain) {
        JsonObject *list = json_get_array(domain, "Certificates");

        for (size_t i = 0; list && i < json_object_array_length(list); i++)
                print_certificate(domain, json_object_array_get_idx(list, i));
}

static void print_record(JsonObject *o) {
        uint64_t until = get_number(o, "UntilUSec");
        bool good = until > clock_now_usec();
        Colour colour = good ? COLOUR_GOOD : COLOUR_WARN;
        char when[FORMAT_TIME_MAX];

        printf("%*s: %s. TXT \"%s\"\n", INDENT, "DNS Record", get_text(o, "Record"), get_text(o, "Value"));
        printf("%*s  %s%s%s%s\n", INDENT, "", colour_on(colour), until == 0 ? "not seen yet" : good ? "published" : "ended", colour_off(colour),
               until == 0 ? "" : until == UINT64_MAX ? ", without an end" : "");
        if (until > 0 && until < UINT64_MAX)
                print_field("until", format_time(when, until));
}

/* What the administrator is to publish for dns-persist-01. */
static void print_records(JsonObject *domain) {
        JsonObject *list = json_get_array(domain, "PersistRecords");
        size_t n = list ? json_object_array_length(list) : 0;

        if (n > 0)
                putchar('\n');
        for (size_t i = 0; i < n; i++)
                print_record(json_object_array_get_idx(list, i));
}

static void print_settings(JsonObject *domain) {
        char when[FORMAT_TIME_MAX];

        putchar('\n');
        print_field("Configured", get_text(domain, "DefinedAt"));
        print_list("Servers", domain, "Servers");
        print_list("CA", domain, "CertificateAuthorities");
        print_field("Account", get_text(domain, "Account"));
        print_list("Contact", domain, "Contacts");
        print_list("Keys", domain, "KeySpecs");
        print_field("Renew Mode", get_text(domain, "RenewMode"));
        if (get_number(domain, "RenewAtUSec") > 0)
                print_field("Renew From", format_time(when, get_number(domain, "RenewAtUSec")));
}

static void print_attempts(JsonObject *domain) {
        JsonObject *problem = json_get_object(domain, "LastProblem");
        char when[FORMAT_TIME_MAX];

        if (get_number(domain, "LastRunUSec") == 0 && !problem)
                return;
        putchar('\n');
        print_field("Last Run", format_time(when, get_number(domain, "LastRunUSec")));
        if (get_number(domain, "Errors") > 0)
                printf("%*s: %u in a row\n", INDENT, "Failures", (unsigned) get_number(domain, "Errors"));
        if (problem)
                problem_text_print(problem, INDENT);
}

static void print_log(JsonObject *domain) {
        JsonObject *log = json_get_array(domain, "Log");
        size_t n = log ? json_object_array_length(log) : 0;

        if (n > 0)
                putchar('\n');
        /* Newest first on the bus; people read downwards. */
        for (size_t i = MIN_OF(n, (size_t) LOG_SHOWN); i-- > 0;) {
                JsonObject *o = json_object_array_get_idx(log, i);
                const char *detail = get_text(o, "Detail"), *status = get_text(o, "Status");
                char when[CLOCK_HUMAN_MAX];

                printf("%s  %s%s%s%s%s\n", clock_format_utc(when, get_number(o, "WhenUSec")), get_text(o, "Type"), str_is_empty(status) ? "" : "  ", status,
                       str_is_empty(detail) ? "" : "  ", detail);
        }
}

int verb_show(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *domain = NULL;
        int r;

        r = client_get_domain(c, arguments[0], NULL, &domain);
        if (r != MDCTL_DONE)
                return r;
        if (decode(domain) < 0)
                return mdctl_oom();
        format_begin(c);
        if (c->json != JSON_OFF)
                return format_json(c, domain);

        printf("%s%s%s\n", colour_on(COLOUR_BOLD), get_text(domain, "Name"), colour_off(COLOUR_BOLD));
        print_list("Names", domain, "Names");
        print_state(domain);
        print_served(domain);
        print_seen(domain);
        print_next(domain);
        print_certificates(domain);
        print_next_keys(domain);
        print_settings(domain);
        print_records(domain);
        print_attempts(domain);
        print_log(domain);
        return MDCTL_DONE;
}
