/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include "acme/challenge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"

enum { RECORD_MAX = 256 * 1024 };

void script_init(Script *s, const ScriptLine *lines, size_t n_lines) {
        *s = (Script){
                .lines = lines,
                .n_lines = n_lines,
                .waits = BUFFER_INIT(RECORD_MAX),
                .nonces = BUFFER_INIT(RECORD_MAX),
                .calls = BUFFER_INIT(RECORD_MAX),
                .accepts = BUFFER_INIT(RECORD_MAX),
                .activities = BUFFER_INIT(RECORD_MAX),
        };
}

void script_done(Script *s) {
        buffer_done(&s->waits);
        buffer_done(&s->nonces);
        buffer_done(&s->calls);
        buffer_done(&s->accepts);
        buffer_done(&s->activities);
}

/* The transport */

static void write_request(Script *s, const AcmeRequest *request, char *buffer, size_t size) {
        char kind[32], url[2100], nonce[64];

        if (request->method != ACME_METHOD_POST) {
                (void) snprintf(buffer, size, "%s %s", request->method == ACME_METHOD_GET ? "GET" : "HEAD", request->url);
                return;
        }
        CHECK_STR(request->content_type, "application/jose+json");
        if (sscanf(request->body, "%31s %2099s %63s", kind, url, nonce) == 3) {
                CHECK_STR(request->url, url);
                (void) snprintf(buffer, size, "POST %s %s", kind, url);
                (void) buffer_printf(&s->nonces, "%s%s", s->nonces.size > 0 ? " " : "", nonce);
                (void) buffer_printf(&s->accepts, "%s\n", request->accept);
        }
}

static int play_head(Script *s, const ScriptLine *line, AcmeAnswer *answer) {
        _auto_strv_ char **fields = strv_split(str_or(line->head, ""), "\n");
        char text[64];
        int r;

        (void) snprintf(text, sizeof(text), "HTTP/2 %u \r\n", line->status);
        r = acme_answer_add_head(answer, text, strlen(text));
        if (!str_has_prefix(line->request, "GET") && !str_has_prefix(str_or(line->head, ""), "-")) {
                (void) snprintf(text, sizeof(text), "replay-nonce: n%u\r\n", ++s->n_nonces);
                r = r != 0 ? r : acme_answer_add_head(answer, text, strlen(text));
        }
        STRV_FOREACH(field, fields)
                r = r != 0 ? r : acme_answer_add_head(answer, *field, strlen(*field));
        return r;
}

static int script_exchange(void *userdata, const AcmeRequest *request, AcmeAnswer *answer, Problem **ret_problem) {
        const ScriptLine *line;
        char text[2200] = "";
        Script *s = userdata;
        int r;

        CHECK(request->timeout_usec > 0);
        CHECK(request->user_agent != NULL);
        s->last_timeout_usec = request->timeout_usec;
        s->last_ca_file = request->ca_file;
        s->last_proxy = request->proxy;
        s->last_proxy_ca_file = request->proxy_ca_file;
        s->elapsed_usec += s->exchange_usec;
        write_request(s, request, text, sizeof(text));
        line = s->next < s->n_lines ? &s->lines[s->next] : NULL;
        if (!CHECK_STR(text, line ? line->request : "(the end)")) {
                problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "not in the script");
                return -ENODATA;
        }
        s->next++;
        if (line->status == 0) {
                problem_set(ret_problem, PROBLEM_TYPE_CONNECTION, "Cannot talk to ca.test: nobody there");
                return -ECONNREFUSED;
        }

        r = play_head(s, line, answer);
        if (r == 0 && line->body)
                r = acme_answer_add_body(answer, line->body, line->body_size > 0 ? line->body_size : strlen(line->body));
        if (r > 0)
                problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "too large");
        return r > 0 ? -EFBIG : r;
}

static void script_wait(void *userdata, uint64_t usec) {
        Script *s = userdata;

        s->elapsed_usec += usec;
        (void) buffer_printf(&s->waits, "%s%llu", s->waits.size > 0 ? " " : "", (unsigned long long) (usec / USEC_PER_MSEC));
}

