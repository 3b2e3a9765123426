/* SPDX-License-Identifier: Apache-2.0 */
#include "store/challenge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "domain/name.h"
#include "store/internal.h"

enum {
        TOKEN_MIN = 20,
        TOKEN_MAX = 256,
        THUMBPRINT_LENGTH = 43, /* SHA-256 as base64url */
};

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static size_t word_length(const char *s) {
        return strspn(s, ALPHABET);
}

bool store_challenge_token_is_valid(const char *token) {
        size_t n;

        if (!token)
                return false;

        n = word_length(token);
        return token[n] == '\0' && n >= TOKEN_MIN && n <= TOKEN_MAX;
}

/* token "." thumbprint (RFC 8555 section 8.1) */
static bool is_key_authorization(const char *s) {
        size_t n = word_length(s);

        return n >= TOKEN_MIN && n <= TOKEN_MAX && s[n] == '.' &&
               word_length(s + n + 1) == THUMBPRINT_LENGTH && s[n + 1 + THUMBPRINT_LENGTH] == '\0';
}

static bool answers(const char *line, const char *token) {
        const char *rest = str_after_prefix(line, token);

        return rest && *rest == '.';
}

const char *store_challenge_directory(const char *name) {
        if (!domain_identifier_is_valid(name))
                return NULL;
        return domain_name_is_wildcard(name) ? name + 2 : name;
}

/* The answers in the file, without what is none of ours. No file, or one that is not to be believed, is none. */
static int read_lines(int dir_fd, char ***ret_lines) {
        _auto_strv_ char **all = NULL, **lines = NULL;
        _auto_free_ char *text = NULL;
        int r;

        r = store_read_text(dir_fd, STORE_FILE_HTTP01, STORE_CHALLENGE_MAX, &text, NULL);
        if (r < 0)
                return r;
        if (r == 0) {
                all = strv_split(text, "\n");
                if (!all)
                        return -ENOMEM;
        }

        STRV_FOREACH(line, all) {
                if (!is_key_authorization(*line))
                        continue;
                r = strv_extend(&lines, *line);
                if (r < 0)
                        return r;
        }

        *ret_lines = take_ptr(lines);
        return 0;
}

