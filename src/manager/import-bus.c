/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import-bus.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "manager/import-apply.h"
#include "manager/manager-bus.h"

/* What the files of a call are: an account, or a certificate and what becomes of it. */
typedef struct Kind {
        const char *format, *kind;
        int (*read_account)(const ImportSource *s, ImportAccount *ret, Problem **ret_problem);
        int (*read_certificate)(const ImportSource *s, ImportCertificate *ret, Problem **ret_problem);
        int (*apply)(Manager *m, ImportCertificate *c, bool dry_run, ImportReport *report, Problem **ret_problem);
} Kind;

static const Kind kinds[] = {
        { "mod_md",  "account",     .read_account = import_mod_md_account },
        { "mod_md",  "certificate", .read_certificate = import_mod_md_certificate,  .apply = import_apply_certificate },
        { "mod_md",  "archived",    .read_certificate = import_mod_md_certificate,  .apply = import_apply_archived },
        { "certbot", "account",     .read_account = import_certbot_account },
        { "certbot", "certificate", .read_certificate = import_certbot_certificate, .apply = import_apply_certificate },
        { "acme.sh", "account",     .read_account = import_acme_sh_account },
        { "acme.sh", "certificate", .read_certificate = import_acme_sh_certificate, .apply = import_apply_certificate },
};

typedef struct Request {
        const char *format, *kind, *name;
        int fd; /* the message's */
        int dry_run;
} Request;

static const Kind *find_kind(const Request *q) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (str_equal(kinds[i].format, q->format) && str_equal(kinds[i].kind, q->kind))
                        return &kinds[i];
        return NULL;
}

static int run_account(Manager *m, const Kind *kind, const ImportSource *s, const Request *q, ImportReport *report, Problem **ret_problem) {
        _auto_import_account_ ImportAccount a = { 0 };
        int r = kind->read_account(s, &a, ret_problem);

        return r == 0 ? import_apply_account(m, &a, q->dry_run, report, ret_problem) : r;
}

static int run_certificate(Manager *m, const Kind *kind, const ImportSource *s, const Request *q, ImportReport *report, Problem **ret_problem) {
        _auto_import_certificate_ ImportCertificate c = { 0 };
        int r = kind->read_certificate(s, &c, ret_problem);

        return r == 0 ? kind->apply(m, &c, q->dry_run, report, ret_problem) : r;
}

/* What is wrong with the files is no error of the call. */
static int note_outcome(int r, const Problem *problem, ImportReport *report) {
        report->result = r == IMPORT_E_NOTHING ? IMPORT_LEFT_OUT : IMPORT_REFUSED;
        return import_note(&report->remarks, "%s", problem ? problem->detail : "no reason is known");
}

static int reply(sd_bus_message *call, const ImportReport *report) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_return(call, &m);

        if (r >= 0)
                r = sd_bus_message_append(m, "ss", import_result_to_string(report->result), str_or(report->target, ""));
        if (r >= 0)
                r = sd_bus_message_append_strv(m, report->remarks);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, report->configuration);
        return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static int run(Manager *m, const Kind *kind, const Request *q, sd_bus_message *call, sd_bus_error *error) {
        _auto_import_report_ ImportReport report = { 0 };
        _auto_bundle_ Bundle files = { 0 };
        _auto_problem_ Problem *problem = NULL;
        const ImportSource source = { .name = q->name, .files = &files, .now_usec = clock_now_usec() };
        int r;

        r = bundle_read(q->fd, &files);
        if (r == BUNDLE_E_INVALID)
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "The files are no bundle in sealed memory");
        if (r == 0)
                r = kind->read_account ? run_account(m, kind, &source, q, &report, &problem) : run_certificate(m, kind, &source, q, &report, &problem);
        if (r > 0)
                r = note_outcome(r, problem, &report);
        if (r < 0 && problem)
                return bus_error_from_problem(error, r == -EBUSY ? BUS_ERROR_BUSY : BUS_ERROR_FAILED, problem);
        return r < 0 ? r : reply(call, &report);
}

static int authorize_import(Manager *m, const Request *q, sd_bus_message *call, sd_bus_error *error) {
        char *details[] = { (char *) "source", (char *) q->format, (char *) "kind", (char *) q->kind, (char *) "name", (char *) q->name, NULL };

        return authorize_details(m, call, ACTION_IMPORT, details, error);
}

int import_bus_import(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        Request q = { .fd = -1 };
        const Kind *kind;
        int r;

        r = sd_bus_message_read(call, "ssshb", &q.format, &q.kind, &q.name, &q.fd, &q.dry_run);
        if (r < 0)
                return r;
        kind = find_kind(&q);
        if (!kind || !bundle_name_is_valid(q.name))
                return sd_bus_error_set(error, BUS_ERROR_INVALID, "There is no such format, no such kind, or the name is none");
        r = authorize_import(m, &q, call, error);
        return r <= 0 ? (r < 0 ? r : 1) : run(m, kind, &q, call, error);
}
