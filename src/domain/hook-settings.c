/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/hook-settings.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"

#define TIMEOUT_USEC (5 * USEC_PER_MINUTE)
#define MEMORY_MAX (UINT64_C(512) << 20)
#define MEMORY_MIN (UINT64_C(1) << 20) /* with less no program begins */
#define USER_MAX 256

void hook_settings_init(HookSettings *s) {
        assert(s);

        *s = (HookSettings){ .timeout_usec = TIMEOUT_USEC, .memory_max = MEMORY_MAX };
}

void hook_settings_done(HookSettings *s) {
        free(s->user);
        *s = (HookSettings){ 0 };
}

static int set_user(HookSettings *s, const char *value) {
        if (str_is_empty(value))
                return str_replace(&s->user, NULL);
        for (const char *c = value; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == '\x7f' || *c == ':' || *c == '/')
                        return -EINVAL;
        return strlen(value) > USER_MAX ? -ERANGE : str_replace(&s->user, value);
}

static int set_timeout(HookSettings *s, const char *value) {
        uint64_t usec = TIMEOUT_USEC;
        int r = str_is_empty(value) ? 0 : parse_seconds_usec(value, &usec);

        if (r < 0 || usec < USEC_PER_SEC || usec > HOOK_TIMEOUT_MAX_USEC)
                return r < 0 ? r : -ERANGE;
        s->timeout_usec = usec;
        return 0;
}

static int set_memory(HookSettings *s, const char *value) {
        uint64_t size = MEMORY_MAX;
        int r = 0;

        if (str_equal(value, "infinity"))
                size = UINT64_MAX;
        else if (!str_is_empty(value))
                r = parse_size(value, &size);
        if (r < 0 || size < MEMORY_MIN)
                return r < 0 ? r : -ERANGE;
        s->memory_max = size;
        return 0;
}

int hook_settings_set(HookSettings *s, const char *name, const char *value) {
        assert(s);
        assert(name);

        if (str_equal(name, "HookUser"))
                return set_user(s, value);
        if (str_equal(name, "HookTimeoutSec"))
                return set_timeout(s, value);
        if (str_equal(name, "HookMemoryMax"))
                return set_memory(s, value);
        return -ENOENT;
}
