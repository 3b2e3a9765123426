/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* Where to connect to, or what to bind: see ip(7), ipv6(7). */
typedef union SocketAddress {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
} SocketAddress;

/* 'address' is an IPv4 or IPv6 address as text, without brackets or zone. Returns the size for connect(2); 0: it is no address. */
socklen_t socket_address_parse(const char *address, uint16_t port, SocketAddress *ret);
