/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge.h"

#include "apr_strings.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"

#include "base/string-util.h"
#include "domains.h"
#include "store-view.h"

#define CHALLENGE_PREFIX "/.well-known/acme-challenge/"

static int find_answer(request_rec *r, const char *token, const char **ret_answer) {
        const Domains *domains = server_configuration(r->server)->domains;
        const ManagedDomain *d;

        if (!domains || !domains->store)
                return DECLINED;

        d = matching_find(domains->matching, r->hostname);
        if (!d || d->refused || !domain_allows_http01(d))
                return DECLINED;
        return store_view_read_challenge(domains->store, r->pool, r->hostname, token, ret_answer) == STORE_VIEW_DONE ? OK
                                                                                                                     : DECLINED;
}

/* The whole response is written here: hooks that come later would redirect, ask for a password, or (mod_ssl with a fallback
 * certificate) say 503. httpd ends the connection behind such a response, which the client is told. */
static int send_answer(request_rec *r, const char *answer) {
        int r2;

        r2 = ap_discard_request_body(r);
        if (r2 != OK)
                return r2;

        r->status = HTTP_OK;
        r->connection->keepalive = AP_CONN_CLOSE;
        ap_set_content_type(r, "text/plain");
        ap_set_content_length(r, (apr_off_t) strlen(answer));
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
        (void) ap_rputs(answer, r);
        return DONE;
}

int challenge_answer(request_rec *r) {
        const char *token, *answer = NULL;

        token = r->parsed_uri.path ? str_after_prefix(r->parsed_uri.path, CHALLENGE_PREFIX) : NULL;
        if (!token || *token == '\0' || strchr(token, '/') || !r->hostname)
                return DECLINED;
        if (find_answer(r, token, &answer) != OK)
                return DECLINED;

        if (r->method_number != M_GET) /* HEAD is one, too */
                return HTTP_NOT_IMPLEMENTED;

        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "%s: answering http-01.", r->hostname);
        return send_answer(r, answer);
}
