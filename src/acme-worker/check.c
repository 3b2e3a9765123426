/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/check.h"

#include <errno.h>
#include <stdarg.h>

#include "acme-worker/own-address.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"

/* A server that is just being restarted is back after this time. */
#define NO_CONNECTION_PAUSE_USEC USEC_PER_SEC

static const struct {
        const char *type;
        int (*check)(const ChallengeCheck *c, Problem **ret_problem);
} checks[] = {
        { "dns-01", check_dns },
        { "dns-persist-01", check_dns },
        { "http-01", check_http },
        { "tls-alpn-01", check_tls },
};

int check_challenge(const ChallengeCheck *c, Problem **ret_problem) {
        for (size_t i = 0; i < ELEMENTSOF(checks); i++)
                if (str_equal(c->what->type, checks[i].type))
                        return str_is_empty(c->what->expect) ? CHECK_DONE : checks[i].check(c, ret_problem);
        return CHECK_DONE; /* a later manager may know more of them */
}

void check_tell(int priority, const ChallengeCheck *c, const char *format, ...) {
        const LogField field = { "MD_NAME", c->domain };
        _auto_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = str_vprintf(format, ap);
        va_end(ap);
        (void) log_full(priority, 0, NULL, &field, 1, "%s: %s of %s: %s", str_or(c->domain, "?"), c->what->type, c->identifier,
                        text ? text : "(out of memory)");
}

typedef struct Trial {
        const ChallengeCheck *check;
        CheckAddress look;
        uint16_t ca_port;
} Trial;

/* The CA's port arrives at another one (MDPortMap) because of the kernel, which does that to others only, or because of a proxy that listens at the
 * CA's port of this machine. */
static int look_at_ports(const Trial *t, const char *address, Problem **ret_problem) {
        _auto_problem_ Problem *nobody = NULL;
        int r;

        r = t->look(t->check, address, t->check->what->port, ret_problem);
        if (r != CHECK_E_NO_CONNECTION || t->check->what->port == t->ca_port)
                return r;
        nobody = take_ptr(*ret_problem);
        r = t->look(t->check, address, t->ca_port, ret_problem);
        if (r == CHECK_E_NO_CONNECTION) {
                problem_free(*ret_problem);
                *ret_problem = take_ptr(nobody);
        }
        return r;
}

/* Once more after a while when nobody is there. */
static int look_at(const Trial *t, const char *address, Problem **ret_problem) {
        const ChallengeCheck *c = t->check;
        int r;

        r = look_at_ports(t, address, ret_problem);
        if (r != CHECK_E_NO_CONNECTION)
                return r;
        *ret_problem = problem_free(*ret_problem);
        r = c->wait(c->userdata, NO_CONNECTION_PAUSE_USEC, ret_problem);
        return r < 0 ? r : look_at_ports(t, address, ret_problem);
}

/* A wrong answer is one wherever it comes from. That there is none need not be the end: CAs that get no connection to an address try another one,
 * and one that is not ours may have somebody who passes it on to us. */
static int look_at_all(const Trial *t, const OwnAddresses *addresses, Problem **ret_problem) {
        _auto_problem_ Problem *nobody = NULL;
        bool answered = false;

        STRV_FOREACH(address, addresses->own) {
                _auto_problem_ Problem *problem = NULL;
                int r;

                r = look_at(t, *address, &problem);
                if (r == CHECK_DONE) {
                        answered = true;
                } else if (r == CHECK_E_NO_CONNECTION) {
                        if (!nobody)
                                nobody = take_ptr(problem);
                } else {
                        *ret_problem = take_ptr(problem);
                        return r;
                }
        }
        if (!nobody)
                return CHECK_DONE;
        if (answered || !addresses->all) {
                check_tell(LOG_NOTICE, t->check, "%s; the CA may come by another address", nobody->detail);
                return CHECK_DONE;
        }
        *ret_problem = take_ptr(nobody);
        return CHECK_E_FAILED;
}

int check_own_addresses(const ChallengeCheck *c, uint16_t ca_port, CheckAddress look, Problem **ret_problem) {
        const Trial trial = { .check = c, .look = look, .ca_port = ca_port };
        _auto_own_addresses_ OwnAddresses addresses = {};
        int r;

        if (c->what->port == 0)
                return CHECK_DONE;
        r = own_addresses_find(c->identifier_type, c->identifier, &addresses);
        if (r < 0)
                return r;
        if (strv_length(addresses.own) == 0) {
                check_tell(LOG_DEBUG, c, "%s, so this is not tried before the CA does",
                           addresses.resolved ? "no address of it is this machine's" : "no address of it is known");
                return CHECK_DONE;
        }
        return look_at_all(&trial, &addresses, ret_problem);
}
