/* SPDX-License-Identifier: Apache-2.0 */

/* tls-alpn-01 (RFC 8737; for addresses RFC 8738 section 6), tried on the machine itself: the handshake that the CA will make, and a look at
 * the certificate that comes. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "acme-worker/alpn-proof.h"
#include "acme-worker/check.h"
#include "acme-worker/tls-visit.h"
#include "base/cleanup.h"
#include "base/string-util.h"

static int wrong(const ChallengeCheck *c, const char *address, uint16_t port, const char *what, Problem **ret_problem) {
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP,
                    "A TLS handshake for %s with the protocol acme-tls/1, at %s port %u of this machine, %s: the CA would not find "
                    "the answer to the "
                    "challenge there",
                    c->identifier, address, (unsigned) port, what);
        return *ret_problem ? CHECK_E_FAILED : -ENOMEM;
}

static int no_connection(const ChallengeCheck *c, const char *address, uint16_t port, const char *why, Problem **ret_problem) {
        problem_set(ret_problem, PROBLEM_TYPE_CHALLENGE_SETUP,
                    "No server of this machine can be reached at %s port %u, where the CA would make a TLS handshake for %s: %s",
                    address, (unsigned) port, c->identifier, why);
        return *ret_problem ? CHECK_E_NO_CONNECTION : -ENOMEM;
}

static int look_at_address(const ChallengeCheck *c, const char *address, uint16_t port, Problem **ret_problem) {
        _auto_free_ char *server_name = alpn_proof_server_name(c->identifier);
        _auto_free_ char *why = NULL;
        _auto_certificate_ X509 *certificate = NULL;
        int r;

        if (!server_name)
                return -ENOMEM;
        r = tls_visit(address, port, server_name, &certificate, &why);
        if (r == TLS_VISIT_E_NO_CONNECTION)
                return no_connection(c, address, port, why, ret_problem);
        if (r == TLS_VISIT_DONE)
                r = alpn_proof_check(certificate, c->identifier, c->what->expect, &why);
        if (r < 0)
                return r;
        return r == 0 ? CHECK_DONE : wrong(c, address, port, why, ret_problem);
}

int check_tls(const ChallengeCheck *c, Problem **ret_problem) {
        return check_own_addresses(c, 443, look_at_address, ret_problem);
}
