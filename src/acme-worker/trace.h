/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What goes to the CA and comes back, told exchange by exchange when messages for debugging are wanted. Bodies are not: they are signed, and nobody's business. */

#include "acme-worker/remote.h"
#include "acme/session.h"

/* A session over HTTP. 'remote', which outlives it, says whose job it is. NULL: out of memory, or there is no libcurl. */
AcmeSession *trace_session_new(const Remote *remote);
