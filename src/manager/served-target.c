/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/served-target.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "domain/endpoint.h"
#include "domain/name.h"

#define HTTPS_PORT 443
enum { ADDRESSES_MAX = 16 }; /* of one endpoint */

static const char *const kinds[] = { "rsa", "ecdsa", "ed25519", "ed448" };

static void target_done(ServedTarget *t) {
        strv_free(t->addresses);
        strv_free(t->expected);
        free(t->name);
        free(t->unit);
}

void served_targets_done(ServedTargets *t) {
        for (size_t i = 0; i < t->n; i++)
                target_done(&t->items[i]);
        free(t->items);
        *t = (ServedTargets){ 0 };
}

static const char *kind_of(const CertFacts *f) {
        if (f->key_type == KEY_TYPE_RSA)
                return "rsa";
        return str_equal(f->spec, "ed25519") || str_equal(f->spec, "ed448") ? f->spec : "ecdsa";
}

static int find_expected(const ManagedDomain *view, const CertFactsList *live, const char *kind, char ***ret) {
        _auto_strv_ char **expected = NULL;

        for (size_t i = 0; i < live->n; i++)
                if (str_equal(kind_of(&live->items[i]), kind) && strv_contains(view->served, live->items[i].sha256) &&
                    strv_extend(&expected, live->items[i].sha256) < 0)
                        return -ENOMEM;
        *ret = take_ptr(expected);
        return 0;
}

static bool speaks_tls(const SnapshotListener *l) {
        return l->protocol ? str_equal_nocase(l->protocol, "https") : l->port == HTTPS_PORT;
}

/* Every address of this machine: this one will do. */
static int add_address(char ***addresses, const char *address) {
        static const char *const own[] = { "127.0.0.1", "::1" };
        int r = 0;

        if (address && !str_equal(address, "0.0.0.0") && !str_equal(address, "::"))
                return strv_contains(*addresses, address) || strv_length(*addresses) >= ADDRESSES_MAX ? 0 : strv_extend(addresses, address);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(own); i++)
                if (!strv_contains(*addresses, own[i]) && !(str_equal(address, "0.0.0.0") && i > 0))
                        r = strv_extend(addresses, own[i]);
        return r;
}

static int find_addresses(const Snapshot *server, const Endpoint *e, uint16_t port, char ***ret) {
        _auto_strv_ char **addresses = NULL;
        int r = 0;

        if (e->address[0] != '\0')
                r = add_address(&addresses, e->address);
        for (size_t i = 0; r == 0 && e->address[0] == '\0' && i < server->n_listeners; i++)
                if (server->listeners[i].port == port)
                        r = add_address(&addresses, server->listeners[i].address);
        if (r == 0 && !addresses)
                r = add_address(&addresses, NULL);
        if (r < 0)
                return r;
        *ret = take_ptr(addresses);
        return 0;
}

static int add(ServedTargets *t, ServedTarget *one) {
        ServedTarget *items = reallocarray(t->items, t->n + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        t->items = items;
        items[t->n++] = *one;
        *one = (ServedTarget){ 0 };
        return 0;
}

static int add_kind(ServedTargets *t, const Snapshot *server, const Endpoint *e, uint16_t port, const char *kind, char *const *expected) {
        _cleanup_(target_done) ServedTarget one = { .port = port, .kind = kind };
        int r;

        one.expected = strv_copy(expected);
        r = one.expected ? find_addresses(server, e, port, &one.addresses) : -ENOMEM;
        if (r == 0)
                r = str_replace(&one.name, domain_name_is_address(e->name) ? NULL : e->name);
        if (r == 0)
                r = str_replace(&one.unit, server->unit);
        return r < 0 ? r : add(t, &one);
}

/* At port 0, wherever TLS is spoken. */
static int add_endpoint(ServedTargets *t, const Snapshot *server, const Endpoint *e, const char *kind, char *const *expected) {
        int r = 0;

        if (e->port != 0)
                return add_kind(t, server, e, e->port, kind, expected);
        for (size_t i = 0; r == 0 && i < server->n_listeners; i++) {
                bool again = false;

                for (size_t k = 0; k < i; k++)
                        again = again || server->listeners[k].port == server->listeners[i].port;
                if (speaks_tls(&server->listeners[i]) && !again)
                        r = add_kind(t, server, e, server->listeners[i].port, kind, expected);
        }
        return r;
}

int served_targets_add(ServedTargets *t, const Snapshot *server, const ManagedDomain *view, const CertFactsList *live) {
        int r = 0;

        assert(t);
        assert(server);
        assert(view);
        assert(live);

        if (!view->used_tls || view->refused || managed_domain_is_static(view))
                return 0;
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(kinds); i++) {
                _auto_strv_ char **expected = NULL;

                r = find_expected(view, live, kinds[i], &expected);
                if (r < 0 || !expected)
                        continue;
                STRV_FOREACH(text, view->endpoints) {
                        Endpoint e;

                        if (r == 0 && endpoint_parse(*text, &e))
                                r = add_endpoint(t, server, &e, kinds[i], expected);
                }
        }
        return r;
}
