/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A target: what another service is to have of a managed domain, as root declares it in targets.d/NAME.conf, md-manager.targets(5). */

#include <stdio.h>
#include <sys/types.h>

#include "base/key-spec.h"

typedef enum TargetFormat {
        TARGET_PRIVATE_KEY, /* PEM, PKCS#8 */
        TARGET_CERTIFICATE, /* PEM, the leaf alone */
        TARGET_CHAIN,       /* PEM, what is above the leaf */
        TARGET_FULL_CHAIN,  /* PEM, leaf first */
        TARGET_COMBINED,    /* PEM, the key and then the full chain */
        TARGET_PKCS12,
        _TARGET_FORMAT_MAX,
} TargetFormat;

/* A section of the file. */
typedef struct TargetFile {
        unsigned line; /* of its Path=; 0: it is not wanted */
        char *path;
        uid_t uid;
        gid_t gid;
        mode_t mode;
        bool has_mode;
        char *password_file, *password_credential; /* PKCS#12 */
} TargetFile;

typedef struct Target {
        char *name;    /* of the file, without ".conf" */
        char *source;  /* its path */
        char *refused; /* why nothing is done, with file and line; NULL: all is well */
        char *domain;
        KeySpec key;
        bool has_key;  /* else the first of the domain's */
        char **reload, **restart; /* units, afterwards */
        TargetFile files[_TARGET_FORMAT_MAX];
} Target;

typedef struct Targets {
        Target **items;
        size_t n;
} Targets;

const char *target_format_to_string(TargetFormat f); /* the name of its section */
bool target_format_has_key(TargetFormat f);

/* Reads one file. One that makes no sense gives a target that is refused: the others are written. -ENOMEM. */
int target_read(const char *path, Target **ret);
/* The same of what is open, whoever it belongs to. */
int target_parse(const char *path, FILE *f, Target **ret);
Target *target_free(Target *t);

/* Those of all directories, in the order of their names. Of two that write one file the second is refused. */
int targets_read(Targets *ret);
void targets_done(Targets *t);
