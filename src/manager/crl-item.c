/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/crl-item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/digest.h"
#include "domain/ocsp-schedule.h"
#include "manager/crl-look.h"
#include "manager/ocsp-internal.h"
#include "manager/revoked.h"
#include "manager/turns.h"

#define ASK_MAX_USEC USEC_PER_DAY /* lists are made for longer than news should take */
#define TELL_USEC USEC_PER_HOUR

CrlItem *crl_item_free(CrlItem *c) {
        if (!c)
                return NULL;
        map_free(c->domains);
        map_free(c->checked);
        problem_free(c->last);
        free(c->url);
        free(c->key);
        free(c);
        return NULL;
}

int crl_item_new(Manager *m, const char *url, const Domain *d, CrlItem **ret) {
        CrlItem *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->manager = m;
        c->domains = map_new();
        c->checked = map_new();
        if (d->n_servers > 0)
                c->retry_delay_usec = d->servers[0].snapshot->retry_delay_usec;
        if (!c->domains || !c->checked || str_replace(&c->url, url) < 0 || digest_sha256_hex(url, strlen(url), &c->key) < 0) {
                crl_item_free(c);
                return -ENOMEM;
        }
        *ret = c;
        return 0;
}

static bool is_about(const CrlItem *c, const CertFacts *f) {
        return !f->ocsp_url && str_equal(f->crl_url, c->url);
}

static bool has_such(const CrlItem *c, const Domain *d) {
        for (size_t i = 0; d && d->managed && i < d->live.n; i++)
                if (is_about(c, &d->live.items[i]))
                        return true;
        return false;
}

/* Others have certificates by now that do not name it. */
static bool is_wanted(CrlItem *c) {
        const char *name;
        void *mark;

        if (!c->manager->settings.revocation_check)
                return false;
        MAP_FOREACH(c->domains, name, mark) {
                if (has_such(c, manager_find_domain(c->manager, name)))
                        return true;
                (void) map_remove(c->domains, name);
        }
        return false;
}

/* --- Looking certificates up --- */

static void note_revoked(Domain *d, const CertFacts *f, const CrlLookCert *found) {
        _auto_free_ char *source = str_printf("CRL %s", f->crl_url);

        revoked_note(d, f, found->key_compromised, str_or(source, "CRL"));
}

/* The domain may have another certificate by now. */
static void apply_one(CrlItem *c, const CrlLookCert *found) {
        Domain *d = manager_find_domain(c->manager, found->domain);

        if (!found->known)
                return;
        if (map_put(c->checked, found->sha256, c) == -ENOMEM)
                (void) log_oom();
        for (size_t i = 0; d && i < d->live.n; i++)
                if (found->revoked && str_equal(d->live.items[i].sha256, found->sha256))
                        note_revoked(d, &d->live.items[i], found);
        if (d) {
                d->checked++;
                turns_add(c->manager->turns, d);
        }
}

static void forget_checked(CrlItem *c) {
        const char *sha256;
        void *mark;

        MAP_FOREACH(c->checked, sha256, mark)
                (void) map_remove(c->checked, sha256);
}

static void succeed(CrlItem *c, const CrlLook *l) {
        uint64_t now = clock_now_usec(), came = l->fetched ? now : l->fetched_usec, until = l->until_usec > 0 ? l->until_usec : usec_add(came, ASK_MAX_USEC);

        if (l->fetched)
                forget_checked(c);
        for (size_t i = 0; i < l->n; i++)
                apply_one(c, &l->certs[i]);
        c->from_usec = l->from_usec;
        c->until_usec = until;
        if (!l->fetched && c->next_usec > 0) /* of certificates that came later */
                return;
        c->next_usec = MIN_OF(ocsp_schedule_refresh_usec(&(Window){ 0 }, l->from_usec, until, came, manager_random()), usec_add(came, ASK_MAX_USEC));
        if (!l->fetched)
                return;
        c->errors = 0;
        c->last = problem_free(c->last);
}

static int look(CrlItem *c, const void *data, size_t size);

/* What was kept and is of no use is fetched, which is due from the beginning. */
static void take(CrlItem *c, const CrlLook *l) {
        if (!l->failed)
                succeed(c, l);
        else if (l->fetched && l->problem)
                crl_item_failed(c, l->problem);
        else if (l->fetched)
                c->next_usec = usec_add(clock_now_usec(), USEC_PER_MINUTE);
}

