/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/rollback.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "domain/name.h"
#include "manager/deliver.h"
#include "store/archive.h"
#include "store/domain.h"

enum { SETS_MAX = 100 };

static void set_done(RollbackSet *s) {
        cert_facts_list_done(&s->facts);
        free(s->obstacle);
}

void rollback_sets_done(RollbackSets *sets) {
        for (size_t i = 0; i < sets->n; i++)
                set_done(&sets->items[i]);
        free(sets->items);
        *sets = (RollbackSets){ 0 };
}

/* --- What keeps a set from being put back: NULL and 0 when nothing does. --- */

static char *find_damage(const CertFacts *f) {
        return f->key_matches ? NULL : str_printf("The private key of its %s certificate is missing or belongs to another one", f->spec);
}

static char *find_age(const CertFacts *f, uint64_t now) {
        char when[CLOCK_HUMAN_MAX];

        return f->not_after_usec > now ? NULL : str_printf("Its %s certificate expired at %s", f->spec, clock_format_utc(when, f->not_after_usec));
}

static char *find_revocation(const Domain *d, const CertFacts *f) {
        if (strv_contains(d->job->revoked, f->sha256))
                return str_printf("Its %s certificate was revoked", f->spec);
        return strv_contains(d->job->revoked_keys, f->key_sha256) ? str_printf("The key of its %s certificate belongs to one that was revoked", f->spec) : NULL;
}

/* The daemon of tailscale certifies one name. */
static int find_uncovered(const Domain *d, const CertFacts *f, char **ret) {
        char *const only[] = { d->config->names[0], NULL };
        const char *first;
        size_t count;
        int r;

        r = domain_names_uncovered(f->names, d->config->protocol ? only : d->config->names, &first, &count);
        if (r < 0 || count == 0)
                return r;
        *ret = str_printf("Its %s certificate does not cover %s", f->spec, first);
        return *ret ? 0 : -ENOMEM;
}

static int judge_certificate(const Domain *d, const CertFacts *f, char **ret) {
        char *found = find_damage(f);

        if (!found)
                found = find_age(f, clock_now_usec());
        if (!found)
                found = find_revocation(d, f);
        if (!found)
                return find_uncovered(d, f, ret);
        *ret = found;
        return 0;
}

static bool is_live(const Domain *d, const RollbackSet *s) {
        for (size_t i = 0; i < s->facts.n; i++) {
                const CertFacts *live = cert_facts_find(&d->live, s->facts.items[i].spec);

                if (!live || !str_equal(live->sha256, s->facts.items[i].sha256))
                        return false;
        }
        return s->facts.n > 0;
}

static int judge(const Domain *d, RollbackSet *s) {
        char name[KEY_SPEC_NAME_MAX];
        int r = 0;

        for (size_t i = 0; r == 0 && !s->obstacle && i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);
                const CertFacts *f = cert_facts_find(&s->facts, key_spec_name(&spec, name));

                if (f)
                        r = judge_certificate(d, f, &s->obstacle);
                else
                        r = (s->obstacle = str_printf("It has no %s certificate that can be read", name)) ? 0 : -ENOMEM;
        }
        if (r == 0 && !s->obstacle && is_live(d, s))
                r = (s->obstacle = strdup("It is what is live")) ? 0 : -ENOMEM;
        return r;
}

/* --- What there is --- */

static int look_at(Store *store, const char *name, const KeySpecs *keys, const ArchivedSet *archived, RollbackSet *ret) {
        RollbackSet s = { .number = archived->number, .archived_usec = archived->archived_usec };
        char entry[STORE_ARCHIVE_ENTRY_SIZE];
        int r;

        store_archive_entry(name, s.number, entry);
        r = deliver_read_archived_facts(store, entry, keys, &s.facts);
        if (r == 0)
                *ret = s;
        return r;
}

int rollback_read(Store *store, const char *name, const KeySpecs *keys, RollbackSets *ret) {
        _auto_free_ ArchivedSet *archived = NULL;
        RollbackSets sets = { 0 };
        size_t n;
        int r;

        assert(store);
        assert(name);
        assert(ret);

        r = store_archive_list(store, name, SETS_MAX, &archived, &n);
        if (r < 0)
                return r;
        sets.items = calloc(n + 1, sizeof(*sets.items));
        r = sets.items ? 0 : -ENOMEM;
        for (; r == 0 && sets.n < n; sets.n += r == 0)
                r = look_at(store, name, keys, &archived[sets.n], &sets.items[sets.n]);
        if (r < 0) {
                rollback_sets_done(&sets);
                return r;
        }
        *ret = sets;
        return 0;
}

int rollback_judge(const Domain *d, RollbackSets *sets) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < sets->n; i++)
                r = judge(d, &sets->items[i]);
        return r;
}

