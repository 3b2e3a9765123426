/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Facts of certificates that stand in files of the administrator's (MDCertificateFile). The manager cannot read these; Apache's parent hands over what stands in
 * them. They are shown and warned about, and never renewed. */

#include "manager/manager.h"

/* Fills d->files from its settings. What cannot be read is told and left out. */
void file_facts_read(Domain *d);

/* Whether all its names are in each of them. */
bool file_facts_cover(const Domain *d);
