/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the status pages show: the manager writes it into the store, Apache's children read it there and ask nobody.
 *
 * Changes of one round of the loop are written together in the next one, some domains at a time; what is as it was is not written. */

#include "manager/domain.h"

typedef struct Status Status;

int status_new(Manager *m, Status **ret);
Status *status_free(Status *s);

/* Something of what is shown may have changed. 'd' NULL: of what is not about one domain. */
void status_changed(Status *s, Domain *d);
/* The domain goes from memory: what lies in the store stays. */
void status_forget(Status *s, const Domain *d);
/* Nobody manages it any more. */
void status_remove(Status *s, const Domain *d);
/* At start: the files of domains that went while we were away. */
void status_prune(Status *s);
/* Somebody may have changed the files: all are compared with what they should be. */
void status_check(Status *s);

/* The texts. The caller frees *ret. */
int status_format_domain(Domain *d, char **ret);
int status_format_manager(const Manager *m, char **ret);
