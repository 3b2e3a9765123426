/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What md-manager.conf(5) says about hooks. They may run as anybody, so only what root wrote counts: a file, or its directory, that somebody else may write to is told
 * and left out. */

#include "domain/hook-settings.h"

/* Read for each hook: what is changed holds for the next one. -ENOMEM. */
int launcher_settings_read(HookSettings *ret);
