/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The manager as the signer of the ACME client. */

#include "acme-worker/remote.h"

/* Valid for as long as the remote. */
AcmeSigner remote_signer(Remote *remote);
