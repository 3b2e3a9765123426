/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/remote-signer.h"

#include <errno.h>

#include "acme-worker/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/launcher-client.h"

/* Commands of the administrator may run: one that sets up a record, and one that is asked about it. How long they may take is the manager's affair, which ends
 * the whole job when it is enough. */
#define CHALLENGE_TIMEOUT_USEC (2 * LAUNCHER_HOOK_TIMEOUT_USEC + KEY_TIMEOUT_USEC)
/* The request to finalize is signed when the certificate's key is made: a large RSA key takes its time. */
#define KEY_TIMEOUT_USEC (10 * USEC_PER_MINUTE)

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)

static int append_text(sd_bus_message *m, const char *key, const char *text) {
        return text ? sd_bus_message_append(m, "{sv}", key, "s", text) : 0;
}

static int append_list(sd_bus_message *m, const char *key, char **list) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_append_strv(m, list);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_directory(sd_bus_message *m, const AcmeDirectory *d) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_text(m, "new-account", d->new_account);
        if (r >= 0)
                r = append_text(m, "new-order", d->new_order);
        if (r >= 0)
                r = append_text(m, "revoke-cert", d->revoke_cert);
        if (r >= 0)
                r = append_text(m, "key-change", d->key_change);
        if (r >= 0)
                r = append_text(m, "terms-of-service", d->terms_of_service);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "external-account-required", "b", (int) d->external_account_required);
        if (r >= 0)
                r = append_text(m, "renewal-info", d->renewal_info);
        if (r >= 0 && d->profiles)
                r = append_list(m, "profiles", d->profiles);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int remote_directory(void *userdata, const AcmeDirectory *directory, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        int r;

        r = remote_new_call(remote, "Directory", &m);
        if (r >= 0)
                r = append_directory(m, directory);
        return r < 0 ? r : remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The manager does not accept the CA's directory", NULL, ret_problem);
}

static int remote_sign(void *userdata, AcmeRequestKind kind, const char *url, const char *nonce, char **ret_body,
                       Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        Remote *remote = userdata;
        uint64_t timeout_usec = kind == ACME_REQUEST_FINALIZE ? KEY_TIMEOUT_USEC : REMOTE_CALL_TIMEOUT_USEC;
        const char *body;
        int r;

        r = remote_new_call(remote, "Sign", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sss", acme_request_kind_to_string(kind), url, nonce);
        if (r >= 0)
                r = remote_call(remote, m, timeout_usec, "The manager does not sign the request", &reply, ret_problem);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &body);
        if (r < 0)
                return r;
        *ret_body = strdup(body);
        return *ret_body ? 0 : -ENOMEM;
}

static int remote_account_created(void *userdata, const char *url, Problem **ret_problem) {
        Remote *remote = userdata;
        int r;

        r = remote_call_with_strings(remote, "AccountCreated", "The manager does not accept the account", STRINGS((char *) url), ret_problem);
        return r < 0 ? r : str_replace(&remote->account_url, url);
}

static int remote_account_done(void *userdata, const char *status, Problem **ret_problem) {
        return remote_call_with_strings(userdata, "AccountDone", "The manager does not take note of the account", STRINGS((char *) status),
                                        ret_problem);
}

