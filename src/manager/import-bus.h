/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Method Import of org.mdmanager1.Manager: one account or one certificate of another program. */

#include "manager/manager.h"

int import_bus_import(Manager *m, sd_bus_message *call, sd_bus_error *error);
