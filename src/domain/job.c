/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/job.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/enum-table.h"
#include "base/string-util.h"
#include "domain/name.h"

enum {
        STATUS_MAX = 256,
        DETAIL_MAX = 2048,
        URL_MAX = 4096,
        ACCOUNT_MAX = 200,
        TXT_VALUE_LENGTH = 43, /* SHA-256 as base64url */
};

#define SETUP_DNS01 "dns-01:"

static const char *const job_phase_table[_JOB_PHASE_MAX] = {
        [JOB_PHASE_IDLE] = "idle",
        [JOB_PHASE_ORDERING] = "ordering",
        [JOB_PHASE_STAGED] = "staged",
        [JOB_PHASE_ACTIVATED] = "activated",
};

DEFINE_ENUM_TABLE(job_phase, JobPhase)

Job *job_new(const char *name) {
        _cleanup_(job_freep) Job *j = NULL;

        assert(name);

        j = calloc(1, sizeof(*j));
        if (!j || str_replace(&j->name, name) < 0)
                return NULL;
        return take_ptr(j);
}

static void log_entry_done(JobLogEntry *e) {
        free(e->type);
        free(e->status);
        free(e->detail);
        *e = (JobLogEntry){};
}

static void renewal_info_done(JobRenewalInfo *i) {
        free(i->spec);
        free(i->id);
        free(i->explanation_url);
        *i = (JobRenewalInfo){};
}

Job *job_free(Job *j) {
        if (!j)
                return NULL;

        job_forget_order(j);
        strv_free(j->challenge_setups);
        persist_records_done(&j->persist_records);
        for (size_t i = 0; i < j->n_log; i++)
                log_entry_done(&j->log[i]);
        free(j->log);
        (void) problem_free(j->last);
        for (size_t i = 0; i < j->n_renewal_info; i++)
                renewal_info_done(&j->renewal_info[i]);
        strv_free(j->revoked);
        strv_free(j->revoked_keys);
        strv_free(j->revoked_told);
        free(j->live_ca_url);
        free(j->live_account);
        free(j->ca_url);
        free(j->account);
        free(j->name);
        free(j);
        return NULL;
}

void job_forget_order(Job *j) {
        assert(j);

        free(j->order_url);
        free(j->finalize_url);
        j->order_url = j->finalize_url = NULL;
        j->authorizations = strv_free(j->authorizations);
}

/* A printable copy; NULL stays NULL. */
static int copy_text(char **ret, const char *s, size_t max) {
        if (!s)
                return 0;
        *ret = str_printable(s, strlen(s), max);
        return *ret ? 0 : -ENOMEM;
}

static int log_entry_init(JobLogEntry *e, uint64_t when_usec, const char *type, const char *status, const char *detail) {
        *e = (JobLogEntry){ .when_usec = when_usec };
        if (copy_text(&e->type, type, STATUS_MAX) < 0 || copy_text(&e->status, status, STATUS_MAX) < 0 ||
            copy_text(&e->detail, detail, DETAIL_MAX) < 0) {
                log_entry_done(e);
                return -ENOMEM;
        }
        return 0;
}

/* Room for all entries at once: there are never many. */
static int log_make_room(Job *j) {
        if (!j->log)
                j->log = calloc(JOB_LOG_MAX, sizeof(*j->log));
        return j->log ? 0 : -ENOMEM;
}

int job_log_add(Job *j, uint64_t when_usec, const char *type, const char *status, const char *detail) {
        JobLogEntry e;

        assert(j);
        assert(type);

        if (log_make_room(j) < 0 || log_entry_init(&e, when_usec, type, status, detail) < 0)
                return -ENOMEM;
        if (j->n_log == JOB_LOG_MAX)
                log_entry_done(&j->log[--j->n_log]);
        memmove(j->log + 1, j->log, j->n_log * sizeof(*j->log));
        j->log[0] = e;
        j->n_log++;
        return 0;
}

