/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A second copy of each live set, so that what somebody deletes or tears by hand is there again before a server looks for it. */

#include "manager/domain.h"

/* Copies the live pairs that the reserve does not have yet. */
void reserve_keep(Domain *d);

/* Puts back the pairs that the live set should have and that are good in the reserve. True: something was put back; it is told. */
bool reserve_restore(Domain *d);
