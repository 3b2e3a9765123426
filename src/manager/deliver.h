/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a worker brings: the manager believes a chain only after it has verified it. */

#include "crypto/cert.h"
#include "manager/renewal.h"

/* Verifies and stages the certificate for the current key spec. 'chains': the one that the CA chose, then its alternates; the one with the preferred
 * issuer is taken, when there is one. -EBADMSG with a problem: refused. */
int deliver_chain(Renewal *r, char *const *chains, Problem **ret_problem);

/* Reads and checks the set of 'set' for domain 'd': facts for each key spec whose certificate is there and readable. A damaged file counts as missing, and *ret_damaged (may be NULL,
 * the caller frees it) names the first. */
int deliver_read_facts(Domain *d, int set, CertFactsList *ret, char **ret_damaged);
/* Moves what a decision may know out of what crypto read. */
int deliver_take_facts(CertInfo *info, const char *spec, bool key_matches, uint64_t received_usec, CertFacts *ret);
/* The same of an archived set (store/archive.h). Any thread may. */
int deliver_read_archived_facts(Store *store, const char *entry, const KeySpecs *keys, CertFactsList *ret);
