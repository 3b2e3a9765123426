/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/account.h"

#include <errno.h>

#include "acme/url.h"
#include "base/string-util.h"

/* RFC 8555 7.1.6: an account that is not valid never becomes so again. Some CAs send no object for an account that was there before. */
static int check_status(const AcmePost *post, const AcmeAnswer *answer, Problem **ret_problem) {
        _auto_json_ JsonObject *o = NULL;
        const char *status;

        if (json_parse(answer->body.data, answer->body.size, &o, NULL) != 0 || !json_object_is_type(o, json_type_object))
                return 0;
        status = json_get_string(o, "status");
        if (!status || str_equal(status, "valid"))
                return 0;
        problem_set(ret_problem, PROBLEM_TYPE_BAD_ANSWER, "The account that %s knows for our key is of no use: its status is '%s'",
                    post->url, status);
        return -EBADMSG;
}

int acme_account_register(AcmeClient *c, const AcmeDirectory *directory, Problem **ret_problem) {
        _auto_acme_answer_ AcmeAnswer answer = {};
        AcmePost post = { .kind = ACME_REQUEST_NEW_ACCOUNT, .url = directory->new_account };
        const AcmeSigner *signer = acme_client_signer(c);
        int r;

        acme_client_set_activity(c, "registering an account");
        r = acme_client_post(c, &post, &answer, ret_problem);
        if (r != 0)
                return r < 0 ? r : -EREMOTEIO;
        r = check_status(&post, &answer, ret_problem);
        if (r < 0)
                return r;
        if (!acme_url_is_valid(answer.location))
                return acme_client_bad_answer(post.url, "an account", "no usable URL in 'Location'", ret_problem);

        return signer->account_created(signer->userdata, answer.location, ret_problem);
}