char *job_setup_format(const char *name, const char *value) {
        return str_printf(SETUP_DNS01 "%s %s", name, value);
}

bool job_setup_parse(const char *setup, char **ret_name, const char **ret_value) {
        const char *name = str_after_prefix(setup, SETUP_DNS01), *blank = name ? strchr(name, ' ') : NULL;
        _auto_free_ char *copy = NULL;

        assert(ret_name);
        assert(ret_value);

        if (!blank || strlen(blank + 1) != TXT_VALUE_LENGTH ||
            strspn(blank + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != TXT_VALUE_LENGTH)
                return false;
        copy = strndup(name, (size_t) (blank - name));
        if (!copy || !domain_name_is_valid(copy) || domain_name_is_wildcard(copy))
                return false;

        *ret_name = take_ptr(copy);
        *ret_value = blank + 1;
        return true;
}

const JobRenewalInfo *job_first_renewal_info(const Job *j) {
        const JobRenewalInfo *first = NULL;

        for (size_t i = 0; i < j->n_renewal_info; i++)
                if (j->renewal_info[i].start_usec != 0 && (!first || j->renewal_info[i].start_usec < first->start_usec))
                        first = &j->renewal_info[i];
        return first;
}

JobRenewalInfo *job_find_renewal_info(Job *j, const char *spec) {
        for (size_t i = 0; i < j->n_renewal_info; i++)
                if (str_equal(j->renewal_info[i].spec, spec))
                        return &j->renewal_info[i];
        return NULL;
}

JobRenewalInfo *job_keep_renewal_info(Job *j, const char *spec, const char *id) {
        JobRenewalInfo *found = job_find_renewal_info(j, spec), fresh = {};

        if (found && str_equal(found->id, id))
                return found;
        if (!found && j->n_renewal_info == ELEMENTSOF(j->renewal_info)) { /* keys that were configured once */
                renewal_info_done(&j->renewal_info[0]);
                memmove(&j->renewal_info[0], &j->renewal_info[1], sizeof(j->renewal_info) - sizeof(j->renewal_info[0]));
                j->n_renewal_info--;
        }
        if (str_replace(&fresh.spec, spec) < 0 || str_replace(&fresh.id, id) < 0) {
                renewal_info_done(&fresh);
                return NULL;
        }
        if (found)
                renewal_info_done(found);
        else
                found = &j->renewal_info[j->n_renewal_info++];
        *found = fresh;
        return found;
}

void job_note_issued(Job *j, uint64_t when_usec) {
        memmove(&j->issued_usec[1], &j->issued_usec[0], sizeof(j->issued_usec) - sizeof(j->issued_usec[0]));
        j->issued_usec[0] = when_usec;
}

static int note_fingerprint(char ***list, const char *sha256) {
        if (strv_contains(*list, sha256))
                return 0;
        if (strv_length(*list) >= JOB_REVOKED_MAX) {
                free((*list)[0]);
                memmove(&(*list)[0], &(*list)[1], strv_length(*list + 1) * sizeof(**list) + sizeof(**list));
        }
        return strv_extend(list, sha256);
}

int job_note_revoked(Job *j, const char *sha256) {
        return note_fingerprint(&j->revoked, sha256);
}

int job_note_revoked_key(Job *j, const char *key_sha256) {
        return note_fingerprint(&j->revoked_keys, key_sha256);
}

int job_note_revoked_told(Job *j, const char *sha256) {
        return note_fingerprint(&j->revoked_told, sha256);
}

bool job_is_revoked_told(const Job *j, const char *sha256) {
        return strv_contains(j->revoked, sha256) || strv_contains(j->revoked_told, sha256);
}

/* To JSON */

/* "rateLimited" of "urn:ietf:params:acme:error:rateLimited" */
static const char *short_type(const Problem *p) {
        const char *colon = strrchr(p->type, ':');

        return colon ? colon + 1 : p->type;
}

static int last_to_json(const Job *j, JsonObject *o) {
        _auto_json_ JsonObject *last = NULL;

        if (j->last_run_usec == 0 && !j->last)
                return 0;
        last = json_object_new_object();
        if (!last)
                return -ENOMEM;
        if (j->last) {
                if (problem_to_json(j->last, last) < 0 || json_add_string(last, "status-description", short_type(j->last)) < 0)
                        return -ENOMEM;
        } else if (json_add_int(last, "status", 0) < 0) /* scripts of mod_md's users look at this */
                return -ENOMEM;
        return json_add_object(o, "last", take_ptr(last));
}

static int order_to_json(const Job *j, JsonObject *o) {
        _auto_json_ JsonObject *order = NULL;

        if (!j->order_url)
                return 0;
        order = json_object_new_object();
        if (!order || json_add_string(order, "url", j->order_url) < 0 || json_add_string(order, "finalize", j->finalize_url) < 0)
                return -ENOMEM;
        /* The order itself names them too. */
        if (strv_length(j->authorizations) <= JOB_AUTHORIZATIONS_MAX &&
            json_add_strv(order, "authorizations", j->authorizations) < 0)
                return -ENOMEM;
        return json_add_object(o, "order", take_ptr(order));
}

static int log_entry_to_json(const JobLogEntry *e, JsonObject *entries) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_time(o, "when", e->when_usec) < 0 || json_add_string(o, "type", e->type) < 0 ||
            json_add_string(o, "status", e->status) < 0 || json_add_string(o, "detail", e->detail) < 0)
                return -ENOMEM;
        if (json_object_array_add(entries, o) < 0)
                return -ENOMEM;
        (void) take_ptr(o);
        return 0;
}

