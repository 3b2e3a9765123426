/* SPDX-License-Identifier: Apache-2.0 */
#include "base/socket-address.h"

#include <arpa/inet.h>

socklen_t socket_address_parse(const char *address, uint16_t port, SocketAddress *ret) {
        SocketAddress a = {};

        if (inet_pton(AF_INET, address, &a.in.sin_addr) == 1) {
                a.in.sin_family = AF_INET;
                a.in.sin_port = htons(port);
                *ret = a;
                return sizeof(a.in);
        }
        a = (SocketAddress){};
        if (inet_pton(AF_INET6, address, &a.in6.sin6_addr) == 1) {
                a.in6.sin6_family = AF_INET6;
                a.in6.sin6_port = htons(port);
                *ret = a;
                return sizeof(a.in6);
        }
        return 0;
}
