/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/worker-client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"

#define CALL_TIMEOUT_USEC (90 * USEC_PER_SEC)

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)
#define _auto_error_ _cleanup_(sd_bus_error_free)

int worker_client_connect(WorkerClient *c, const char *program) {
        int r = sd_bus_open_system_with_description(&c->bus, program);

        return r < 0 ? log_failure(r, "Cannot connect to the system bus: %m") : 0;
}

void worker_client_done(WorkerClient *c) {
        c->bus = sd_bus_flush_close_unref(c->bus);
        free(c->manager);
        c->manager = NULL;
}

int worker_client_new_call(WorkerClient *c, const char *member, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(c->bus, ret, str_or(c->manager, BUS_NAME), BUS_PATH_WORKER, BUS_INTERFACE_WORKER, member);
}

int worker_client_call(WorkerClient *c, sd_bus_message *m, sd_bus_message **ret_reply) {
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(c->bus, m, CALL_TIMEOUT_USEC, &error, ret_reply);

        return r < 0 ? log_failure(r, "%s: %s", sd_bus_message_get_member(m), str_or(error.message, strerror(-r))) : 0;
}

int worker_client_open(WorkerClient *c, sd_bus_message **ret_job) {
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = worker_client_new_call(c, "Open", &m);
        if (r < 0)
                return r;
        r = sd_bus_call(c->bus, m, CALL_TIMEOUT_USEC, &error, &reply);
        if (sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_TO_DO))
                return WORKER_CLIENT_E_NOTHING_TO_DO;
        if (r < 0)
                return log_failure(r, "There is no job from the manager: %s", str_or(error.message, strerror(-r)));
        r = str_replace(&c->manager, sd_bus_message_get_sender(reply));
        if (r < 0)
                return r;
        *ret_job = take_ptr(reply);
        return WORKER_CLIENT_DONE;
}

int worker_client_close(WorkerClient *c) {
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        r = worker_client_new_call(c, "Close", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", ""); /* no problem */
        return r < 0 ? r : worker_client_call(c, m, NULL);
}
