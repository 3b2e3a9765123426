/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/certificate.h"

#include <errno.h>
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

static int download(AcmeClient *c, const char *url, AcmeAnswer *answer, char ***chains, Problem **ret_problem) {
        AcmePost post = { .kind = ACME_REQUEST_POST_AS_GET, .url = url, .accept = TYPE_PEM_CHAIN };
        char *pem;
        int r;

        r = acme_client_post(c, &post, answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        r = check(&post, answer, ret_problem);
        if (r < 0)
                return r;
        pem = buffer_take(&answer->body, NULL);
        return pem ? strv_consume(chains, pem) : -ENOMEM;
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
