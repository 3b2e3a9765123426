/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/facts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/string-util.h"
#include "base/strv.h"

void cert_facts_done(CertFacts *f) {
        if (!f)
                return;

        free(f->spec);
        (void) strv_free(f->names);
        free(f->issuer);
        free(f->issuer_name);
        free(f->issuer_url);
        free(f->ocsp_id);
        free(f->ocsp_url);
        free(f->crl_url);
        free(f->ari_id);
        free(f->serial);
        free(f->sha256);
        free(f->key_sha256);
        *f = (CertFacts){};
}

void cert_facts_list_done(CertFactsList *l) {
        if (!l)
                return;

        for (size_t i = 0; i < l->n; i++)
                cert_facts_done(&l->items[i]);
        free(l->items);
        *l = (CertFactsList){};
}

int cert_facts_list_take(CertFactsList *l, CertFacts *f) {
        CertFacts *items;

        assert(l);
        assert(f);

        items = reallocarray(l->items, l->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        l->items = items;
        items[l->n++] = *f;
        *f = (CertFacts){};
        return 0;
}

const CertFacts *cert_facts_find(const CertFactsList *l, const char *spec) {
        assert(l);

        for (size_t i = 0; i < l->n; i++)
                if (str_equal(l->items[i].spec, spec))
                        return &l->items[i];
        return NULL;
}
