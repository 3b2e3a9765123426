/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/import-apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "domain/name.h"
#include "manager/account-bus.h"
#include "manager/account-choice.h"
#include "manager/adoption.h"
#include "store/activate.h"
#include "store/archive.h"
#include "store/domain.h"

enum { ARCHIVE_LOOK_MAX = 1000 };

static const char *const result_table[_IMPORT_RESULT_MAX] = {
        [IMPORT_TAKEN] = "taken", [IMPORT_PRESENT] = "present", [IMPORT_LEFT_OUT] = "left-out", [IMPORT_REFUSED] = "refused",
};

const char *import_result_to_string(ImportResult r) {
        return (size_t) r < ELEMENTSOF(result_table) ? result_table[r] : NULL;
}

void import_report_done(ImportReport *r) {
        free(r->target);
        (void) strv_free(r->remarks);
        (void) strv_free(r->configuration);
}

static int busy(Problem **ret_problem, const char *why) {
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "%s", why);
        return -EBUSY;
}

static int say_store(Manager *m, const char *what, int r, Problem **ret_problem) {
        if (r == 0 || r == -EBUSY)
                return r;
        r = r > 0 ? -EIO : r;
        (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write %s into %s: %s", what, store_path(m->store), strerror(-r));
        return r;
}

/* --- Accounts --- */

static bool has_key(Manager *m, const char *id, const char *key_sha256) {
        _auto_free_ char *sha256 = NULL;
        EVP_PKEY *key = NULL;
        bool same;

        if (account_key_load(m->store, id, false, &key) != 0)
                return false;
        same = key_public_sha256(key, &sha256) == 0 && str_equal(sha256, key_sha256);
        EVP_PKEY_free(key);
        return same;
}

/* The CA's name for it tells, or the key at this CA. */
static bool is_same_account(Manager *m, const char *id, const ImportAccount *a) {
        _cleanup_(account_freep) Account *have = NULL;

        if (store_account_read(m->store, id, &have) != 0 || !str_equal(have->ca_url, a->account->ca_url))
                return false;
        if (have->url && a->account->url && str_equal(have->url, a->account->url))
                return true;
        return has_key(m, id, a->key_sha256);
}

static int find_account(Manager *m, const ImportAccount *a, char **ret_id) {
        _auto_strv_ char **ids = NULL;
        int r = store_account_list(m->store, &ids);

        if (r < 0)
                return r;
        STRV_FOREACH(id, ids)
                if (is_same_account(m, *id, a))
                        return str_replace(ret_id, *id);
        return 0;
}

int import_apply_account(Manager *m, ImportAccount *a, bool dry_run, ImportReport *report, Problem **ret_problem) {
        int r;

        report->remarks = take_ptr(a->remarks);
        r = find_account(m, a, &report->target);
        if (r < 0)
                return say_store(m, "accounts", r, ret_problem);
        report->result = report->target ? IMPORT_PRESENT : IMPORT_TAKEN;
        if (report->target || dry_run)
                return 0;
        r = store_account_create(m->store, a->account, a->key);
        if (r != 0)
                return say_store(m, "the account", r, ret_problem);
        log_info("Account %s at %s was taken over.", a->account->id, a->account->ca_url);
        account_bus_changed(m, a->account->id);
        return str_replace(&report->target, a->account->id);
}

/* --- What is here already --- */

typedef enum Standing {
        STANDING_NONE,  /* or nothing that could be used */
        STANDING_OLDER,
        STANDING_SAME,
        STANDING_NEWER,
} Standing;

static int look_at_set(Manager *m, StoreSet set, const char *name, const ImportPair *pair, uint64_t now, Standing *ret) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_secret_ Secret *pem = NULL;
        _auto_free_ char *text = NULL;
        CertInfo info = { 0 };
        int r;

        *ret = STANDING_NONE;
        if (store_domain_read_chain(m->store, set, name, &pair->spec, &text) != 0 || store_domain_read_key(m->store, set, name, &pair->spec, &pem) != 0)
                return 0;
        if (cert_chain_from_pem(text, strlen(text), &chain, NULL) < 0 || key_from_pem(pem->data, pem->size, &key, NULL) < 0 || !cert_matches_key(chain.certs[0], key))
                return 0;
        r = cert_info_read(chain.certs[0], &info);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        if (str_equal(info.sha256, pair->info.sha256))
                *ret = STANDING_SAME;
        else
                *ret = info.not_after_usec >= pair->info.not_after_usec && info.not_after_usec > now ? STANDING_NEWER : STANDING_OLDER;
        cert_info_done(&info);
        return 0;
}

