/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How functions tell what came out.
 *
 *   0          done
 *   < 0        something broke: a negative errno that nobody planned for; passed up untouched, never matched on
 *   > 0        an outcome, named in the header of the function ('NOUN_E_…'); the direct caller deals with it and it goes
 *              no further under that name
 *
 * What an administrator must understand travels as a Problem (domain/problem.h), not as a number. Predicates return
 * bool. Output parameters ('ret_…') are untouched unless the function returns 0. */
