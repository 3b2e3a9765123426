/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "targets/content.h"
#include "targets/place.h"

static const char *const states[] = {
        [TARGET_STATE_UNCHANGED] = "unchanged",
        [TARGET_STATE_WRITTEN] = "written",
        [TARGET_STATE_WAITING] = "waiting",
        [TARGET_STATE_FAILED] = "failed",
};

const char *target_state_to_string(TargetState s) {
        return (size_t) s < ELEMENTSOF(states) ? states[s] : NULL;
}

void target_outcome_done(TargetOutcome *o) {
        free(o->detail);
        *o = (TargetOutcome){ 0 };
}

static int mark(const Target *t, int pending_fd) {
        _auto_close_ int fd = openat(pending_fd, t->name, O_WRONLY|O_CREAT|O_NOFOLLOW|O_CLOEXEC, 0600);

        return fd < 0 ? -errno : 0;
}

static bool is_marked(const Target *t, int pending_fd) {
        return faccessat(pending_fd, t->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void targets_drop_marks(const Targets *all, int pending_fd) {
        _auto_strv_ char **marks = NULL;

        if (dir_list(pending_fd, &marks) != 0)
                return;
        STRV_FOREACH(name, marks) {
                bool known = false;

                for (size_t i = 0; i < all->n && !known; i++)
                        known = str_equal(all->items[i]->name, *name);
                if (!known)
                        (void) unlinkat(pending_fd, *name, 0);
        }
}

void target_reloaded(const Target *t, int pending_fd) {
        (void) unlinkat(pending_fd, t->name, 0);
}

/* What is there may be its owner's work: it is compared, and not looked into. */
static bool stands_there(const Place *place, const TargetFile *f, const Secret *wanted) {
        _auto_secret_ Secret *found = NULL;

        return place_read(place, f, &found) == 0 && found->size == wanted->size && memcmp(found->data, wanted->data, wanted->size) == 0;
}

static int write_file(const Target *t, TargetFormat format, const Content *c, int pending_fd, char ***written, Problem **ret_problem) {
        const TargetFile *f = &t->files[format];
        _cleanup_(place_done) Place place = PLACE_INIT;
        _auto_secret_ Secret *wanted = NULL;
        int r;

        r = place_open(f, &place, ret_problem);
        if (r == 0)
                r = content_make(c, format, t->domain, &wanted);
        if (r < 0 || stands_there(&place, f, wanted))
                return r;
        r = mark(t, pending_fd);
        if (r == 0)
                r = place_write(&place, f, wanted, ret_problem);
        return r < 0 ? r : strv_extend(written, f->path);
}

static int write_files(const Target *t, const Content *c, int pending_fd, char ***written, Problem **ret_problem) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < _TARGET_FORMAT_MAX; i++)
                if (t->files[i].line > 0)
                        r = write_file(t, (TargetFormat) i, c, pending_fd, written, ret_problem);
        if (r < 0 && ret_problem)
                (void) problem_set(ret_problem, PROBLEM_TYPE_STORE, "Cannot write the files: %s", strerror(-r));
        return r;
}

static void fail(TargetOutcome *o, const Problem *p) {
        o->state = TARGET_STATE_FAILED;
        o->detail = strdup(p ? p->detail : "Out of memory");
}

static void end(TargetOutcome *o, int pending_fd, char **written) {
        _auto_free_ char *paths = written ? strv_join(written, ", ") : NULL;

        o->reload = is_marked(o->target, pending_fd);
        o->state = written ? TARGET_STATE_WRITTEN : TARGET_STATE_UNCHANGED;
        o->detail = written ? str_printf("Wrote %s", str_or(paths, "")) : strdup("All is as it should be");
}

void target_apply(Store *s, const Target *t, int pending_fd, TargetOutcome *ret) {
        _cleanup_(content_done) Content c = { 0 };
        _auto_problem_ Problem *problem = NULL;
        _auto_strv_ char **written = NULL;
        TargetOutcome o = { .target = t };
        int r;

        assert(t);
        assert(ret);

        if (t->refused) {
                o.state = TARGET_STATE_FAILED;
                o.detail = strdup(t->refused);
                *ret = o;
                return;
        }
        r = content_read(s, t, &c, &problem);
        if (r == 0)
                r = write_files(t, &c, pending_fd, &written, &problem);
        if (r == CONTENT_E_NOT_YET) {
                o.state = TARGET_STATE_WAITING;
                o.detail = strdup(problem ? problem->detail : "");
        } else if (r != 0)
                fail(&o, problem);
        else
                end(&o, pending_fd, written);
        *ret = o;
}
