/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* dns-persist-01 (draft-ietf-acme-dns-persist): a record that says which account may have certificates for a name, published by the administrator and never
 * by us. We say what it must be, have the worker look for it, and warn before it ends. */

#include "manager/renewal.h"

/* Where the record of a name is. NULL: out of memory. */
char *challenge_persist_name(const char *identifier);

/* The CA wants the record for one of these names of its own; 'account_uri': how it calls our account there, which must be by its URL; "": it does not say. Keeps in
 * job.json what must be published. Negative with a problem: this cannot be. */
int challenge_persist_keep(Renewal *r, const char *identifier, char *const *issuers, const char *account_uri, char **ret_value, Problem **ret_problem);

/* The worker found it. False: none was to be looked for. */
bool challenge_persist_seen(Domain *d, const char *identifier, uint64_t until_usec);

/* For people: a record that ends too soon. NULL: there is none. */
char *challenge_persist_find_fault(const Domain *d, uint64_t now_usec);
