/* SPDX-License-Identifier: Apache-2.0 */

/* A certificate that demands stapling is worth nothing to browsers that look before there is a response for it: so the response comes first. */

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "manager/ocsp-internal.h"
#include "store/domain.h"

/* With a certificate in use that lives longer than this, a new one waits for as long as it takes; otherwise not longer than that. */
#define LIFE_MIN_USEC USEC_PER_DAY
#define WAIT_MAX_USEC USEC_PER_HOUR
#define LOOK_USEC USEC_PER_MINUTE

/* True: its response is there, or it needs none. */
static bool is_ready(Ocsp *o, Domain *d, const CertChain *chain, const CertInfo *info) {
        OcspItem *i;
        int r = 0;

        if (!info->must_staple || !info->ocsp_url || chain->n < 2)
                return true;
        i = map_get(o->items, info->ocsp_id);
        if (!i)
                r = ocsp_add_own(o, &(OcspOwnCert){ .domain = d, .id = info->ocsp_id, .serial = info->serial, .url = info->ocsp_url, .issuer = chain->certs[1] }, &i);
        if (r < 0) {
                (void) log_failure(r, "%s: Cannot ask for the OCSP response of the new certificate: %m", DOMAIN_NAME(d));
                return true;
        }
        if (!i->offered)
                i->wanted_until_usec = usec_add(clock_now_usec(), USEC_PER_DAY);
        return ocsp_item_is_good(i, clock_now_usec());
}

static bool is_staged_ready(Ocsp *o, Domain *d, const KeySpec *spec) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *pem = NULL;
        CertInfo info = { 0 };
        bool ready;

        if (store_domain_read_chain(o->manager->store, STORE_SET_STAGING, DOMAIN_NAME(d), spec, &pem) != 0 ||
            cert_chain_from_pem(pem, strlen(pem), &chain, NULL) < 0 || cert_info_read(chain.certs[0], &info) < 0)
                return true; /* others complain of that */
        ready = is_ready(o, d, &chain, &info);
        cert_info_done(&info);
        return ready;
}

/* Until when at the latest. */
static uint64_t deadline(const Domain *d, uint64_t now) {
        uint64_t until = domain_valid_until_usec(d), latest = usec_add(d->job->staged_usec > 0 ? d->job->staged_usec : now, WAIT_MAX_USEC);

        return MAX_OF(latest, usec_sub(until, LIFE_MIN_USEC));
}

uint64_t ocsp_hold_activation(Ocsp *o, Domain *d) {
        uint64_t now = clock_now_usec(), latest = deadline(d, now);
        bool ready = true;

        if (!d->config->stapling)
                return 0;
        for (size_t k = 0; k < key_specs_count(&d->config->keys); k++) {
                KeySpec spec = key_specs_get(&d->config->keys, k);

                ready = is_staged_ready(o, d, &spec) && ready; /* all are asked for at once */
        }
        if (ready)
                return 0;
        ocsp_kick(o);
        if (now >= latest) {
                log_warning("%s: There is still no OCSP response for the new certificate, which demands stapling; it is used without.", DOMAIN_NAME(d));
                return 0;
        }
        return MIN_OF(latest, usec_add(now, LOOK_USEC));
}