static uint64_t script_monotonic_usec(void *userdata) {
        return 1000 * USEC_PER_SEC + ((Script *) userdata)->elapsed_usec;
}

static uint64_t script_now_usec(void *userdata) {
        return SCRIPT_START_USEC + ((Script *) userdata)->elapsed_usec;
}

AcmeTransport script_transport(Script *s) {
        return (AcmeTransport){
                .userdata = s,
                .exchange = script_exchange,
                .wait = script_wait,
                .monotonic_usec = script_monotonic_usec,
                .now_usec = script_now_usec,
        };
}

/* The signer */

static int record(Script *s, Problem **ret_problem, const char *word, const char *rest) {
        (void) buffer_printf(&s->calls, "%s%s%s\n", word, rest ? " " : "", str_or(rest, ""));
        if (!str_equal(word, s->failing))
                return 0;
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "%s failed", word);
        return -EIO;
}

static int script_directory(void *userdata, const AcmeDirectory *directory, Problem **ret_problem) {
        return record(userdata, ret_problem, "directory", NULL);
}

static int script_sign(void *userdata, AcmeRequestKind kind, const char *url, const char *nonce, char **ret_body, Problem **ret_problem) {
        Script *s = userdata;

        if (str_equal(s->failing, "sign")) {
                problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "sign failed");
                return -EIO;
        }
        *ret_body = str_printf("%s %s %s", acme_request_kind_to_string(kind), url, nonce);
        return *ret_body ? 0 : -ENOMEM;
}

static int script_account_created(void *userdata, const char *url, Problem **ret_problem) {
        return record(userdata, ret_problem, "account", url);
}

static int script_account_rejected(void *userdata, const Problem *why, bool *ret_register, Problem **ret_problem) {
        const Script *s = userdata;

        *ret_register = !s->other_account;
        return record(userdata, ret_problem, "rejected", why->detail);
}

static int script_account_done(void *userdata, const char *status, Problem **ret_problem) {
        return record(userdata, ret_problem, "account-done", status);
}

static int script_order_refused(void *userdata, const Problem *why, bool *ret_again, Problem **ret_problem) {
        Script *s = userdata;

        *ret_again = s->orders_again > 0;
        s->orders_again -= *ret_again;
        return record(s, ret_problem, "refused", why->detail);
}

static int script_renewal_info(void *userdata, const char *token, const AcmeRenewalInfo *info, Problem **ret_problem) {
        _auto_free_ char *text = str_printf("%s %llu %llu %llu %s", token, (unsigned long long) (info->start_usec / USEC_PER_SEC),
                                            (unsigned long long) (info->end_usec / USEC_PER_SEC),
                                            (unsigned long long) (info->retry_after_usec / USEC_PER_SEC), str_or(info->explanation_url, "-"));

        return text ? record(userdata, ret_problem, "info", text) : -ENOMEM;
}

static int script_renewal_info_failed(void *userdata, const char *token, const Problem *why, uint64_t retry_after_usec, Problem **ret_problem) {
        _auto_free_ char *text = str_printf("%s %llu %s", token, (unsigned long long) (retry_after_usec / USEC_PER_SEC), why->detail);

        return text ? record(userdata, ret_problem, "no-info", text) : -ENOMEM;
}

static int script_order_created(void *userdata, const char *url, const char *finalize, char *const *authorizations, uint64_t expires_usec,
                                Problem **ret_problem) {
        CHECK(strv_length(authorizations) > 0);
        return record(userdata, ret_problem, "order", url);
}

static int script_order_gone(void *userdata, const char *why, Problem **ret_problem) {
        return record(userdata, ret_problem, "gone", why);
}

static int fail_type(Script *s, const char *types, const char *what, const char *type, const char *identifier, Problem **ret_problem) {
        _auto_strv_ char **list = strv_split(str_or(types, ""), " ");
        _auto_free_ char *both = str_printf("%s:%s", type, identifier);

        if (!strv_contains(list, type) && !strv_contains(list, both))
                return ACME_SIGNER_DONE;
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP, "%s of %s failed", what, type);
        return ACME_SIGNER_E_FAILED;
}

