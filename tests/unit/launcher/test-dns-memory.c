/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/dns-memory.h"

#include <stdio.h>

#include "base/string-util.h"
#include "base/strv.h"
#include "lib/test.h"

enum { MANY = 10000 };

static char *const command[] = { (char *) "/usr/bin/first", (char *) "-v", NULL };
static char *const other[] = { (char *) "/usr/bin/second", NULL };

static const char *name_of(unsigned i, char buffer[static 32]) {
        (void) snprintf(buffer, 32, "d%u.example", i);
        return buffer;
}

TEST(what_was_put) {
        sd_event *event = NULL;
        DnsMemory *m = NULL;
        unsigned version = 7;

        REQUIRE(sd_event_new(&event) >= 0 && dns_memory_new(event, &m) >= 0);
        CHECK(dns_memory_is_empty(m));
        CHECK(!dns_memory_get(m, "a.example", &version));
        CHECK_UINT(version, 7);

        CHECK_INT(dns_memory_put(m, "a.example", command, 1), 0);
        CHECK(!dns_memory_is_empty(m));
        CHECK(strv_equal(dns_memory_get(m, "a.example", &version), command));
        CHECK_UINT(version, 1);
        CHECK_INT(dns_memory_put(m, "a.example", other, 2), 0);
        CHECK(strv_equal(dns_memory_get(m, "a.example", &version), other));
        CHECK_UINT(version, 2);
        CHECK(!dns_memory_get(m, "b.example", &version));

        dns_memory_free(m);
        sd_event_unref(event);
}

/* However many: what can be set up does not depend on what was. */
TEST(more_than_are_kept) {
        sd_event *event = NULL;
        DnsMemory *m = NULL;
        char name[32];
        unsigned version;

        REQUIRE(sd_event_new(&event) >= 0 && dns_memory_new(event, &m) >= 0);
        for (unsigned i = 0; i < MANY + 10; i++)
                if (!CHECK_INT(dns_memory_put(m, name_of(i, name), command, 1), 0))
                        break;
        CHECK(!dns_memory_get(m, name_of(0, name), &version));
        CHECK(!dns_memory_get(m, name_of(9, name), &version));
        CHECK(dns_memory_get(m, name_of(10, name), &version));
        CHECK(dns_memory_get(m, name_of(MANY + 9, name), &version));

        dns_memory_free(m);
        sd_event_unref(event);
}
