/* SPDX-License-Identifier: Apache-2.0 */

/* Asks the manager for all properties of one domain after the other, as fast as it answers, and tells how long it took: who is asked this way cannot
 * be busy with something else in secret.
 *
 *     ask-bus MILLISECONDS COUNT
 *
 * Domains are those of make-store. Prints {"asked": N, "median": µs, "max": µs}. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "bus/names.h"

enum { ANSWERS_MAX = 1000000 };

static int ask(sd_bus *bus, size_t i, uint64_t *ret_usec) {
        _auto_free_ char *name = str_printf("d%zu.example.org", i), *path = NULL;
        uint64_t begin;
        int r = name ? sd_bus_path_encode(BUS_PATH_DOMAIN, name, &path) : -ENOMEM;

        if (r < 0)
                return r;
        begin = clock_monotonic_usec();
        r = sd_bus_call_method(bus, BUS_NAME, path, "org.freedesktop.DBus.Properties", "GetAll", NULL, NULL, "s", BUS_INTERFACE_DOMAIN);
        *ret_usec = clock_monotonic_usec() - begin;
        return r;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return (x > y) - (x < y);
}

int main(int argc, char *argv[]) {
        _auto_free_ uint64_t *answers = calloc(ANSWERS_MAX, sizeof(*answers));
        uint64_t until, count;
        sd_bus *bus = NULL;
        size_t n = 0;
        int r;

        if (argc != 3 || !answers) {
                fprintf(stderr, "Usage: ask-bus MILLISECONDS COUNT\n");
                return EXIT_FAILURE;
        }
        until = clock_monotonic_usec() + strtoul(argv[1], NULL, 10) * USEC_PER_MSEC;
        count = strtoul(argv[2], NULL, 10);
        r = sd_bus_open_system(&bus);
        /* In an order that is not the one in which work is done: 7919 is a prime. */
        for (size_t i = 0; r >= 0 && n < ANSWERS_MAX && clock_monotonic_usec() < until; i += 7919)
                r = ask(bus, i % count, &answers[n++]);
        sd_bus_flush_close_unref(bus);
        if (r < 0 || n == 0) {
                fprintf(stderr, "Asking failed: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        qsort(answers, n, sizeof(*answers), compare);
        printf("{\"asked\": %zu, \"median\": %llu, \"max\": %llu}\n", n, (unsigned long long) answers[n / 2], (unsigned long long) answers[n - 1]);
        return EXIT_SUCCESS;
}