static int note_standing(ImportReport *report, const ImportPair *pair, Standing standing) {
        char name[KEY_SPEC_NAME_MAX], when[CLOCK_HUMAN_MAX];

        (void) key_spec_name(&pair->spec, name);
        if (standing == STANDING_NEWER)
                return import_note(&report->remarks, "The %s certificate here is newer, and stays", name);
        if (standing == STANDING_OLDER)
                return import_note(&report->remarks, "The %s certificate here is older, and goes to the archive", name);
        if (standing == STANDING_NONE)
                return import_note(&report->remarks, "Its %s certificate by %s is valid until %s", name, str_or(pair->info.issuer, "nobody"),
                                   clock_format_utc(when, pair->info.not_after_usec));
        return 0;
}

/* --- Which domain it is --- */

/* A domain that is configured for some of the names, and nothing else, is what the certificate is for, whatever it goes by over there. */
static Domain *find_domain(Manager *m, const ImportCertificate *c) {
        Domain *d = manager_find_domain(m, c->settings->name);
        const char *first;
        size_t missing;

        if (d || c->settings_known)
                return d;
        STRV_FOREACH(name, c->settings->names) {
                d = manager_find_domain_by_any_name(m, *name);
                if (d && domain_names_uncovered(c->settings->names, d->config->names, &first, &missing) == 0 && missing == 0)
                        return d;
        }
        return NULL;
}

static bool key_fits(const KeySpec *wanted, const ImportPair *pair) {
        _auto_pkey_ EVP_PKEY *key = NULL;

        if (wanted->type == KEY_TYPE_DEFAULT)
                return pair->info.key_type == KEY_TYPE_RSA;
        return key_from_pem(pair->key->data, pair->key->size, &key, NULL) == 0 && key_matches_spec(key, wanted);
}

/* Its files are to be called as the configuration has it. */
static bool adopt_spec(const Domain *d, ImportPair *pair) {
        const KeySpecs *keys = managed_domain_keys(d->config);

        for (size_t i = 0; i < key_specs_count(keys); i++) {
                KeySpec wanted = key_specs_get(keys, i);

                if (key_fits(&wanted, pair)) {
                        pair->spec = wanted;
                        return true;
                }
        }
        return false;
}

static int adopt_specs(const Domain *d, ImportCertificate *c, ImportReport *report) {
        char name[KEY_SPEC_NAME_MAX];

        for (size_t i = 0; i < c->n; i++) {
                if (adopt_spec(d, &c->pairs[i]))
                        continue;
                report->result = IMPORT_REFUSED;
                return import_note(&report->remarks, "%s is configured, and not for keys of this kind: write MDPrivateKeys with '%s', reload, and import it again",
                                   DOMAIN_NAME(d), key_spec_name(&c->pairs[i].spec, name));
        }
        return 0;
}

static int check_state(Manager *m, Domain *d, Problem **ret_problem) {
        if (!m->adopted || adoption_is_running(m->adoption))
                return busy(ret_problem, "md-manager is reading what the servers configure");
        if (!d)
                return 0;
        if (d->renewal)
                return busy(ret_problem, "the domain is being renewed");
        if (!d->managed || d->activation_retry || domain_is_staged(d))
                return busy(ret_problem, "a new certificate of the domain is about to become live");
        return 0;
}

/* --- A set in the making --- */

static int stage_pair(Manager *m, const char *name, const ImportPair *pair) {
        int r = store_domain_write_key(m->store, STORE_SET_STAGING, name, &pair->spec, pair->key);

        return r == 0 ? store_domain_write_chain(m->store, STORE_SET_STAGING, name, &pair->spec, pair->chain) : r;
}

