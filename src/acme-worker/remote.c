/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/remote.h"

#include <errno.h>
#include <systemd/sd-bus.h>

#include "acme-worker/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"

#define OPEN_TIMEOUT_USEC USEC_PER_HOUR
#define CHALLENGE_TIMEOUT_USEC (10 * USEC_PER_MINUTE)
/* The request to finalize is signed when the certificate's key is made: a large RSA key takes its time. */
#define KEY_TIMEOUT_USEC (10 * USEC_PER_MINUTE)
#define CALL_TIMEOUT_USEC (90 * USEC_PER_SEC)

struct Remote {
        sd_bus *bus;
        sd_bus_slot *watch; /* of the manager's name */
        char *manager;      /* the unique name of the process that gave the job; NULL: none yet */
        char *domain;
        char *account_url;  /* of an account registered in this job */
        bool more;          /* another certificate is wanted after the one delivered last */
        bool gone;
};

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)
#define _auto_error_ _cleanup_(sd_bus_error_free)

int remote_new(Remote **ret) {
        _cleanup_(remote_freep) Remote *remote = NULL;
        int r;

        remote = calloc(1, sizeof(*remote));
        if (!remote)
                return -ENOMEM;
        r = sd_bus_open_system_with_description(&remote->bus, "md-acme");
        if (r < 0)
                return r;
        *ret = take_ptr(remote);
        return 0;
}

Remote *remote_free(Remote *remote) {
        if (!remote)
                return NULL;

        sd_bus_slot_unref(remote->watch);
        sd_bus_flush_close_unref(remote->bus);
        free(remote->manager);
        free(remote->domain);
        free(remote->account_url);
        free(remote);
        return NULL;
}

bool remote_is_gone(const Remote *remote) {
        return remote->gone;
}

RemoteJob *remote_job_free(RemoteJob *job) {
        if (!job)
                return NULL;

        free(job->domain);
        free(job->ca_url);
        free(job->ca_file);
        free(job->user_agent);
        free(job->account_url);
        free(job->order_url);
        strv_free(job->challenge_types);
        free(job);
        return NULL;
}

/* Calls */

static int new_call(Remote *remote, const char *member, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(remote->bus, ret, str_or(remote->manager, BUS_NAME), BUS_PATH_WORKER,
                                              BUS_INTERFACE_WORKER, member);
}

/* No answer is to be expected from the manager any more, as opposed to one that we do not like. */
static bool means_gone(int r, const sd_bus_error *error) {
        switch (r) {
        case -ECONNRESET:
        case -ECONNABORTED:
        case -ENOTCONN:
        case -EPIPE:
        case -ESHUTDOWN:
        case -ESTALE:
        case -ETIMEDOUT:
                return true;
        default:
                return sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                              SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED, SD_BUS_ERROR_NO_SERVER,
                                              SD_BUS_ERROR_TIMEOUT) > 0;
        }
}

/* 'what' goes in front of the reason: "Cannot sign a request". */
static int call(Remote *remote, sd_bus_message *m, uint64_t timeout_usec, const char *what, sd_bus_message **ret_reply,
                Problem **ret_problem) {
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call(remote->bus, m, timeout_usec, &error, ret_reply);
        if (r >= 0)
                return 0;
        remote->gone = means_gone(r, &error);
        if (ret_problem && !*ret_problem)
                *ret_problem = problem_from_bus_error(&error, NULL, what);
        return r;
}

/* Strings in, nothing out: most methods are like that. */
static int call_with_strings(Remote *remote, const char *member, uint64_t timeout_usec, const char *what, char *const *arguments,
                             Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        r = new_call(remote, member, &m);
        STRV_FOREACH(s, arguments)
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", *s);
        return r < 0 ? r : call(remote, m, timeout_usec, what, NULL, ret_problem);
}

#define STRINGS(...) ((char *const[]){ __VA_ARGS__, NULL })

/* Open */

static int read_text(sd_bus_message *m, char **ret) {
        const char *text;
        int r;

        r = sd_bus_message_read(m, "v", "s", &text);
        return r < 0 ? r : str_replace(ret, text);
}

