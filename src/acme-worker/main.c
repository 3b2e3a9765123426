/* SPDX-License-Identifier: Apache-2.0 */

/* md-acme: does the job that its unit stands for, or one after the other, and ends. */

#include <stdlib.h>

#include "acme-worker/worker.h"
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
        int r;

        r = options_parse(&table, argc, argv, handle_option, &batch, NULL);
        if (r != 0)
                return r == OPTIONS_E_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;

        service_log_to_journal(table.program);
        if (service_close_to_others() < 0)
                return EXIT_FAILURE;
        return worker_run(batch);
}
