/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <errno.h>

#include "base/encoding.h"
#include "crypto/openssl-util.h"

int digest_sha256(const void *data, size_t size, uint8_t ret[static DIGEST_SHA256_SIZE]) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        assert(data || size == 0);
        assert(ret);

        if (EVP_Digest(data, size, digest, &n, EVP_sha256(), NULL) != 1 || n != DIGEST_SHA256_SIZE)
                return openssl_failure();
        for (unsigned i = 0; i < n; i++)
                ret[i] = digest[i];
        return 0;
}

int digest_sha256_hex(const void *data, size_t size, char **ret) {
        uint8_t digest[DIGEST_SHA256_SIZE];
        char *hex;
        int r;

        assert(ret);

        r = digest_sha256(data, size, digest);
        if (r < 0)
                return r;
        hex = hex_encode(digest, sizeof(digest));
        if (!hex)
                return -ENOMEM;
        *ret = hex;
        return 0;
}