static int read_list(sd_bus_message *m, char ***ret) {
        int r;

        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r < 0)
                return r;
        strv_free(*ret);
        *ret = NULL;
        r = sd_bus_message_read_strv(m, ret);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_detail(sd_bus_message *m, const char *key, RemoteJob *job) {
        const struct {
                const char *key;
                char **text;
        } texts[] = {
                { "ca-url",     &job->ca_url      },
                { "ca-file",    &job->ca_file     },
                { "user-agent", &job->user_agent  },
                { "account",    &job->account_url },
                { "order",      &job->order_url   },
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (str_equal(key, texts[i].key))
                        return read_text(m, texts[i].text);
        if (str_equal(key, "challenges"))
                return read_list(m, &job->challenge_types);
        if (str_equal(key, "step-timeout"))
                return sd_bus_message_read(m, "v", "t", &job->step_timeout_usec);
        return sd_bus_message_skip(m, "v"); /* a later manager may say more */
}

static int read_details(sd_bus_message *m, RemoteJob *job) {
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0)
                        r = read_detail(m, key, job);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_job(sd_bus_message *m, RemoteJob **ret) {
        _cleanup_(remote_job_freep) RemoteJob *job = NULL;
        const char *path, *domain;
        int r;

        job = calloc(1, sizeof(*job));
        if (!job)
                return -ENOMEM;
        r = sd_bus_message_read(m, "os", &path, &domain);
        if (r < 0)
                return r;
        r = read_details(m, job);
        if (r < 0)
                return r;
        if (str_replace(&job->domain, domain) < 0)
                return -ENOMEM;
        *ret = take_ptr(job);
        return 0;
}

/* Everybody may send us a signal that looks like this one; the bus says who did. */
static int on_name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *new_owner;
        Remote *remote = userdata;
        int r;

        if (!str_equal(sd_bus_message_get_sender(m), "org.freedesktop.DBus"))
                return 0;
        r = sd_bus_message_read(m, "sss", &name, NULL, &new_owner);
        if (r >= 0 && str_equal(name, remote->manager) && str_is_empty(new_owner))
                remote->gone = true;
        return 0;
}

static int watch_manager(Remote *remote, const char *unique_name) {
        _auto_free_ char *match = NULL;

        /* Without a bus in between there is no name, and the connection itself ends. */
        if (!unique_name)
                return 0;
        if (str_replace(&remote->manager, unique_name) < 0)
                return -ENOMEM;
        match = str_printf(
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='%s'",
                unique_name);
        return match ? sd_bus_add_match_async(remote->bus, &remote->watch, match, on_name_owner_changed, NULL, remote) : -ENOMEM;
}

int remote_open(Remote *remote, RemoteJob **ret, Problem **ret_problem) {
        _cleanup_(remote_job_freep) RemoteJob *job = NULL;
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = new_call(remote, "Open", &m);
        if (r < 0)
                return r;
        r = sd_bus_call(remote->bus, m, OPEN_TIMEOUT_USEC, &error, &reply);
        if (sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_TO_DO))
                return REMOTE_E_NOTHING_TO_DO;
        if (r < 0) {
                remote->gone = means_gone(r, &error);
                *ret_problem = problem_from_bus_error(&error, NULL, "The manager does not open a job");
                return r;
        }

        r = read_job(reply, &job);
        if (r < 0)
                return r;
        r = watch_manager(remote, sd_bus_message_get_sender(reply));
        if (r < 0 || str_replace(&remote->domain, job->domain) < 0)
                return r < 0 ? r : -ENOMEM;
        *ret = take_ptr(job);
        return 0;
}

int remote_close(Remote *remote, const Problem *problem, Problem **ret_problem) {
        _auto_free_ char *argument = problem_to_argument(problem);

        if (!argument)
                return -ENOMEM;
        return call_with_strings(remote, "Close", CALL_TIMEOUT_USEC, "Cannot close the job", STRINGS(argument), ret_problem);
}

/* The signer */

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

        r = new_call(remote, "Directory", &m);
        if (r >= 0)
                r = append_directory(m, directory);
        return r < 0 ? r : call(remote, m, CALL_TIMEOUT_USEC, "The manager does not accept the CA's directory", NULL, ret_problem);
}