static int log_to_json(const Job *j, JsonObject *o) {
        _auto_json_ JsonObject *log = NULL, *entries = NULL;

        if (j->n_log == 0)
                return 0;
        log = json_object_new_object();
        entries = json_object_new_array();
        if (!log || !entries)
                return -ENOMEM;
        for (size_t i = 0; i < j->n_log; i++)
                if (log_entry_to_json(&j->log[i], entries) < 0)
                        return -ENOMEM;
        if (json_add_object(log, "entries", take_ptr(entries)) < 0)
                return -ENOMEM;
        return json_add_object(o, "log", take_ptr(log));
}

static int live_to_json(const Job *j, JsonObject *o) {
        _auto_json_ JsonObject *live = NULL;

        if (!j->live_ca_url)
                return 0;
        live = json_object_new_object();
        if (!live || json_add_string(live, "ca-url", j->live_ca_url) < 0 || json_add_string(live, "account", j->live_account) < 0)
                return -ENOMEM;
        return json_add_object(o, "live", take_ptr(live));
}

/* Seconds since the epoch: there may be many. */
static int issued_to_json(const Job *j, JsonObject *o) {
        _auto_json_ JsonObject *list = NULL;

        if (j->issued_usec[0] == 0)
                return 0;
        list = json_object_new_array();
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(j->issued_usec) && j->issued_usec[i] > 0; i++) {
                JsonObject *n = json_object_new_int64((int64_t) (j->issued_usec[i] / USEC_PER_SEC));

                if (!n || json_object_array_add(list, n) < 0) {
                        json_object_put(n);
                        return -ENOMEM;
                }
        }
        return json_add_object(o, "issued", take_ptr(list));
}

static int renewal_info_to_json(const JobRenewalInfo *i, JsonObject *list) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "spec", i->spec) < 0 || json_add_string(o, "id", i->id) < 0 || json_add_time(o, "start", i->start_usec) < 0 ||
            json_add_time(o, "end", i->end_usec) < 0 || json_add_time(o, "chosen", i->chosen_usec) < 0 ||
            json_add_time(o, "next-poll", i->next_poll_usec) < 0 || json_add_string(o, "explanation-url", i->explanation_url) < 0 ||
            (i->failures > 0 && json_add_uint(o, "failures", i->failures) < 0) || json_object_array_add(list, o) < 0)
                return -ENOMEM;
        (void) take_ptr(o);
        return 0;
}

