/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/session.h"

#include <errno.h>
#include <string.h>

#include "acme/http.h"
#include "acme/url.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/string-util.h"

struct AcmeSession {
        AcmeTransport transport;
        Map *clients; /* by what makes an AcmeCa, but for the user agent */
};

AcmeSession *acme_session_new_with(const AcmeTransport *transport) {
        AcmeSession *s;

        assert(transport);

        s = calloc(1, sizeof(*s));
        if (!s) {
                if (transport->free)
                        transport->free(transport->userdata);
                return NULL;
        }
        s->transport = *transport;
        s->clients = map_new();
        return s->clients ? s : acme_session_free(s);
}

AcmeSession *acme_session_new(void) {
        AcmeTransport transport;

        return acme_http_new(&transport) < 0 ? NULL : acme_session_new_with(&transport);
}

static void free_client(void *c) {
        acme_client_free(c);
}

AcmeSession *acme_session_free(AcmeSession *s) {
        if (!s)
                return NULL;

        map_free_with(s->clients, free_client);
        if (s->transport.free)
                s->transport.free(s->transport.userdata);
        free(s);
        return NULL;
}

/* Whatever changes how a CA is reached makes another client, with connections of its own: libcurl looks at the same things. */
static char *client_key(const AcmeCa *ca) {
        return str_printf("%s\n%s\n%s\n%s", ca->directory_url, str_or(ca->ca_file, ""), str_or(ca->proxy, ""), str_or(ca->proxy_ca_file, ""));
}

static int find_client(AcmeSession *s, const AcmeCa *ca, AcmeClient **ret) {
        _auto_free_ char *key = client_key(ca);
        AcmeClient *c;
        int r;

        if (!key)
                return -ENOMEM;
        c = map_get(s->clients, key);
        if (!c) {
                c = acme_client_new(&s->transport, ca);
                if (!c)
                        return -ENOMEM;
                r = map_put(s->clients, key, c);
                if (r < 0) {
                        acme_client_free(c);
                        return r;
                }
        }
        *ret = c;
        return 0;
}

static int begin(AcmeClient *c, const AcmeSigner *signer, const AcmeDirectory **ret, Problem **ret_problem) {
        int r;

        acme_client_set_activity(c, "reading the directory of the CA");
        r = acme_client_directory(c, ret, ret_problem);
        return r < 0 ? r : signer->directory(signer->userdata, *ret, ret_problem);
}

/* Every failure gets a problem, and every problem says what was being done. */
static void complete_problem(const AcmeClient *c, int error, Problem **problem) {
        if (!*problem && error != -ENOMEM)
                *problem = problem_new(PROBLEM_TYPE_INTERNAL, "%s", strerror(-error));
        if (*problem && !(*problem)->activity)
                (void) str_replace(&(*problem)->activity, acme_client_activity(c));
}

int acme_session_work(AcmeSession *s, const AcmeCa *ca, const AcmeSigner *signer, AcmeWork work, void *userdata, Problem **ret_problem) {
        _auto_problem_ Problem *problem = NULL;
        const AcmeDirectory *directory;
        AcmeClient *c;
        int r;

        assert(s && ca && signer && work);
        assert(ret_problem && !*ret_problem);

        if (!acme_url_is_valid(ca->directory_url)) {
                *ret_problem = problem_new(PROBLEM_TYPE_SETTING,
                                           "'%s' cannot be the directory of a CA: it must be an https URL (MDCertificateAuthority)",
                                           str_or(ca->directory_url, ""));
                return -EINVAL;
        }
        r = find_client(s, ca, &c);
        if (r < 0)
                return r;

        acme_client_begin(c, signer, ca->user_agent);
        r = begin(c, signer, &directory, &problem);
        if (r == 0)
                r = work(c, directory, userdata, &problem);
        assert(r <= 0);
        if (r < 0) {
                complete_problem(c, r, &problem);
                *ret_problem = take_ptr(problem);
        }
        acme_client_end(c);
        return r;
}
