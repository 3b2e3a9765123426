/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OCSP stapling for mod_ssl (its hooks since httpd 2.4.48): certificates are offered to md-manager through the snapshot, and its responses handed out from memory. */

#include "directives.h"

/* The certificates that mod_ssl came with and that are to be stapled. */
int ocsp_fill_snapshot(const Configuration *c, SnapshotStaplings *ret);
bool ocsp_is_used(const Configuration *c);

void ocsp_register(void);
