/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/ocsp-other.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "domain/event.h"
#include "manager/ocsp-internal.h"

static bool is_other(const OcspItem *i) {
        return i->offered && strv_contains(i->names, STORE_OCSP_OTHER);
}

static const char *status_of(const OcspItem *i, uint64_t now_usec) {
        return !ocsp_item_is_good(i, now_usec) ? "unknown" : i->staple.revoked ? "revoked" : "good";
}

static char *find_fault(const OcspItem *i, uint64_t now_usec) {
        const char *status = status_of(i, now_usec);

        if (str_equal(status, "revoked"))
                return str_printf("The CA says (OCSP) that the certificate %s of SSLCertificateFile is revoked: it has to be replaced there", i->serial);
        if (i->must_staple && i->staple.last && str_equal(status, "unknown"))
                return str_printf("There is no OCSP response for the certificate %s of SSLCertificateFile, which demands stapling: %s", i->serial, i->staple.last->detail);
        return NULL;
}

int ocsp_other_append_faults(const Ocsp *o, FaultList *l) {
        uint64_t now = clock_now_usec();
        const char *id;
        OcspItem *i;
        int r = 0;

        MAP_FOREACH(o->items, id, i) {
                _auto_free_ char *fault = r >= 0 && is_other(i) ? find_fault(i, now) : NULL;

                if (fault)
                        r = fault_list_append(l, EVENT_NAME_OTHER, fault);
        }
        return r;
}

static int append(sd_bus_message *reply, const OcspItem *i, const char *status) {
        const StoreStaple *s = &i->staple;

        return sd_bus_message_append(reply, "(sssbstttus)", i->serial, i->id, i->url, (int) i->must_staple, status, s->from_usec, s->until_usec, s->next_usec,
                                     (uint32_t) s->errors, s->last ? s->last->detail : "");
}

/* Those with this status, as long as there is room for more. */
static int append_all(const Ocsp *o, sd_bus_message *reply, const char *status, uint64_t now_usec, size_t *room) {
        const char *id;
        OcspItem *i;
        int r = 0;

        MAP_FOREACH(o->items, id, i)
                if (r >= 0 && *room > 0 && is_other(i) && str_equal(status_of(i, now_usec), status)) {
                        r = append(reply, i, status);
                        --*room;
                }
        return r;
}

int ocsp_other_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const Manager *m = userdata;
        size_t room = METRICS_OTHERS_MAX;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sssbstttus)");
        for (size_t k = 0; k < ELEMENTSOF(metrics_statuses) && r >= 0; k++)
                r = append_all(m->ocsp, reply, metrics_statuses[k], clock_now_usec(), &room);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