static int script_set_up_challenge(void *userdata, const char *identifier_type, const char *identifier, const char *type, const char *token,
                                   const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem) {
        _auto_free_ char *text = str_printf("%s:%s %s %s", identifier_type, identifier, type, token);
        Script *s = userdata;
        int r;

        r = text ? record(s, ret_problem, "setup", text) : -ENOMEM;
        if (r == 0)
                r = fail_type(s, s->failing_setups, "setup", type, identifier, ret_problem);
        if (r == 0 && s->checking)
                ret_check->type = strdup(type);
        return r;
}

static int script_set_up_persistent(void *userdata, const char *identifier_type, const char *identifier, char *const *issuers,
                                    const char *account_uri, const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem) {
        _auto_free_ char *names = strv_join(issuers, ","), *text = NULL;
        Script *s = userdata;
        int r;

        text = names ? str_printf("%s:%s %s %s", identifier_type, identifier, names, str_or(account_uri, "-")) : NULL;
        r = text ? record(s, ret_problem, "persistent", text) : -ENOMEM;
        if (r == 0)
                r = fail_type(s, s->failing_setups, "setup", ACME_CHALLENGE_DNS_PERSIST, identifier, ret_problem);
        if (r == 0 && s->checking)
                ret_check->type = strdup(ACME_CHALLENGE_DNS_PERSIST);
        return r;
}

static int script_check_challenge(void *userdata, const AcmeChallengeCheck *check, const char *identifier_type, const char *identifier,
                                  const char *token, Problem **ret_problem) {
        _auto_free_ char *text = str_printf("%s:%s %s", identifier_type, identifier, check->type);
        Script *s = userdata;
        int r;

        r = text ? record(s, ret_problem, "check", text) : -ENOMEM;
        return r != 0 ? r : fail_type(s, s->failing_checks, "check", check->type, identifier, ret_problem);
}

static int script_deliver(void *userdata, char *const *chains, Problem **ret_problem) {
        _auto_free_ char *n = NULL;

        CHECK(str_has_prefix(chains[0], SCRIPT_CHAIN));
        if (strv_length(chains) > 1)
                n = str_printf("%zu", strv_length(chains));
        else if (strlen(chains[0]) > strlen(SCRIPT_CHAIN))
                n = str_printf("%zu certificates", strlen(chains[0]) / strlen(SCRIPT_CHAIN));
        return record(userdata, ret_problem, "deliver", n);
}

static void script_progress(void *userdata, const char *activity) {
        Script *s = userdata;

        (void) buffer_printf(&s->activities, "%s\n", activity);
}

AcmeSigner script_signer(Script *s) {
        return (AcmeSigner){
                .userdata = s,
                .directory = script_directory,
                .sign = script_sign,
                .account_created = script_account_created,
                .account_done = script_account_done,
                .account_rejected = script_account_rejected,
                .order_refused = script_order_refused,
                .order_created = script_order_created,
                .order_gone = script_order_gone,
                .set_up_challenge = script_set_up_challenge,
                .set_up_persistent = script_set_up_persistent,
                .check_challenge = script_check_challenge,
                .deliver = script_deliver,
                .renewal_info = script_renewal_info,
                .renewal_info_failed = script_renewal_info_failed,
                .progress = script_progress,
        };
}

int script_run(Script *s, AcmeRenewal renewal, Problem **ret_problem) {
        static char *const types[] = { (char *) "http-01", NULL };
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;
        AcmeTransport transport = script_transport(s);
        AcmeSigner signer = script_signer(s);

        renewal.ca.directory_url = str_or(renewal.ca.directory_url, CA "dir");
        renewal.challenge_types = renewal.challenge_types ? renewal.challenge_types : types;
        session = acme_session_new_with(&transport);
        return session ? acme_renewal_run(session, &renewal, &signer, ret_problem) : -ENOMEM;
}
