/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The way of a renewal as scripts: what all tests of it begin and end with. */

#include <string.h>

#include "acme/renewal.h"
#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "script.h"

#define ACCOUNT .account_url = CA "acct/1"
#define ORDER .order_url = CA "o/1"
#define OPENING SAY_DIRECTORY, SAY_NONCE
#define ENDING SAY_FINALIZE("valid"), SAY_CHAIN
#define SAY_VALID_AT_ONCE                                                                                                               \
        { "POST finalize " CA "o/1/f", 200, "-\nReplay-Nonce: f", SCRIPT_ORDER("valid", ", \"certificate\": \"" CA "cert/1\"") }

/* Plays the script to its last line. */
#define RUN(lines_, ...) RUN_WITH(lines_, , __VA_ARGS__)
#define RUN_WITH(lines_, settings_, ...)                                                \
        _auto_script_ Script s = {};                                                    \
        _auto_problem_ Problem *p = NULL;                                               \
        int r;                                                                          \
        script_init(&s, lines_, ELEMENTSOF(lines_));                                    \
        settings_;                                                                      \
        r = script_run(&s, (AcmeRenewal){ __VA_ARGS__ }, &p);                           \
        CHECK_UINT(s.next, s.n_lines);                                                  \
        CHECK((r < 0) == (p != NULL))

static inline bool says(const Problem *p, const char *words) {
        return p && strstr(p->detail, words);
}

static inline const char *text(const Buffer *b) {
        return str_or(b->data, "");
}

#define THREE_NAMES                                                                                                                     \
        "{\"status\": \"pending\", \"finalize\": \"" CA "o/1/f\", \"expires\": \"2026-11-29T00:00:00Z\", \"authorizations\": [\"" CA     \
        "a/1\", \"" CA "a/2\", \"" CA "a/3\"]}"
#define SAY_AUTHZ_OF(name, number, status, challenge)                                                                                   \
        { "POST post-as-get " CA "a/" number, 200, "", SCRIPT_AUTHZ_OF(name, number, status, challenge) }
#define SAY_CHALLENGE_OF(number) { "POST challenge " CA "c/" number, 200, "", "{}" }

#define AFRESH SAY_NEW_ORDER("ready"), SAY_VALID_AT_ONCE, SAY_CHAIN
#define FAILED_AUTHZ(name, number)                                                                                                      \
        { "POST post-as-get " CA "a/" number, 200, "",                                                                                  \
          "{\"status\": \"invalid\", \"identifier\": {\"type\": \"dns\", \"value\": \"" name "\"}, \"challenges\": [{\"type\": \"http-01\"," \
          " \"url\": \"" CA "c/" number "\", \"token\": \"tok" number "\", \"status\": \"invalid\", \"error\": {\"type\":"              \
          " \"urn:ietf:params:acme:error:connection\", \"detail\": \"" name " is off\", \"status\": 400, \"subproblems\": [{\"type\": \"x\"}]}}]}" }

static inline size_t count_lines(const ScriptLine *lines, size_t max) {
        size_t n = 0;

        while (n < max && lines[n].request)
                n++;
        return n;
}
