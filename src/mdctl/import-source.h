/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The directory of another program, as mdctl import finds it: which files belong together, and what they are. They are copied as they are: understanding
 * and verifying is up to md-manager, which has less rights than whoever calls mdctl. No path leads out of the directory, whatever links there are. */

#include "base/strv.h"

typedef struct ImportItem {
        const char *kind; /* "account", "certificate", "archived" */
        char *name;       /* what md-manager is told it goes by */
        char *label;      /* for people: where it is */
        char **files;     /* path below the directory, name in the bundle, … */
} ImportItem;

typedef struct ImportSource {
        int fd;
        char *path;
        const char *format; /* "mod_md", "certbot", "acme.sh" */
        ImportItem *items;
        size_t n;
        char **left_out;    /* path, reason, … */
} ImportSource;

enum {
        IMPORT_SOURCE_DONE,
        IMPORT_SOURCE_E_UNKNOWN, /* it is a directory of none of these programs */
};

/* An absolute path, or one from here; a link to a directory is followed in it. Negative errnos are about the directory itself. */
int import_source_open(const char *path, ImportSource *ret);
void import_source_done(ImportSource *s);
#define _auto_import_source_ _cleanup_(import_source_done)

/* The files of an item in sealed memory. What cannot be read, but for what is not there, comes to s->left_out. -EFBIG: together they are too large. */
int import_source_pack(ImportSource *s, const ImportItem *item, int *ret_fd);

/* --- For the formats --- */

bool import_source_has(const ImportSource *s, const char *path);
/* Sorted; NULL when it is no directory that can be read, which is left out when it is there. -ENOMEM. */
int import_source_list(ImportSource *s, const char *path, char ***ret);
int import_source_leave_out(ImportSource *s, const char *path, const char *reason);

/* An item without files; what it is called is copied. Valid until the next one. NULL: out of memory. */
ImportItem *import_source_add(ImportSource *s, const char *kind, const char *name, const char *label);
/* One that is not there does not matter. */
int import_item_add(ImportItem *item, const char *directory, const char *file, const char *name);

/* Directories below 'path', to some depth, that have a file of this name: an account each, which goes by its path. The files end with NULL. */
int import_source_find_accounts(ImportSource *s, const char *path, const char *const *files);

int import_source_find_mod_md(ImportSource *s);
int import_source_find_certbot(ImportSource *s);
int import_source_find_acme_sh(ImportSource *s);
