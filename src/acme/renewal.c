/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/renewal.h"

#include <errno.h>

#include "acme/account.h"
#include "acme/certificate.h"
#include "acme/order.h"
#include "acme/problem.h"
#include "acme/proofs.h"
#include "acme/retry.h"
#include "acme/url.h"
#include "base/cleanup.h"
#include "base/string-util.h"

enum {
        MOVES_MAX = 12, /* an honest order needs four */
        NOT_READY_MAX = 4,
        REFUSED_MAX = 2, /* orders that the CA refused as they were: 'replaces' and the profile can be left out */
};

#define ORDERING "ordering the certificate"
#define STEP_TIMEOUT_USEC (300 * USEC_PER_SEC)

typedef struct Run {
        const AcmeRenewal *renewal;
        const AcmeSigner *signer;
        AcmeClient *client;
        const AcmeDirectory *directory;
        uint64_t step_timeout_usec;

        AcmeOrder *order;
        AcmeProofs proofs; /* of the order */

        bool registered; /* an account, in this run, or taken in another's place: once is enough */
        bool replaced;   /* the order, likewise */
        bool touched;    /* we have worked on the order, so what becomes of it is news */
        unsigned n_not_ready, n_refused;
} Run;

static void forget_order(Run *run) {
        acme_proofs_done(&run->proofs);
        run->order = acme_order_free(run->order);
        run->touched = false;
}

/* The account */

static int register_account(Run *run, Problem **ret_problem) {
        run->registered = true;
        return acme_account_register(run->client, run->directory, ret_problem);
}

static int replace_account(Run *run, Problem **ret_problem) {
        _auto_problem_ Problem *why = take_ptr(*ret_problem);
        bool is_to_register = true;
        int r;

        run->registered = true;
        r = run->signer->account_rejected(run->signer->userdata, why, &is_to_register, ret_problem);
        return r < 0 || !is_to_register ? r : register_account(run, ret_problem);
}

/* The CA does not let us in: is it the account, or is it about these names? */
static int judge_account(Run *run, const char *url) {
        _auto_problem_ Problem *why = NULL;

        if (run->registered || str_is_empty(url))
                return ACME_ORDER_E_REFUSED;
        if (acme_account_look(run->client, url, &why) == ACME_ACCOUNT_E_DEAD)
                return ACME_ORDER_E_ACCOUNT_REJECTED;
        acme_client_set_activity(run->client, ORDERING); /* that is what was refused */
        return ACME_ORDER_E_REFUSED;
}

/* Some other contact is no reason to go without a certificate. */
static int update_account(Run *run) {
        _auto_problem_ Problem *why = NULL;
        int r;

        r = acme_account_update(run->client, run->renewal->account_url, &why);
        if (r < 0 && why)
                acme_client_set_activity(run->client, "updating the account failed: %s", why->detail);
        return r == -ENOMEM ? r : 0;
}

/* The order: an old one, a new one, or a new one in place of an old one */

static int ask_for_order(Run *run, Problem **ret_problem) {
        int r;

        acme_client_set_activity(run->client, ORDERING);
        r = acme_order_create(run->client, run->directory, &run->order, ret_problem);
        return r == ACME_ORDER_E_UNAUTHORIZED ? judge_account(run, run->renewal->account_url) : r;
}

/* Whoever signs may leave out what the CA does not like. */
static int refused(Run *run, const Problem *why, bool *ret_again, Problem **ret_problem) {
        *ret_again = false;
        if (!run->signer->order_refused || run->n_refused++ >= REFUSED_MAX)
                return 0;
        return run->signer->order_refused(run->signer->userdata, why, ret_again, ret_problem);
}

static int create_order(Run *run, Problem **ret_problem) {
        bool again = true;
        AcmeOrder *o;
        int r = 0;

        while (again) {
                _auto_problem_ Problem *why = NULL;

                r = ask_for_order(run, &why);
                again = false;
                if (r == ACME_ORDER_E_REFUSED) {
                        int k = refused(run, why, &again, ret_problem);

                        if (k < 0)
                                return k;
                }
                if (!again)
                        *ret_problem = take_ptr(why);
        }
        if (r != 0)
                return r;
        o = run->order;
        return run->signer->order_created(run->signer->userdata, o->url, o->finalize, o->authorizations, o->expires_usec,
                                          ret_problem);
}

static int give_up_order(Run *run, const char *why, Problem **ret_problem) {
        forget_order(run);
        run->replaced = true;
        return run->signer->order_gone(run->signer->userdata, why, ret_problem);
}

