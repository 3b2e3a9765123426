/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "bus/names.h"

static void supersede(Launcher *l, const char *unit) {
        for (Request *q = l->requests; q; q = q->next)
                if (str_equal(q->unit, unit)) {
                        (void) sd_bus_reply_method_errorf(q->call, BUS_ERROR_BUSY, "A later request for %s replaces this one.", unit);
                        request_free(q);
                        return;
                }
}

int request_new(Launcher *l, sd_bus_message *call, char *unit, Request **ret) {
        _auto_free_ char *owned = unit;
        Request *q;

        assert(l);
        assert(call);
        assert(ret);

        if (!owned)
                return -ENOMEM;
        supersede(l, owned);

        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        *q = (Request) { .next = l->requests, .launcher = l, .call = sd_bus_message_ref(call), .unit = take_ptr(owned) };
        l->requests = q;
        l->n_requests++;

        *ret = q;
        return 0;
}

Request *request_free(Request *q) {
        if (!q)
                return NULL;

        for (Request **p = &q->launcher->requests; *p; p = &(*p)->next)
                if (*p == q) {
                        *p = q->next;
                        q->launcher->n_requests--;
                        break;
                }

        unit_call_free(q->job);
        sd_bus_slot_unref(q->slot);
        journal_sync_free(q->sync);
        sd_bus_message_unref(q->description);
        sd_bus_message_unref(q->start);
        sd_bus_message_unref(q->call);
        free(q->result);
        free(q->domain);
        free(q->calendar);
        free(q->unit);
        free(q);
        return NULL;
}

void request_succeed(Request *q) {
        int r;

        if (sd_bus_message_is_method_call(q->call, BUS_LAUNCHER_INTERFACE, "Cancel"))
                r = sd_bus_reply_method_return(q->call, NULL);
        else
                r = sd_bus_reply_method_return(q->call, "s", q->unit);
        if (r < 0)
                log_failure(r, "Cannot answer the request for %s: %m", q->unit);
        request_free(q);
}

void request_fail(Request *q, const sd_bus_error *error) {
        log_warning("Cannot do what was asked for %s: %s", q->unit, str_or(error->message, error->name));
        (void) sd_bus_reply_method_error(q->call, error);
        request_free(q);
}

void request_fail_errno(Request *q, int error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set_errno(&e, error);
        request_fail(q, &e);
}

void request_fail_with(Request *q, const char *name, const char *format, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        va_list ap;

        va_start(ap, format);
        (void) sd_bus_error_setfv(&e, name, format, ap);
        va_end(ap);
        request_fail(q, &e);
}