int store_challenge_read(Store *s, const char *name, const char *token, char **ret_answer) {
        _auto_strv_ char **lines = NULL;
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(ret_answer);

        name = store_challenge_directory(name);
        if (!name || !store_challenge_token_is_valid(token))
                return STORE_CHALLENGE_E_NOT_FOUND;

        r = store_open_sub(s, STORE_CHALLENGES, name, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;
        r = read_lines(fd, &lines);
        if (r < 0)
                return r;

        STRV_FOREACH(line, lines)
                if (answers(*line, token)) {
                        char *answer = strdup(*line);

                        if (!answer)
                                return -ENOMEM;
                        *ret_answer = answer;
                        return 0;
                }
        return STORE_CHALLENGE_E_NOT_FOUND;
}

/* How many lines in front are too many, so that the rest and 'more' bytes fit. */
static size_t count_surplus(char *const *lines, size_t more) {
        size_t size = more, i = 0;

        STRV_FOREACH(line, lines)
                size += strlen(*line) + 1;
        for (; lines && lines[i] && size > STORE_CHALLENGE_MAX; i++)
                size -= strlen(lines[i]) + 1;
        return i;
}

/* All lines but those of 'token', and 'more' behind them unless it is NULL. *ret_n: how many lines that are. */
static int format_lines(char *const *lines, const char *token, const char *more, Buffer *b, size_t *ret_n) {
        size_t n = 0, i = 0, surplus = count_surplus(lines, more ? strlen(more) + 1 : 0);
        int r;

        STRV_FOREACH(line, lines) {
                if (i++ < surplus || answers(*line, token))
                        continue;
                r = buffer_printf(b, "%s\n", *line);
                if (r != 0)
                        return r < 0 ? r : -EFBIG;
                n++;
        }
        if (more) {
                r = buffer_printf(b, "%s\n", more);
                if (r != 0)
                        return r < 0 ? r : -EFBIG;
                n++;
        }

        *ret_n = n;
        return 0;
}

static int write_lines(int dir_fd, const Buffer *b) {
        /* The group is that of the directory: Apache's children. */
        static const FileMode mode = { .mode = 0640, .uid = (uid_t) -1, .gid = (gid_t) -1 };

        return file_replace_at(dir_fd, STORE_FILE_HTTP01, b->data, b->size, &mode);
}

/* An answer in a directory that is made anew would not have been readable for the CA anyway. */
int store_challenge_ensure(Store *s, const char *name, int *ret_fd) {
        int r;

        r = store_ensure_sub(s, STORE_CHALLENGES, name, 02750, ret_fd);
        if (r == -EPERM || r == DIR_E_NOT_DIRECTORY) {
                int k;

                k = store_challenge_purge(s, name);
                if (k < 0)
                        return k;
                r = store_ensure_sub(s, STORE_CHALLENGES, name, 02750, ret_fd);
        }
        if (r == DIR_E_NOT_DIRECTORY)
                return -ENOTDIR;
        return r <= 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;
}

int store_challenge_add(Store *s, const char *name, const char *key_authorization) {
        _auto_buffer_ Buffer text = BUFFER_INIT(STORE_CHALLENGE_MAX);
        _auto_strv_ char **lines = NULL;
        _auto_free_ char *token = NULL;
        _auto_close_ int fd = -1;
        size_t n;
        int r;

        assert(s);
        assert(key_authorization);

        name = store_challenge_directory(name);
        if (!name || !is_key_authorization(key_authorization))
                return -EINVAL;
        token = strndup(key_authorization, word_length(key_authorization));
        if (!token)
                return -ENOMEM;

        r = store_challenge_ensure(s, name, &fd);
        if (r != 0)
                return r;

        r = read_lines(fd, &lines);
        if (r < 0)
                return r;
        r = format_lines(lines, token, key_authorization, &text, &n);
        if (r < 0)
                return r;
        return write_lines(fd, &text);
}

int store_challenge_leave(int challenges_fd, const char *name) {
        if (unlinkat(challenges_fd, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT)
                return -errno;
        return 0;
}

int store_challenge_remove(Store *s, const char *name, const char *token) {
        _auto_buffer_ Buffer text = BUFFER_INIT(STORE_CHALLENGE_MAX);
        _auto_close_ int challenges_fd = -1, fd = -1;
        _auto_strv_ char **lines = NULL;
        size_t n;
        int r;

        assert(s);

        name = store_challenge_directory(name);
        if (!name || !store_challenge_token_is_valid(token))
                return STORE_CHALLENGE_E_NOT_FOUND;

        r = store_open_dir(s, STORE_CHALLENGES, &challenges_fd);
        if (r == 0)
                r = dir_open_at(challenges_fd, name, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;

        r = read_lines(fd, &lines);
        if (r < 0)
                return r;
        r = format_lines(lines, token, NULL, &text, &n);
        if (r < 0)
                return r;
        if (n == 0 && lines) {
                r = file_remove_at(fd, STORE_FILE_HTTP01);
                return r < 0 ? r : store_challenge_leave(challenges_fd, name);
        }
        if (n == strv_length(lines))
                return STORE_CHALLENGE_E_NOT_FOUND;
        return write_lines(fd, &text);
}

int store_challenge_list(Store *s, char ***ret_names) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);
        assert(ret_names);

        r = store_open_dir(s, STORE_CHALLENGES, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_CHALLENGE_E_NOT_FOUND;
        return store_list_directories(fd, ret_names);
}

int store_challenge_purge(Store *s, const char *name) {
        _auto_close_ int fd = -1;
        int r;

        assert(s);

        name = store_challenge_directory(name);
        if (!name)
                return 0;
        r = store_open_dir(s, STORE_CHALLENGES, &fd);
        if (r != 0)
                return r < 0 ? r : 0;

        r = dir_remove_tree_at(fd, name);
        if (r == DIR_E_NOT_DIRECTORY)
                r = file_remove_at(fd, name);
        return r < 0 ? r : 0;
}