static void on_looked(void *errand) {
        CrlLook *l = errand;
        CrlItem *c = ocsp_find_crl(l->manager->ocsp, l->url);

        if (c) {
                c->looking = false;
                c->looked = true;
                take(c, l);
                if (c->again && c->until_usec > 0)
                        (void) look(c, NULL, 0);
                c->again = false;
                ocsp_plan(l->manager->ocsp);
        }
        crl_look_free(l);
}

static void release(void *errand) {
        crl_look_free(errand);
}

static const ErrandClass class = { .work = crl_look_work, .done = on_looked, .release = release };

/* All that name it, or those that it was not looked through for. */
static int add_certs(CrlItem *c, CrlLook *l) {
        const char *name;
        void *mark;

        MAP_FOREACH(c->domains, name, mark) {
                const Domain *d = manager_find_domain(c->manager, name);

                for (size_t i = 0; d && d->managed && i < d->live.n; i++) {
                        const CertFacts *f = &d->live.items[i];

                        if (is_about(c, f) && (l->fetched || !map_get(c->checked, f->sha256)) && crl_look_add(l, d, f) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

/* In what was fetched (data), or in what is kept. */
static int look(CrlItem *c, const void *data, size_t size) {
        CrlLook *l;
        int r;

        r = crl_look_new(c->manager, c->url, c->key, &l);
        if (r < 0)
                return r;
        l->fetched = data;
        l->not_before_usec = c->until_usec > clock_now_usec() ? c->from_usec : 0;
        r = add_certs(c, l);
        if (r == 0 && data)
                r = crl_look_set_data(l, data, size);
        if (r == 0 && l->n == 0 && data) /* they went meanwhile */
                r = -ENOENT;
        if (r == 0 && l->n > 0)
                r = errands_send(c->manager->errands, &class, l);
        c->looking = r == 0 && l->n > 0;
        if (!c->looking)
                crl_look_free(l);
        return r;
}

int crl_item_add_domain(CrlItem *c, const Domain *d) {
        int r = map_put(c->domains, DOMAIN_NAME(d), c);
        bool all = true;

        if (r < 0 && r != -EEXIST)
                return r;
        for (size_t i = 0; i < d->live.n; i++)
                all = all && (!is_about(c, &d->live.items[i]) || map_get(c->checked, d->live.items[i].sha256));
        if (all)
                return 0;
        if (c->looking || (c->looked && c->until_usec == 0)) { /* it is under way, or has to be fetched first: that looks all up */
                c->again = c->looking;
                return 0;
        }
        return look(c, NULL, 0);
}

/* --- Fetching --- */

bool crl_item_is_due(CrlItem *c, uint64_t now_usec) {
        return c->token == 0 && !c->looking && c->next_usec <= now_usec && is_wanted(c);
}

uint64_t crl_item_next_usec(CrlItem *c) {
        return c->token != 0 || c->looking || !is_wanted(c) ? 0 : MAX_OF(c->next_usec, UINT64_C(1));
}

bool crl_item_is_idle(CrlItem *c) {
        return c->token == 0 && !c->looking && !is_wanted(c);
}

bool crl_item_is_checked(const CrlItem *c, const char *sha256, uint64_t now_usec) {
        return c->until_usec > now_usec && map_get(c->checked, sha256);
}

void crl_item_answered(CrlItem *c, const void *data, size_t size) {
        _auto_problem_ Problem *p = NULL;
        int r;

        c->token = 0;
        r = look(c, data, size);
        if (r == 0)
                return;
        p = problem_new(PROBLEM_TYPE_INTERNAL, "%s: Cannot be looked through: %s", c->url, strerror(-r));
        if (p)
                crl_item_failed(c, p);
}

void crl_item_failed(CrlItem *c, const Problem *problem) {
        uint64_t now = clock_now_usec();
        char when[CLOCK_HUMAN_MAX], until[CLOCK_HUMAN_MAX];
        bool counts = c->until_usec > now;

        c->token = 0;
        c->errors++;
        c->next_usec = ocsp_schedule_retry_usec(c->retry_delay_usec, c->errors, problem->retry_after_usec, now, manager_random());
        problem_free(c->last);
        c->last = problem_copy(problem);
        if (c->errors > 1 && usec_sub(now, c->told_usec) < TELL_USEC)
                return;
        c->told_usec = now;
        log_notice("There is no new list of revoked certificates from %s (attempt %u): %s; %s%s; next try %s", c->url, c->errors, problem->detail,
                   counts ? "the one before counts until " : "it is not known whether certificates are revoked", counts ? clock_format_utc(until, c->until_usec) : "",
                   clock_format_utc(when, c->next_usec));
}
