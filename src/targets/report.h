/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What came of it, for the journal and for md-manager. */

#include <systemd/sd-bus.h>

#include "targets/apply.h"

void report_to_journal(const TargetOutcome *outcomes, size_t n);
/* A manager that does not run is not started for it, and asks again by itself when it is. */
int report_to_manager(sd_bus *bus, const TargetOutcome *outcomes, size_t n);
