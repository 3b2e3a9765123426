/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/domain-bus.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "bus/unit-name.h"
#include "manager/domain-size.h"
#include "manager/explain.h"
#include "manager/export.h"
#include "manager/hook-test.h"
#include "manager/manager-bus.h"
#include "manager/next-keys.h"
#include "manager/ocsp.h"
#include "manager/reload.h"
#include "manager/renewal.h"
#include "manager/rollback.h"
#include "manager/served.h"
#include "manager/turns.h"

#define GETTER(name)                                                                                                                          \
        static int name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata, \
                        sd_bus_error *error)

static int append_strv(sd_bus_message *reply, char *const *list) {
        return list ? sd_bus_message_append_strv(reply, (char **) list) : sd_bus_message_append(reply, "as", 0);
}

GETTER(get_name) {
        Domain *d = userdata;

        return sd_bus_message_append(reply, "s", DOMAIN_NAME(d));
}

GETTER(get_list) {
        Domain *d = userdata;

        if (str_equal(property, "Names"))
                return append_strv(reply, d->config->names);
        if (str_equal(property, "Contacts"))
                return append_strv(reply, d->config->contacts);
        return append_strv(reply, d->config->ca_urls);
}

GETTER(get_servers) {
        Domain *d = userdata;
        int r = sd_bus_message_open_container(reply, 'a', "s");

        for (size_t i = 0; r >= 0 && i < d->n_servers; i++)
                r = sd_bus_message_append(reply, "s", d->servers[i].snapshot->id);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

GETTER(get_key_specs) {
        Domain *d = userdata;
        char buffer[KEY_SPEC_NAME_MAX];
        int r = sd_bus_message_open_container(reply, 'a', "s");

        for (size_t i = 0; r >= 0 && i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                r = sd_bus_message_append(reply, "s", key_spec_name(&spec, buffer));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

GETTER(get_word) {
        Domain *d = userdata;
        const char *s = NULL;

        if (str_equal(property, "State"))
                s = domain_state_to_string(d->decision.state);
        else if (str_equal(property, "Action"))
                s = d->renewal ? "renewing" : decision_action_to_string(d->decision.action);
        else if (str_equal(property, "Reason"))
                s = decision_reason_to_string(d->decision.reason);
        else if (str_equal(property, "Detail"))
                s = str_or(reload_trouble(d), str_or(reload_excuse(d), d->decision.detail));
        else if (str_equal(property, "WaitsFor"))
                s = problem_class_to_string(domain_waiting_for(d));
        else if (str_equal(property, "RenewMode"))
                s = renew_mode_to_string(d->config->renew_mode);
        else if (str_equal(property, "Phase"))
                s = job_phase_to_string(d->job->phase);
        else if (str_equal(property, "Refused"))
                s = d->config->refused;
        else if (str_equal(property, "SeenProblem") && served_difference(d->manager->served, d))
                s = served_difference(d->manager->served, d)->detail;
        else if (str_equal(property, "Account"))
                s = d->job->account;
        return sd_bus_message_append(reply, "s", str_or(s, ""));
}

GETTER(get_defined_at) {
        Domain *d = userdata;
        _auto_free_ char *s = NULL;

        if (d->config->defined_file)
                s = str_printf("%s:%u", d->config->defined_file, d->config->defined_line);
        return sd_bus_message_append(reply, "s", str_or(s, ""));
}

GETTER(get_timer_unit) {
        Domain *d = userdata;
        _auto_free_ char *s = d->armed_usec ? unit_name_for_renewal(DOMAIN_NAME(d), ".timer") : NULL;

        return sd_bus_message_append(reply, "s", str_or(s, ""));
}

GETTER(get_time) {
        Domain *d = userdata;
        uint64_t t = 0;

        if (str_equal(property, "NextUSec"))
                t = d->wanted_usec;
        else if (str_equal(property, "RenewAtUSec"))
                t = decision_renew_at_usec(d->config, &d->live, d->job);
        else if (str_equal(property, "ValidUntilUSec"))
                t = domain_valid_until_usec(d);
        else if (str_equal(property, "LastRunUSec"))
                t = d->job->last_run_usec;
        else if (str_equal(property, "InstalledUSec"))
                t = d->job->installed_usec;
        else if (str_equal(property, "SeenUSec"))
                t = d->seen ? d->job->seen_usec : 0;
        return sd_bus_message_append(reply, "t", t);
}

GETTER(get_window) {
        Domain *d = userdata;
        const JobRenewalInfo *info = job_first_renewal_info(d->job);

        return sd_bus_message_append(reply, "t", !info ? (uint64_t) 0 : str_equal(property, "RenewalInfoStartUSec") ? info->start_usec : info->end_usec);
}

GETTER(get_flag) {
        Domain *d = userdata;

        return sd_bus_message_append(reply, "b", (int) (str_equal(property, "Managed") ? d->managed : str_equal(property, "Stapling") ? d->config->stapling : d->served && domain_used_facts(d)->n > 0));
}

GETTER(get_errors) {
        Domain *d = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t) d->job->errors);
}

int domain_bus_append_certificates(sd_bus_message *reply, const CertFactsList *facts) {
        int r = sd_bus_message_open_container(reply, 'a', "(ssstts)");

        for (size_t i = 0; r >= 0 && i < facts->n; i++) {
                const CertFacts *f = &facts->items[i];

                r = sd_bus_message_append(reply, "(ssstts)", str_or(f->spec, ""), str_or(f->issuer, ""), str_or(f->serial, ""), f->not_before_usec,
                                          f->not_after_usec, str_or(f->sha256, ""));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

GETTER(get_certificates) {
        Domain *d = userdata;

        return domain_bus_append_certificates(reply, domain_used_facts(d));
}

GETTER(get_revocation) {
        Domain *d = userdata;
        const CertFactsList *used = domain_used_facts(d);
        int r = sd_bus_message_open_container(reply, 'a', "(ssssbtttus)");

        for (size_t i = 0; r >= 0 && i < used->n; i++) {
                OcspKnown k = ocsp_known(d->manager->ocsp, d, &used->items[i]);

                if (k.source)
                        r = sd_bus_message_append(reply, "(ssssbtttus)", str_or(used->items[i].spec, ""), k.source, k.status, k.url, (int) k.offered, k.from_usec, k.until_usec,
                                                  k.next_usec, (uint32_t) k.errors, k.last ? k.last->detail : "");
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

GETTER(get_key_hashes) {
        Domain *d = userdata;
        char name[KEY_SPEC_NAME_MAX];
        int r = sd_bus_message_open_container(reply, 'a', "(sss)");

        for (size_t i = 0; r >= 0 && i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);
                const CertFacts *live = cert_facts_find(&d->live, key_spec_name(&spec, name));

                r = sd_bus_message_append(reply, "(sss)", name, live ? str_or(live->key_sha256, "") : "", str_or(next_key_sha256(d, &spec), ""));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

GETTER(get_last_problem) {
        Domain *d = userdata;
        const Problem *p = d->job->last;

        return sd_bus_message_append(reply, "(sssst)", p ? p->type : "", p ? p->detail : "", p ? str_or(p->activity, "") : "", p ? str_or(p->subproblems, "") : "",
                                     p ? p->retry_after_usec : (uint64_t) 0);
}

GETTER(get_job) {
        Domain *d = userdata;

        return sd_bus_message_append(reply, "o", d->renewal ? d->renewal->task.path : "/");
}

/* Everybody may ask for everything at once: what a domain says of itself has a ceiling, because dbus-daemon throws out whoever sends a message
 * above its own (32 MiB), and that would be us. */
enum {
        LOG_SHOWN = 8,
        LOG_DETAIL_MAX = 240,
        LOG_TEXT_MAX = 8 * 1024, /* for who asks for the whole log of one domain */
        OBJECTS_MAX = 1000, /* domains in one GetManagedObjects() */
        OBJECTS_SIZE_MAX = 24 * 1024 * 1024, /* of all of them */
};

static int append_log(sd_bus_message *reply, const Job *job, size_t max, size_t detail_max) {
        int r = sd_bus_message_open_container(reply, 'a', "(tsss)");

        for (size_t i = 0; r >= 0 && i < MIN_OF(job->n_log, max); i++) {
                const JobLogEntry *e = &job->log[i];
                const char *detail = str_or(e->detail, "");
                _auto_free_ char *shown = str_printable(detail, strlen(detail), detail_max);

                r = sd_bus_message_append(reply, "(tsss)", e->when_usec, str_or(e->type, ""), str_or(e->status, ""), str_or(shown, ""));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

GETTER(get_log) {
        Domain *d = userdata;

        return append_log(reply, d->job, LOG_SHOWN, LOG_DETAIL_MAX);
}

static int method_get_log(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Domain *d = userdata;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = append_log(reply, d->job, SIZE_MAX, LOG_TEXT_MAX);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int domain_bus_renew(Domain *d, bool force, sd_bus_message *call, sd_bus_error *error) {
        int r = authorize(d->manager, call, ACTION_RENEW, DOMAIN_NAME(d), error);

        if (r <= 0)
                return r < 0 ? r : 1;
        switch (domain_renew(d, force)) {

        case DOMAIN_RENEW_DONE:
        case DOMAIN_RENEW_E_RUNNING:
                return sd_bus_reply_method_return(call, "o", d->renewal->task.path);

        case DOMAIN_RENEW_E_REFUSED:
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "%s: %s", DOMAIN_NAME(d),
                                         str_or(d->config->refused, "no server names this domain any more"));

        default:
                return sd_bus_error_setf(error, BUS_ERROR_NOTHING_TO_DO, "%s: Nothing is due%s%s", DOMAIN_NAME(d), d->decision.detail ? ": " : "",
                                         str_or(d->decision.detail, ""));
        }
}

static int method_renew(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Domain *d = userdata;
        int force, r;

        r = sd_bus_message_read(call, "b", &force);
        return r < 0 ? r : domain_bus_renew(d, force, call, error);
}

static int reply_retry(Domain *d, sd_bus_message *call, int outcome, sd_bus_error *error) {
        switch (outcome) {

        case DOMAIN_RENEW_DONE:
        case DOMAIN_RENEW_E_RUNNING:
                return sd_bus_reply_method_return(call, "o", d->renewal ? d->renewal->task.path : "/");

        case DOMAIN_RENEW_E_REFUSED:
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "%s: %s", DOMAIN_NAME(d),
                                         str_or(d->config->refused, "no server names this domain any more"));

        default:
                return sd_bus_error_setf(error, BUS_ERROR_NOTHING_TO_DO, "%s: Nothing failed that waits for its next attempt", DOMAIN_NAME(d));
        }
}

static int method_retry(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Domain *d = userdata;
        int r = authorize(d->manager, call, ACTION_RENEW, DOMAIN_NAME(d), error);

        return r <= 0 ? (r < 0 ? r : 1) : reply_retry(d, call, domain_retry(d), error);
}

static int method_test_hook(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Domain *d = userdata;
        const char *event;
        int r;

        r = sd_bus_message_read(call, "s", &event);
        if (r < 0)
                return r;
        r = authorize(d->manager, call, ACTION_TEST_HOOK, DOMAIN_NAME(d), error);
        if (r <= 0)
                return r < 0 ? r : 1;
        return hook_test_new(d, event, call, error);
}

static int method_get_chain(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        int r = export_chain(userdata, call, error);

        return r < 0 ? r : 1;
}

static int method_get_private_key(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        int r = export_key(userdata, call, error);

        return r < 0 ? r : 1;
}

static int method_get_pkcs12(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        int r = export_pkcs12(userdata, call, error);

        return r < 0 ? r : 1;
}

static int append_facts(sd_bus_message *reply, const Explanation *e) {
        int r = sd_bus_message_open_container(reply, 'a', "(ssst)");

        for (size_t i = 0; r >= 0 && i < e->n; i++)
                r = sd_bus_message_append(reply, "(ssst)", e->facts[i].topic, e->facts[i].key, e->facts[i].text, e->facts[i].when_usec);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_explain(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(explanation_done) Explanation e = { 0 };
        int r;

        r = explain(userdata, &e);
        if (r == 0)
                r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = append_facts(reply, &e);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* Record, what it is to be, and until when the one that was seen is good; 0: none was seen. */
GETTER(get_persist_records) {
        Domain *d = userdata;
        const PersistRecords *records = &d->job->persist_records;
        int r = sd_bus_message_open_container(reply, 'a', "(sst)");

        for (size_t i = 0; r >= 0 && i < records->n; i++)
                r = sd_bus_message_append(reply, "(sst)", records->items[i].name, records->items[i].value, records->items[i].until_usec);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Names", "as", get_list, 0, CHANGES),
        SD_BUS_PROPERTY("Contacts", "as", get_list, 0, CHANGES),
        SD_BUS_PROPERTY("CertificateAuthorities", "as", get_list, 0, CHANGES),
        SD_BUS_PROPERTY("Servers", "as", get_servers, 0, CHANGES),
        SD_BUS_PROPERTY("KeySpecs", "as", get_key_specs, 0, CHANGES),
        SD_BUS_PROPERTY("DefinedAt", "s", get_defined_at, 0, CHANGES),
        SD_BUS_PROPERTY("RenewMode", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Managed", "b", get_flag, 0, CHANGES),
        SD_BUS_PROPERTY("Refused", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("State", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Action", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Reason", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Detail", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("WaitsFor", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("NextUSec", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("TimerUnit", "s", get_timer_unit, 0, CHANGES),
        SD_BUS_PROPERTY("RenewAtUSec", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("RenewalInfoStartUSec", "t", get_window, 0, CHANGES),
        SD_BUS_PROPERTY("RenewalInfoEndUSec", "t", get_window, 0, CHANGES),
        SD_BUS_PROPERTY("ValidUntilUSec", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("Certificates", "a(ssstts)", get_certificates, 0, CHANGES),
        SD_BUS_PROPERTY("Stapling", "b", get_flag, 0, CHANGES),
        SD_BUS_PROPERTY("Revocation", "a(ssssbtttus)", get_revocation, 0, CHANGES),
        SD_BUS_PROPERTY("KeyHashes", "a(sss)", get_key_hashes, 0, CHANGES),
        SD_BUS_PROPERTY("Served", "b", get_flag, 0, CHANGES),
        SD_BUS_PROPERTY("InstalledUSec", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("SeenUSec", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("SeenProblem", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Phase", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("Account", "s", get_word, 0, CHANGES),
        SD_BUS_PROPERTY("PersistRecords", "a(sst)", get_persist_records, 0, CHANGES),
        SD_BUS_PROPERTY("LastRunUSec", "t", get_time, 0, CHANGES),
        SD_BUS_PROPERTY("Errors", "u", get_errors, 0, CHANGES),
        SD_BUS_PROPERTY("LastProblem", "(sssst)", get_last_problem, 0, CHANGES),
        SD_BUS_PROPERTY("Job", "o", get_job, 0, CHANGES),
        SD_BUS_PROPERTY("Log", "a(tsss)", get_log, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_METHOD_WITH_ARGS("Renew", SD_BUS_ARGS("b", force), SD_BUS_RESULT("o", job), method_renew, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Retry", SD_BUS_NO_ARGS, SD_BUS_RESULT("o", job), method_retry, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetLog", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tsss)", entries), method_get_log, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetChain", SD_BUS_ARGS("s", key), SD_BUS_RESULT("s", chain), method_get_chain, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPrivateKey", SD_BUS_ARGS("s", key), SD_BUS_RESULT("s", private_key, "s", chain), method_get_private_key,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("GetPkcs12", SD_BUS_ARGS("s", key, "s", password), SD_BUS_RESULT("ay", pkcs12), method_get_pkcs12,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("TestHook", SD_BUS_ARGS("s", event), SD_BUS_RESULT("aa{sv}", descriptions), method_test_hook, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssst)", facts), method_explain, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListArchive", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(tta(ssstts)s)", sets), rollback_bus_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rollback", SD_BUS_ARGS("t", set), SD_BUS_RESULT("t", set), rollback_bus_start, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static const char *const changing[] = {
        "Names", "Contacts", "CertificateAuthorities", "Servers", "KeySpecs", "DefinedAt", "RenewMode", "Managed", "Refused", "State", "Action", "Reason", "Detail",
        "WaitsFor", "NextUSec", "TimerUnit", "RenewAtUSec", "RenewalInfoStartUSec", "RenewalInfoEndUSec", "ValidUntilUSec", "Certificates", "KeyHashes", "Served",
        "InstalledUSec", "SeenUSec", "SeenProblem", "Stapling", "Revocation", "Phase", "Account", "PersistRecords", "LastRunUSec", "Errors", "LastProblem", "Job",
        "Log", NULL,
};

static int find_domain(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found, sd_bus_error *error) {
        Manager *m = userdata;
        _auto_free_ char *name = NULL;
        int r;

        r = sd_bus_path_decode(path, BUS_PATH_DOMAIN, &name);
        if (r <= 0)
                return r;
        *ret_found = turns_find(m->turns, name);
        return *ret_found ? 1 : 0;
}

/* For one message. */
static bool is_too_much(const Manager *m) {
        const char *name;
        size_t n = 0;
        Domain *d;

        if (map_size(m->domains) > OBJECTS_MAX)
                return true;
        MAP_FOREACH(m->domains, name, d)
                n += domain_size(d);
        return n > OBJECTS_SIZE_MAX;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        Manager *m = userdata;
        char **nodes = NULL;
        const char *name;
        Domain *d;
        int r = 0;

        if (is_too_much(m))
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many domains for one message: use ListDomains()");
        MAP_FOREACH(m->domains, name, d)
                if (r >= 0)
                        r = strv_extend(&nodes, d->path);
        if (r < 0) {
                strv_free(nodes);
                return r;
        }
        *ret_nodes = nodes;
        return 0;
}

int domain_bus_register(Manager *m) {
        int r = sd_bus_add_fallback_vtable(m->bus, NULL, BUS_PATH_DOMAIN, BUS_INTERFACE_DOMAIN, vtable, find_domain, m);

        return r < 0 ? r : sd_bus_add_node_enumerator(m->bus, NULL, BUS_PATH_DOMAIN, enumerate, m);
}

static bool anybody_listens(const Domain *d) {
        return d->manager->bus && sd_bus_is_ready(d->manager->bus) > 0;
}

void domain_bus_removed(Domain *d) {
        if (d->announced && anybody_listens(d))
                (void) sd_bus_emit_object_removed(d->manager->bus, d->path);
}

static uint64_t mix(uint64_t h, uint64_t v) {
        return (h ^ v) * UINT64_C(0x100000001b3);
}

static uint64_t mix_string(uint64_t h, const char *s) {
        for (; s && *s; s++)
                h = mix(h, (unsigned char) *s);
        return mix(h, 0x100);
}

/* Everything that changes without a snapshot or a certificate changing; those two are in it by their own marks. */
static uint64_t hash_state(const Domain *d) {
        const CertFactsList *used = domain_used_facts(d);
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        h = mix(mix(mix(h, (uint64_t) d->decision.action), (uint64_t) d->decision.reason), (uint64_t) d->decision.state);
        h = mix(mix(mix(h, d->wanted_usec), d->armed_usec), (uint64_t) d->job->phase);
        h = mix(mix(mix(h, d->job->errors), d->job->last_run_usec), d->job->installed_usec);
        h = mix(mix(mix(h, d->served), d->managed), (uint64_t) (uintptr_t) d->renewal);
        h = mix(mix(h, (uint64_t) domain_waiting_for(d)), d->checked);
        h = mix(mix(h, d->seen), (uint64_t) (uintptr_t) served_difference(d->manager->served, d));
        h = mix(mix_string(mix_string(h, d->decision.detail), d->job->last ? d->job->last->detail : NULL), d->job->n_log ? d->job->log[0].when_usec : 0);
        for (size_t i = 0; i < used->n; i++)
                h = mix_string(h, used->items[i].sha256);
        for (size_t i = 0; i < d->n_next_keys; i++)
                h = mix_string(h, d->next_keys[i].sha256);
        for (size_t i = 0; i < d->job->persist_records.n; i++)
                h = mix(mix_string(mix_string(h, d->job->persist_records.items[i].name), d->job->persist_records.items[i].value), d->job->persist_records.items[i].until_usec);
        STRV_FOREACH(name, d->config->names)
                h = mix_string(h, *name);
        STRV_FOREACH(url, d->config->ca_urls)
                h = mix_string(h, *url);
        return mix_string(mix_string(mix(h, d->config->defined_line), d->config->defined_file), d->config->refused);
}

void domain_bus_changed(Domain *d) {
        uint64_t now = hash_state(d);
        bool announced = d->announced;

        if (announced && now == d->told)
                return;
        d->told = now;
        d->announced = true;
        if (!anybody_listens(d))
                return;
        if (!announced) /* with all properties */
                (void) sd_bus_emit_object_added(d->manager->bus, d->path);
        else
                (void) sd_bus_emit_properties_changed_strv(d->manager->bus, d->path, BUS_INTERFACE_DOMAIN, (char **) changing);
}
