/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/reason.h"

#include <errno.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "domain/name.h"

/* Certificates that live less are renewed at half of their life: a third would leave too little time for retries. */
#define SHORT_LIFE_USEC (10 * USEC_PER_DAY)

int reason_printf(char **ret, const char *format, ...) {
        va_list ap;
        char *s;

        va_start(ap, format);
        s = str_vprintf(format, ap);
        va_end(ap);
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}

ReasonSlot reason_slot(const ManagedDomain *d, const CertFactsList *live, const Job *job, size_t i, uint64_t now_usec) {
        ReasonSlot s = { .domain = d, .job = job, .spec = key_specs_get(&d->keys, i), .now_usec = now_usec };

        s.cert = cert_facts_find(live, key_spec_name(&s.spec, s.name));
        return s;
}

Window reason_window(const ManagedDomain *d, const CertFacts *cert) {
        bool is_short = cert && usec_sub(cert->not_after_usec, cert->not_before_usec) < SHORT_LIFE_USEC;

        return window_is_set(&d->renew_window) ? d->renew_window : (Window){ .percent = is_short ? 50 : MANAGED_DOMAIN_RENEW_PERCENT };
}

uint64_t reason_window_usec(const ReasonSlot *s) {
        const Window w = reason_window(s->domain, s->cert);
        uint64_t begin;

        begin = window_begin_usec(&w, s->cert->not_before_usec, s->cert->not_after_usec);
        /* One that came when its window was open already (the CA dates back, or lets little of the life be left) would be renewed without pause: what
         * is left counts as its life. */
        if (begin <= s->cert->received_usec && s->cert->received_usec < s->cert->not_after_usec)
                begin = window_begin_usec(&w, s->cert->received_usec, s->cert->not_after_usec);
        return begin;
}

uint64_t reason_suggested_usec(const ReasonSlot *s) {
        const JobRenewalInfo *i = s->domain->ari && !s->job->rolled_back ? job_find_renewal_info((Job *) s->job, s->name) : NULL;

        return i && s->cert && str_equal(i->id, s->cert->ari_id) ? i->chosen_usec : 0;
}

uint64_t reason_renew_at_usec(const ReasonSlot *s) {
        uint64_t at = reason_window_usec(s), suggested = reason_suggested_usec(s);

        return suggested > 0 ? MIN_OF(at, suggested) : at; /* later than we would do it anyway: no reason to wait */
}

/* The reasons to renew, each a function that returns 0 when it does not hold, 1 with *ret_detail when it does, or -ENOMEM. */

static int because_missing(const ReasonSlot *s, char **ret_detail) {
        int r;

        if (s->cert)
                return 0;
        r = reason_printf(ret_detail, "there is no %s certificate", s->name);
        return r < 0 ? r : 1;
}

static int because_key_mismatch(const ReasonSlot *s, char **ret_detail) {
        int r;

        if (!s->cert || s->cert->key_matches)
                return 0;
        r = reason_printf(ret_detail, "the private key of the %s certificate is missing or belongs to another one", s->name);
        return r < 0 ? r : 1;
}

/* The daemon of tailscale certifies one name. */
static int because_names(const ReasonSlot *s, char **ret_detail) {
        char *const only[] = { s->domain->names[0], NULL };
        const char *first;
        size_t count;
        int r;

        if (!s->cert)
                return 0;
        r = domain_names_uncovered(s->cert->names, s->domain->protocol ? only : s->domain->names, &first, &count);
        if (r < 0 || count == 0)
                return r;
        if (count == 1)
                r = reason_printf(ret_detail, "%s is not covered by the %s certificate", first, s->name);
        else
                r = reason_printf(ret_detail, "%s and %zu more %s are not covered by the %s certificate", first, count - 1,
                                  count == 2 ? "name" : "names", s->name);
        return r < 0 ? r : 1;
}

/* 0: a curve that we do not know by name, whose size says nothing. */
static unsigned curve_bits(const char *curve) {
        static const struct {
                const char *curve;
                unsigned bits;
        } curves[] = {
                { "P-256", 256 },     { "secp256r1", 256 }, { "prime256v1", 256 }, { "P-384", 384 },
                { "secp384r1", 384 }, { "P-521", 521 },     { "secp521r1", 521 },
        };

        for (size_t i = 0; i < ELEMENTSOF(curves); i++)
                if (str_equal_nocase(curves[i].curve, curve))
                        return curves[i].bits;
        return 0;
}

static bool key_is_as_asked(const KeySpec *spec, const CertFacts *cert) {
        unsigned bits;

        switch (spec->type) {
        case KEY_TYPE_DEFAULT: /* nobody asked for a size: better is good enough */
                return cert->key_type == KEY_TYPE_RSA && cert->key_bits >= KEY_SPEC_RSA_BITS_DEFAULT;
        case KEY_TYPE_RSA:
                return cert->key_type == KEY_TYPE_RSA && cert->key_bits == spec->bits;
        case KEY_TYPE_EC:
                bits = curve_bits(spec->curve);
                return cert->key_type == KEY_TYPE_EC && (bits == 0 || cert->key_bits == bits);
        }
        return true;
}

