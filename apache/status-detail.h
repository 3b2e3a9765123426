/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* "md-status/NAME" for people: all about one domain. */

#include "domains.h"

int status_detail(request_rec *r, const ManagedDomain *d);