static int resume_order(Run *run, Problem **ret_problem) {
        _auto_problem_ Problem *why = NULL;
        int r, rejected;

        if (!acme_url_is_valid(run->renewal->order_url)) {
                r = give_up_order(run, "its address is no https URL", ret_problem);
                return r < 0 ? r : create_order(run, ret_problem);
        }

        acme_client_set_activity(run->client, "resuming the order");
        r = acme_order_resume(run->client, run->renewal->order_url, &run->order, &why);
        if (r <= 0) {
                *ret_problem = take_ptr(why);
                return r;
        }

        rejected = r == ACME_ORDER_E_ACCOUNT_REJECTED;
        r = give_up_order(run, why->detail, ret_problem);
        if (r < 0)
                return r;
        if (rejected) {
                *ret_problem = take_ptr(why);
                return ACME_ORDER_E_ACCOUNT_REJECTED;
        }
        return create_order(run, ret_problem);
}

static int open_order(Run *run, Problem **ret_problem) {
        int r;

        r = str_is_empty(run->renewal->order_url) ? create_order(run, ret_problem) : resume_order(run, ret_problem);
        if (r == ACME_ORDER_E_ACCOUNT_REJECTED && !run->registered) {
                r = replace_account(run, ret_problem);
                if (r == 0)
                        r = create_order(run, ret_problem);
        }
        return r > 0 ? -EREMOTEIO : r;
}

/* An order that was over before we did anything for it: from an earlier run, or one that the CA gave out a second time. */
static int replace_order(Run *run, Problem *why, Problem **ret_problem) {
        _auto_problem_ Problem *owned = why;
        int r;

        if (!why)
                return -ENOMEM;
        if (run->touched || run->replaced) {
                *ret_problem = take_ptr(owned);
                return -EREMOTEIO;
        }
        r = give_up_order(run, why->detail, ret_problem);
        if (r == 0)
                r = create_order(run, ret_problem);
        return r > 0 ? -EREMOTEIO : r;
}

/* Proofs */

static int timed_out(Run *run, Problem **ret_problem) {
        _auto_problem_ Problem *trouble = take_ptr(*ret_problem);
        const char *activity = acme_client_activity(run->client);
        char timeout[CLOCK_HUMAN_MAX];

        clock_format_timespan(timeout, run->step_timeout_usec);
        *ret_problem = problem_new(PROBLEM_TYPE_TIMEOUT, "The CA did not come to an end within %s, while %s (the order is %s)%s%s",
                                   timeout, str_or(activity, "waiting"), acme_order_status_to_string(run->order->status),
                                   trouble ? "; at last: " : "", trouble ? trouble->detail : "");
        if (!*ret_problem)
                return -ENOMEM;
        if (run->order->retry_after_usec > 0)
                (*ret_problem)->retry_after_usec = acme_client_date_after_usec(run->client, run->order->retry_after_usec);
        return -ETIMEDOUT;
}

/* DONE, or an error; the CA's troubles on the way are told when the time is over. */
static int wait_while(Run *run, unsigned statuses, Problem **ret_problem) {
        int r;

        run->touched = true;
        r = acme_order_wait_while(run->client, run->order, statuses, run->step_timeout_usec, ret_problem);
        return r == ACME_ORDER_E_TIMEOUT ? timed_out(run, ret_problem) : r;
}

/* The order alone is looked at: it becomes ready when the last authorization is valid, and invalid when one is. */
static int wait_for_proofs(Run *run, Problem **ret_problem) {
        _auto_problem_ Problem *failure = NULL;
        size_t n_pending = 0;
        int r;

        r = wait_while(run, 1U << ACME_ORDER_PENDING, ret_problem);
        if (r != -ETIMEDOUT || run->order->retry_after_usec > 0 || run->proofs.n_pending == 0)
                return r;

        /* Which of them was it? */
        r = acme_proofs_find_failures(&run->proofs, &failure, &n_pending);
        if (r < 0)
                return r;
        if (!failure && n_pending > 0)
                return -ETIMEDOUT;
        problem_free(*ret_problem);
        *ret_problem = take_ptr(failure);
        if (*ret_problem)
                return -EREMOTEIO;

        acme_client_set_activity(run->client, "waiting for the order to become ready");
        return wait_while(run, 1U << ACME_ORDER_PENDING, ret_problem);
}

