/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "acme/link.h"
#include "base/cleanup.h"
#include "base/string-util.h"

#define TYPE_PEM_CHAIN "application/pem-certificate-chain"
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

/* Some CAs call it by another name: what is in it decides. */
static int check(const AcmePost *post, const AcmeAnswer *answer, Problem **ret_problem) {
        static const char what[] = "a certificate chain";
        bool other = answer->content_type && !acme_answer_has_type(answer, TYPE_PEM_CHAIN);
        _auto_free_ char *why = NULL;

        if (answer->body.size == 0)
                return acme_client_bad_answer(post->url, what, "it is empty", ret_problem);
        if (!memchr(answer->body.data, 0, answer->body.size) && strstr(answer->body.data, PEM_BEGIN))
                return 0;
        why = other ? str_printf("it is '%s', and no PEM", answer->content_type) : strdup("it is no PEM");
        return why ? acme_client_bad_answer(post->url, what, why, ret_problem) : -ENOMEM;
}

static int download_once(AcmeClient *c, const char *url, AcmeAnswer *answer, Problem **ret_problem) {
        AcmePost post = { .kind = ACME_REQUEST_POST_AS_GET, .url = url, .accept = TYPE_PEM_CHAIN };
        int r;

        r = acme_client_post(c, &post, answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        return check(&post, answer, ret_problem);
}

static bool is_alone(const char *pem) {
        const char *first = strstr(pem, PEM_BEGIN);

        return first && !strstr(first + 1, PEM_BEGIN);
}

/* Who issued what this answer has; NULL: the CA does not say. */
static int find_issuer(const AcmeAnswer *answer, const char *url, char **ret) {
        _auto_strv_ char **issuers = NULL;
        int r;

        r = acme_link_targets(answer->links, "up", url, 1, &issuers);
        *ret = r == 0 && issuers && !str_equal(issuers[0], url) ? strdup(issuers[0]) : NULL;
        return r;
}

/* Something that is no PEM ends the chain: roots come in many forms, and nobody needs them. */
static int add_issuer(AcmeClient *c, char **pem, char **url, Problem **ret_problem) {
        _auto_free_ char *from = take_ptr(*url);
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_POST_AS_GET, .url = from, .accept = TYPE_PEM_CHAIN };
        _auto_problem_ Problem *why = NULL;
        char *longer;
        int r;

        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        if (check(&post, &answer, &why) < 0)
                return 0;
        if (strlen(*pem) + answer.body.size >= ACME_BODY_MAX)
                return acme_client_bad_answer(from, "a certificate chain", "it is larger than anything that belongs there", ret_problem);
        longer = str_printf("%s%s%s", *pem, str_has_suffix(*pem, "\n") ? "" : "\n", answer.body.data);
        if (!longer)
                return -ENOMEM;
        free(*pem);
        *pem = longer;
        return is_alone(answer.body.data) ? find_issuer(&answer, from, url) : 0;
}

/* CAs that send certificates one by one name the issuer of each (RFC 8555 section 7.4.2). */
static int add_issuers(AcmeClient *c, const AcmeAnswer *answer, const char *from, char **pem, Problem **ret_problem) {
        _auto_free_ char *url = NULL;
        int r;

        if (!is_alone(*pem))
                return 0;
        r = find_issuer(answer, from, &url);
        for (unsigned n = 0; r == 0 && url && n < ACME_CHAIN_LENGTH_MAX; n++) {
                acme_client_set_activity(c, "downloading the issuer of the certificate");
                r = add_issuer(c, pem, &url, ret_problem);
        }
        return r;
}

static int download(AcmeClient *c, const char *url, AcmeAnswer *answer, char ***chains, Problem **ret_problem) {
        _auto_free_ char *pem = NULL;
        int r;

        r = download_once(c, url, answer, ret_problem);
        if (r < 0)
                return r;
        pem = buffer_take(&answer->body, NULL);
        if (!pem)
                return -ENOMEM;
        r = add_issuers(c, answer, url, &pem, ret_problem);
        return r < 0 ? r : strv_consume(chains, take_ptr(pem));
}

/* The certificate is there: no alternate is worth failing for. */
static int download_alternate(AcmeClient *c, const char *url, char ***chains) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        _auto_problem_ Problem *why = NULL;

        acme_client_set_activity(c, "downloading another chain of the certificate");
        return download(c, url, &answer, chains, &why) == -ENOMEM ? -ENOMEM : 0;
}

int acme_certificate_download(AcmeClient *c, const char *url, bool want_alternates, char ***ret_chains, Problem **ret_problem) {
        _auto_strv_ char **chains = NULL, **alternates = NULL;
        _auto_acme_answer_ AcmeAnswer answer = {};
        int r;

        acme_client_set_activity(c, "downloading the certificate");
        r = download(c, url, &answer, &chains, ret_problem);
        if (r == 0 && want_alternates)
                r = acme_link_targets(answer.links, "alternate", url, ACME_ALTERNATES_MAX, &alternates);
        STRV_FOREACH(alternate, alternates)
                if (r == 0 && !str_equal(*alternate, url))
                        r = download_alternate(c, *alternate, &chains);
        if (r < 0)
                return r;
        *ret_chains = take_ptr(chains);
        return 0;
}