static int renewal_infos_to_json(const Job *j, JsonObject *o) {
        _auto_json_ JsonObject *list = NULL;

        if (j->n_renewal_info == 0)
                return 0;
        list = json_object_new_array();
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < j->n_renewal_info; i++)
                if (renewal_info_to_json(&j->renewal_info[i], list) < 0)
                        return -ENOMEM;
        return json_add_object(o, "renewal-info", take_ptr(list));
}

int job_to_json(const Job *j, JsonObject **ret) {
        _auto_json_ JsonObject *o = NULL;

        assert(j);
        assert(ret);

        o = json_object_new_object();
        if (!o || json_add_string(o, "name", j->name) < 0 || json_add_string(o, "phase", job_phase_to_string(j->phase)) < 0 ||
            json_add_bool(o, "finished", j->finished) < 0 || json_add_time(o, "next-run", usec_round_up(j->next_run_usec)) < 0 ||
            json_add_time(o, "last-run", j->last_run_usec) < 0 || json_add_time(o, "staged", j->staged_usec) < 0 || json_add_time(o, "activated", j->activated_usec) < 0 || json_add_time(o, "installed", j->installed_usec) < 0 ||
            json_add_time(o, "replaced-until", j->replaced_until_usec) < 0 || json_add_time(o, "seen", j->seen_usec) < 0 ||
            (j->asked && json_add_bool(o, "asked", true) < 0) || (j->rollback > 0 && json_add_uint(o, "rollback", j->rollback) < 0) ||
            (j->rolled_back && json_add_bool(o, "rolled-back", true) < 0) || json_add_uint(o, "errors", j->errors) < 0 || last_to_json(j, o) < 0 || json_add_string(o, "ca-url", j->ca_url) < 0 ||
            json_add_string(o, "account", j->account) < 0 || order_to_json(j, o) < 0 ||
            (j->challenge_setups && json_add_strv(o, "challenge-setups", j->challenge_setups) < 0) ||
            (j->ca_errors > 0 && json_add_uint(o, "ca-errors", j->ca_errors) < 0) || live_to_json(j, o) < 0 || json_add_strv(o, "revoked", j->revoked) < 0 || json_add_strv(o, "revoked-keys", j->revoked_keys) < 0 ||
            json_add_strv(o, "revoked-told", j->revoked_told) < 0 ||
            persist_records_to_json(&j->persist_records, o) < 0 || issued_to_json(j, o) < 0 || renewal_infos_to_json(j, o) < 0 || log_to_json(j, o) < 0)
                return -ENOMEM;
        *ret = take_ptr(o);
        return 0;
}

/* From JSON: what cannot be believed is left out. */

/* A CA may be a socket of a daemon's. */
static bool url_is_plausible(const char *s, bool is_ca) {
        if (!s || !(str_has_prefix(s, "https://") || str_has_prefix(s, "http://") || (is_ca && str_has_prefix(s, "file://localhost/"))) || strnlen(s, URL_MAX + 1) > URL_MAX)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s <= ' ' || (unsigned char) *s >= 0x7f)
                        return false;
        return true;
}

/* It names a directory. */
static bool account_is_plausible(const char *s) {
        size_t n;

        if (!s || *s == '.')
                return false;
        n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");
        return n > 0 && n <= ACCOUNT_MAX && !s[n];
}

static int read_url(JsonObject *o, const char *key, char **ret) {
        const char *s = json_get_string(o, key);

        return url_is_plausible(s, false) ? str_replace(ret, s) : 0;
}

static int read_ca_url(JsonObject *o, char **ret) {
        const char *s = json_get_string(o, "ca-url");

        return url_is_plausible(s, true) ? str_replace(ret, s) : 0;
}

