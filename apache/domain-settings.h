/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which settings are in force for a domain: its own, else those of the base server, else the defaults. */

#include "directives.h"

/* All but names and contacts. -ENOMEM only. */
int domain_settings_take(ManagedDomain *d, const Settings *own, const Settings *base);
