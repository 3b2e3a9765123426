/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Handing out what is live in the store: chains to everybody, private keys to whom polkit allows it. */

#include <systemd/sd-bus.h>

#include "manager/domain.h"

/* All answer 'call', whose first argument is the name of a key; empty: the first that there is. */
int export_chain(Domain *d, sd_bus_message *call, sd_bus_error *error);
int export_key(Domain *d, sd_bus_message *call, sd_bus_error *error);
int export_pkcs12(Domain *d, sd_bus_message *call, sd_bus_error *error);
