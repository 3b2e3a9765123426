/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/openssl-util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/string-util.h"

enum {
        ERRORS_TEXT_MAX = 512, /* what people are shown */
        ERRORS_BYTES_MAX = 8192,
};

static int append_error(Buffer *b, unsigned long code, const char *data, int flags) {
        const char *reason = ERR_reason_error_string(code);
        int r;

        if (b->size > 0) {
                r = buffer_append_string(b, "; ");
                if (r != 0)
                        return r;
        }
        r = reason ? buffer_append_string(b, reason) : buffer_printf(b, "error %lX", code);
        if (r == 0 && (flags & ERR_TXT_STRING) && !str_is_empty(data))
                r = buffer_printf(b, " (%s)", data);
        return r;
}

char *openssl_errors(void) {
        _auto_buffer_ Buffer b = BUFFER_INIT(ERRORS_BYTES_MAX);
        unsigned long code;
        const char *data;
        int flags;

        while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0)
                if (append_error(&b, code, data, flags) < 0) {
                        ERR_clear_error();
                        return NULL;
                }
        if (b.size == 0)
                return strdup("no reason given");
        return str_printable(b.data, b.size, ERRORS_TEXT_MAX);
}

int openssl_failure(void) {
        unsigned long code = ERR_peek_last_error();

        ERR_clear_error();
        return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EIO;
}

int openssl_queue_clear(void) {
        ERR_clear_error();
        return 0;
}

const EVP_MD *openssl_signing_digest(EVP_PKEY *key) {
        assert(key);

        if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
                return NULL;
        return EVP_sha256();
}

int openssl_no_passphrase(char *buffer, int size, int writing, void *userdata) {
        return -1;
}
