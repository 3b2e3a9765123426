/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A directive being read: what its parse function gets, and how it complains.
 *
 * A parse function gets its words (followed by NULL) and returns NULL, or what is wrong and what would be right; directive, file and
 * line are put in front. */

#include "directives.h"

typedef struct Call {
        cmd_parms *cmd;
        Configuration *configuration;
        ServerSettings *server;
        Settings *settings; /* where a value of one domain goes */
        void *target;       /* the member that the table names, of these settings or of the configuration */
        apr_pool_t *pool;
} Call;

const char *call_complain(Call *call, const char *format, ...) _printf_(2, 3);

/* Not an error, but not what was meant. Of lines that are warned about once, the first one is. */
void call_warn(Call *call, const char *format, ...) _printf_(2, 3);
void call_warn_once(Call *call, const char *topic, const char *format, ...) _printf_(3, 4);

/* Values that several directives have. */
const char *call_read_switch(Call *call, const char *word, bool *ret);
const char *call_read_setting(Call *call, const char *word, Switch *ret);
const char *call_read_duration(Call *call, const char *word, const char *unit, uint64_t *ret_usec);
const char *call_read_window(Call *call, const char *word, Window *ret);
const char *call_read_path(Call *call, const char *word, const char **ret); /* below ServerRoot, if it is not absolute */

/* http or https, with a host: a name, or an address in brackets. */
const char *call_check_url(Call *call, const char *url, bool https_only);
