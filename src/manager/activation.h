/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When a set is complete: make it live, then have the servers reload. */

#include "manager/domain.h"

void activation_start(Domain *d);

/* The servers say what they serve: when that is the live set everywhere, the renewal is finished. */
void activation_check_installed(Domain *d);
