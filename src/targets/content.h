/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a target is to hold: read from the store, and believed only when it makes sense. The store belongs to a lesser user: its files are hostile. */

#include "base/problem.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "store/store.h"
#include "targets/target.h"

typedef struct Content {
        EVP_PKEY *key;
        CertChain chain;
        char *password; /* PKCS#12 */
} Content;

void content_done(Content *c);

enum {
        CONTENT_DONE,
        CONTENT_E_NOT_YET, /* there is no certificate */
        CONTENT_E_REFUSED,
};

/* Reads key and chain of the target's domain: the key belongs to the certificate, which is for the domain and valid now, each certificate of the chain is signed by
 * the next. *ret_problem says what is not as it should be. */
int content_read(Store *s, const Target *t, Content *ret, Problem **ret_problem);

/* The bytes of one file: always the same for the same content. */
int content_make(const Content *c, TargetFormat format, const char *name, Secret **ret);
