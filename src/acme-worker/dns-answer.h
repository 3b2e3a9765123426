/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a DNS server answered: the few facts that a look at a record needs, read from the bytes. Pure. */

#include <arpa/nameser.h>

#include "base/strv.h"

enum {
        DNS_ALIASES_MAX = 8,   /* CNAME records that are followed, in one answer and from one zone to the next */
        DNS_RECORDS_MAX = 256, /* of one section */
        DNS_VALUES_MAX = 64,
        DNS_VALUE_BYTES_MAX = 1024, /* of a value as it is kept: longer ones are none of ours, and are cut */
};

typedef struct DnsAnswer {
        unsigned code;      /* ns_r_noerror, … */
        bool authoritative; /* the server says that it knows */
        char *name;         /* where the aliases in the answer lead to from the name that was asked for */
        char **values;      /* of the type that was asked for, at 'name': texts, names or addresses, printable */
        char *zone;         /* whose SOA record is in the answer, and 'name' is in it; NULL: none is */
} DnsAnswer;

DnsAnswer *dns_answer_free(DnsAnswer *answer);
DEFINE_CLEANUP(DnsAnswer *, dns_answer_free)

enum {
        DNS_ANSWER_DONE,
        DNS_ANSWER_E_MALFORMED, /* no answer to this question, or its aliases go in circles */
};

/* Reads the answer to the question for 'name' (without a dot at the end) and 'type': ns_t_txt, ns_t_ns, ns_t_soa, ns_t_a or ns_t_aaaa. */
int dns_answer_parse(const void *data, size_t size, const char *name, int type, DnsAnswer **ret);

/* Letters of either case are the same. */
bool dns_name_is_in_zone(const char *name, const char *zone) _pure_;
