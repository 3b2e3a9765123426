/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/domain-size.h"

#include <string.h>

#include "base/strv.h"

enum {
        REST = 8 * 1024, /* the names of the properties, words, times, and the log, which is cut */
        STRING_FRAME = 8,
        SERVER_SIZE = 256,
        CERTIFICATE_SIZE = 4 * 1024, /* with what went wrong when it was asked whether it is revoked */
        RECORD_SIZE = 1024,
};

static size_t length(const char *s) {
        return s ? strlen(s) : 0;
}

static size_t list_size(char *const *list) {
        size_t n = 0;

        STRV_FOREACH(s, list)
                n += strlen(*s) + STRING_FRAME;
        return n;
}

size_t domain_size(const Domain *d) {
        const Problem *p = d->job->last;
        size_t n = REST + 4 * length(DOMAIN_NAME(d)); /* also in the path, escaped */

        n += list_size(d->config->names) + list_size(d->config->contacts) + list_size(d->config->ca_urls);
        n += length(d->config->refused) + length(d->config->defined_file) + length(d->decision.detail);
        n += d->n_servers * SERVER_SIZE + MAX_OF(d->live.n, d->files.n) * CERTIFICATE_SIZE + d->job->persist_records.n * RECORD_SIZE;
        return p ? n + length(p->detail) + length(p->activity) + length(p->subproblems) : n;
}
