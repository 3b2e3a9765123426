/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A domain's next step, for people. */

#include "base/json.h"

/* From its members "Action" and "Reason": "renew", "try again", "load into the server", … */
const char *domain_text_next(JsonObject *domain);
/* Its certificate is there and waits for the server to load it. */
bool domain_text_is_reloading(JsonObject *domain);
