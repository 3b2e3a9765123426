/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/string-util.h"
#include "crypto/key.h"
#include "crypto/pkcs12.h"
#include "domain/name.h"
#include "store/domain.h"
#include "store/lock.h"

enum { PASSWORD_MAX = 1024 };

void content_done(Content *c) {
        EVP_PKEY_free(c->key);
        cert_chain_done(&c->chain);
        if (c->password)
                secret_wipe(c->password, strlen(c->password));
        free(c->password);
        *c = (Content){ 0 };
}

#define refuse(ret_problem, ...)                                                    \
        ({                                                                          \
                (void) problem_set((ret_problem), PROBLEM_TYPE_STORE, __VA_ARGS__); \
                CONTENT_E_REFUSED;                                                  \
        })

/* By the names of their files: the bits of an RSA key do not count. */
static bool has_key(const KeySpecs *specs, const KeySpec *wanted) {
        char name[KEY_SPEC_NAME_MAX], other[KEY_SPEC_NAME_MAX];

        key_spec_name(wanted, name);
        for (size_t i = 0; i < key_specs_count(specs); i++) {
                KeySpec spec = key_specs_get(specs, i);

                if (str_equal(key_spec_name(&spec, other), name))
                        return true;
        }
        return false;
}

/* The first of its keys, as its settings have them, or the one that is wanted. *ret_none: the domain will never have that. */
static KeySpec key_of(Store *s, const Target *t, bool *ret_none) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
        const KeySpecs none = { 0 };
        bool known = store_domain_read_md(s, STORE_SET_LIVE, t->domain, &d, NULL) == 0;

        *ret_none = known && t->has_key && !has_key(&d->keys, &t->key);
        if (t->has_key)
                return t->key;
        return key_specs_get(known ? &d->keys : &none, 0);
}

static int refuse_missing(const Target *t, const KeySpec *spec, bool none, Problem **ret_problem) {
        char name[KEY_SPEC_NAME_MAX];

        if (none)
                return refuse(ret_problem, "KeyType= is none of the keys of %s (MDPrivateKeys)", t->domain);
        if (t->has_key)
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "There is no %s certificate of %s yet", key_spec_name(spec, name), t->domain);
        else
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "There is no certificate of %s yet", t->domain);
        return CONTENT_E_NOT_YET;
}

typedef struct Pair {
        char *chain;
        Secret *key;
} Pair;

static void pair_done(Pair *p) {
        secret_free(p->key);
        free(p->chain);
}

/* Not while activation is exchanging them; a lock that cannot be had is no reason to do nothing: what does not fit is refused. */
static int read_pair(Store *s, const Target *t, const KeySpec *spec, Pair *ret) {
        _auto_close_ int lock_fd = -1;
        int r;

        (void) store_lock_shared(s, &lock_fd);
        r = store_domain_read_chain(s, STORE_SET_LIVE, t->domain, spec, &ret->chain);
        return r != 0 ? r : store_domain_read_key(s, STORE_SET_LIVE, t->domain, spec, &ret->key);
}

static int parse(const Pair *pair, const Target *t, Content *c, Problem **ret_problem) {
        if (cert_chain_from_pem(pair->chain, strlen(pair->chain), &c->chain, ret_problem) < 0)
                return refuse(ret_problem, "The certificate of %s cannot be read", t->domain);
        if (key_from_pem(pair->key->data, pair->key->size, &c->key, ret_problem) < 0)
                return refuse(ret_problem, "The private key of %s cannot be read", t->domain);
        return 0;
}

static int verify(const Content *c, const Target *t, Problem **ret_problem) {
        CertExpectation expected = { .key = c->key, .now_usec = clock_now_usec() };
        CertInfo info = { 0 };
        int r = 0;

        if (cert_info_read(c->chain.certs[0], &info) < 0)
                return refuse(ret_problem, "The certificate of %s cannot be understood", t->domain);
        expected.names = info.names;
        if (!domain_names_cover(info.names, t->domain))
                r = refuse(ret_problem, "The certificate is not for %s", t->domain);
        else if (cert_chain_verify(&c->chain, &expected, ret_problem) < 0)
                r = refuse(ret_problem, "The certificate of %s is of no use", t->domain);
        cert_info_done(&info);
        return r;
}

/* --- The password --- */

static int open_password(const TargetFile *f, char **ret_path) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");

        if (f->password_file)
                *ret_path = strdup(f->password_file);
        else
                *ret_path = str_printf("%s/%s", str_or(directory, "/nonexistent"), f->password_credential);
        return *ret_path ? open(*ret_path, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC) : -1;
}

