/* SPDX-License-Identifier: Apache-2.0 */
#include "domain-directives.h"

#include "apr_strings.h"

#include "base/parse.h"
#include "base/string-util.h"

enum {
        CHALLENGE_MAX = 64, /* letters */
};

static const char *const known_challenges[] = { "http-01", "tls-alpn-01", "dns-01", "dns-persist-01" };

const char *parse_setting(Call *call, char **words, int n) {
        return call_read_setting(call, words[0], call->target);
}

const char *parse_text(Call *call, char **words, int n) {
        const char **target = call->target;

        *target = str_equal_nocase(words[0], "none") ? "" : words[0];
        return NULL;
}

const char *parse_window(Call *call, char **words, int n) {
        return call_read_window(call, words[0], call->target);
}

const char *parse_file(Call *call, char **words, int n) {
        apr_array_header_t **files = call->target;
        const char *path, *error;

        error = call_read_path(call, words[0], &path);
        if (error)
                return error;
        if (!*files)
                *files = apr_array_make(call->pool, 2, sizeof(const char *));
        if ((*files)->nelts >= MANAGED_DOMAIN_FILES_MAX)
                return call_complain(call, "there are more than %d of them", MANAGED_DOMAIN_FILES_MAX);
        APR_ARRAY_PUSH(*files, const char *) = path;
        return NULL;
}

static bool is_known_challenge(const char *type) {
        for (size_t i = 0; i < ELEMENTSOF(known_challenges); i++)
                if (str_equal(known_challenges[i], type))
                        return true;
        return false;
}

static bool is_in_list(const apr_array_header_t *list, const char *word) {
        for (int i = 0; i < list->nelts; i++)
                if (str_equal(APR_ARRAY_IDX(list, i, const char *), word))
                        return true;
        return false;
}

/* A type that only a later version knows is no reason to stop, but nothing can be proven by it. */
const char *parse_challenges(Call *call, char **words, int n) {
        apr_array_header_t *list = apr_array_make(call->pool, n, sizeof(const char *));

        for (; *words; words++) {
                str_to_lower(*words);
                if (strlen(*words) > CHALLENGE_MAX || (*words)[strspn(*words, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] != '\0')
                        return call_complain(call, "'%s' cannot be a type of challenge; known are http-01, tls-alpn-01, dns-01 and dns-persist-01", *words);
                if (!is_known_challenge(*words))
                        call_warn(call, "'%s' is not known, and proves nothing; known are http-01, tls-alpn-01, dns-01 and dns-persist-01", *words);
                if (!is_in_list(list, *words))
                        APR_ARRAY_PUSH(list, const char *) = *words;
        }
        if (list->nelts > MANAGED_DOMAIN_CHALLENGES_MAX)
                return call_complain(call, "names more than %d types", MANAGED_DOMAIN_CHALLENGES_MAX);
        call->settings->challenges = list;
        return NULL;
}

const char *parse_dns01(Call *call, char **words, int n) {
        if (n == 1 && str_equal_nocase(words[0], "none")) {
                call->settings->dns01_cmd = words + 1;
                return NULL;
        }
        if (words[0][0] != '/')
                return call_complain(call, "'%s' is not an absolute path; programs are not searched for", words[0]);
        if (n > MANAGED_DOMAIN_COMMAND_MAX)
                return call_complain(call, "has more than %d words", MANAGED_DOMAIN_COMMAND_MAX);
        call->settings->dns01_cmd = words;
        return NULL;
}

const char *parse_dns01_wait(Call *call, char **words, int n) {
        uint64_t *usec = apr_palloc(call->pool, sizeof(*usec));
        const char *error;

        error = call_read_duration(call, words[0], "s", usec);
        if (!error)
                call->settings->dns01_wait_usec = usec;
        return error;
}

const char *parse_private_keys(Call *call, char **words, int n) {
        KeySpecs *keys = apr_pcalloc(call->pool, sizeof(*keys));
        const char *why = NULL;

        if (key_specs_parse(words, keys, &why) != KEY_SPEC_DONE)
                return call_complain(call, "%s; write Default, RSA with a number of bits, or names of curves",
                                     str_or(why, "not a list of keys"));
        call->settings->keys = keys;
        return NULL;
}

const char *parse_renew_mode(Call *call, char **words, int n) {
        RenewMode *mode = apr_palloc(call->pool, sizeof(*mode));

        if (renew_mode_from_string(words[0], mode) != 0)
                return call_complain(call, "'%s' is none of 'auto', 'always' and 'manual'", words[0]);
        call->settings->renew_mode = mode;
        return NULL;
}

const char *parse_require_https(Call *call, char **words, int n) {
        RequireHttps *require = apr_palloc(call->pool, sizeof(*require));

        if (require_https_from_string(words[0], require) != 0)
                return call_complain(call, "'%s' is none of 'off', 'temporary' and 'permanent'", words[0]);
        call->settings->require_https = require;
        return NULL;
}

static const char *check_hsts_word(Call *call, const char *word, bool *has_age) {
        const char *age = strncasecmp(word, "max-age=", strlen("max-age=")) == 0 ? word + strlen("max-age=") : NULL;

        if (age && parse_uint64(age, &(uint64_t){ 0 }) != 0)
                return call_complain(call, "'%s' is no number of seconds", age);
        if (!age && !str_equal_nocase(word, "includeSubDomains") && !str_equal_nocase(word, "preload"))
                return call_complain(call, "'%s' is none of max-age=SECONDS, includeSubDomains and preload", word);
        *has_age = *has_age || age;
        return NULL;
}

/* The words, with or without ';' between them: RFC 6797 section 6.1. */
const char *parse_hsts(Call *call, char **words, int n) {
        const char *value = "";
        char *last, *all;
        bool has_age = false;

        if (n == 1 && str_equal_nocase(words[0], "off")) {
                call->settings->hsts = "";
                return NULL;
        }
        all = apr_pstrdup(call->pool, words[0]);
        for (int i = 1; i < n; i++)
                all = apr_pstrcat(call->pool, all, " ", words[i], NULL);
        for (char *word = apr_strtok(all, "; ", &last); word; word = apr_strtok(NULL, "; ", &last)) {
                const char *error = check_hsts_word(call, word, &has_age);

                if (error)
                        return error;
                value = apr_pstrcat(call->pool, value, *value ? "; " : "", word, NULL);
        }
        if (!has_age)
                return "max-age=SECONDS is missing";
        call->settings->hsts = value;
        return NULL;
}

const char *parse_fallback(Call *call, char **words, int n) {
        FilePair *pair = apr_pcalloc(call->pool, sizeof(*pair));
        const char *error = NULL;

        if (n == 1 && !str_equal_nocase(words[0], "none"))
                return "needs two files, a certificate and its key, or none";
        if (n == 2) {
                error = call_read_path(call, words[0], &pair->cert_file);
                if (!error)
                        error = call_read_path(call, words[1], &pair->key_file);
        }
        if (!error)
                call->settings->fallback = pair;
        return error;
}

const char *parse_staple_others(Call *call, char **words, int n) {
        if (call->server->section)
                call_warn(call, "has no effect inside <MDomain>: it is about certificates of no managed domain");
        return call_read_setting(call, words[0], &call->settings->staple_others);
}
