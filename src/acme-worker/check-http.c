/* SPDX-License-Identifier: Apache-2.0 */

/* http-01 (RFC 8555 section 8.3), tried on the machine itself. */

#include <errno.h>
#include <string.h>

#include "acme-worker/check.h"
#include "acme-worker/own-address.h"
#include "acme/probe.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "config.h"

enum {
        REDIRECTS_MAX = 10, /* as many as CAs follow */
        EXCERPT_MAX = 60,
};
#define TIMEOUT_USEC (5 * USEC_PER_SEC)
#define CHALLENGE_PATH "/.well-known/acme-challenge/"

typedef struct Visit {
        const ChallengeCheck *check;
        char *url, *host, *address;
        uint16_t port;
        uint16_t http_port; /* where connections to port 80 arrive */
        unsigned n_redirects;
} Visit;

enum {
        VISIT_E_SENT_ON = CHECK_E_NO_CONNECTION + 1,
};

static void visit_done(Visit *v) {
        free(v->url);
        free(v->host);
        free(v->address);
}

/* The "what" of it, and what was seen, which may be NULL. */
static int wrong(const Visit *v, Problem **ret_problem, const char *what, const char *seen) {
        _auto_free_ char *quoted = seen ? str_printf(" \"%s\"", seen) : strdup("");

        if (!quoted)
                return -ENOMEM;
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP,
                    "%s%s, asked for at %s port %u of this machine, %s%s: the CA would not find the answer to the challenge there",
                    v->n_redirects > 0 ? "It is redirected, and " : "", v->url, v->address, (unsigned) v->port, what, quoted);
        return *ret_problem ? CHECK_E_FAILED : -ENOMEM;
}

/* CAs allow white space at the end (RFC 8555 8.3). */
static bool is_expected(const char *body, size_t size, const char *expect) {
        while (size > 0 && strchr(" \t\r\n", body[size - 1]) && body[size - 1] != '\0')
                size--;
        return size == strlen(expect) && memcmp(body, expect, size) == 0;
}

static int judge(const Visit *v, const AcmeProbeAnswer *answer, Problem **ret_problem) {
        _auto_free_ char *excerpt = NULL, *what = NULL;

        if (answer->status == 200 && is_expected(answer->body, answer->body_size, v->check->what->expect))
                return CHECK_DONE;

        /* Where a redirection leads is the word of whoever writes the site's pages, and asked from this machine: what is there may be for nobody else's eyes. */
        if (v->n_redirects == 0)
                excerpt = str_printable(answer->body, answer->body_size, EXCERPT_MAX);
        what = answer->status == 200 ? strdup("is answered with something else, as by another server or application:")
                                     : str_printf("is answered with status %u instead of 200:", answer->status);
        if (!what || (!excerpt && v->n_redirects == 0))
                return -ENOMEM;
        if (!excerpt) /* without the colon */
                what[strlen(what) - 1] = '\0';
        return wrong(v, ret_problem, what, excerpt);
}

static int no_connection(const Visit *v, const char *why, Problem **ret_problem) {
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP,
                    "No web server of this machine can be reached at %s port %u, where the CA would look for %s: %s", v->address,
                    (unsigned) v->port, v->url, why);
        return *ret_problem ? CHECK_E_NO_CONNECTION : -ENOMEM;
}

static int no_answer(const Visit *v, const char *why, Problem **ret_problem) {
        _auto_free_ char *what = str_printf("is not answered (%s)", why);

        return what ? wrong(v, ret_problem, what, NULL) : -ENOMEM;
}

/* The same host is at the same address still, and another one may be, too. DONE: it is elsewhere, be it another address of this machine: what listens there may be
 * for this machine alone. */
static int find_host(Visit *v, const char *host) {
        _auto_own_addresses_ OwnAddresses addresses = {};
        bool is_address = strspn(host, "0123456789.") == strlen(host) || strchr(host, ':');
        int r;

        if (str_equal_nocase(v->host, host))
                return VISIT_E_SENT_ON;
        r = own_addresses_find(is_address ? "ip" : "dns", host, &addresses);
        if (r < 0)
                return r;
        if (!strv_contains(addresses.own, v->address))
                return CHECK_DONE;
        return str_replace(&v->host, host) < 0 ? -ENOMEM : VISIT_E_SENT_ON;
}

/* Whoever writes the site's pages says where to: this machine's own address, which servers may trust, asks for answers to challenges and nothing else. */
static bool is_challenge_path(const Visit *v, const char *path) {
        const char *token = str_after_prefix(path, CHALLENGE_PATH);

        return token && str_equal(token, v->check->token);
}

/* DONE: nothing more can be known from here. */
static int go_to(Visit *v, const AcmeProbeAnswer *answer, Problem **ret_problem) {
        uint16_t port = answer->redirect_port;
        int r;

        if (v->n_redirects >= REDIRECTS_MAX)
                return wrong(v, ret_problem, "is sent on from one redirection to the next", NULL);
        if (!answer->redirect_host)
                return wrong(v, ret_problem, "is redirected to what is no http or https URL:", answer->redirect);
        if (port != 80 && port != 443)
                return wrong(v, ret_problem, "is redirected to another port than 80 and 443, which CAs refuse:", answer->redirect);
        /* Where connections to 443 arrive, when those to 80 do not arrive at 80, is not known here. */
        if (port == 443 && v->http_port != 80)
                return CHECK_DONE;
        if (!is_challenge_path(v, answer->redirect_path))
                return CHECK_DONE;
        r = find_host(v, answer->redirect_host);
        if (r != VISIT_E_SENT_ON)
                return r;
        v->port = port == 80 ? v->http_port : port;
        v->n_redirects++;
        return str_replace(&v->url, answer->redirect) < 0 ? -ENOMEM : VISIT_E_SENT_ON;
}

static int visit(Visit *v, Problem **ret_problem) {
        const AcmeProbe probe = {
                .url = v->url,
                .address = v->address,
                .port = v->port,
                .user_agent = "md-manager/" PROJECT_VERSION " (local check)",
                .timeout_usec = TIMEOUT_USEC,
        };
        _cleanup_(acme_probe_answer_done) AcmeProbeAnswer answer = {};
        _auto_free_ char *why = NULL;
        int r;

        r = acme_probe(&probe, &answer, &why);
        if (r == ACME_PROBE_E_NO_CONNECTION && v->n_redirects == 0)
                return no_connection(v, why, ret_problem);
        if (r > 0)
                return no_answer(v, why, ret_problem);
        if (r < 0)
                return r;
        return answer.redirect ? go_to(v, &answer, ret_problem) : judge(v, &answer, ret_problem);
}

static int look_at_address(const ChallengeCheck *c, const char *address, uint16_t port, Problem **ret_problem) {
        bool ipv6 = strchr(c->identifier, ':');
        _cleanup_(visit_done) Visit v = {
                .check = c,
                .url = str_printf("http://%s%s%s" CHALLENGE_PATH "%s", ipv6 ? "[" : "", c->identifier, ipv6 ? "]" : "",
                                  c->token),
                .host = strdup(c->identifier),
                .address = strdup(address),
                .port = port,
                .http_port = port,
        };
        int r;

        if (!v.url || !v.host || !v.address)
                return -ENOMEM;
        do
                r = visit(&v, ret_problem);
        while (r == VISIT_E_SENT_ON);
        return r;
}

int check_http(const ChallengeCheck *c, Problem **ret_problem) {
        return check_own_addresses(c, 80, look_at_address, ret_problem);
}
