/* SPDX-License-Identifier: Apache-2.0 */

/* md-manager: decides, holds the keys, and has the work done by others. See md-manager(8). */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/options.h"
#include "bus/loop.h"
#include "bus/service.h"
#include "manager/manager.h"

static const OptionTable options = {
        .program = "md-manager",
        .synopsis = "[OPTIONS…]",
        .description = "Manages the certificates of Apache's managed domains.",
};

static int run(void) {
        sd_event *event = NULL;
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        r = service_event_new(&event);
        if (r < 0)
                return log_failure(r, "Cannot make an event loop: %m");
        r = manager_new(event, &m);
        if (r >= 0)
                r = manager_start(m);
        if (r >= 0) {
                (void) service_notify_ready("Ready");
                r = loop_run(event);
                if (r > 0) { /* SIGTERM gives 0 */
                        log_error("The connection to the system bus is lost.");
                        r = -ECONNRESET;
                }
                (void) service_notify_stopping();
        }
        m = manager_free(m);
        sd_event_unref(event);
        return r;
}

int main(int argc, char *argv[]) {
        int r;

        r = options_parse(&options, argc, argv, NULL, NULL, NULL);
        if (r != OPTIONS_DONE)
                return r == OPTIONS_E_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;
        (void) umask(0027); /* see UMask= in md-manager.service */
        service_log_to_journal("md-manager");
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
