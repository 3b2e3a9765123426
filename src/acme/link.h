/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Link fields (RFC 8288), as CAs use them to name other chains. */

#include "base/strv.h"

/* The targets of a relation in the values of Link fields that came from 'base', made whole, each once, at most 'max'. What cannot be read, is about
 * something else ("anchor"), or leads to no https URL of use is left out. */
int acme_link_targets(char *const *fields, const char *relation, const char *base, size_t max, char ***ret);
