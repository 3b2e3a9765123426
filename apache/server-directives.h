/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What directives say of the server as a whole, or of one virtual host. Parse functions as call.h says. */

#include "call.h"

const char *parse_switch(Call *call, char **words, int n);  /* target: bool */
const char *parse_command(Call *call, char **words, int n); /* target: char ** */

const char *parse_match_names(Call *call, char **words, int n);
const char *parse_store_dir(Call *call, char **words, int n);
const char *parse_store_locks(Call *call, char **words, int n);
const char *parse_port_map(Call *call, char **words, int n);
const char *parse_retry_delay(Call *call, char **words, int n);
const char *parse_retry_failover(Call *call, char **words, int n);
const char *parse_initial_delay(Call *call, char **words, int n);
const char *parse_check_interval(Call *call, char **words, int n);
const char *parse_activation_delay(Call *call, char **words, int n);
const char *parse_dns01_version(Call *call, char **words, int n);
const char *parse_staple_keep(Call *call, char **words, int n);
const char *parse_staple_renew(Call *call, char **words, int n);
const char *parse_certificate_check(Call *call, char **words, int n);
const char *parse_ignore_host(Call *call, char **words, int n);
