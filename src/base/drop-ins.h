/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where settings of the machine are, with systemd's precedence: /usr/lib/md-manager, /usr/local/lib, /run, /etc, from the least to the most important. */

#include "base/macro.h"

enum { DROP_INS_DIRECTORIES = 4 };
extern const char *const drop_ins_directories[DROP_INS_DIRECTORIES];

/* The paths of FOLDER/NAME.conf in all of them, in the order of their names. Of several with one name that in the most important directory counts; a link to
 * /dev/null takes it away, because nothing is in it. A directory that may not be looked into is in the list itself: reading it fails, which somebody is to be told. -ENOMEM. */
int drop_ins_list(const char *folder, char ***ret_paths);

/* The files of settings in the order in which they are read: the most important main file that is there, BASE, and the drop-ins of BASE.d. -ENOMEM. */
int drop_ins_list_settings(const char *base, char ***ret_paths);
