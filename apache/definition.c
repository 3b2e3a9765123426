/* SPDX-License-Identifier: Apache-2.0 */
#include "definition.h"

#include <stdlib.h>

#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "domain/name.h"

enum {
        FEW_NAMES = 16,
};

/* "auto" and "manual" may stand anywhere among the names. */
static bool read_member_mode(const char *word, Settings *settings) {
        if (str_equal_nocase(word, "auto"))
                settings->transitive = SWITCH_ON;
        else if (str_equal_nocase(word, "manual"))
                settings->transitive = SWITCH_OFF;
        else
                return false;
        return true;
}

/* In the one form that names have; "[2001:db8::1]" is an address, too. */
static const char *normalize(Call *call, const char *word) {
        size_t length = strlen(word);
        _auto_free_ char *name = NULL;

        if (length > 2 && word[0] == '[' && word[length - 1] == ']') {
                const char *address = apr_pstrmemdup(call->pool, word + 1, length - 2);

                if (strchr(address, ':'))
                        word = address;
        }
        name = domain_name_normalize(word);
        return name ? apr_pstrdup(call->pool, name) : NULL;
}

/* A hash takes as much memory as all the rest of a definition, so those with few names have none. */
static bool has_name(const Definition *d, const char *name) {
        if (d->known)
                return apr_hash_get(d->known, name, APR_HASH_KEY_STRING);
        for (int i = 0; i < d->names->nelts; i++)
                if (str_equal(APR_ARRAY_IDX(d->names, i, const char *), name))
                        return true;
        return false;
}

static void know_name(Call *call, Definition *d, const char *name) {
        APR_ARRAY_PUSH(d->names, const char *) = name;
        if (d->names->nelts == FEW_NAMES) {
                d->known = apr_hash_make(call->pool);
                for (int i = 0; i < d->names->nelts; i++)
                        apr_hash_set(d->known, APR_ARRAY_IDX(d->names, i, const char *), APR_HASH_KEY_STRING, "");
        } else if (d->known)
                apr_hash_set(d->known, name, APR_HASH_KEY_STRING, "");
}

static const char *add_name(Call *call, Definition *d, const char *word) {
        const char *name = normalize(call, word);

        if (!name)
                return "out of memory";
        if (!has_name(d, name))
                know_name(call, d, name);
        return NULL;
}

static const char *add_words(Call *call, Definition *d, char **words) {
        const char *error = NULL;

        for (; *words && !error; words++)
                if (!read_member_mode(*words, &d->settings))
                        error = add_name(call, d, *words);
        return error;
}

static const char *define(Call *call, char **words, Definition **ret) {
        Definition *d = apr_pcalloc(call->pool, sizeof(*d));
        const char *error;

        d->names = apr_array_make(call->pool, 2, sizeof(const char *));
        d->file = call->cmd->directive->filename;
        d->line = (unsigned) call->cmd->directive->line_num;

        error = add_words(call, d, words);
        if (error)
                return error;
        if (d->names->nelts == 0)
                return "needs at least one DNS name";

        APR_ARRAY_PUSH(call->configuration->definitions, Definition *) = d;
        *ret = d;
        return NULL;
}

const char *parse_domain(Call *call, char **words, int n) {
        Definition *d;

        return define(call, words, &d);
}

const char *parse_domain_section(Call *call, char **words, int n) {
        const char *error;
        Definition *d;

        error = define(call, words, &d);
        if (error)
                return error;

        call->server->section = d;
        error = ap_walk_config(call->cmd->directive->first_child, call->cmd, call->cmd->context);
        call->server->section = NULL;
        return error;
}

const char *parse_members(Call *call, char **words, int n) {
        if (call->server->section)
                return add_words(call, call->server->section, words);

        if (n > 1)
                return "takes names only inside <MDomain>; outside it takes one word, 'auto' or 'manual'";
        if (!read_member_mode(words[0], call->settings))
                return call_complain(call, "'%s' is neither 'auto' nor 'manual'; names of members belong inside <MDomain>", words[0]);
        return NULL;
}
