/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/report.h"

#include <errno.h>

#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "bus/names.h"

static void tell(const TargetOutcome *o) {
        const bool failed = o->state == TARGET_STATE_FAILED;
        const int priority = failed ? LOG_ERR : o->state == TARGET_STATE_WRITTEN ? LOG_NOTICE : LOG_INFO;
        LogField fields[] = { { "MD_NAME", o->target->domain }, { "MD_TARGET", o->target->name } };

        if (o->state == TARGET_STATE_UNCHANGED && !o->reload)
                return;
        log_full(priority, 0, failed ? MESSAGE_TARGET_FAILED : o->state == TARGET_STATE_WRITTEN ? MESSAGE_TARGET_WRITTEN : NULL, fields, ELEMENTSOF(fields),
                 "Target %s: %s", o->target->name, str_or(o->detail, "out of memory"));
}

void report_to_journal(const TargetOutcome *outcomes, size_t n) {
        for (size_t i = 0; i < n; i++)
                tell(&outcomes[i]);
}

static int append(sd_bus_message *m, const TargetOutcome *outcomes, size_t n) {
        int r = sd_bus_message_open_container(m, 'a', "(ssss)");

        for (size_t i = 0; r >= 0 && i < n; i++) {
                const char *detail = str_or(outcomes[i].detail, "");
                char *shown = str_printable(detail, strlen(detail), 2048), *name = str_printable(outcomes[i].target->name, strlen(outcomes[i].target->name), 255);

                r = shown && name ? sd_bus_message_append(m, "(ssss)", name, str_or(outcomes[i].target->domain, ""), target_state_to_string(outcomes[i].state), shown) : -ENOMEM;
                free(shown);
                free(name);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int report_to_manager(sd_bus *bus, const TargetOutcome *outcomes, size_t n) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, BUS_PATH, BUS_INTERFACE_MANAGER, "ReportTargets");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, 0);
        if (r >= 0)
                r = append(m, outcomes, n);
        if (r >= 0)
                r = sd_bus_call(bus, m, 0, &error, NULL);
        if (r < 0 && (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) || sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)))
                return 0;
        return r;
}
