/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/zone-servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "acme-worker/dns.h"
#include "base/cleanup.h"
#include "base/string-util.h"

enum {
        WALK_MAX = 16,                     /* labels that are left out on the way up to the zone */
        NAMES_MAX = DNS_QUESTIONS_MAX / 2, /* each is asked for twice, IPv4 and IPv6 */
};

void zone_servers_done(ZoneServers *z) {
        for (size_t i = 0; i < z->n_servers; i++) {
                free(z->servers[i].name);
                free(z->servers[i].address);
        }
        free(z->name);
        free(z->zone);
        *z = (ZoneServers){};
}

/* One question to the system's resolver. *ret stays NULL when there is no answer. */
static int ask(const char *name, int type, DnsAnswer **ret) {
        DnsQuestion q = { .name = name, .type = type };
        int r;

        r = dns_ask(&q, 1);
        if (r == 0)
                *ret = take_ptr(q.answer);
        dns_question_done(&q);
        return r;
}

/* A resolver tells the zone's SOA record also with the answer that there is none at the name itself; those that do not are asked for
 * the names above, one after the other. */
static int find_zone(ZoneServers *z) {
        const char *at = z->name;

        for (unsigned n = 0; n < WALK_MAX && at; n++) {
                _cleanup_(dns_answer_freep) DnsAnswer *answer = NULL;
                const char *dot;
                int r;

                r = ask(at, ns_t_soa, &answer);
                if (r < 0 || !answer)
                        return r;
                if (at == z->name && !str_equal_nocase(answer->name, z->name)) {
                        r = str_replace(&z->name, answer->name);
                        if (r < 0)
                                return r;
                        at = z->name;
                        if (!answer->zone)
                                continue; /* told of the alias only */
                }
                if (answer->zone && dns_name_is_in_zone(z->name, answer->zone))
                        return str_replace(&z->zone, answer->zone);
                dot = strchr(at, '.');
                at = dot ? dot + 1 : NULL;
        }
        return 0;
}

static int add_server(ZoneServers *z, const char *name, const char *address) {
        ZoneServer *server = &z->servers[z->n_servers];

        if (z->n_servers >= ZONE_SERVERS_MAX)
                return 0;
        if (str_replace(&server->name, name) < 0 || str_replace(&server->address, address) < 0) {
                free(server->name);
                *server = (ZoneServer){};
                return -ENOMEM;
        }
        z->n_servers++;
        return 0;
}

static int add_servers(ZoneServers *z, const DnsQuestion *questions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (!questions[i].answer)
                        continue;
                STRV_FOREACH(address, questions[i].answer->values) {
                        int r;

                        r = add_server(z, questions[i].name, *address);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int find_addresses(ZoneServers *z, char *const *names) {
        DnsQuestion questions[2 * NAMES_MAX] = {};
        size_t n = 0;
        int r;

        STRV_FOREACH(name, names) {
                if (n + 2 > ELEMENTSOF(questions))
                        break;
                questions[n++] = (DnsQuestion){ .name = *name, .type = ns_t_aaaa };
                questions[n++] = (DnsQuestion){ .name = *name, .type = ns_t_a };
        }
        r = dns_ask(questions, n);
        if (r == 0)
                r = add_servers(z, questions, n);
        for (size_t i = 0; i < n; i++)
                dns_question_done(&questions[i]);
        return r;
}

int zone_servers_find(const char *name, ZoneServers *ret) {
        _cleanup_(zone_servers_done) ZoneServers z = {};
        _cleanup_(dns_answer_freep) DnsAnswer *answer = NULL;
        int r;

        r = str_replace(&z.name, name);
        if (r == 0)
                r = find_zone(&z);
        if (r == 0 && z.zone)
                r = ask(z.zone, ns_t_ns, &answer);
        if (r == 0 && answer)
                r = find_addresses(&z, answer->values);
        if (r < 0)
                return r;
        *ret = z;
        z = (ZoneServers){};
        return 0;
}
