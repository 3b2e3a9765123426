/* SPDX-License-Identifier: Apache-2.0 */
#include "store/domain.h"

#include <errno.h>
#include <string.h>

#include "base/string-util.h"
#include "store/internal.h"

static const char *const set_directories[] = {
        [STORE_SET_LIVE] = STORE_DOMAINS,
        [STORE_SET_STAGING] = STORE_STAGING,
        [STORE_SET_RESERVE] = STORE_RESERVE,
        [STORE_SET_ARCHIVE] = STORE_ARCHIVE,
};

const char *store_set_directory(StoreSet set) {
        assert((size_t) set < ELEMENTSOF(set_directories));

        return set_directories[set];
}

/* What the floor below says, as our callers know it. */
static int from_directory(int r) {
        return r <= 0 ? r : STORE_DOMAIN_E_NOT_FOUND;
}

static int from_file(int r) {
        if (r <= 0)
                return r;
        return r == FILE_E_NOT_FOUND ? STORE_DOMAIN_E_NOT_FOUND : STORE_DOMAIN_E_DAMAGED;
}

static int open_set(Store *s, StoreSet set, const char *name, int *ret_fd) {
        return from_directory(store_open_sub(s, store_set_directory(set), name, ret_fd));
}

static int ensure_set(Store *s, StoreSet set, const char *name, int *ret_fd) {
        int r;

        r = store_ensure_sub(s, store_set_directory(set), name, 0700, ret_fd);
        return r == DIR_E_NOT_DIRECTORY ? -ENOTDIR : from_directory(r);
}

bool store_domain_exists(Store *s, StoreSet set, const char *name) {
        _auto_close_ int fd = -1;

        assert(s);

        return open_set(s, set, name, &fd) == 0;
}

int store_domain_list(Store *s, StoreSet set, char ***ret_names) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(ret_names);

        r = store_open_dir(s, store_set_directory(set), &fd);
        if (r != 0)
                return from_directory(r);
        return store_list_directories(fd, ret_names);
}

static int read_key(Store *s, StoreSet set, const char *name, const KeySpec *spec, const char *stem, Secret **ret) {
        char file[KEY_SPEC_FILE_MAX];
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(spec);
        assert(ret);

        r = open_set(s, set, name, &fd);
        if (r != 0)
                return r;
        return from_file(store_read_secret(fd, key_spec_file(spec, stem, file), ret));
}

int store_domain_read_key(Store *s, StoreSet set, const char *name, const KeySpec *spec, Secret **ret) {
        return read_key(s, set, name, spec, STORE_STEM_KEY, ret);
}

int store_domain_read_next_key(Store *s, const char *name, const KeySpec *spec, Secret **ret) {
        return read_key(s, STORE_SET_RESERVE, name, spec, STORE_STEM_NEXT_KEY, ret);
}

int store_domain_read_chain(Store *s, StoreSet set, const char *name, const KeySpec *spec, char **ret_pem) {
        char file[KEY_SPEC_FILE_MAX];
        _auto_free_ char *pem = NULL;
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(spec);
        assert(ret_pem);

        r = open_set(s, set, name, &fd);
        if (r != 0)
                return r;
        r = store_read_text(fd, key_spec_file(spec, STORE_STEM_CERT, file), STORE_CERT_MAX, &pem, NULL);
        if (r != 0)
                return from_file(r);
        if (!*pem)
                return STORE_DOMAIN_E_DAMAGED;

        *ret_pem = take_ptr(pem);
        return 0;
}

static int write_file(Store *s, StoreSet set, const char *name, const char *file, const void *data, size_t size) {
        _auto_close_ int fd = -1;
        int r;

        assert(set != STORE_SET_ARCHIVE);

        r = ensure_set(s, set, name, &fd);
        if (r != 0)
                return r;
        return file_replace_at(fd, file, data, size, &STORE_PRIVATE_FILE);
}

