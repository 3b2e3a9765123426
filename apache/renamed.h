/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Domains whose first name changed, which is the one that the store knows them by. md-manager gives them their new name there, but only when it has heard of it:
 * until then what is there is served from where it is, instead of the fallback. */

#include "domains.h"

/* The name that the store knows the domain by, with the store open; NULL: it does not know it. */
const char *renamed_from(const Configuration *c, const ManagedDomain *d);
