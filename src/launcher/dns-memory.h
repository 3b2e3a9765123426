/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* With which command the records of a domain were set up: a reload may take the domain or the command out of the configuration before they are taken back. Kept in
 * memory for an hour; md-launcher stays that long. */

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct DnsMemory DnsMemory;

int dns_memory_new(sd_event *event, DnsMemory **ret);
DnsMemory *dns_memory_free(DnsMemory *m);

int dns_memory_put(DnsMemory *m, const char *domain, char *const *command, unsigned version);
char *const *dns_memory_get(const DnsMemory *m, const char *domain, unsigned *ret_version); /* NULL: not known */
bool dns_memory_is_empty(const DnsMemory *m) _pure_;
