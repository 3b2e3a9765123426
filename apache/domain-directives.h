/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What directives say of one domain, or of all. Parse functions as call.h says. */

#include "call.h"

const char *parse_setting(Call *call, char **words, int n);   /* target: Switch */
const char *parse_text(Call *call, char **words, int n);      /* target: const char *; "none" is the empty text */
const char *parse_window(Call *call, char **words, int n);    /* target: Window */
const char *parse_file(Call *call, char **words, int n);      /* target: apr_array_header_t *, which gets one file more */

const char *parse_challenges(Call *call, char **words, int n);
const char *parse_dns01(Call *call, char **words, int n);
const char *parse_dns01_wait(Call *call, char **words, int n);
const char *parse_private_keys(Call *call, char **words, int n);
const char *parse_renew_mode(Call *call, char **words, int n);
const char *parse_require_https(Call *call, char **words, int n);
const char *parse_hsts(Call *call, char **words, int n);
const char *parse_fallback(Call *call, char **words, int n);
const char *parse_staple_others(Call *call, char **words, int n);
