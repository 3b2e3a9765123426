/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Numbers that nobody else has made by chance. They are no secrets: an early boot does not wait for the kernel's pool. */

#include "base/macro.h"

uint64_t random_number(void);
