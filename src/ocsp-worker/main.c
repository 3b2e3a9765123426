/* SPDX-License-Identifier: Apache-2.0 */

/* md-ocsp: fetches the OCSP responses that are due, and ends. */

#include <stdlib.h>

#include "ocsp-worker/worker.h"
#include "base/options.h"
#include "bus/service.h"

static const OptionTable table = {
        .program = "md-ocsp",
        .synopsis = "[OPTIONS…]",
        .description = "Fetch OCSP responses for md-manager, which starts this program.",
};

int main(int argc, char *argv[]) {
        int r;

        r = options_parse(&table, argc, argv, NULL, NULL, NULL);
        if (r != 0)
                return r == OPTIONS_E_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;

        service_log_to_journal(table.program);
        if (service_close_to_others() < 0)
                return EXIT_FAILURE;
        return worker_run();
}
