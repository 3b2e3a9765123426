/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Asking DNS servers, by c-ares, which nobody but dns.c sees: the system's resolver, or one server directly.
 *
 * Every round of questions starts from nothing: no answer is taken from an earlier one. Truncated answers are asked for again over TCP. */

#include "acme-worker/dns-answer.h"

enum {
        DNS_QUESTIONS_MAX = 64, /* of one round */
};

typedef struct DnsQuestion {
        const char *name;   /* without a dot at the end */
        int type;           /* ns_t_… */
        const char *server; /* an address, asked not to ask others; NULL: the resolver of the system, which asks whom it wants */

        /* What came of it: one of the two. */
        DnsAnswer *answer;
        char *failure; /* why there is none, for people: "Timeout while contacting DNS servers" */
} DnsQuestion;

void dns_question_done(DnsQuestion *q);

/* Asks all of them at once; returns when each has its answer or its failure. Negative errno: out of memory. */
int dns_ask(DnsQuestion *questions, size_t n);

/* Whether a file of this machine (/etc/hosts) says where the name is: then what the system's resolver says need not be what others see. */
bool dns_name_is_in_hosts_file(const char *name);
