/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/file-facts.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "crypto/cert.h"
#include "domain/name.h"
#include "manager/deliver.h"
#include "manager/domain.h"

enum {
        NUMBER_MAX = 24,
};

/* Files have no kind of key in their names, so they go by number, as in mod_md. */
static int read_one(size_t number, const char *pem, CertFactsList *facts, Problem **ret_problem) {
        _auto_x509_ X509 *cert = NULL;
        char spec[NUMBER_MAX];
        CertInfo info = { 0 };
        CertFacts f = { 0 };
        int r;

        (void) snprintf(spec, sizeof(spec), "%zu", number);
        r = cert_leaf_from_pem(pem, strlen(pem), &cert, ret_problem);
        if (r == 0)
                r = cert_info_read(cert, &info);
        if (r < 0)
                return r;
        r = deliver_take_facts(&info, spec, true, 0, &f);
        cert_info_done(&info);
        if (r == 0)
                r = cert_facts_list_take(facts, &f);
        cert_facts_done(&f);
        return r;
}

void file_facts_read(Domain *d) {
        size_t number = 0;

        cert_facts_list_done(&d->files);
        if (!managed_domain_is_static(d->config))
                return;
        STRV_FOREACH(pem, d->config->file_certs) {
                _auto_problem_ Problem *problem = NULL;
                int r = read_one(number++, *pem, &d->files, &problem);

                if (r < 0)
                        log_warning("%s: Certificate %zu of MDCertificateFile cannot be looked at: %s", DOMAIN_NAME(d), number,
                                    problem ? problem->detail : strerror(-r));
        }
}

bool file_facts_cover(const Domain *d) {
        for (size_t i = 0; i < d->files.n; i++) {
                const char *first = NULL;
                size_t others = 0;

                if (domain_names_uncovered(d->files.items[i].names, d->config->names, &first, &others) < 0 || first)
                        return false;
        }
        return true;
}