/* What is live and stays. STORE_DOMAIN_E_NOT_FOUND: there is nothing of this kind. */
static int stage_live(Manager *m, const char *name, const KeySpec *spec) {
        _auto_secret_ Secret *key = NULL;
        _auto_free_ char *chain = NULL;
        int r;

        r = store_domain_read_key(m->store, STORE_SET_LIVE, name, spec, &key);
        if (r == 0)
                r = store_domain_read_chain(m->store, STORE_SET_LIVE, name, spec, &chain);
        if (r == 0)
                r = store_domain_write_key(m->store, STORE_SET_STAGING, name, spec, key);
        if (r == 0)
                r = store_domain_write_chain(m->store, STORE_SET_STAGING, name, spec, chain);
        return r;
}

static bool specs_have(const KeySpecs *specs, const KeySpec *spec) {
        char a[KEY_SPEC_NAME_MAX], b[KEY_SPEC_NAME_MAX];

        for (size_t i = 0; i < specs->n; i++)
                if (str_equal(key_spec_name(&specs->items[i], a), key_spec_name(spec, b)))
                        return true;
        return false;
}

/* Other kinds of keys that the domain has here. */
static int stage_others(Manager *m, const char *name, const KeySpecs *known, KeySpecs *specs) {
        for (size_t i = 0; i < key_specs_count(known) && specs->n < KEY_SPEC_MAX; i++) {
                KeySpec spec = key_specs_get(known, i);
                int r;

                if (specs_have(specs, &spec))
                        continue;
                r = stage_live(m, name, &spec);
                if (r < 0)
                        return r;
                if (r == 0)
                        specs->items[specs->n++] = spec;
        }
        return 0;
}

static int stage(Manager *m, const char *name, const ImportCertificate *c, const Standing *standings, KeySpecs *ret_specs) {
        int r = store_staging_discard(m->store, name);

        for (size_t i = 0; r == 0 && i < c->n; i++) {
                r = standings[i] == STANDING_NEWER ? stage_live(m, name, &c->pairs[i].spec) : stage_pair(m, name, &c->pairs[i]);
                ret_specs->items[ret_specs->n++] = c->pairs[i].spec;
        }
        return r;
}

/* The account that is used for this CA, when there is no doubt. */
static int find_live_account(Manager *m, const char *ca_url, char **ret) {
        _auto_strv_ char **ids = NULL;
        size_t n = 0;
        int r = store_account_list(m->store, &ids);

        STRV_FOREACH(id, ids) {
                _cleanup_(account_freep) Account *a = NULL;

                if (r != 0 || store_account_read(m->store, *id, &a) != 0 || !str_equal(a->ca_url, ca_url))
                        continue;
                n++;
                r = str_replace(ret, *id);
        }
        if (n != 1)
                free(take_ptr(*ret));
        return r < 0 ? r : 0;
}

/* --- A domain that servers configure: it goes the way of a new certificate --- */

static int apply_to_managed(Manager *m, Domain *d, ImportCertificate *c, const Standing *standings, Problem **ret_problem) {
        const KeySpecs *keys = managed_domain_keys(d->config);
        KeySpecs specs = { 0 };
        int r;

        r = stage(m, DOMAIN_NAME(d), c, standings, &specs);
        if (r == 0)
                r = stage_others(m, DOMAIN_NAME(d), keys, &specs);
        if (r == 0)
                r = store_domain_write_md(m->store, STORE_SET_STAGING, d->config);
        if (r != 0) {
                (void) store_staging_discard(m->store, DOMAIN_NAME(d));
                return say_store(m, "the certificate", r, ret_problem);
        }
        job_forget_order(d->job);
        if (str_replace(&d->job->ca_url, c->ca_url) < 0 || find_live_account(m, c->ca_url, &d->job->account) < 0)
                return -ENOMEM;
        d->job->phase = JOB_PHASE_STAGED;
        d->job->staged_usec = clock_now_usec();
        d->job->asked = false;
        domain_save_job(d);
        domain_evaluate(d);
        return 0;
}

