/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "manager/domain.h"

/* What the properties of a domain come to in a message, at most about: names are the administrator's, problems the CA's, and there may be many domains. */
size_t domain_size(const Domain *d);