static int remote_sign(void *userdata, AcmeRequestKind kind, const char *url, const char *nonce, char **ret_body,
                       Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        Remote *remote = userdata;
        uint64_t timeout_usec = kind == ACME_REQUEST_FINALIZE ? KEY_TIMEOUT_USEC : CALL_TIMEOUT_USEC;
        const char *body;
        int r;

        r = new_call(remote, "Sign", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sss", acme_request_kind_to_string(kind), url, nonce);
        if (r >= 0)
                r = call(remote, m, timeout_usec, "The manager does not sign the request", &reply, ret_problem);
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

        r = call_with_strings(remote, "AccountCreated", CALL_TIMEOUT_USEC, "The manager does not accept the account",
                              STRINGS((char *) url), ret_problem);
        return r < 0 ? r : str_replace(&remote->account_url, url);
}

static int remote_account_rejected(void *userdata, const Problem *why, Problem **ret_problem) {
        _auto_free_ char *argument = problem_to_argument(why);

        if (!argument)
                return -ENOMEM;
        return call_with_strings(userdata, "AccountRejected", CALL_TIMEOUT_USEC,
                                 "The manager does not give up the account that the CA rejects", STRINGS(argument), ret_problem);
}

static int remote_order_created(void *userdata, const char *url, const char *finalize, char *const *authorizations,
                                uint64_t expires_usec, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        int r;

        r = new_call(remote, "OrderCreated", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", url, finalize);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) authorizations);
        if (r >= 0)
                r = sd_bus_message_append(m, "t", expires_usec);
        return r < 0 ? r : call(remote, m, CALL_TIMEOUT_USEC, "The manager does not accept the order", NULL, ret_problem);
}

static int remote_order_gone(void *userdata, const char *why, Problem **ret_problem) {
        return call_with_strings(userdata, "OrderGone", CALL_TIMEOUT_USEC, "The manager does not give up the order",
                                 STRINGS((char *) why), ret_problem);
}

static int read_check_detail(sd_bus_message *m, const char *key, AcmeChallengeCheck *check) {
        if (str_equal(key, "check"))
                return read_text(m, &check->type);
        if (str_equal(key, "expect"))
                return read_text(m, &check->expect);
        if (str_equal(key, "record"))
                return read_text(m, &check->record);
        if (str_equal(key, "port"))
                return sd_bus_message_read(m, "v", "q", &check->port);
        if (str_equal(key, "wait"))
                return sd_bus_message_read(m, "v", "t", &check->wait_usec);
        return sd_bus_message_skip(m, "v");
}

static int read_check(sd_bus_message *m, AcmeChallengeCheck *ret) {
        _auto_acme_challenge_check_ AcmeChallengeCheck check = {};
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0)
                        r = read_check_detail(m, key, &check);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        *ret = check;
        check = (AcmeChallengeCheck){};
        return 0;
}

static int remote_set_up_challenge(void *userdata, const char *identifier_type, const char *identifier, const char *type,
                                   const char *token, const char *url, AcmeChallengeCheck *ret_check, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        Remote *remote = userdata;
        int r;

        r = new_call(remote, "SetUpChallenge", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "sssss", identifier_type, identifier, type, token, url);
        if (r < 0)
                return r;
        r = call(remote, m, CHALLENGE_TIMEOUT_USEC, "The challenge cannot be set up", &reply, ret_problem);
        if (r < 0)
                return remote->gone || !*ret_problem ? r : ACME_SIGNER_E_FAILED;
        return read_check(reply, ret_check);
}

static int remote_deliver(void *userdata, char *const *chains, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        Remote *remote = userdata;
        int r, more;

        r = new_call(remote, "Deliver", &m);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) chains);
        if (r >= 0)
                r = call(remote, m, CALL_TIMEOUT_USEC, "The certificate is refused", &reply, ret_problem);
        if (r >= 0)
                r = sd_bus_message_read(reply, "b", &more);
        if (r < 0)
                return r;
        remote->more = more;
        return 0;
}

bool remote_wants_more(const Remote *remote) {
        return remote->more;
}

const char *remote_account(const Remote *remote) {
        return remote->account_url;
}

/* Nobody waits for an answer to this. */
static void remote_progress(void *userdata, const char *activity) {
        _auto_message_ sd_bus_message *m = NULL;
        Remote *remote = userdata;
        const LogField field = { "MD_NAME", remote->domain };

        (void) log_full(LOG_DEBUG, 0, NULL, &field, 1, "%s: %s", str_or(remote->domain, "?"), activity);
        if (new_call(remote, "Progress", &m) < 0 || sd_bus_message_append(m, "s", activity) < 0 ||
            sd_bus_message_set_expect_reply(m, 0) < 0)
                return;
        (void) sd_bus_send(NULL, m, NULL);
}

static int gone(Remote *remote, Problem **ret_problem) {
        remote->gone = true;
        problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "The manager went away while the CA was at work");
        return -ECONNRESET;
}

/* The CA may take minutes: time enough to hear that nobody waits for us any more. */
static int remote_wait(void *userdata, uint64_t usec, Problem **ret_problem) {
        Remote *remote = userdata;
        uint64_t deadline_usec = usec_add(clock_monotonic_usec(), usec);

        for (;;) {
                uint64_t now_usec;
                int r;

                r = sd_bus_process(remote->bus, NULL);
                if (r < 0 || remote->gone)
                        return gone(remote, ret_problem);
                if (r > 0)
                        continue;
                now_usec = clock_monotonic_usec();
                if (now_usec >= deadline_usec)
                        return 0;
                r = sd_bus_wait(remote->bus, deadline_usec - now_usec);
                if (r < 0 && r != -EINTR)
                        return gone(remote, ret_problem);
        }
}

static int remote_check_challenge(void *userdata, const AcmeChallengeCheck *what, const char *identifier_type, const char *identifier,
                                  const char *token, Problem **ret_problem) {
        Remote *remote = userdata;
        const ChallengeCheck check = {
                .what = what,
                .identifier_type = identifier_type,
                .identifier = identifier,
                .token = token,
                .domain = remote->domain,
                .userdata = remote,
                .wait = remote_wait,
        };
        int r;

        r = check_challenge(&check, ret_problem);
        return r == CHECK_E_FAILED ? ACME_SIGNER_E_FAILED : r;
}

AcmeSigner remote_signer(Remote *remote) {
        return (AcmeSigner){
                .userdata = remote,
                .directory = remote_directory,
                .sign = remote_sign,
                .account_created = remote_account_created,
                .account_rejected = remote_account_rejected,
                .order_created = remote_order_created,
                .order_gone = remote_order_gone,
                .set_up_challenge = remote_set_up_challenge,
                .check_challenge = remote_check_challenge,
                .deliver = remote_deliver,
                .progress = remote_progress,
                .wait = remote_wait,
        };
}