static int remote_account_rejected(void *userdata, const Problem *why, bool *ret_register, Problem **ret_problem) {
        _auto_free_ char *argument = problem_to_argument(why);
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        Remote *remote = userdata;
        const char *other = NULL;
        int r;

        if (!argument)
                return -ENOMEM;
        r = remote_new_call(remote, "AccountRejected", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", argument);
        if (r >= 0)
                r = remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The manager does not give up the account that the CA rejects", &reply, ret_problem);
        if (r >= 0 && sd_bus_message_is_empty(reply) == 0) /* while a package is upgraded, the manager may still be one that only ever wants a new account */
                r = sd_bus_message_read(reply, "s", &other);
        if (r < 0)
                return r;
        *ret_register = str_is_empty(other);
        return *ret_register ? 0 : str_replace(&remote->account_url, other);
}

static int remote_order_created(void *userdata, const char *url, const char *finalize, char *const *authorizations,
                                uint64_t expires_usec, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        int r;

        r = remote_new_call(remote, "OrderCreated", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", url, finalize);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) authorizations);
        if (r >= 0)
                r = sd_bus_message_append(m, "t", expires_usec);
        return r < 0 ? r : remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The manager does not accept the order", NULL, ret_problem);
}

static int remote_order_refused(void *userdata, const Problem *why, bool *ret_again, Problem **ret_problem) {
        _auto_free_ char *argument = problem_to_argument(why);
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        Remote *remote = userdata;
        int r, again = 0;

        if (!argument)
                return -ENOMEM;
        r = remote_new_call(remote, "OrderRefused", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", argument);
        if (r >= 0)
                r = remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The manager has no answer to the refusal of the order", &reply, ret_problem);
        if (r >= 0)
                r = sd_bus_message_read(reply, "b", &again);
        if (r == -EBADR) /* while a package is upgraded, the manager may still be one that does not know the question */
                *ret_problem = problem_free(*ret_problem);
        else if (r < 0)
                return r;
        *ret_again = again;
        return 0;
}

static int remote_order_gone(void *userdata, const char *why, Problem **ret_problem) {
        return remote_call_with_strings(userdata, "OrderGone", "The manager does not give up the order", STRINGS((char *) why), ret_problem);
}

static int read_issuers(sd_bus_message *m, char ***issuers) {
        int r;

        *issuers = strv_free(*issuers);
        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_read_strv(m, issuers);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_check_detail(sd_bus_message *m, const char *key, void *userdata) {
        AcmeChallengeCheck *check = userdata;

        if (str_equal(key, "check"))
                return remote_read_text(m, &check->type);
        if (str_equal(key, "expect"))
                return remote_read_text(m, &check->expect);
        if (str_equal(key, "record"))
                return remote_read_text(m, &check->record);
        if (str_equal(key, "issuers"))
                return read_issuers(m, &check->issuers);
        if (str_equal(key, "port"))
                return sd_bus_message_read(m, "v", "q", &check->port);
        if (str_equal(key, "wait"))
                return sd_bus_message_read(m, "v", "t", &check->wait_usec);
        return sd_bus_message_skip(m, "v"); /* a later manager may say more */
}

static int read_check(sd_bus_message *m, AcmeChallengeCheck *ret) {
        _auto_acme_challenge_check_ AcmeChallengeCheck check = {};
        int r;

        r = remote_read_dictionary(m, read_check_detail, &check);
        if (r < 0)
                return r;
        *ret = check;
        check = (AcmeChallengeCheck){};
        return 0;
}

static int call_set_up(Remote *remote, sd_bus_message *m, AcmeChallengeCheck *ret_check, Problem **ret_problem) {
        _auto_message_ sd_bus_message *reply = NULL;
        int r;

        r = remote_call(remote, m, CHALLENGE_TIMEOUT_USEC, "The challenge cannot be set up", &reply, ret_problem);
        if (r < 0)
                return remote->gone || !*ret_problem ? r : ACME_SIGNER_E_FAILED;
        remote->set_up_usec = clock_monotonic_usec();
        return read_check(reply, ret_check);
}

static int remote_set_up_challenge(void *userdata, const char *identifier_type, const char *identifier, const char *type,
                                   const char *token, const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        int r;

        r = remote_new_call(remote, "SetUpChallenge", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sssss", identifier_type, identifier, type, token, url);
        if (r < 0)
                return r;
        return call_set_up(remote, m, ret_check, ret_problem);
}

static int remote_set_up_persistent(void *userdata, const char *identifier_type, const char *identifier, char *const *issuers,
                                    const char *account_uri, const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        int r;

        r = remote_new_call(remote, "SetUpPersistentChallenge", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", identifier_type, identifier);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) issuers);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", str_or(account_uri, ""), url);
        return r < 0 ? r : call_set_up(remote, m, ret_check, ret_problem);
}

static int remote_deliver(void *userdata, char *const *chains, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        Remote *remote = userdata;
        int r, more;

        r = remote_new_call(remote, "Deliver", &m);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) chains);
        if (r >= 0)
                r = remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The certificate is refused", &reply, ret_problem);
        if (r >= 0)
                r = sd_bus_message_read(reply, "b", &more);
        if (r < 0)
                return r;
        remote->more = more;
        return 0;
}

static int tell_record_seen(Remote *remote, const char *identifier, uint64_t until_usec, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        r = remote_new_call(remote, "RecordSeen", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "st", identifier, until_usec);
        return r < 0 ? r : remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The manager does not take note of a record", NULL, ret_problem);
}

static int remote_check_challenge(void *userdata, const AcmeChallengeCheck *what, const char *identifier_type, const char *identifier,
                                  const char *token, Problem **ret_problem) {
        Remote *remote = userdata;
        uint64_t until_usec = 0;
        const ChallengeCheck check = {
                .what = what,
                .identifier_type = identifier_type,
                .identifier = identifier,
                .token = token,
                .domain = remote->domain,
                .since_usec = remote->set_up_usec,
                .ret_until_usec = &until_usec,
                .userdata = remote,
                .wait = remote_wait,
        };
        int r;

        r = check_challenge(&check, ret_problem);
        if (r == CHECK_E_FAILED)
                return ACME_SIGNER_E_FAILED;
        return r == CHECK_DONE && until_usec > 0 ? tell_record_seen(remote, identifier, until_usec, ret_problem) : r;
}

/* Renewal information */

static int remote_renewal_info(void *userdata, const char *token, const AcmeRenewalInfo *info, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        int r;

        r = remote_new_call(remote, "RenewalInfo", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sttts", token, info->start_usec, info->end_usec, info->retry_after_usec,
                                          str_or(info->explanation_url, ""));
        return r < 0 ? r : remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The manager does not take the renewal information", NULL, ret_problem);
}

static int remote_renewal_info_failed(void *userdata, const char *token, const Problem *why, uint64_t retry_after_usec, Problem **ret_problem) {
        _auto_free_ char *argument = problem_to_argument(why);
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        int r;

        if (!argument)
                return -ENOMEM;
        r = remote_new_call(remote, "RenewalInfoFailed", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sst", token, argument, retry_after_usec);
        return r < 0 ? r : remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, "The manager does not take note of missing renewal information", NULL, ret_problem);
}

/* Nobody waits for an answer to this. */
static void remote_progress(void *userdata, const char *activity) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        const LogField field = { "MD_NAME", remote->domain };

        (void) log_full(LOG_DEBUG, 0, NULL, &field, 1, "%s: %s", str_or(remote->domain, "?"), activity);
        if (remote_new_call(remote, "Progress", &m) < 0 || sd_bus_message_append(m, "s", activity) < 0 ||
            sd_bus_message_set_expect_reply(m, 0) < 0)
                return;
        (void) sd_bus_send(NULL, m, NULL);
}

AcmeSigner remote_signer(Remote *remote) {
        return (AcmeSigner){
                .userdata = remote,
                .directory = remote_directory,
                .sign = remote_sign,
                .account_created = remote_account_created,
                .account_done = remote_account_done,
                .account_rejected = remote_account_rejected,
                .order_refused = remote_order_refused,
                .order_created = remote_order_created,
                .order_gone = remote_order_gone,
                .set_up_challenge = remote_set_up_challenge,
                .set_up_persistent = remote_set_up_persistent,
                .check_challenge = remote_check_challenge,
                .deliver = remote_deliver,
                .renewal_info = remote_renewal_info,
                .renewal_info_failed = remote_renewal_info_failed,
                .progress = remote_progress,
                .wait = remote_wait,
        };
}
