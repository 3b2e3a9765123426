/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OCSP responses, which the manager believes and Apache's children staple.
 *
 * ocsp/NAME/ocsp-ID.json is mod_md's file: "response" (base64url), "status", "valid" {"from", "until"}; and what is known of attempts: "renewal" (the next one),
 * "errors", "last", "revoked-told"; and when it was "fetched". Beside it, ocsp/NAME/ocsp-ID.staple is for the children: one line with times, then the response as it is sent. NAME is a managed domain, or
 * "other"; ID the SHA-1 of the certificate. Readers see a file whole or not at all. */

#include <sys/types.h>

#include "base/problem.h"
#include "store/store.h"

#define STORE_OCSP_OTHER "other"

enum {
        STORE_OCSP_DONE,
        STORE_OCSP_UNCHANGED,   /* the file is the one that 'mark' was taken of */
        STORE_OCSP_E_NOT_FOUND, /* no such file, or none that can be believed; from the writer: ocsp/ is missing and cannot be made */
};

enum { STORE_STAPLE_MAX = 64 * 1024 }; /* bytes of a response */

typedef struct StoreStaple {
        void *der; /* owned; NULL: there is none */
        size_t size;
        bool revoked;
        uint64_t from_usec, until_usec;
        uint64_t came_usec; /* when it was fetched; 0: not known */
        uint64_t next_usec; /* when it is asked for again; 0: not known */
        unsigned errors;    /* in a row, of asking */
        bool revoked_told;  /* by an event: no other one is needed */
        Problem *last;      /* owned; of the last attempt; NULL: it went well. Not in what children read */
} StoreStaple;

void store_staple_done(StoreStaple *s);
#define _auto_staple_ _cleanup_(store_staple_done)

/* Role MANAGER; children read. The directory is made when it is missing. -EINVAL: 'name' or 'id' is none. */
int store_ocsp_ensure(Store *s, const char *name);
int store_ocsp_write(Store *s, const char *name, const char *id, const StoreStaple *staple);
/* Only what is known of attempts changed: children are not told, and nobody waits for the disk. */
int store_ocsp_write_attempt(Store *s, const char *name, const char *id, const StoreStaple *staple);
/* When "ocsp-ID.json" is of no use, what children staple is; whether it is "revoked" is not known of that. */
int store_ocsp_read(Store *s, const char *name, const char *id, StoreStaple *ret);

/* Removes what was last written before 'older_usec', but for those that 'is_used' says are; then directories that are empty. Negative: the first failure, the
 * rest is done. */
int store_ocsp_prune(Store *s, uint64_t older_usec, bool (*is_used)(const char *name, const char *id, void *userdata), void *userdata);

/* By which a reader knows a file again. All zero: no file. */
typedef struct StoreOcspMark {
        ino_t ino;
        dev_t dev;
        off_t size;
        struct timespec changed;
} StoreOcspMark;

/* Role CHILD or MANAGER: the response, unless it is the one that *mark was taken of. *mark is of the file that was found, also of one that is of no use. */
int store_ocsp_read_staple(Store *s, const char *name, const char *id, StoreOcspMark *mark, StoreStaple *ret);
