/* SPDX-License-Identifier: Apache-2.0 */

/* md-targets: brings certificates and keys of managed domains to where other services want them, as root declares it, and ends. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/options.h"
#include "base/string-util.h"
#include "bus/service.h"
#include "bus/unit.h"
#include "config.h"
#include "targets/confine.h"
#include "targets/reload.h"
#include "targets/report.h"

#define PENDING_DIR "/run/md-targets" /* RuntimeDirectory= of the unit */

static const Option options[] = {
        { "store-dir", 's', "DIR", "The store, when it is not in " STORE_DIR },
};

static const OptionTable table = {
        .program = "md-targets",
        .synopsis = "[OPTIONS…]",
        .description = "Write certificates and keys of managed domains to where other services want them.",
        .options = options,
        .n_options = ELEMENTSOF(options),
};

typedef struct Run {
        const char *store_dir;
        Targets targets;
        TargetOutcome *outcomes; /* as many */
        int pending_fd;
        sd_event *event;
        sd_bus *bus;
} Run;

static void run_done(Run *r) {
        for (size_t i = 0; r->outcomes && i < r->targets.n; i++)
                target_outcome_done(&r->outcomes[i]);
        free(r->outcomes);
        targets_done(&r->targets);
        cleanup_close(&r->pending_fd);
        sd_bus_flush_close_unref(r->bus);
        sd_event_unref(r->event);
}

static int handle_option(const Option *option, const char *argument, void *userdata) {
        Run *r = userdata;

        r->store_dir = argument;
        return 0;
}

static int prepare(Run *r) {
        int k;

        k = targets_read(&r->targets);
        if (k < 0)
                return log_failure(k, "Cannot read the targets: %m");
        r->outcomes = calloc(r->targets.n + 1, sizeof(*r->outcomes));
        if (!r->outcomes)
                return log_oom();
        r->pending_fd = open(PENDING_DIR, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
        if (r->pending_fd < 0)
                return log_failure(errno, "Cannot open " PENDING_DIR ": %m. It is made by md-targets.service, which is what runs this program.");
        k = service_event_new(&r->event);
        if (k < 0)
                return log_failure(k, "Cannot make an event loop: %m");
        k = service_bus_open(r->event, &r->bus);
        if (k >= 0)
                k = unit_subscribe(r->bus);
        return k < 0 ? log_failure(k, "Cannot connect to the system bus: %m") : 0;
}

static int confine(const Run *r) {
        int k = confine_to(&r->targets, r->pending_fd);

        if (k < 0)
                return log_failure(k, "Cannot give up what is not needed: %m");
        if (k == CONFINE_E_UNSUPPORTED)
                log_info("There is no Landlock here: what can be written to is what the unit's sandbox leaves.");
        return 0;
}

static int write_all(Run *r) {
        _auto_problem_ Problem *problem = NULL;
        _cleanup_(store_closep) Store *store = NULL;
        int k;

        k = store_open(r->store_dir, STORE_ROLE_SERVER, &store, &problem);
        if (k != STORE_DONE) {
                log_error("Cannot use the store: %s", problem ? problem->detail : strerror(k < 0 ? -k : EIO));
                return k < 0 ? k : -ENOTDIR;
        }
        targets_drop_marks(&r->targets, r->pending_fd);
        for (size_t i = 0; i < r->targets.n; i++)
                target_apply(store, r->targets.items[i], r->pending_fd, &r->outcomes[i]);
        k = reload_units(r->bus, r->outcomes, r->targets.n, r->pending_fd);
        return k < 0 ? log_failure(k, "Cannot reload the units: %m. The next run does it.") : 0;
}

static int tell(Run *r) {
        int k, failed = 0;

        report_to_journal(r->outcomes, r->targets.n);
        k = report_to_manager(r->bus, r->outcomes, r->targets.n);
        if (k < 0)
                (void) log_failure(k, "Cannot tell md-manager what came of it: %m");
        for (size_t i = 0; i < r->targets.n; i++)
                failed += r->outcomes[i].state == TARGET_STATE_FAILED;
        return failed;
}

static int run(Run *r) {
        int k;

        k = prepare(r);
        if (k == 0)
                k = confine(r);
        if (k == 0)
                k = write_all(r);
        return k < 0 ? k : tell(r);
}

int main(int argc, char *argv[]) {
        _cleanup_(run_done) Run r = { .store_dir = STORE_DIR, .pending_fd = -1 };
        int k;

        service_log_to_journal(table.program);
        k = options_parse(&table, argc, argv, handle_option, &r, NULL);
        if (k != OPTIONS_DONE)
                return k == OPTIONS_E_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;
        if (service_close_to_others() < 0)
                return EXIT_FAILURE;
        return run(&r) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