static int because_key_spec(const ReasonSlot *s, char **ret_detail) {
        int r;

        if (!s->cert || s->domain->protocol || key_is_as_asked(&s->spec, s->cert)) /* nobody asked for the daemon's */
                return 0;
        if (s->spec.type == KEY_TYPE_EC)
                r = reason_printf(ret_detail, "the certificate's key is %s with %u bits, and a key on curve %s is configured",
                                  s->cert->key_type == KEY_TYPE_EC ? "EC" : "RSA", s->cert->key_bits, s->spec.curve);
        else
                r = reason_printf(ret_detail, "the certificate's key is %s with %u bits, and RSA with %u bits is configured",
                                  s->cert->key_type == KEY_TYPE_EC ? "EC" : "RSA", s->cert->key_bits, s->spec.bits);
        return r < 0 ? r : 1;
}

static int because_expired(const ReasonSlot *s, char **ret_detail) {
        char when[CLOCK_HUMAN_MAX];
        int r;

        if (!s->cert || s->cert->not_after_usec > s->now_usec)
                return 0;
        r = reason_printf(ret_detail, "the %s certificate expired at %s", s->name, clock_format_utc(when, s->cert->not_after_usec));
        return r < 0 ? r : 1;
}

static int because_window(const ReasonSlot *s, char **ret_detail) {
        char begin[CLOCK_HUMAN_MAX], end[CLOCK_HUMAN_MAX];
        int r;

        if (!s->cert || reason_window_usec(s) > s->now_usec)
                return 0;
        r = reason_printf(ret_detail, "the %s certificate expires at %s and is renewed from %s on", s->name,
                          clock_format_utc(end, s->cert->not_after_usec), clock_format_utc(begin, reason_window_usec(s)));
        return r < 0 ? r : 1;
}

static int because_must_staple(const ReasonSlot *s, char **ret_detail) {
        int r;

        if (!s->cert || s->domain->protocol || s->cert->must_staple == s->domain->must_staple)
                return 0;
        r = reason_printf(ret_detail, s->domain->must_staple ? "the %s certificate does not demand stapling, and MDMustStaple is on" :
                                                               "the %s certificate demands stapling, and MDMustStaple is off",
                          s->name);
        return r < 0 ? r : 1;
}

static int because_revoked(const ReasonSlot *s, char **ret_detail) {
        int r;

        if (!s->cert || !strv_contains(s->job->revoked, s->cert->sha256))
                return 0;
        r = reason_printf(ret_detail, "the %s certificate is revoked", s->name);
        return r < 0 ? r : 1;
}

static int because_ca_changed(const ReasonSlot *s, char **ret_detail) {
        int r;

        if (!s->cert || !s->domain->renew_on_ca_change || !s->job->live_ca_url || !s->domain->ca_urls ||
            strv_contains(s->domain->ca_urls, s->job->live_ca_url))
                return 0;
        r = reason_printf(ret_detail, "the %s certificate is from %s, which is not configured any more (MDCertificateAuthority)", s->name, s->job->live_ca_url);
        return r < 0 ? r : 1;
}

static int because_renewal_info(const ReasonSlot *s, char **ret_detail) {
        uint64_t suggested = s->cert ? reason_suggested_usec(s) : 0;
        const JobRenewalInfo *i;
        char at[CLOCK_HUMAN_MAX];
        int r;

        if (suggested == 0 || suggested > s->now_usec)
                return 0;
        i = job_find_renewal_info((Job *) s->job, s->name);
        r = reason_printf(ret_detail, "the CA suggested to renew the %s certificate at %s%s%s", s->name, clock_format_utc(at, suggested),
                          i->explanation_url ? "; its explanation: " : "", i->explanation_url ? i->explanation_url : "");
        return r < 0 ? r : 1;
}

/* In the order in which they are told when several hold. What is a matter of choice does not count against a set that somebody put back: that was chosen,
 * too, and later. */
static const struct {
        DecisionReason reason;
        int (*holds)(const ReasonSlot *s, char **ret_detail);
        bool is_choice;
} renewal_reasons[] = {
        { REASON_MISSING, because_missing },
        { REASON_KEY_MISMATCH, because_key_mismatch },
        { REASON_NAMES, because_names },
        { REASON_KEY_SPEC, because_key_spec, .is_choice = true },
        { REASON_MUST_STAPLE, because_must_staple, .is_choice = true },
        { REASON_REVOKED, because_revoked },
        { REASON_CA_CHANGED, because_ca_changed, .is_choice = true },
        { REASON_EXPIRED, because_expired },
        { REASON_WINDOW, because_window },
        { REASON_RENEWAL_INFO, because_renewal_info, .is_choice = true },
};

int reason_find(const ManagedDomain *d, const CertFactsList *live, const Job *job, uint64_t now_usec, DecisionReason *ret, char **ret_detail) {
        for (size_t i = 0; i < ELEMENTSOF(renewal_reasons); i++)
                for (size_t k = 0; k < key_specs_count(&d->keys) && !(renewal_reasons[i].is_choice && job->rolled_back); k++) {
                        ReasonSlot s = reason_slot(d, live, job, k, now_usec);
                        int r = renewal_reasons[i].holds(&s, ret_detail);

                        if (r < 0)
                                return r;
                        if (r > 0) {
                                *ret = renewal_reasons[i].reason;
                                return 1;
                        }
                }
        return 0;
}

