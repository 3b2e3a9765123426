/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/hook-settings.h"

#include <errno.h>

#include "base/clock.h"
#include "lib/test.h"

#define MIB (UINT64_C(1) << 20)

TEST(settings) {
        static const struct {
                const char *name, *value;
                int result;
                const char *user;
                uint64_t minutes, memory;
        } cases[] = {
                { "HookUser", "www-hooks", 0, "www-hooks", 5, 512 * MIB },
                { "HookUser", "root", 0, "root", 5, 512 * MIB }, /* whoever wants it says so */
                { "HookUser", "", 0, NULL, 5, 512 * MIB },
                { "HookUser", NULL, 0, NULL, 5, 512 * MIB },
                { "HookUser", "two words", -EINVAL, NULL, 5, 512 * MIB },
                { "HookUser", "a:b", -EINVAL, NULL, 5, 512 * MIB },
                { "HookUser", "../etc", -EINVAL, NULL, 5, 512 * MIB },
                { "HookTimeoutSec", "1h", 0, NULL, 60, 512 * MIB },
                { "HookTimeoutSec", "120", 0, NULL, 2, 512 * MIB },
                { "HookTimeoutSec", "", 0, NULL, 5, 512 * MIB },
                { "HookTimeoutSec", "61min", -ERANGE, NULL, 5, 512 * MIB },
                { "HookTimeoutSec", "0", -ERANGE, NULL, 5, 512 * MIB },
                { "HookTimeoutSec", "10ms", -ERANGE, NULL, 5, 512 * MIB },
                { "HookTimeoutSec", "infinity", -EINVAL, NULL, 5, 512 * MIB },
                { "HookTimeoutSec", "soon", -EINVAL, NULL, 5, 512 * MIB },
                { "HookMemoryMax", "64M", 0, NULL, 5, 64 * MIB },
                { "HookMemoryMax", "infinity", 0, NULL, 5, UINT64_MAX },
                { "HookMemoryMax", "", 0, NULL, 5, 512 * MIB },
                { "HookMemoryMax", "64", -ERANGE, NULL, 5, 512 * MIB },
                { "HookMemoryMax", "0", -ERANGE, NULL, 5, 512 * MIB },
                { "HookMemoryMax", "-1", -EINVAL, NULL, 5, 512 * MIB },
                { "HookMemoryMax", "50%", -EINVAL, NULL, 5, 512 * MIB },
                { "HookTasksMax", "7", -ENOENT, NULL, 5, 512 * MIB },
                { "hookuser", "a", -ENOENT, NULL, 5, 512 * MIB },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                HookSettings s;

                test_case("%s=%s", cases[i].name, cases[i].value ? cases[i].value : "(nothing)");
                hook_settings_init(&s);
                CHECK_INT(hook_settings_set(&s, cases[i].name, cases[i].value), cases[i].result);
                CHECK_STR(s.user, cases[i].user);
                CHECK_UINT(s.timeout_usec, cases[i].minutes * USEC_PER_MINUTE);
                CHECK_UINT(s.memory_max, cases[i].memory);
                hook_settings_done(&s);
        }
}

TEST(a_later_one_replaces_an_earlier_one) {
        HookSettings s;

        hook_settings_init(&s);
        CHECK_INT(hook_settings_set(&s, "HookUser", "a"), 0);
        CHECK_INT(hook_settings_set(&s, "HookUser", "b c"), -EINVAL);
        CHECK_STR(s.user, "a");
        CHECK_INT(hook_settings_set(&s, "HookUser", "d"), 0);
        CHECK_STR(s.user, "d");
        CHECK_INT(hook_settings_set(&s, "HookUser", ""), 0);
        CHECK_STR(s.user, NULL);
        hook_settings_done(&s);
}
