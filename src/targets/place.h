/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where a file of a target is: a directory that is walked to without following any link, in which nobody but root and the file's owner may have a hand. */

#include "base/problem.h"
#include "base/secret.h"
#include "targets/target.h"

typedef struct Place {
        int dir_fd;
        const char *base; /* borrowed from the file's path */
} Place;

void place_done(Place *p);
#define PLACE_INIT ((Place){ .dir_fd = -1 })

/* -EINVAL with a problem: a directory on the way is missing, is none, or is somebody else's. */
int place_open(const TargetFile *f, Place *ret, Problem **ret_problem);

enum {
        PLACE_DONE,
        PLACE_E_OTHER, /* there is nothing, or it is no file with this owner, group and mode */
};

/* What is there. */
int place_read(const Place *p, const TargetFile *f, Secret **ret);

/* Replaces it: whoever reads sees the old file or the new, whole, and never with another owner or mode. What stands there is not written to, nor followed. */
int place_write(const Place *p, const TargetFile *f, const Secret *content, Problem **ret_problem);
