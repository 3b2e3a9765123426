/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Apache configuration of one domain, in a file of its own below /etc/md-manager/domains.d, which Apache includes: what "mdctl domain" writes, and people may edit. */

#include <sys/types.h>

#include "base/strv.h"

#define SNIPPET_DIR SYSCONF_DIR "/domains.d"

typedef struct Snippet {
        char **names;      /* the domain's name in front */
        char **directives; /* lines between <MDomain> and </MDomain> */
        mode_t mode;       /* of the file that was read, as stat(2) has it; 0: there is none yet */
        gid_t gid;
} Snippet;

void snippet_done(Snippet *s);
#define _auto_snippet_ _cleanup_(snippet_done)

bool snippet_name_is_usable(const char *name);       /* as a word of a configuration and a file's name; Apache says whether it is a domain's */
bool snippet_directive_is_usable(const char *line);  /* "MDProfile shortlived"; the name alone takes it out */

/* All of its lines that begin with this directive become this one, or go. -ENOMEM. */
int snippet_set(Snippet *s, const char *line);

enum {
        SNIPPET_DONE,
        SNIPPET_E_NOT_FOUND,
        SNIPPET_E_ODD, /* somebody made something else of it */
};

/* "/etc/md-manager/domains.d/NAME.conf". NULL: out of memory. */
char *snippet_path(const char *name);
int snippet_read(const char *name, Snippet *ret);
/* Whole or not at all. For everybody to read, as Apache's configuration is, unless a line has a secret, or somebody closed the file. */
int snippet_write(const Snippet *s);
int snippet_remove(const char *name);
