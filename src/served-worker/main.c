/* SPDX-License-Identifier: Apache-2.0 */

/* md-served: looks at the certificates that servers of this machine show, and ends. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "served-worker/worker.h"
#include "base/log.h"
#include "base/options.h"
#include "bus/service.h"

static const OptionTable table = {
        .program = "md-served",
        .synopsis = "[OPTIONS…]",
        .description = "See for md-manager, which starts this program, which certificates are served.",
};

int main(int argc, char *argv[]) {
        int r, index;

        r = options_parse(&table, argc, argv, NULL, NULL, &index);
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
        /* A server that closes its end in the middle of a handshake is one that shows no certificate. */
        (void) signal(SIGPIPE, SIG_IGN);
        return worker_run();
}
