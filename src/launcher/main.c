/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "bus/names.h"
#include "bus/service.h"
#include "config.h"
#include "launcher/launcher.h"

#define IDLE_USEC (30 * USEC_PER_SEC)

static const Option options[] = {
        { "store-dir", 's', "DIR", "The store, when it is not in " STORE_DIR },
};

static const OptionTable table = {
        .program = "md-launcher",
        .synopsis = "[OPTIONS…]",
        .description = "Makes the timers and hooks that md-manager asks for. Started by D-Bus.",
        .options = options,
        .n_options = ELEMENTSOF(options),
};

static int handle_option(const Option *option, const char *argument, void *userdata) {
        const char **store_dir = userdata;

        *store_dir = argument;
        return 0;
}

static int find_manager(uid_t *ret) {
        const struct passwd *pw;

        errno = 0;
        pw = getpwnam(MANAGER_USER);
        if (!pw) {
                log_failure(errno > 0 ? errno : ESRCH, "Cannot find user " MANAGER_USER ": %m");
                return -ESRCH;
        }
        *ret = pw->pw_uid;
        return 0;
}

static int run(const char *store_dir) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(launcher_freep) Launcher *launcher = NULL;
        uid_t manager;
        int r;

        r = find_manager(&manager);
        if (r < 0)
                return r;
        r = service_event_new(&event);
        if (r < 0)
                return log_failure(r, "Cannot make an event loop: %m");
        r = service_bus_open(event, &bus);
        if (r < 0)
                return log_failure(r, "Cannot connect to the system bus: %m");
        r = launcher_new(bus, store_dir, manager, &launcher);
        if (r < 0)
                return log_failure(r, "Cannot offer the launcher on the bus: %m");
        r = sd_bus_request_name(bus, BUS_LAUNCHER_NAME, 0);
        if (r < 0)
                return log_failure(r, "Cannot have the bus name " BUS_LAUNCHER_NAME ": %m");

        r = service_run_until_idle(event, bus, BUS_LAUNCHER_NAME, IDLE_USEC, launcher_is_idle, launcher);
        if (r < 0)
                return log_failure(r, "Cannot go on: %m");
        return 0;
}

int main(int argc, char *argv[]) {
        const char *store_dir = STORE_DIR;
        int r;

        service_log_to_journal("md-launcher");

        r = options_parse(&table, argc, argv, handle_option, &store_dir, NULL);
        if (r != OPTIONS_DONE)
                return r == OPTIONS_E_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;
        return run(store_dir) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
