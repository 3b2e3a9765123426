/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/storm.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"

typedef struct Storm {
        uint64_t until_usec, width_usec;
} Storm;

struct Storms {
        uint64_t window_usec;
        Map *causes; /* Storm */
};

Storms *storms_new(uint64_t window_usec) {
        Storms *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        s->window_usec = MIN_OF(window_usec, STORM_WINDOW_MAX_USEC);
        s->causes = map_new();
        return s->causes ? s : storms_free(s);
}

Storms *storms_free(Storms *s) {
        if (!s)
                return NULL;
        map_free_with(s->causes, free);
        free(s);
        return NULL;
}

/* Also when the clock was put back. */
static bool is_over(const Storm *storm, uint64_t now_usec) {
        return now_usec >= usec_add(storm->until_usec, storm->width_usec) || usec_add(now_usec, storm->width_usec) < storm->until_usec;
}

static void forget_ended(Storms *s, uint64_t now_usec) {
        const char *cause;
        Storm *storm;

        MAP_FOREACH(s->causes, cause, storm)
                if (is_over(storm, now_usec))
                        free(map_remove(s->causes, cause));
}

uint64_t storms_wait_until(const Storms *s, const char *cause, uint64_t now_usec) {
        const Storm *storm;

        assert(s);
        assert(cause);

        storm = map_get(s->causes, cause);
        return storm && !is_over(storm, now_usec) ? storm->until_usec : 0;
}

static int begin(Storms *s, const char *cause, uint64_t now_usec) {
        Storm *storm;
        int r;

        if (map_size(s->causes) >= STORMS_MAX)
                return 0;
        storm = malloc(sizeof(*storm));
        if (!storm)
                return -ENOMEM;
        *storm = (Storm){ .until_usec = usec_add(now_usec, s->window_usec), .width_usec = s->window_usec };
        r = map_put(s->causes, cause, storm);
        if (r < 0)
                free(storm);
        return r;
}

int storms_note_told(Storms *s, const char *cause, uint64_t now_usec) {
        Storm *storm;

        assert(s);
        assert(cause);

        if (s->window_usec == 0)
                return 0;
        forget_ended(s, now_usec);
        storm = map_get(s->causes, cause);
        if (!storm)
                return begin(s, cause, now_usec);
        storm->width_usec = MIN_OF(2 * storm->width_usec, STORM_WINDOW_MAX_USEC);
        storm->until_usec = usec_add(now_usec, storm->width_usec);
        return 0;
}
