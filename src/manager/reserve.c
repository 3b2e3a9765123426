/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/reserve.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "manager/deliver.h"
#include "manager/event.h"
#include "store/domain.h"

static int copy_pair(Domain *d, const KeySpec *spec, StoreSet from, StoreSet to) {
        Store *s = d->manager->store;
        _auto_secret_ Secret *key = NULL;
        _auto_free_ char *chain = NULL;
        int r;

        r = store_domain_read_key(s, from, DOMAIN_NAME(d), spec, &key);
        if (r == 0)
                r = store_domain_read_chain(s, from, DOMAIN_NAME(d), spec, &chain);
        if (r == 0)
                r = store_domain_write_key(s, to, DOMAIN_NAME(d), spec, key);
        if (r == 0)
                r = store_domain_write_chain(s, to, DOMAIN_NAME(d), spec, chain);
        return r;
}

/* The certificate for a key spec, when its key is there and belongs to it. */
static const CertFacts *good(const CertFactsList *l, const KeySpec *spec) {
        char name[KEY_SPEC_NAME_MAX];
        const CertFacts *f = cert_facts_find(l, key_spec_name(spec, name));

        return f && f->key_matches ? f : NULL;
}

void reserve_keep(Domain *d) {
        CertFactsList reserve = { 0 };

        if (deliver_read_facts(d, STORE_SET_RESERVE, &reserve, NULL) < 0)
                return;
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);
                const CertFacts *live = good(&d->live, &spec), *kept = good(&reserve, &spec);
                int r;

                if (!live || (kept && str_equal(kept->sha256, live->sha256)))
                        continue;
                r = copy_pair(d, &spec, STORE_SET_LIVE, STORE_SET_RESERVE);
                if (r != 0)
                        (void) log_failure(r < 0 ? r : -EIO, "%s: Cannot keep a second copy of its certificate in " STORE_RESERVE "/%s: %m", DOMAIN_NAME(d),
                                           DOMAIN_NAME(d));
        }
        cert_facts_list_done(&reserve);
}

static bool is_whole(const Domain *d) {
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                if (!good(&d->live, &spec))
                        return false;
        }
        return true;
}

bool reserve_restore(Domain *d) {
        CertFactsList reserve = { 0 };
        char name[KEY_SPEC_NAME_MAX];
        bool restored = false;

        if (is_whole(d) || deliver_read_facts(d, STORE_SET_RESERVE, &reserve, NULL) < 0)
                return false;
        for (size_t i = 0; i < key_specs_count(&d->config->keys); i++) {
                KeySpec spec = key_specs_get(&d->config->keys, i);

                if (good(&d->live, &spec) || !good(&reserve, &spec))
                        continue;
                if (copy_pair(d, &spec, STORE_SET_RESERVE, STORE_SET_LIVE) != 0)
                        continue; /* told when it goes on being missing */
                restored = true;
                event_tell(d, EVENT_STORE_DAMAGED, NULL, "The %s certificate or its key was missing or damaged in " STORE_DOMAINS "/%s: put back from " STORE_RESERVE "/%s",
                           key_spec_name(&spec, name), DOMAIN_NAME(d), DOMAIN_NAME(d));
        }
        cert_facts_list_done(&reserve);
        return restored;
}
