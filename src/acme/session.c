/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/session.h"

#include <errno.h>

#include "acme/http.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/string-util.h"

struct AcmeSession {
        AcmeTransport transport;
        Map *clients; /* by directory URL and CA file */
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

int acme_session_client(AcmeSession *s, const char *directory_url, const char *ca_file, AcmeClient **ret) {
        _auto_free_ char *key = str_printf("%s\n%s", directory_url, str_or(ca_file, ""));
        AcmeClient *c;
        int r;

        if (!key)
                return -ENOMEM;
        c = map_get(s->clients, key);
        if (!c) {
                c = acme_client_new(&s->transport, directory_url, ca_file);
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
