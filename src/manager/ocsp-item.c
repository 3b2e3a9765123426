/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ocsp-item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "domain/event.h"
#include "domain/ocsp-schedule.h"
#include "manager/domain.h"
#include "manager/event.h"
#include "manager/ocsp-internal.h"
#include "manager/revoked.h"

OcspItem *ocsp_item_free(OcspItem *i) {
        if (!i)
                return NULL;
        ocsp_item_forget_request(i);
        store_staple_done(&i->staple);
        X509_free(i->issuer);
        strv_free(i->names);
        free(i->id);
        free(i->serial);
        free(i->url);
        free(i->proxy_url);
        free(i->proxy_ca_file);
        free(i);
        return NULL;
}

bool ocsp_item_is_good(const OcspItem *i, uint64_t now_usec) {
        return i->staple.der && i->staple.until_usec > now_usec;
}

/* What will be due within a hundredth of the response's life is fetched along, a minute ahead at the most. */
bool ocsp_item_is_due(const OcspItem *i, uint64_t now_usec) {
        uint64_t together = i->staple.der ? MIN_OF((i->staple.until_usec - i->staple.from_usec) / 100, USEC_PER_MINUTE) : 0;

        return i->token == 0 && i->staple.next_usec <= usec_add(now_usec, together) && ocsp_item_is_wanted(i, now_usec);
}

static const CertFacts *find_in(const OcspItem *i, const CertFactsList *facts) {
        for (size_t k = 0; k < facts->n; k++)
                if (str_equal(facts->items[k].ocsp_id, i->id))
                        return &facts->items[k];
        return NULL;
}

/* Also of the administrator's files. */
static const CertFacts *find_own(const OcspItem *i, const Domain *d) {
        const CertFacts *f = find_in(i, &d->files);

        return f ? f : find_in(i, &d->live);
}

static bool is_checked(const OcspItem *i) {
        if (!i->manager->settings.revocation_check)
                return false;
        STRV_FOREACH(name, i->names) {
                const Domain *d = manager_find_domain(i->manager, *name);

                if (d && d->managed && find_in(i, &d->live))
                        return true;
        }
        return false;
}

bool ocsp_item_is_wanted(const OcspItem *i, uint64_t now_usec) {
        return i->offered || i->wanted_until_usec > now_usec || is_checked(i);
}

/* The store may have been written by mod_md, which believes what it gets. What is kept is believed no more than what comes: what it says is read from it. */
static bool is_believed(OcspItem *i, StoreStaple *staple) {
        _auto_problem_ Problem *p = NULL;
        OcspAnswer a;

        if (!staple->der)
                return true;
        if (ocsp_response_verify(staple->der, staple->size, NULL, 0, i->issuer, i->serial, clock_now_usec(), &a, &p) == 0) {
                i->key_compromised = a.key_compromised;
                staple->revoked = a.revoked;
                return a.from_usec == staple->from_usec && a.until_usec == staple->until_usec;
        }
        log_debug("The OCSP response in " STORE_OCSP "/%s/ocsp-%s.json is of no use: %s", i->names[0], i->id, p ? p->detail : "out of memory");
        return false;
}

/* A time that a wrong clock, or another setting, has planned is planned anew. In the file it stays as it was: the next response writes that again. */
static void plan_kept(OcspItem *i) {
        StoreStaple *s = &i->staple;
        uint64_t now = clock_now_usec();
        OcspTimes times = { s->from_usec, s->until_usec, s->came_usec <= now ? s->came_usec : 0 };

        if (s->errors == 0 && s->der)
                s->next_usec = ocsp_schedule_keep_usec(&i->window, &times, s->next_usec, manager_random());
        s->next_usec = ocsp_schedule_check_usec(s->next_usec, s->der ? s->until_usec : 0, s->errors, now);
}

