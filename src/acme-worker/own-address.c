/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/own-address.h"

#include <arpa/inet.h>
#include <errno.h>

#include "acme-worker/dns.h"
#include "base/cleanup.h"
#include "base/socket-address.h"
#include "base/string-util.h"

void own_addresses_done(OwnAddresses *a) {
        a->own = strv_free(a->own);
}

static bool is_loopback(const SocketAddress *a) {
        if (a->sa.sa_family == AF_INET)
                return ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

static bool is_same_host(const SocketAddress *a, const SocketAddress *b) {
        if (a->sa.sa_family != b->sa.sa_family)
                return false;
        if (a->sa.sa_family == AF_INET)
                return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
        return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
}

static bool can_be_bound(const SocketAddress *a, socklen_t size) {
        _auto_close_ int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        return fd >= 0 && bind(fd, &a->sa, size) == 0;
}

/* Where ip_nonlocal_bind is on (hosts that take over an address when another fails), every address can be bound. But the kernel talks to
 * an address of its own from the same address. */
static bool is_reached_from_itself(const SocketAddress *a, socklen_t size) {
        _auto_close_ int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        SocketAddress to = *a, from = {};
        socklen_t n = sizeof(from);

        if (to.sa.sa_family == AF_INET)
                to.in.sin_port = htons(9);
        else
                to.in6.sin6_port = htons(9);
        return fd >= 0 && connect(fd, &to.sa, size) == 0 && getsockname(fd, &from.sa, &n) == 0 && is_same_host(a, &from);
}

bool own_address_is_ours(const char *address) {
        socklen_t size;
        SocketAddress a;

        size = socket_address_parse(address, 0, &a);
        if (size == 0)
                return false;
        return is_loopback(&a) || (can_be_bound(&a, size) && is_reached_from_itself(&a, size));
}

/* 127.0.1.1 of the own host name in /etc/hosts, or what a resolver of the system that reads this file makes of it: a CA is told something else. */
static bool is_local_fiction(const char *name, const char *address) {
        SocketAddress a;

        return socket_address_parse(address, 0, &a) > 0 && is_loopback(&a) && dns_name_is_in_hosts_file(name);
}

static int add(OwnAddresses *a, const char *name, char *const *addresses) {
        STRV_FOREACH(address, addresses) {
                a->resolved = true;
                if (strv_length(a->own) >= OWN_ADDRESSES_MAX || !own_address_is_ours(*address) || is_local_fiction(name, *address))
                        a->all = false;
                else if (strv_extend(&a->own, *address) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int look_up(const char *name, OwnAddresses *ret) {
        DnsQuestion questions[] = { { .name = name, .type = ns_t_aaaa }, { .name = name, .type = ns_t_a } };
        int r;

        r = dns_ask(questions, ELEMENTSOF(questions));
        for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
                if (!questions[i].answer)
                        ret->all = false;
                else if (r == 0)
                        r = add(ret, name, questions[i].answer->values);
                dns_question_done(&questions[i]);
        }
        return r;
}

int own_addresses_find(const char *identifier_type, const char *name, OwnAddresses *ret) {
        char *itself[] = { (char *) name, NULL };

        ret->all = true;
        return str_equal(identifier_type, "ip") ? add(ret, name, itself) : look_up(name, ret);
}