static int write_key(Store *s, StoreSet set, const char *name, const KeySpec *spec, const char *stem, const Secret *pem) {
        char file[KEY_SPEC_FILE_MAX];

        assert(s);
        assert(spec);
        assert(pem);

        if (pem->size > STORE_KEY_MAX)
                return -EFBIG;
        return write_file(s, set, name, key_spec_file(spec, stem, file), pem->data, pem->size);
}

int store_domain_write_key(Store *s, StoreSet set, const char *name, const KeySpec *spec, const Secret *pem) {
        return write_key(s, set, name, spec, STORE_STEM_KEY, pem);
}

int store_domain_write_next_key(Store *s, const char *name, const KeySpec *spec, const Secret *pem) {
        return write_key(s, STORE_SET_RESERVE, name, spec, STORE_STEM_NEXT_KEY, pem);
}

int store_domain_remove_next_key(Store *s, const char *name, const KeySpec *spec) {
        char file[KEY_SPEC_FILE_MAX];
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(spec);

        r = open_set(s, STORE_SET_RESERVE, name, &fd);
        if (r != 0)
                return r == STORE_DOMAIN_E_NOT_FOUND ? 0 : r;
        r = file_remove_at(fd, key_spec_file(spec, STORE_STEM_NEXT_KEY, file));
        return r < 0 ? r : 0;
}

int store_domain_write_chain(Store *s, StoreSet set, const char *name, const KeySpec *spec, const char *pem) {
        char file[KEY_SPEC_FILE_MAX];

        assert(s);
        assert(spec);
        assert(pem);

        if (strlen(pem) > STORE_CERT_MAX)
                return -EFBIG;
        return write_file(s, set, name, key_spec_file(spec, STORE_STEM_CERT, file), pem, strlen(pem));
}

static int damaged(const Store *s, StoreSet set, const char *name, const char *why, Problem **ret_problem) {
        problem_set(ret_problem, PROBLEM_TYPE_STORE, "%s/%s/%s/" STORE_FILE_MD ": %s", s->path, store_set_directory(set), name, why);
        return STORE_DOMAIN_E_DAMAGED;
}

static int parse_md(const Store *s, StoreSet set, const char *name, const char *text, size_t size, ManagedDomain **ret, Problem **ret_problem) {
        _cleanup_(managed_domain_freep) ManagedDomain *d = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_free_ char *where = NULL;
        _auto_json_ JsonObject *o = NULL;
        int r;

        r = json_parse(text, size, &o, &where);
        if (r == JSON_E_INVALID)
                return damaged(s, set, name, str_or(where, "not JSON"), ret_problem);
        if (r != 0)
                return r;

        r = managed_domain_from_json(o, &d, &problem);
        if (r == -EBADMSG)
                return damaged(s, set, name, problem ? problem->detail : "not a domain", ret_problem);
        if (r != 0)
                return r;
        if (!str_equal(d->name, name))
                return damaged(s, set, name, "it is about another domain", ret_problem);

        *ret = take_ptr(d);
        return 0;
}

int store_domain_read_md(Store *s, StoreSet set, const char *name, ManagedDomain **ret, Problem **ret_problem) {
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        size_t size = 0;
        int r;

        assert(s);
        assert(ret);

        r = open_set(s, set, name, &fd);
        if (r != 0)
                return r;
        r = file_read_at(fd, STORE_FILE_MD, STORE_JSON_MAX, &text, &size);
        if (r == FILE_E_TOO_LARGE)
                return damaged(s, set, name, "too large", ret_problem);
        if (r == FILE_E_NOT_REGULAR)
                return damaged(s, set, name, "not a regular file", ret_problem);
        if (r != 0)
                return from_file(r);

        return parse_md(s, set, name, text, size, ret, ret_problem);
}

