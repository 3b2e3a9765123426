/* SPDX-License-Identifier: Apache-2.0 */

/* md-acme: does the job that its unit stands for, or one after the other, and ends. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "acme-worker/worker.h"
#include "base/log.h"
#include "base/options.h"
#include "bus/service.h"

static const Option options[] = {
        { "batch", 0, NULL, "Take one job after the other, until there is none left" },
};

static const OptionTable table = {
        .program = "md-acme",
        .synopsis = "[OPTIONS…]",
        .description = "Obtain certificates from a CA for md-manager, which starts this program.",
        .options = options,
        .n_options = ELEMENTSOF(options),
};

static int handle_option(const Option *option, const char *argument, void *userdata) {
        bool *batch = userdata;

        *batch = true;
        return 0;
}

int main(int argc, char *argv[]) {
        bool batch = false;
        int r, index;

        r = options_parse(&table, argc, argv, handle_option, &batch, &index);
        if (r != 0)
                return r == OPTIONS_E_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;
        if (index < argc) {
                fprintf(stderr, "%s takes no arguments. Try '%s --help'.\n", table.program, table.program);
                return EXIT_FAILURE;
        }

        service_log_to_journal(table.program);
        /* Other workers run as the same user. This closes our memory and descriptors to them, and with these our connection to the manager. */
        if (prctl(PR_SET_DUMPABLE, 0) < 0) {
                log_failure(errno, "Cannot close this process to other workers: %m");
                return EXIT_FAILURE;
        }
        return worker_run(batch);
}
