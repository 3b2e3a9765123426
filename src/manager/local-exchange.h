/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One request to a daemon on this machine, over its Unix socket, and all that it says until it closes the connection. Never waits; what it holds may be a
 * private key and is wiped. Has no deadline of its own: its owner's is. */

#include <systemd/sd-event.h>

#include "base/macro.h"

enum { LOCAL_EXCHANGE_ANSWER_MAX = 256 * 1024 };

typedef struct LocalExchange LocalExchange;

/* The end, 'error' 0: these bytes are the answer. -EMSGSIZE: it says more than LOCAL_EXCHANGE_ANSWER_MAX. May free the exchange, and the bytes with it. */
typedef void (*LocalExchangeHandler)(LocalExchange *x, int error, const char *data, size_t size, void *userdata);

/* The errno of connect(): -ENOENT, -ECONNREFUSED (nobody listens), -EACCES, -EAGAIN (it does not keep up). -ENAMETOOLONG: that is no path of a socket. */
int local_exchange_new(sd_event *event, const char *path, const char *request, LocalExchangeHandler handler, void *userdata, LocalExchange **ret);
LocalExchange *local_exchange_free(LocalExchange *x);
