/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/rollback.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "manager/domain-bus.h"
#include "manager/manager-bus.h"

static int append_set(sd_bus_message *reply, const RollbackSet *s) {
        int r = sd_bus_message_open_container(reply, 'r', "tta(ssstts)s");

        if (r >= 0)
                r = sd_bus_message_append(reply, "tt", s->number, s->archived_usec);
        if (r >= 0)
                r = domain_bus_append_certificates(reply, &s->facts);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", str_or(s->obstacle, ""));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int rollback_bus_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(rollback_sets_done) RollbackSets sets = { 0 };
        Domain *d = userdata;
        int r;

        domain_learn_facts(d);
        r = rollback_list(d, &sets);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(tta(ssstts)s)");
        for (size_t i = 0; r >= 0 && i < sets.n; i++)
                r = append_set(reply, &sets.items[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

int rollback_bus_start(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _auto_problem_ Problem *p = NULL;
        Domain *d = userdata;
        uint64_t number;
        int r;

        r = sd_bus_message_read(call, "t", &number);
        if (r < 0)
                return r;
        r = authorize(d->manager, call, ACTION_ROLLBACK, DOMAIN_NAME(d), error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (!d->managed || d->config->refused)
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "%s: %s", DOMAIN_NAME(d),
                                         str_or(d->config->refused, "no server names this domain any more"));
        r = rollback_start(d, number, &number, &p);
        if (r == 0)
                return sd_bus_reply_method_return(call, "t", number);
        return bus_error_from_problem(error, r == -EINVAL ? BUS_ERROR_REFUSED : r == -ENOENT ? BUS_ERROR_NOTHING_TO_DO : r == -EBUSY ? BUS_ERROR_BUSY : BUS_ERROR_FAILED, p);
}