static int check_keys(const Domain *d, const ImportCertificate *c, ImportReport *report) {
        const KeySpecs *keys = managed_domain_keys(d->config);
        KeySpecs specs = { 0 };
        char name[KEY_SPEC_NAME_MAX];

        for (size_t i = 0; i < c->n; i++)
                specs.items[specs.n++] = c->pairs[i].spec;
        for (size_t i = 0; i < key_specs_count(keys); i++) {
                KeySpec spec = key_specs_get(keys, i);

                if (specs_have(&specs, &spec) || cert_facts_find(&d->live, key_spec_name(&spec, name)))
                        continue;
                report->result = IMPORT_REFUSED;
                return import_note(&report->remarks, "%s is configured for a key of kind '%s', too, and there is none", DOMAIN_NAME(d), key_spec_name(&spec, name));
        }
        return 0;
}

/* --- One that nobody configures yet: it lies there when Apache looks for it for the first time --- */

static int write_job(Manager *m, const ImportCertificate *c) {
        const char *name = c->settings->name;
        _cleanup_(job_freep) Job *found = NULL, *made = NULL;
        Job *job;
        int r;

        r = store_domain_read_job(m->store, name, &found);
        if (r < 0)
                return r;
        made = r == 0 || c->job ? NULL : job_new(name);
        job = r == 0 ? found : c->job ? c->job : made;
        if (!job)
                return -ENOMEM;
        r = str_replace(&job->live_ca_url, c->ca_url);
        if (r == 0)
                r = find_live_account(m, c->ca_url, &job->live_account);
        if (r == 0)
                r = job_log_add(job, clock_now_usec(), "imported", NULL, "Its certificate was taken over from another program");
        job->errors = job->ca_errors = 0;
        job->next_run_usec = 0;
        job->finished = true;
        return r < 0 ? r : store_domain_write_job(m->store, job);
}

static int apply_to_unmanaged(Manager *m, ImportCertificate *c, const Standing *standings, Problem **ret_problem) {
        const char *name = c->settings->name;
        _cleanup_(managed_domain_freep) ManagedDomain *before = NULL;
        KeySpecs specs = { 0 };
        int r;

        r = stage(m, name, c, standings, &specs);
        if (r == 0 && store_domain_read_md(m->store, STORE_SET_LIVE, name, &before, NULL) == 0)
                r = stage_others(m, name, &before->keys, &specs);
        if (r == 0) {
                c->settings->keys = specs;
                r = store_domain_write_md(m->store, STORE_SET_STAGING, c->settings);
        }
        if (r == 0)
                r = store_activate(m->store, name, &specs);
        if (r == STORE_ACTIVATE_E_BUSY)
                r = busy(ret_problem, "a server reads certificates");
        if (r != 0) {
                (void) store_staging_discard(m->store, name);
                return say_store(m, "the certificate", r, ret_problem);
        }
        (void) store_archive_prune(m->store, name, m->settings.archive_keep);
        r = write_job(m, c);
        return say_store(m, STORE_FILE_JOB, r, ret_problem);
}

/* --- Certificates --- */

static int learn_standings(Manager *m, const char *name, const ImportCertificate *c, Standing *standings, ImportReport *report) {
        uint64_t now = clock_now_usec();

        report->result = IMPORT_PRESENT;
        for (size_t i = 0; i < c->n; i++) {
                int r = look_at_set(m, STORE_SET_LIVE, name, &c->pairs[i], now, &standings[i]);

                if (r == 0)
                        r = note_standing(report, &c->pairs[i], standings[i]);
                if (r < 0)
                        return r;
                if (standings[i] == STANDING_NONE || standings[i] == STANDING_OLDER)
                        report->result = IMPORT_TAKEN;
        }
        return 0;
}

