/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The units of targets, after their files: each once, all at the same time. */

#include <systemd/sd-bus.h>

#include "targets/apply.h"

/* Reloads or restarts what runs of the units of those that want it. Of those whose units went well the marks are taken away; the others fail. */
int reload_units(sd_bus *bus, TargetOutcome *outcomes, size_t n, int pending_fd);