/* --- Putting one back --- */

static int choose(Domain *d, uint64_t number, uint64_t *ret, Problem **ret_problem) {
        _cleanup_(rollback_sets_done) RollbackSets sets = { 0 };
        int r = rollback_read(d->manager->store, DOMAIN_NAME(d), &d->config->keys, &sets);

        if (r == 0)
                r = rollback_judge(d, &sets);
        if (r < 0) {
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot read the archive of %s: %s", DOMAIN_NAME(d), strerror(-r));
                return r;
        }
        for (size_t i = 0; i < sets.n; i++) {
                const RollbackSet *s = &sets.items[i];

                if (number == 0 ? s->obstacle != NULL : s->number != number)
                        continue;
                if (s->obstacle) {
                        (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "Set %" PRIu64 " of %s cannot be put back: %s", s->number, DOMAIN_NAME(d), s->obstacle);
                        return -EINVAL;
                }
                *ret = s->number;
                return 0;
        }
        if (number == 0)
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "%s has no earlier certificate that could be put back", DOMAIN_NAME(d));
        else
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "%s has no set %" PRIu64 " in the archive", DOMAIN_NAME(d), number);
        return -ENOENT;
}

static int check_state(Domain *d, Problem **ret_problem) {
        if (d->renewal)
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "%s is being renewed; put something back when that has ended", DOMAIN_NAME(d));
        else if (d->activation_retry || domain_is_staged(d))
                (void) problem_set(ret_problem, PROBLEM_TYPE_SETTING, "%s has a new certificate that is about to become live; put something back when it is", DOMAIN_NAME(d));
        else
                return 0;
        return -EBUSY;
}

static int copy_pair(Domain *d, const char *entry, const KeySpec *spec) {
        Store *s = d->manager->store;
        _auto_secret_ Secret *key = NULL;
        _auto_free_ char *chain = NULL;
        int r;

        r = store_domain_read_key(s, STORE_SET_ARCHIVE, entry, spec, &key);
        if (r == 0)
                r = store_domain_read_chain(s, STORE_SET_ARCHIVE, entry, spec, &chain);
        if (r == 0)
                r = store_domain_write_key(s, STORE_SET_STAGING, DOMAIN_NAME(d), spec, key);
        if (r == 0)
                r = store_domain_write_chain(s, STORE_SET_STAGING, DOMAIN_NAME(d), spec, chain);
        return r;
}

/* It stays in the archive until it is live. What was begun for an order that failed makes room: it is ordered again when that is due. */
static int stage(Domain *d, const char *entry) {
        Store *s = d->manager->store;
        int r;

        r = store_staging_discard(s, DOMAIN_NAME(d));
        job_forget_order(d->job);
        d->job->phase = JOB_PHASE_IDLE;
        for (size_t i = 0; r == 0 && i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                r = copy_pair(d, entry, &spec);
        }
        if (r == 0)
                r = store_domain_write_md(s, STORE_SET_STAGING, d->config);
        return r > 0 ? -EIO : r;
}

/* Where it came from is known by the job that went to the archive with it. */
static int take_origin(Domain *d, const char *entry) {
        _cleanup_(job_freep) Job *then = NULL;
        int r;

        r = store_domain_read_archived_job(d->manager->store, entry, DOMAIN_NAME(d), &then);
        if (r < 0)
                return r;
        r = str_replace(&d->job->ca_url, then->live_ca_url);
        return r < 0 ? r : str_replace(&d->job->account, then->live_account);
}

int rollback_start(Domain *d, uint64_t number, uint64_t *ret_number, Problem **ret_problem) {
        char entry[STORE_ARCHIVE_ENTRY_SIZE];
        int r;

        assert(d);
        assert(ret_number);

        domain_learn_facts(d);
        r = check_state(d, ret_problem);
        if (r == 0)
                r = choose(d, number, &number, ret_problem);
        if (r < 0)
                return r;
        store_archive_entry(DOMAIN_NAME(d), number, entry);
        r = stage(d, entry);
        if (r == 0)
                r = take_origin(d, entry);
        if (r < 0) {
                (void) store_staging_discard(d->manager->store, DOMAIN_NAME(d));
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot copy %s/" STORE_ARCHIVE "/%s to " STORE_STAGING "/%s: %s", store_path(d->manager->store), entry,
                                   DOMAIN_NAME(d), strerror(-r));
                return r;
        }
        d->job->rollback = number;
        d->job->phase = JOB_PHASE_STAGED;
        d->job->staged_usec = clock_now_usec();
        d->job->asked = false;
        domain_save_job(d);
        *ret_number = number;
        domain_evaluate(d);
        return 0;
}