static int take_over(Manager *m, Domain *d, ImportCertificate *c, const Standing *standings, Problem **ret_problem) {
        const char *name = d ? DOMAIN_NAME(d) : c->settings->name;
        LogField fields[] = { { "MD_NAME", name } };
        int r;

        r = d ? apply_to_managed(m, d, c, standings, ret_problem) : apply_to_unmanaged(m, c, standings, ret_problem);
        if (r == 0)
                log_full(LOG_NOTICE, 0, NULL, fields, ELEMENTSOF(fields), "%s: A certificate was taken over from another program.", name);
        return r;
}

int import_apply_certificate(Manager *m, ImportCertificate *c, bool dry_run, ImportReport *report, Problem **ret_problem) {
        Domain *d = find_domain(m, c);
        Standing standings[KEY_SPEC_MAX];
        int r;

        report->remarks = take_ptr(c->remarks);
        r = check_state(m, d, ret_problem);
        if (r == 0)
                r = str_replace(&report->target, d ? DOMAIN_NAME(d) : c->settings->name);
        if (r == 0 && !c->settings_known && !d)
                r = import_certificate_propose(c, &report->configuration);
        if (r == 0 && d)
                r = adopt_specs(d, c, report);
        if (r < 0 || report->result == IMPORT_REFUSED)
                return r;
        r = learn_standings(m, report->target, c, standings, report);
        if (r == 0 && d && report->result == IMPORT_TAKEN)
                r = check_keys(d, c, report);
        if (r < 0 || report->result != IMPORT_TAKEN || dry_run)
                return r;
        return take_over(m, d, c, standings, ret_problem);
}

/* --- Earlier sets --- */

/* A set of the archive, or the live one, has this certificate. */
static int is_kept(Manager *m, const char *name, const ImportPair *pair, bool *ret) {
        _auto_free_ ArchivedSet *sets = NULL;
        Standing standing;
        size_t n = 0;
        int r;

        r = look_at_set(m, STORE_SET_LIVE, name, pair, 0, &standing);
        if (r == 0 && standing != STANDING_SAME)
                r = store_archive_list(m->store, name, ARCHIVE_LOOK_MAX, &sets, &n);
        for (size_t i = 0; r == 0 && standing != STANDING_SAME && i < n; i++) {
                char entry[STORE_ARCHIVE_ENTRY_SIZE];

                store_archive_entry(name, sets[i].number, entry);
                r = look_at_set(m, STORE_SET_ARCHIVE, entry, pair, 0, &standing);
        }
        *ret = standing == STANDING_SAME;
        return r;
}

static bool is_over(const ImportCertificate *c) {
        for (size_t i = 0; i < c->n; i++)
                if (c->pairs[i].info.not_after_usec <= clock_now_usec())
                        return true;
        return false;
}

static int archive(Manager *m, const char *name, ImportCertificate *c, Problem **ret_problem) {
        const Standing standings[KEY_SPEC_MAX] = { 0 };
        KeySpecs specs = { 0 };
        int r;

        r = stage(m, name, c, standings, &specs);
        if (r == 0)
                r = store_domain_write_md(m->store, STORE_SET_STAGING, c->settings);
        if (r == 0)
                r = store_archive_staging(m->store, name);
        if (r != 0)
                (void) store_staging_discard(m->store, name);
        else
                (void) store_archive_prune(m->store, name, m->settings.archive_keep);
        return say_store(m, "an earlier certificate", r, ret_problem);
}

int import_apply_archived(Manager *m, ImportCertificate *c, bool dry_run, ImportReport *report, Problem **ret_problem) {
        const char *name = c->settings->name;
        Domain *d = manager_find_domain(m, name);
        bool kept;
        int r;

        (void) strv_free(take_ptr(c->remarks));
        r = check_state(m, d, ret_problem);
        if (r == 0)
                r = str_replace(&report->target, name);
        if (r == 0)
                r = is_kept(m, name, &c->pairs[0], &kept);
        if (r < 0)
                return r;
        report->result = kept ? IMPORT_PRESENT : is_over(c) ? IMPORT_LEFT_OUT : IMPORT_TAKEN;
        if (report->result == IMPORT_LEFT_OUT)
                return import_note(&report->remarks, "It has expired: nobody will want it back");
        return report->result == IMPORT_PRESENT || dry_run ? 0 : archive(m, name, c, ret_problem);
}