static void load(OcspItem *i) {
        StoreStaple kept = { 0 };

        if (store_ocsp_read(i->manager->store, i->names[0], i->id, &kept) != 0)
                return;
        if (!is_believed(i, &kept)) {
                StoreStaple none = { .errors = kept.errors, .next_usec = kept.errors > 0 ? kept.next_usec : 0, .revoked_told = kept.revoked_told };

                store_staple_done(&kept);
                kept = none;
        }
        store_staple_done(&i->staple);
        i->staple = kept;
        plan_kept(i);
}

/* A failure is told; the response is kept in memory, and the next one is written again. */
static void keep(const OcspItem *i, int (*write)(Store *s, const char *name, const char *id, const StoreStaple *staple)) {
        STRV_FOREACH(name, i->names) {
                int r = write(i->manager->store, *name, i->id, &i->staple);

                if (r != 0)
                        (void) log_failure(r < 0 ? r : -ENOENT, "%s: Cannot write an OCSP response to %s/" STORE_OCSP "/%s: %m", *name,
                                           store_path(i->manager->store), *name);
        }
}

int ocsp_item_add_name(OcspItem *i, const char *name) {
        StoreStaple there = { 0 };
        int r;

        if (strv_contains(i->names, name))
                return 0;
        r = strv_extend(&i->names, name);
        if (r < 0)
                return r;
        if (strv_length(i->names) > 1 && i->staple.der && store_ocsp_read(i->manager->store, name, i->id, &there) != 0)
                keep(i, store_ocsp_write);
        store_staple_done(&there);
        return 0;
}

int ocsp_item_follow(OcspItem *i, const SnapshotStapling *stapling, const Snapshot *server) {
        uint64_t before = i->staple.next_usec;

        if (str_replace(&i->url, stapling->url) < 0 || str_replace(&i->proxy_url, stapling->proxy_url) < 0 || str_replace(&i->proxy_ca_file, stapling->proxy_ca_file) < 0)
                return -ENOMEM;
        if (server) {
                i->window = server->staple_renew;
                i->retry_delay_usec = server->retry_delay_usec;
        }
        plan_kept(i);
        i->replanned = i->replanned || i->staple.next_usec != before;
        return 0;
}

int ocsp_item_new(Manager *m, const SnapshotStapling *stapling, X509 *issuer, const Snapshot *server, OcspItem **ret) {
        _cleanup_(ocsp_item_freep) OcspItem *i = calloc(1, sizeof(*i));
        const char *name = str_or(stapling->domain, STORE_OCSP_OTHER);

        if (!i)
                return -ENOMEM;
        i->manager = m;
        if (X509_up_ref(issuer) != 1)
                return -ENOMEM;
        i->issuer = issuer;
        if (str_replace(&i->id, stapling->id) < 0 || str_replace(&i->serial, stapling->serial) < 0 || ocsp_item_follow(i, stapling, server) < 0 || ocsp_item_add_name(i, name) < 0)
                return -ENOMEM;
        /* There from now on, which md-ocsp.service takes for a sign that there is something to do. */
        (void) store_ocsp_ensure(m->store, name);
        load(i);
        *ret = take_ptr(i);
        return 0;
}

/* Asking */

static void request_done(OcspRequest *q) {
        free(q->der);
        *q = (OcspRequest){ 0 };
}

void ocsp_item_forget_request(OcspItem *i) {
        request_done(&i->by_post);
        request_done(&i->by_get_request);
        i->token = 0;
}

int ocsp_item_ask(OcspItem *i, uint64_t token) {
        int r;

        ocsp_item_forget_request(i);
        r = ocsp_request_make(i->issuer, i->serial, true, &i->by_post.der, &i->by_post.size);
        if (r == 0)
                r = ocsp_request_make(i->issuer, i->serial, false, &i->by_get_request.der, &i->by_get_request.size);
        if (r == 0)
                i->token = token;
        else
                ocsp_item_forget_request(i);
        return r;
}

/* Telling */

