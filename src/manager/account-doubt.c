/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/account-doubt.h"

#include "base/clock.h"
#include "base/log.h"
#include "manager/account-task.h"

void account_doubt_end(ListedAccount *a) {
        a->doubt = sd_event_source_disable_unref(a->doubt);
        a->next_key_denied = false;
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata) {
        ListedAccount *a = userdata;

        account_doubt_end(a);
        account_task_recover(a->manager);
        return 0;
}

/* Much longer than anything that is sent to a CA stays on its way. */
static void begin(ListedAccount *a) {
        uint64_t usec = 2 * a->manager->settings.step_timeout_usec;
        int r;

        account_doubt_end(a);
        r = sd_event_add_time_relative(a->manager->event, &a->doubt, CLOCK_MONOTONIC, usec, USEC_PER_SEC, on_end, a);
        if (r < 0)
                (void) log_failure(r, "Account %s: Cannot wait for the end of a change of its key: %m", a->account->id);
}

void account_doubt_begin(Manager *m, const char *id) {
        ListedAccount *a = id ? map_get(m->accounts, id) : NULL;

        if (a && a->changing_key)
                begin(a);
}

void account_doubt_begin_all(Manager *m) {
        const char *id;
        ListedAccount *a;

        MAP_FOREACH(m->accounts, id, a)
                account_doubt_begin(m, id);
}

bool account_doubt_deny(Manager *m, const char *id) {
        ListedAccount *a = map_get(m->accounts, id);

        if (!a || !a->doubt)
                return false;
        a->next_key_denied = true;
        return true;
}

bool account_doubt_is_denied(const Manager *m, const char *id) {
        const ListedAccount *a = map_get(m->accounts, id);

        return a && a->doubt && a->next_key_denied;
}

bool account_doubt_retract(Manager *m, const char *id) {
        ListedAccount *a = map_get(m->accounts, id);
        bool denied = account_doubt_is_denied(m, id);

        if (denied)
                a->next_key_denied = false;
        return denied;
}
