/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/account.h"

#include <errno.h>
#include <string.h>

#include "acme/problem.h"
#include "acme/revocation.h"
#include "base/cleanup.h"
#include "base/string-util.h"
#include "lib/test.h"
#include "script.h"

#define URL CA "acct/1"
#define SAY_FULL_DIRECTORY                                                                                                              \
        { "GET " CA "dir", 200, "",                                                                                                     \
          "{\"newNonce\": \"" CA "nonce\", \"newAccount\": \"" CA "new-account\", \"newOrder\": \"" CA "o\", \"keyChange\": \"" CA     \
          "rollover\", \"revokeCert\": \"" CA "revoke\"}" }

/* What is to be done, what the CA says, and what comes of it. */
static const struct {
        const char *what, *operation; /* "revoke": no account at all */
        ScriptLine lines[4];
        const char *calls;
        const char *type; /* of the problem; NULL: success */
} cases[] = {
        { "register", "register", { SAY_FULL_DIRECTORY, SAY_NONCE, SAY_ACCOUNT }, "directory\naccount " CA "acct/1\n", NULL },
        { "update", "update", { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST account-update " URL, 200, "", "{\"status\": \"valid\"}" } },
          "directory\naccount-done valid\n", NULL },
        { "update, and the CA says no more", "update", { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST account-update " URL, 200, "", "" } },
          "directory\naccount-done valid\n", NULL },
        { "update of what was deactivated meanwhile", "update",
          { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST account-update " URL, 200, "", "{\"status\": \"deactivated\"}" } },
          "directory\naccount-done deactivated\n", NULL },
        { "update refused", "update",
          { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST account-update " URL, 400, PROBLEM_HEAD, SCRIPT_PROBLEM("invalidContact", "no") } }, "directory\n",
          PROBLEM_ACME_PREFIX "invalidContact" },
        { "deactivate", "deactivate", { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST account-deactivate " URL, 200, "", "{\"status\": \"deactivated\"}" } },
          "directory\naccount-done deactivated\n", NULL },
        { "deactivate, answered with a page", "deactivate", { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST account-deactivate " URL, 403, "", "<html>" } },
          "directory\n", PROBLEM_TYPE_HTTP },
        { "key change", "key-change", { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST key-change " CA "rollover", 200, "", "" } },
          "directory\naccount-done valid\n", NULL },
        { "key change that cannot be", "key-change", { SAY_DIRECTORY }, "directory\n", PROBLEM_TYPE_BAD_ANSWER },
        { "key change in conflict", "key-change",
          { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST key-change " CA "rollover", 409, PROBLEM_HEAD, SCRIPT_PROBLEM("malformed", "in use") } },
          "directory\n", PROBLEM_ACME_PREFIX "malformed" },
        { "revocation", "revoke", { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST revoke " CA "revoke", 200, "", "" } }, "directory\n", NULL },
        { "revocation of what was revoked", "revoke",
          { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST revoke " CA "revoke", 400, PROBLEM_HEAD, SCRIPT_PROBLEM("alreadyRevoked", "is") } }, "directory\n", NULL },
        { "revocation refused", "revoke",
          { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST revoke " CA "revoke", 400, PROBLEM_HEAD, SCRIPT_PROBLEM("badRevocationReason", "7") } }, "directory\n",
          PROBLEM_ACME_PREFIX "badRevocationReason" },
        { "revocation that cannot be", "revoke", { SAY_DIRECTORY }, "directory\n", PROBLEM_TYPE_BAD_ANSWER },
        { "revocation, nobody there", "revoke", { SAY_FULL_DIRECTORY, SAY_NONCE, { "POST revoke " CA "revoke", 0 } }, "directory\n", PROBLEM_TYPE_CONNECTION },
};

static int run(Script *s, const char *operation, const char *url, Problem **ret_problem) {
        _cleanup_(acme_session_freep) AcmeSession *session = NULL;
        AcmeTransport transport = script_transport(s);
        AcmeSigner signer = script_signer(s);
        AcmeCa ca = { .directory_url = CA "dir" };
        AcmeAccountOperation o;

        session = acme_session_new_with(&transport);
        if (!session)
                return -ENOMEM;
        if (str_equal(operation, "revoke"))
                return acme_revocation_run(session, &ca, &signer, ret_problem);
        if (!CHECK_INT(acme_account_operation_from_string(operation, &o), 0))
                return -EINVAL;
        return acme_account_run(session, &ca, o, url, &signer, ret_problem);
}

TEST(operations) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;
                size_t n = 0;

                test_case("%s", cases[i].what);
                while (n < ELEMENTSOF(cases[i].lines) && cases[i].lines[n].request)
                        n++;
                script_init(&s, cases[i].lines, n);
                CHECK((run(&s, cases[i].operation, URL, &p) < 0) == (cases[i].type != NULL));
                CHECK_UINT(s.next, s.n_lines);
                CHECK_STR(s.calls.data, cases[i].calls);
                CHECK_STR(p ? p->type : NULL, cases[i].type);
                CHECK(!p || p->activity);
        }
}

TEST(accounts_without_a_usable_address) {
        static const ScriptLine lines[] = { SAY_FULL_DIRECTORY };
        static const char *const operations[] = { "update", "deactivate", "key-change" };

        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                _auto_script_ Script s = {};
                _auto_problem_ Problem *p = NULL;

                test_case("%s", operations[i]);
                script_init(&s, lines, ELEMENTSOF(lines));
                CHECK_INT(run(&s, operations[i], "http://ca.test/acct/1", &p), -EINVAL);
                CHECK(p != NULL);
        }
}

TEST(words) {
        AcmeAccountOperation o;

        CHECK(acme_account_operation_from_string("delete", &o) < 0);
        CHECK_STR(acme_account_operation_to_string(ACME_ACCOUNT_KEY_CHANGE), "key-change");
}
