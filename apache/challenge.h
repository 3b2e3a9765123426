/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers to http-01 (RFC 8555 section 8.3), as the manager laid them down. */

#include "httpd.h"

/* Hook post_read_request, as the server's user in a child. Only tokens that are being proven just now are answered; all other
 * requests, also those to the same place, are somebody else's. */
int challenge_answer(request_rec *r);
