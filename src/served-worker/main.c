/* SPDX-License-Identifier: Apache-2.0 */

/* md-served: looks at the certificates that servers of this machine show, and ends. */

#include <signal.h>
#include <stdlib.h>

#include "served-worker/worker.h"
#include "base/options.h"
#include "bus/service.h"

static const OptionTable table = {
        .program = "md-served",
        .synopsis = "[OPTIONS…]",
        .description = "See for md-manager, which starts this program, which certificates are served.",
};

int main(int argc, char *argv[]) {
        int r;

        r = options_parse(&table, argc, argv, NULL, NULL, NULL);
        if (r != 0)
                return r == OPTIONS_E_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;

        service_log_to_journal(table.program);
        if (service_close_to_others() < 0)
                return EXIT_FAILURE;
        /* A server that closes its end in the middle of a handshake is one that shows no certificate. */
        (void) signal(SIGPIPE, SIG_IGN);
        return worker_run();
}
