/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Challenge answers, as Apache's children serve them.
 *
 * challenges/NAME/acme-http-01.txt holds key authorizations (token "." thumbprint), one a line, for every order under way. An
 * answer is there before the CA is told to look, and stays until the order is final; the CA may look more than once and from several places. Readers see the file whole or not at all. */

#include "base/key-spec.h"
#include "base/secret.h"
#include "store/store.h"

enum {
        STORE_CHALLENGE_DONE,
        STORE_CHALLENGE_E_NOT_FOUND, /* nobody is proving this name with this token right now */
};

/* RFC 8555 section 8.3: base64url, here at least 20 and at most 256 characters. */
bool store_challenge_token_is_valid(const char *token) _pure_;

/* Role CHILD or MANAGER: the key authorization of 'token', without newline. The caller frees it. */
int store_challenge_read(Store *s, const char *name, const char *token, char **ret_answer);

/* Role MANAGER. 'name' is the identifier; of a wildcard the name below it counts. -EINVAL: no name, or no key authorization. E_NOT_FOUND from add and list:
 * challenges/ is missing and cannot be made (store_check() tells it). When the file would grow past what readers take, its oldest lines go. */
int store_challenge_add(Store *s, const char *name, const char *key_authorization);
int store_challenge_remove(Store *s, const char *name, const char *token); /* the file goes with its last line, the directory with its last file */
int store_challenge_list(Store *s, char ***ret_names);
int store_challenge_purge(Store *s, const char *name); /* all answers of the name; not found is done */

/* challenges/NAME/acme-tls-alpn-01-{privkey,pubcert}[.SPEC].pem: the certificates that answer tls-alpn-01 for NAME, and their keys, for Apache's children. One
 * pair for each key spec of the domain, so that each kind of handshake that its virtual host can do finds one; the last one written counts. */

/* Role CHILD or MANAGER: certificate and key of one writing. */
int store_challenge_read_alpn(Store *s, const char *name, const KeySpec *spec, char **ret_cert, Secret **ret_key);

/* Role MANAGER. 'remove' takes away this very certificate and its key, and leaves the one of another order. */
int store_challenge_write_alpn(Store *s, const char *name, const KeySpec *spec, const char *cert, const Secret *key);
int store_challenge_remove_alpn(Store *s, const char *name, const KeySpec *spec, const char *cert);
