/* SPDX-License-Identifier: Apache-2.0 */
#include "foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "../crypto/issue.h"
#include "base/string-util.h"

static void need(bool held, const char *what) {
        if (held)
                return;
        fprintf(stderr, "Cannot make what a test needs: %s\n", what);
        exit(EXIT_FAILURE);
}

void foreign_done(Foreign *f) {
        for (size_t i = 0; i < f->n; i++) {
                free(f->files[i].name);
                free(f->files[i].data);
        }
        bundle_done(&f->bundle);
}

void foreign_remove(Foreign *f, const char *name) {
        for (size_t i = 0; i < f->n; i++) {
                if (!str_equal(f->files[i].name, name))
                        continue;
                free(f->files[i].name);
                free(f->files[i].data);
                f->files[i] = f->files[--f->n];
                return;
        }
}

void foreign_put(Foreign *f, const char *name, const void *data, size_t size) {
        foreign_remove(f, name);
        need(f->n < BUNDLE_FILES_MAX, "file");
        f->files[f->n].name = strdup(name);
        f->files[f->n].data = malloc(size + 1);
        need(f->files[f->n].name && f->files[f->n].data, "file");
        memcpy(f->files[f->n].data, data, size);
        f->files[f->n++].size = size;
}

void foreign_put_text(Foreign *f, const char *name, const char *text) {
        foreign_put(f, name, text, strlen(text));
}

static void put_bio(Foreign *f, const char *name, BIO *bio) {
        char *data;
        long n = BIO_get_mem_data(bio, &data);

        need(n > 0, name);
        foreign_put(f, name, data, (size_t) n);
        BIO_free_all(bio);
}

void foreign_put_key(Foreign *f, const char *name, EVP_PKEY *key, const void *passphrase, size_t size) {
        BIO *bio = BIO_new(BIO_s_mem());

        need(bio && PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_256_cbc() : NULL, (char *) passphrase, (int) size, NULL, NULL) == 1, "key");
        put_bio(f, name, bio);
}

static EVP_PKEY *ca_key(void) {
        static EVP_PKEY *key;

        key = key ? key : issue_key();
        return key;
}

static X509 *ca(void) {
        static X509 *cert;

        cert = cert ? cert : issue(&(Issue){ .key = ca_key(), .subject = "Foreign CA", .ca = true });
        return cert;
}

void foreign_put_ca(Foreign *f, const char *name) {
        BIO *bio = BIO_new(BIO_s_mem());

        need(bio && PEM_write_bio_X509(bio, ca()) == 1, "CA");
        put_bio(f, name, bio);
}

void foreign_put_chain(Foreign *f, const char *name, EVP_PKEY *key, char *const *names, uint64_t until_usec, bool alone) {
        X509 *cert = issue(&(Issue){ .key = key, .issuer = ca(), .issuer_key = ca_key(), .subject = names[0], .names = names,
                                     .not_before_usec = until_usec ? until_usec - 90 * FOREIGN_DAY_USEC : 0, .not_after_usec = until_usec });
        BIO *bio = BIO_new(BIO_s_mem());

        need(bio && PEM_write_bio_X509(bio, cert) == 1 && (alone || PEM_write_bio_X509(bio, ca()) == 1), "chain");
        X509_free(cert);
        put_bio(f, name, bio);
}

static Secret *read_back(int fd) {
        off_t size = lseek(fd, 0, SEEK_END);
        char *bytes = malloc((size_t) size + 1);
        Secret *s;

        need(bytes && pread(fd, bytes, (size_t) size, 0) == size, "bundle");
        s = secret_new(bytes, (size_t) size);
        free(bytes);
        return s;
}

ImportSource foreign_source(Foreign *f, const char *name) {
        int fd = memfd_create("test", MFD_CLOEXEC);

        need(fd >= 0, "memory");
        for (size_t i = 0; i < f->n; i++)
                need(bundle_write(fd, f->files[i].name, f->files[i].data, f->files[i].size) == 0, f->files[i].name);
        bundle_done(&f->bundle);
        need(bundle_parse(read_back(fd), &f->bundle) == 0, "bundle");
        (void) close(fd);
        return (ImportSource){ .name = name, .files = &f->bundle, .now_usec = FOREIGN_NOW_USEC };
}
