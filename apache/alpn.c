/* SPDX-License-Identifier: Apache-2.0 */
#include "alpn.h"

#include <openssl/ssl.h>

#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "http_connection.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_ssl.h"

#include "arpa.h"
#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "domains.h"
#include "fallback.h"
#include "pair.h"
#include "store-view.h"

#define PROTOCOL "acme-tls/1"

/* One for each connection over TLS. */
typedef struct AlpnConnection {
        SSL *ssl;                    /* mod_ssl's */
        apr_array_header_t *answers; /* of StoreViewAnswer; NULL: this connection proves nothing */
        bool switched;
} AlpnConnection;

/* mod_ssl's hook, as its header mod_ssl_openssl.h declares it, which Debian has in a package of its own. */
typedef int ssl_HOOK_pre_handshake_t(conn_rec *c, SSL *ssl, int is_proxy);

static AlpnConnection *connection_of(const conn_rec *c) {
        return ap_get_module_config(c->conn_config, &md_module);
}

/* Remembers mod_ssl's object, because the hook for the answer takes one certificate and leaves those of other key types that the virtual
 * host has. */
static int remember_connection(conn_rec *c, SSL *ssl, int is_proxy) {
        const Domains *domains = server_configuration(c->base_server)->domains;
        AlpnConnection *connection;

        if (is_proxy || !domains || !domains->store)
                return OK;

        connection = apr_pcalloc(c->pool, sizeof(*connection));
        connection->ssl = ssl;
        ap_set_module_config(c->conn_config, &md_module, connection);
        return OK;
}

static const char *name_asked_for(conn_rec *c, const SSL *ssl) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), *address;
        char *copy;

        if (str_is_empty(name))
                return NULL;
        address = arpa_address(c->pool, name);
        if (address)
                return address;

        copy = apr_pstrdup(c->pool, name);
        ap_str_tolower(copy);
        return copy;
}

/* A pair that is being replaced just now does not fit together. */
static void add_answer(conn_rec *c, StoreView *v, const char *name, const KeySpec *spec, apr_array_header_t *answers) {
        StoreViewAnswer answer;
        const char *why = NULL;

        if (store_view_read_alpn(v, c->pool, name, spec, &answer) == STORE_VIEW_DONE &&
            pair_is_usable(c->pool, answer.cert_pem, answer.key_pem, NULL, &why))
                APR_ARRAY_PUSH(answers, StoreViewAnswer) = answer;
}

/* The one without a curve in its name, which is the only one for some, then one for each other key of the domain and for that of a fallback: nobody
 * knows which of them the CA's client likes. */
static apr_array_header_t *find_answers(conn_rec *c, const Domains *domains, const char *name) {
        apr_array_header_t *answers = apr_array_make(c->pool, 2, sizeof(StoreViewAnswer));
        const ManagedDomain *d = matching_find(domains->matching, name);
        bool fallback = true;

        if (!d || d->refused || !domain_allows_challenge(d, "tls-alpn-01"))
                return answers;

        add_answer(c, domains->store, name, &(KeySpec){ .type = KEY_TYPE_DEFAULT }, answers);
        for (size_t i = 0; i < key_specs_count(&d->keys); i++) {
                KeySpec spec = key_specs_get(&d->keys, i);

                if (spec.type == KEY_TYPE_EC)
                        add_answer(c, domains->store, name, &spec, answers);
                if (key_spec_equal(&spec, &fallback_key_spec))
                        fallback = false;
        }
        if (fallback)
                add_answer(c, domains->store, name, &fallback_key_spec, answers);
        return answers;
}

/* Which protocols can be spoken on a new connection: this one only where there is an answer, so that nobody else gets into it. */
static int propose(conn_rec *c, request_rec *r, server_rec *s, const apr_array_header_t *offers, apr_array_header_t *proposals) {
        const Domains *domains = server_configuration(s)->domains;
        AlpnConnection *connection = connection_of(c);
        const char *name;

        if (r || !connection || !offers || !ap_array_str_contains(offers, PROTOCOL))
                return DECLINED;

        name = name_asked_for(c, connection->ssl);
        if (!name)
                return DECLINED;
        connection->answers = find_answers(c, domains, name);
        if (connection->answers->nelts == 0) {
                ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "%s: asked for tls-alpn-01, but it is not being proven so just now.",
                              ap_escape_logitem(c->pool, name));
                return DECLINED;
        }

        APR_ARRAY_PUSH(proposals, const char *) = PROTOCOL;
        return OK;
}

static int switch_protocol(conn_rec *c, request_rec *r, server_rec *s, const char *protocol) {
        AlpnConnection *connection = connection_of(c);

        if (r || !str_equal(protocol, PROTOCOL) || !connection || !connection->answers || connection->answers->nelts == 0)
                return DECLINED;

        connection->switched = true;
        c->keepalive = AP_CONN_CLOSE;
        return OK;
}

static const char *current_protocol(const conn_rec *c) {
        const AlpnConnection *connection = connection_of(c);

        return connection && connection->switched ? PROTOCOL : NULL;
}

static bool use_answer(SSL *ssl, const StoreViewAnswer *answer) {
        _auto_error_queue_ int queue = openssl_queue_clear();
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_pkey_ EVP_PKEY *key = NULL;

        return cert_chain_from_pem(answer->cert_pem, strlen(answer->cert_pem), &chain, NULL) == 0 &&
                key_from_pem(answer->key_pem->data, answer->key_pem->size, &key, NULL) == 0 &&
                SSL_use_certificate(ssl, chain.certs[0]) == 1 && SSL_use_PrivateKey(ssl, key) == 1;
}

/* mod_ssl loads what it is told here in addition, and from then on answers nothing but 503 on the connection. */
static int answer_handshake(conn_rec *c, const char *server_name, const char **ret_cert_pem, const char **ret_key_pem) {
        const AlpnConnection *connection = connection_of(c);
        const StoreViewAnswer *first;

        if (!connection || !connection->switched)
                return DECLINED;

        SSL_certs_clear(connection->ssl);
        for (int i = 1; i < connection->answers->nelts; i++)
                if (!use_answer(connection->ssl, &APR_ARRAY_IDX(connection->answers, i, StoreViewAnswer)))
                        ap_log_cerror(APLOG_MARK, APLOG_WARNING, 0, c, "%s: a certificate for tls-alpn-01 cannot be used.",
                                      ap_escape_logitem(c->pool, server_name));

        first = &APR_ARRAY_IDX(connection->answers, 0, StoreViewAnswer);
        *ret_cert_pem = first->cert_pem;
        *ret_key_pem = first->key_pem->data;
        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "%s: answering tls-alpn-01.", ap_escape_logitem(c->pool, server_name));
        return OK;
}

void alpn_register(apr_pool_t *p) {
        APR_OPTIONAL_HOOK(ssl, pre_handshake, remember_connection, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_protocol_propose(propose, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_protocol_switch(switch_protocol, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_protocol_get(current_protocol, NULL, NULL, APR_HOOK_MIDDLE);
        ap_hook_ssl_answer_challenge(answer_handshake, NULL, NULL, APR_HOOK_MIDDLE);
}
