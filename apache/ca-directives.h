/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What directives say of the CA and the account there. Parse functions as call.h says. */

#include "call.h"

const char *parse_ca(Call *call, char **words, int n);
const char *parse_protocol(Call *call, char **words, int n);
const char *parse_agreement(Call *call, char **words, int n);
const char *parse_contact(Call *call, char **words, int n);
const char *parse_account_binding(Call *call, char **words, int n);
const char *parse_proxy(Call *call, char **words, int n);
const char *parse_trust(Call *call, char **words, int n); /* target: const char *, a file with certificates, or "none" */