static void tell(const OcspItem *i, EventKind kind, const Problem *problem, const char *text) {
        STRV_FOREACH(name, i->names) {
                Domain *d = manager_find_domain(i->manager, *name);

                if (d)
                        event_tell(d, kind, problem, "%s", text);
                else
                        event_tell_other(i->manager, kind, &(OtherEvent){ .name = *name, .serials = (char *[]){ i->serial, NULL }, .problem = problem, .text = text });
        }
}

static void tell_renewed(OcspItem *i, bool news) {
        _auto_free_ char *text = NULL;
        char until[CLOCK_HUMAN_MAX];
        uint64_t now = clock_now_usec();

        if (!i->offered) /* nobody staples it */
                return;
        if (!news && usec_sub(now, i->renewed_told_usec) < event_kind_interval_usec(EVENT_OCSP_RENEWED))
                return;
        i->renewed_told_usec = now;
        text = str_printf("The OCSP responder says that the certificate %s is %s, until %s", i->serial, i->staple.revoked ? "revoked" : "good",
                          clock_format_utc(until, i->staple.until_usec));
        if (text)
                tell(i, EVENT_OCSP_RENEWED, NULL, text);
}

/* Of a certificate that nobody staples, nobody has to be woken for that. */
static void tell_unknown(const OcspItem *i, const Problem *problem) {
        char when[CLOCK_HUMAN_MAX];

        log_full(LOG_NOTICE, 0, NULL, &(LogField){ "MD_NAME", i->names[0] }, 1, "%s: It is not known whether the certificate %s is revoked (attempt %u): %s; next try %s",
                 i->names[0], i->serial, i->staple.errors, problem->detail, clock_format_utc(when, i->staple.next_usec));
}

static void tell_errored(OcspItem *i, const Problem *problem) {
        _auto_free_ char *text = NULL;
        char when[CLOCK_HUMAN_MAX], until[CLOCK_HUMAN_MAX];
        uint64_t now = clock_now_usec();
        bool good = ocsp_item_is_good(i, now);

        if (i->staple.errors > 1 && usec_sub(now, i->errored_told_usec) < event_kind_interval_usec(EVENT_OCSP_ERRORED))
                return;
        i->errored_told_usec = now;
        if (!i->offered && i->wanted_until_usec == 0) {
                tell_unknown(i, problem);
                return;
        }
        text = str_printf("There is no new OCSP response for the certificate %s (attempt %u): %s; %s%s; next try %s", i->serial, i->staple.errors, problem->detail,
                          good ? "the one before is stapled until " : "nothing is stapled", good ? clock_format_utc(until, i->staple.until_usec) : "",
                          clock_format_utc(when, i->staple.next_usec));
        if (text)
                tell(i, EVENT_OCSP_ERRORED, problem, text);
}

/* What came of it */

void ocsp_item_failed(OcspItem *i, const Problem *problem) {
        uint64_t now = clock_now_usec();

        ocsp_item_forget_request(i);
        i->staple.errors++;
        i->staple.next_usec = ocsp_schedule_retry_usec(i->retry_delay_usec, i->staple.errors, problem->retry_after_usec, now, manager_random());
        problem_free(i->staple.last);
        i->staple.last = problem_copy(problem);
        tell_errored(i, problem);
        keep(i, store_ocsp_write_attempt);
}

bool ocsp_item_is_revoked_other(const OcspItem *i) {
        return i->staple.revoked && i->offered && strv_contains(i->names, STORE_OCSP_OTHER);
}

void ocsp_item_note_told(OcspItem *i) {
        if (i->staple.revoked_told)
                return;
        i->staple.revoked_told = true;
        keep(i, store_ocsp_write_attempt);
}

/* Of several, a hook may hear of the last one only, which therefore brings the others along. */
static void tell_revoked_other(OcspItem *i) {
        _auto_free_ char *text = str_printf("The CA says (OCSP) that certificate %s was revoked", i->serial);
        _auto_strv_ char **serials = NULL;

        if (!text || strv_extend(&serials, i->serial) < 0 || ocsp_list_revoked_others(i->manager->ocsp, &serials) < 0) {
                (void) log_oom();
                return;
        }
        event_tell_other(i->manager, EVENT_REVOKED, &(OtherEvent){ .name = EVENT_NAME_OTHER, .serials = serials, .text = text });
        ocsp_item_note_told(i);
}