/* Its first line. */
static int read_password(const TargetFile *f, char **ret, Problem **ret_problem) {
        _auto_free_ char *path = NULL, *text = NULL;
        _auto_close_ int fd = open_password(f, &path);
        struct stat st;
        size_t size;

        if (fd < 0 || fstat(fd, &st) < 0)
                return refuse(ret_problem, "The password in %s cannot be read: %s", str_or(path, "a file"), strerror(errno));
        if (!S_ISREG(st.st_mode) || (f->password_file && (st.st_uid != 0 || (st.st_mode & 0022) != 0)))
                return refuse(ret_problem, "%s must be a file that belongs to root, and nobody else may write to it", path);
        if (fd_read_to_end(fd, PASSWORD_MAX, &text, &size) != 0)
                return refuse(ret_problem, "The password in %s cannot be read, or is too long", path);
        text[strcspn(text, "\r\n")] = '\0';
        if (!*text)
                return refuse(ret_problem, "There is no password in %s", path);
        *ret = take_ptr(text);
        return 0;
}

int content_read(Store *s, const Target *t, Content *ret, Problem **ret_problem) {
        _cleanup_(content_done) Content c = { 0 };
        _cleanup_(pair_done) Pair pair = { 0 };
        char name[KEY_SPEC_NAME_MAX];
        KeySpec spec;
        bool none;
        int r;

        assert(s);
        assert(t && !t->refused);
        assert(ret);

        spec = key_of(s, t, &none);
        r = read_pair(s, t, &spec, &pair);
        if (r == STORE_DOMAIN_E_NOT_FOUND)
                return refuse_missing(t, &spec, none, ret_problem);
        if (r != 0)
                return refuse(ret_problem, "The %s certificate of %s or its key cannot be read: %s", key_spec_name(&spec, name), t->domain,
                              r < 0 ? strerror(-r) : "it is damaged");
        r = parse(&pair, t, &c, ret_problem);
        if (r == 0)
                r = verify(&c, t, ret_problem);
        if (r == 0 && t->files[TARGET_PKCS12].line > 0)
                r = read_password(&t->files[TARGET_PKCS12], &c.password, ret_problem);
        if (r != 0)
                return r;
        *ret = c;
        c = (Content){ 0 };
        return 0;
}

/* --- Bytes --- */

static int make_pem(const Content *c, size_t from, size_t to, Secret **ret) {
        CertChain part = { .n = to - from };
        _auto_free_ char *pem = NULL;
        int r;

        for (size_t i = from; i < to; i++)
                part.certs[i - from] = c->chain.certs[i]; /* borrowed */
        r = cert_chain_to_pem(&part, &pem);
        if (r < 0)
                return r;
        *ret = secret_new(pem, strlen(pem));
        return *ret ? 0 : -ENOMEM;
}

static int make_combined(const Content *c, Secret **ret) {
        _auto_secret_ Secret *key = NULL, *chain = NULL;
        char *both;
        int r;

        r = key_to_pem(c->key, &key);
        if (r == 0)
                r = make_pem(c, 0, c->chain.n, &chain);
        if (r < 0)
                return r;
        both = malloc(key->size + chain->size);
        if (!both)
                return -ENOMEM;
        memcpy(both, key->data, key->size);
        memcpy(both + key->size, chain->data, chain->size);
        *ret = secret_new(both, key->size + chain->size);
        secret_wipe(both, key->size);
        free(both);
        return *ret ? 0 : -ENOMEM;
}

int content_make(const Content *c, TargetFormat format, const char *name, Secret **ret) {
        _auto_problem_ Problem *problem = NULL; /* that they do not belong together, which was looked at */

        switch (format) {

        case TARGET_PRIVATE_KEY:
                return key_to_pem(c->key, ret);

        case TARGET_CERTIFICATE:
                return make_pem(c, 0, 1, ret);

        case TARGET_CHAIN:
                return make_pem(c, 1, c->chain.n, ret);

        case TARGET_FULL_CHAIN:
                return make_pem(c, 0, c->chain.n, ret);

        case TARGET_COMBINED:
                return make_combined(c, ret);

        case TARGET_PKCS12:
                return pkcs12_make(&c->chain, c->key, name, c->password, ret, &problem);

        case _TARGET_FORMAT_MAX:
                break;
        }
        return -EINVAL;
}
