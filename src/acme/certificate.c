/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/certificate.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"

#define TYPE_PEM_CHAIN "application/pem-certificate-chain"
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

static int check(const AcmePost *post, const AcmeAnswer *answer, Problem **ret_problem) {
        static const char what[] = "a certificate chain";

        if (answer->content_type && !acme_answer_has_type(answer, TYPE_PEM_CHAIN)) {
                _auto_free_ char *why = str_printf("it is '%s'", answer->content_type);

                return why ? acme_client_bad_answer(post->url, what, why, ret_problem) : -ENOMEM;
        }
        if (answer->body.size == 0)
                return acme_client_bad_answer(post->url, what, "it is empty", ret_problem);
        if (memchr(answer->body.data, 0, answer->body.size) || !strstr(answer->body.data, PEM_BEGIN))
                return acme_client_bad_answer(post->url, what, "it is no PEM", ret_problem);
        return 0;
}

int acme_certificate_download(AcmeClient *c, const char *url, char **ret_pem, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_POST_AS_GET, .url = url, .accept = TYPE_PEM_CHAIN };
        char *pem;
        int r;

        acme_client_set_activity(c, "downloading the certificate");
        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        r = check(&post, &answer, ret_problem);
        if (r < 0)
                return r;

        pem = buffer_take(&answer.body, NULL);
        if (!pem)
                return -ENOMEM;
        *ret_pem = pem;
        return 0;
}