/* The domain has another one by now, of which the server does not know yet. */
static void tell_revoked_before(OcspItem *i, Domain *d) {
        event_tell(d, EVENT_REVOKED, NULL, "The CA says (OCSP) that certificate %s was revoked, which the server goes on with until it is reloaded", i->serial);
        domain_save_job(d);
        ocsp_item_note_told(i);
}

static void tell_revoked(OcspItem *i) {
        STRV_FOREACH(name, i->names) {
                Domain *d = manager_find_domain(i->manager, *name);

                if (d && d->managed && d->live_known)
                        tell_revoked_before(i, d);
        }
        if (ocsp_item_is_revoked_other(i))
                tell_revoked_other(i);
}

void ocsp_item_note_revoked(OcspItem *i) {
        bool owned = false;

        if (!i->staple.revoked)
                return;
        STRV_FOREACH(name, i->names) {
                Domain *d = manager_find_domain(i->manager, *name);
                const CertFacts *f = d && d->managed ? find_own(i, d) : NULL;

                if (f)
                        revoked_note(d, f, i->key_compromised, "OCSP");
                owned = owned || f;
        }
        if (owned)
                ocsp_item_note_told(i);
        else if (i->offered && !i->staple.revoked_told)
                tell_revoked(i);
}

static void take(OcspItem *i, const void *der, size_t size, const OcspAnswer *a) {
        StoreStaple staple = { .size = size, .revoked = a->revoked, .revoked_told = i->staple.revoked_told, .from_usec = a->from_usec, .until_usec = a->until_usec,
                               .came_usec = clock_now_usec() };
        bool news = !i->staple.der || i->staple.errors > 0 || i->staple.revoked != a->revoked;

        ocsp_item_forget_request(i);
        staple.der = malloc(size);
        if (!staple.der) {
                (void) log_oom();
                return;
        }
        memcpy(staple.der, der, size);
        staple.next_usec = ocsp_schedule_refresh_usec(&i->window, a->from_usec, a->until_usec, clock_now_usec(), manager_random());
        store_staple_done(&i->staple);
        i->staple = staple;
        i->key_compromised = a->key_compromised;
        keep(i, store_ocsp_write);
        tell_renewed(i, news);
        ocsp_item_note_revoked(i);
}

/* Somebody on the way, or a cache, may still have what was signed before the certificate was revoked. */
static int check_age(const OcspItem *i, const OcspAnswer *a, Problem **ret_problem) {
        char there[CLOCK_HUMAN_MAX], came[CLOCK_HUMAN_MAX];

        if (!ocsp_item_is_good(i, clock_now_usec()) || a->from_usec >= i->staple.from_usec)
                return 0;
        (void) problem_set(ret_problem, PROBLEM_TYPE_OCSP, "The OCSP response is of %s, and there is one of %s", clock_format_utc(came, a->from_usec),
                           clock_format_utc(there, i->staple.from_usec));
        return -EBADMSG;
}

void ocsp_item_answered(OcspItem *i, const void *der, size_t size, bool by_get) {
        const OcspRequest *request = by_get ? &i->by_get_request : &i->by_post;
        _auto_problem_ Problem *p = NULL;
        OcspAnswer a = { 0 };
        int r;

        r = ocsp_response_verify(der, size, request->der, request->size, i->issuer, i->serial, clock_now_usec(), &a, &p);
        if (r == 0)
                r = check_age(i, &a, &p);
        if (r == 0) {
                take(i, der, size, &a);
                return;
        }
        if (!p)
                p = problem_new(PROBLEM_TYPE_INTERNAL, "The OCSP response cannot be verified: %s", strerror(-r));
        problem_prefix(p, "%s", i->url);
        if (p)
                ocsp_item_failed(i, p);
        else
                ocsp_item_forget_request(i);
}
