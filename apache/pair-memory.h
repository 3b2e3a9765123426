/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was found out about pairs of files when they were read the last time, so that thousands need not be read again at each reload.
 * It is about files, not about paths: a pair is known as long as both files are the very ones that were read. Lives as long as the
 * process; what is not asked for any more is forgotten. */

#include <sys/stat.h>

#include "apr_pools.h"

#include "base/macro.h"
#include "crypto/digest.h"

/* One state of one file: whoever writes into it, or puts another in its place, gives it another mark. */
typedef struct FileMark {
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec changed;
} FileMark;

typedef struct PairMark {
        FileMark cert, key;
} PairMark;

/* To be taken before the files are read. False: one of them is not there. */
bool pair_mark_take(const char *cert_file, const char *key_file, PairMark *ret);

/* Whether the files are so old that no change from now on could go by unseen: file systems stamp with their own clock, in steps of
 * milliseconds or (in the network) seconds. */
bool pair_mark_is_settled(const PairMark *mark, uint64_t now_usec);

typedef struct PairKnown {
        uint8_t digest[DIGEST_SHA256_SIZE]; /* of what the caller wants */
        uint64_t until_usec;                /* the same */
} PairKnown;

typedef struct PairMemory PairMemory;

/* The one of this name, made when it is missing. It is kept with the process' pool, which outlives configurations and this module; another build of the module
 * finds its own. */
PairMemory *pair_memory_of_process(apr_pool_t *process_pool, const char *name);

/* NULL: not known. Good until the next call. */
const PairKnown *pair_memory_recall(PairMemory *m, const PairMark *mark);
void pair_memory_keep(PairMemory *m, const PairMark *mark, const PairKnown *known);

/* Forgets what was neither kept nor recalled since the last time. Its room is used again. */
void pair_memory_sweep(PairMemory *m);
size_t pair_memory_count(const PairMemory *m);
