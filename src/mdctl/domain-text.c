/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/domain-text.h"

#include "base/string-util.h"
#include "mdctl/format.h"

/* The first row that fits. */
static const struct {
        const char *action;
        const char *reason; /* NULL: any */
        const char *words;
} steps[] = {
        { "nothing", NULL, "nothing" },
        { "wait", "retry", "try again" },
        { "wait", "activation-delay", "make live" },
        { "wait", NULL, "renew" },
        { "renew", NULL, "renew now" },
        { "renewing", NULL, "is being renewed" },
        { "activate", NULL, "make live" },
        { "install", NULL, "reload the server" },
};

const char *domain_text_next(JsonObject *domain) {
        const char *action = get_text(domain, "Action"), *reason = get_text(domain, "Reason");

        for (size_t i = 0; i < ELEMENTSOF(steps); i++)
                if (str_equal(steps[i].action, action) && (!steps[i].reason || str_equal(steps[i].reason, reason)))
                        return steps[i].words;
        return action;
}

bool domain_text_is_reloading(JsonObject *domain) {
        return str_equal(get_text(domain, "Action"), "install");
}
