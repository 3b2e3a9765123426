/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is wrong with a domain, for people. */

#include "manager/domain.h"

/* As one line; NULL: nothing, or out of memory. Every managed domain has an armed time, a running job, or a stated reason. */
char *fault_find(Domain *d);