/* The texts of what is parsed are compared, so that blanks do not matter. */
static bool md_stands_there(int fd, const char *text) {
        _auto_free_ char *stored = NULL, *formatted = NULL;
        _auto_json_ JsonObject *o = NULL;
        size_t size = 0;

        if (file_read_at(fd, STORE_FILE_MD, STORE_JSON_MAX, &stored, &size) != 0)
                return false;
        if (json_parse(stored, size, &o, NULL) != 0)
                return false;

        formatted = json_format(o);
        return str_equal(formatted, text);
}

int store_domain_write_md(Store *s, StoreSet set, const ManagedDomain *d) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(d);

        r = managed_domain_to_json(d, &o);
        if (r != 0)
                return r;
        text = json_format(o);
        if (!text)
                return -ENOMEM;
        if (strlen(text) > STORE_JSON_MAX)
                return -EFBIG;

        r = ensure_set(s, set, d->name, &fd);
        if (r != 0)
                return r;
        if (md_stands_there(fd, text))
                return 0;
        return file_replace_at(fd, STORE_FILE_MD, text, strlen(text), &STORE_PRIVATE_FILE);
}

static int read_job(Store *s, StoreSet set, const char *directory, const char *name, Job **ret) {
        _auto_free_ char *text = NULL;
        _auto_json_ JsonObject *o = NULL;
        _auto_close_ int fd = -1;
        size_t size = 0;
        int r;

        r = open_set(s, set, directory, &fd);
        if (r != 0)
                return r;
        r = file_read_at(fd, STORE_FILE_JOB, STORE_JSON_MAX, &text, &size);
        if (r != 0)
                return from_file(r);

        r = json_parse(text, size, &o, NULL);
        if (r > 0)
                return STORE_DOMAIN_E_DAMAGED;
        if (r == 0)
                r = job_from_json(name, o, ret);
        return r == -EBADMSG ? STORE_DOMAIN_E_DAMAGED : r;
}

static int read_job_or_empty(Store *s, StoreSet set, const char *directory, const char *name, Job **ret) {
        Job *empty;
        int r;

        r = read_job(s, set, directory, name, ret);
        if (r <= 0)
                return r;

        empty = job_new(name);
        if (!empty)
                return -ENOMEM;
        *ret = empty;
        return r;
}

int store_domain_read_job(Store *s, const char *name, Job **ret) {
        assert(s);
        assert(name);
        assert(ret);

        return read_job_or_empty(s, STORE_SET_LIVE, name, name, ret);
}

int store_domain_read_archived_job(Store *s, const char *entry, const char *name, Job **ret) {
        assert(s);
        assert(entry);
        assert(name);
        assert(ret);

        return read_job_or_empty(s, STORE_SET_ARCHIVE, entry, name, ret);
}

/* A log is nice to have, the rest of a job is needed. */
static int format_job(const Job *job, char **ret_text) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        int r;

        r = job_to_json(job, &o);
        if (r != 0)
                return r;
        text = json_format(o);
        if (text && strlen(text) > STORE_JSON_MAX) {
                json_object_object_del(o, "log");
                free(text);
                text = json_format(o);
        }
        if (!text)
                return -ENOMEM;
        if (strlen(text) > STORE_JSON_MAX)
                return -EFBIG;

        *ret_text = take_ptr(text);
        return 0;
}

int store_domain_write_job(Store *s, const Job *job) {
        _auto_free_ char *text = NULL;
        int r;

        assert(s);
        assert(job);

        r = format_job(job, &text);
        if (r != 0)
                return r;
        return write_file(s, STORE_SET_LIVE, job->name, STORE_FILE_JOB, text, strlen(text));
}

int store_staging_discard(Store *s, const char *name) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        if (!store_name_is_valid(name))
                return 0;
        r = store_open_dir(s, STORE_STAGING, &fd);
        if (r != 0)
                return r < 0 ? r : 0;

        r = dir_remove_tree_at(fd, name);
        if (r == DIR_E_NOT_DIRECTORY)
                r = file_remove_at(fd, name);
        return r < 0 ? r : 0;
}