static int read_authorizations(Job *j, JsonObject *order) {
        _auto_strv_ char **list = NULL;
        int r;

        r = json_get_strv(order, "authorizations", JOB_AUTHORIZATIONS_MAX, &list);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        STRV_FOREACH(s, list)
                if (!url_is_plausible(*s, false))
                        return 0;
        j->authorizations = take_ptr(list);
        return 0;
}

static int read_order(Job *j, JsonObject *o) {
        JsonObject *order = json_get_object(o, "order");
        int r;

        r = read_ca_url(o, &j->ca_url);
        if (r == 0)
                r = read_url(order, "url", &j->order_url);
        if (r == 0)
                r = read_url(order, "finalize", &j->finalize_url);
        if (r == 0)
                r = read_authorizations(j, order);
        if (r < 0)
                return r;
        /* An order of which nobody knows where it is, or at which CA, cannot be resumed. */
        if (!j->ca_url || !j->order_url)
                job_forget_order(j);
        return 0;
}

static int read_setups(Job *j, JsonObject *o) {
        _auto_strv_ char **list = NULL;
        int r;

        r = json_get_strv(o, "challenge-setups", JOB_SETUPS_MAX, &list);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        STRV_FOREACH(s, list) {
                _auto_free_ char *name = NULL;
                const char *value;

                if (job_setup_parse(*s, &name, &value) && strv_extend(&j->challenge_setups, *s) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int read_log(Job *j, JsonObject *o) {
        JsonObject *entries = json_get_array(json_get_object(o, "log"), "entries");
        size_t n = entries ? json_object_array_length(entries) : 0;

        if (n == 0)
                return 0;
        if (log_make_room(j) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < n && j->n_log < JOB_LOG_MAX; i++) {
                JsonObject *e = json_object_array_get_idx(entries, i);
                const char *type = json_get_string(e, "type");

                if (!type)
                        continue;
                if (log_entry_init(&j->log[j->n_log], json_get_time(e, "when"), type, json_get_string(e, "status"),
                                   json_get_string(e, "detail")) < 0)
                        return -ENOMEM;
                j->n_log++;
        }
        return 0;
}

static int read_live(Job *j, JsonObject *o) {
        JsonObject *live = json_get_object(o, "live");
        const char *account = json_get_string(live, "account");
        int r = read_ca_url(live, &j->live_ca_url);

        if (r < 0 || !j->live_ca_url || !account_is_plausible(account))
                return r;
        return str_replace(&j->live_account, account);
}

static bool fingerprint_is_plausible(const char *s) {
        return strspn(s, "0123456789abcdef") == 64 && !s[64];
}

static int read_fingerprints(JsonObject *o, const char *key, char ***ret) {
        _auto_strv_ char **list = NULL;
        int r = json_get_strv(o, key, JOB_REVOKED_MAX, &list);

        STRV_FOREACH(s, list)
                if (r == 0 && fingerprint_is_plausible(*s))
                        r = strv_extend(ret, *s);
        return r == -EBADMSG ? 0 : r;
}

static int read_revoked(Job *j, JsonObject *o) {
        int r = read_fingerprints(o, "revoked", &j->revoked);

        if (r == 0)
                r = read_fingerprints(o, "revoked-keys", &j->revoked_keys);
        return r < 0 ? r : read_fingerprints(o, "revoked-told", &j->revoked_told);
}

static void read_issued(Job *j, JsonObject *o) {
        JsonObject *list = json_get_array(o, "issued");
        size_t n = list ? json_object_array_length(list) : 0, used = 0;

        for (size_t i = 0; i < n && used < ELEMENTSOF(j->issued_usec); i++) {
                JsonObject *item = json_object_array_get_idx(list, i);
                int64_t sec = json_object_is_type(item, json_type_int) ? json_object_get_int64(item) : 0;

                if (sec > 0 && sec < INT64_MAX / (int64_t) USEC_PER_SEC)
                        j->issued_usec[used++] = (uint64_t) sec * USEC_PER_SEC;
        }
}

static bool id_is_plausible(const char *s) {
        size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") : 0;

        return n > 0 && n <= ACCOUNT_MAX && !s[n];
}

static int read_renewal_info(Job *j, JsonObject *o) {
        const char *spec = json_get_string(o, "spec"), *id = json_get_string(o, "id");
        JobRenewalInfo *i;
        uint64_t failures;

        if (str_is_empty(spec) || strlen(spec) >= KEY_SPEC_NAME_MAX || !id_is_plausible(id))
                return 0;
        i = job_keep_renewal_info(j, spec, id);
        if (!i || read_url(o, "explanation-url", &i->explanation_url) < 0)
                return -ENOMEM;
        i->next_poll_usec = json_get_time(o, "next-poll");
        i->start_usec = json_get_time(o, "start");
        i->end_usec = json_get_time(o, "end");
        i->chosen_usec = json_get_time(o, "chosen");
        if (json_get_uint(o, "failures", &failures))
                i->failures = (unsigned) MIN_OF(failures, (uint64_t) UINT_MAX);
        if (i->start_usec > i->end_usec || i->chosen_usec < i->start_usec || i->chosen_usec > i->end_usec)
                i->start_usec = i->end_usec = i->chosen_usec = 0;
        return 0;
}

static int read_renewal_infos(Job *j, JsonObject *o) {
        JsonObject *list = json_get_array(o, "renewal-info");
        size_t n = list ? json_object_array_length(list) : 0;

        for (size_t i = 0; i < n && i < KEY_SPEC_MAX; i++)
                if (read_renewal_info(j, json_object_array_get_idx(list, i)) < 0)
                        return -ENOMEM;
        return 0;
}

static void read_numbers(Job *j, JsonObject *o) {
        const char *phase = json_get_string(o, "phase");
        uint64_t errors;

        if (phase)
                (void) job_phase_from_string(phase, &j->phase);
        if (json_get_uint(o, "errors", &errors))
                j->errors = (unsigned) MIN_OF(errors, (uint64_t) UINT_MAX);
        j->finished = json_get_bool(o, "finished", false);
        j->asked = json_get_bool(o, "asked", false);
        (void) json_get_uint(o, "rollback", &j->rollback);
        j->rolled_back = json_get_bool(o, "rolled-back", false);
        j->next_run_usec = json_get_time(o, "next-run");
        j->last_run_usec = json_get_time(o, "last-run");
        if (json_get_uint(o, "ca-errors", &errors))
                j->ca_errors = (unsigned) MIN_OF(errors, (uint64_t) UINT_MAX);
        j->staged_usec = json_get_time(o, "staged");
        j->activated_usec = json_get_time(o, "activated");
        j->seen_usec = json_get_time(o, "seen");
        j->replaced_until_usec = json_get_time(o, "replaced-until");
        j->installed_usec = json_get_time(o, "installed");
}

int job_from_json(const char *name, JsonObject *o, Job **ret) {
        _cleanup_(job_freep) Job *j = NULL;
        const char *account;

        assert(name);
        assert(ret);

        if (!json_object_is_type(o, json_type_object))
                return -EBADMSG;
        j = job_new(name);
        if (!j)
                return -ENOMEM;

        read_numbers(j, o);
        account = json_get_string(o, "account");
        if (account_is_plausible(account) && str_replace(&j->account, account) < 0)
                return -ENOMEM;
        read_issued(j, o);
        if (read_live(j, o) < 0 || read_revoked(j, o) < 0 || read_renewal_infos(j, o) < 0 || read_order(j, o) < 0 || read_setups(j, o) < 0 || persist_records_from_json(o, &j->persist_records) < 0 || read_log(j, o) < 0 || problem_from_json(json_get_object(o, "last"), &j->last) < 0)
                return -ENOMEM;
        *ret = take_ptr(j);
        return 0;
}