static int prove(Run *run, Problem **ret_problem) {
        _auto_problem_ Problem *why = NULL;
        int r;

        if (!run->touched) {
                acme_proofs_init(&run->proofs, run->client, run->renewal->challenge_types);
                r = acme_proofs_collect(&run->proofs, run->order->authorizations, &why);
                if (r == ACME_PROOFS_E_DEAD)
                        return replace_order(run, take_ptr(why), ret_problem);
                if (r < 0) {
                        *ret_problem = take_ptr(why);
                        return r;
                }
                r = acme_proofs_answer(&run->proofs, ret_problem);
                if (r < 0)
                        return r;
        }
        return wait_for_proofs(run, ret_problem);
}

static int tell_failure(Run *run, Problem **ret_problem) {
        _auto_problem_ Problem *failure = NULL;
        size_t n_pending;
        int r;

        r = acme_proofs_find_failures(&run->proofs, &failure, &n_pending);
        if (r < 0)
                return r;
        *ret_problem = failure ? take_ptr(failure) : acme_order_problem(run->order);
        return *ret_problem ? -EREMOTEIO : -ENOMEM;
}

static int bury(Run *run, Problem **ret_problem) {
        if (!run->touched)
                return replace_order(run, acme_order_problem(run->order), ret_problem);
        return tell_failure(run, ret_problem);
}

/* The certificate */

static int not_ready(Run *run, Problem **ret_problem) {
        int r;

        if (run->n_not_ready >= NOT_READY_MAX)
                return -EREMOTEIO;

        *ret_problem = problem_free(*ret_problem);
        r = acme_client_wait(run->client, ACME_RETRY_BASE_USEC << run->n_not_ready++, ret_problem);
        if (r == 0)
                r = acme_order_refresh(run->client, run->order, ret_problem);
        return r > 0 ? -EREMOTEIO : r;
}

static int finalize(Run *run, Problem **ret_problem) {
        int r;

        acme_client_set_activity(run->client, "finalizing the order");
        run->touched = true;
        r = acme_order_finalize(run->client, run->order, ret_problem);
        if (r == ACME_ORDER_E_NOT_READY)
                return not_ready(run, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;

        acme_client_set_activity(run->client, "waiting for the certificate");
        return wait_while(run, 1U << ACME_ORDER_READY | 1U << ACME_ORDER_PROCESSING, ret_problem);
}

static int wait_for_certificate(Run *run, Problem **ret_problem) {
        acme_client_set_activity(run->client, "waiting for the certificate");
        return wait_while(run, 1U << ACME_ORDER_PROCESSING, ret_problem);
}

static int deliver(Run *run, Problem **ret_problem) {
        _auto_strv_ char **chains = NULL;
        int r;

        r = acme_certificate_download(run->client, run->order->certificate, run->renewal->want_alternates, &chains, ret_problem);
        if (r < 0)
                return r;
        acme_client_set_activity(run->client, "delivering the certificate");
        return run->signer->deliver(run->signer->userdata, chains, ret_problem);
}

static int move_on(Run *run, Problem **ret_problem) {
        switch (run->order->status) {
        case ACME_ORDER_PENDING:
                return prove(run, ret_problem);
        case ACME_ORDER_READY:
                return finalize(run, ret_problem);
        case ACME_ORDER_PROCESSING:
                return wait_for_certificate(run, ret_problem);
        default:
                return bury(run, ret_problem);
        }
}

static int drive(Run *run, Problem **ret_problem) {
        int r;

        for (unsigned moves = 0; run->order->status != ACME_ORDER_VALID; moves++) {
                if (moves >= MOVES_MAX)
                        return acme_client_bad_answer(run->order->url, "an order", "its status goes in circles", ret_problem);
                r = move_on(run, ret_problem);
                if (r < 0)
                        return r;
        }
        return deliver(run, ret_problem);
}

static int enter(Run *run, Problem **ret_problem) {
        if (str_is_empty(run->renewal->account_url))
                return register_account(run, ret_problem);
        return run->renewal->update_account ? update_account(run) : 0;
}

static int go_the_way(AcmeClient *c, const AcmeDirectory *directory, void *userdata, Problem **ret_problem) {
        Run *run = userdata;
        int r;

        run->client = c;
        run->directory = directory;
        r = enter(run, ret_problem);
        if (r == 0)
                r = open_order(run, ret_problem);
        if (r == 0)
                r = drive(run, ret_problem);
        forget_order(run);
        return r;
}

int acme_renewal_run(AcmeSession *session, const AcmeRenewal *renewal, const AcmeSigner *signer, Problem **ret_problem) {
        Run run = { .renewal = renewal, .signer = signer };

        assert(renewal);

        run.step_timeout_usec = renewal->step_timeout_usec > 0 ? renewal->step_timeout_usec : STEP_TIMEOUT_USEC;
        return acme_session_work(session, &renewal->ca, signer, go_the_way, &run, ret_problem);
}
