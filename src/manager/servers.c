/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/servers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "manager/absence.h"
#include "manager/domain.h"
#include "manager/reload.h"
#include "store/domain.h"
#include "store/snapshot.h"

/* What somebody deleted by hand is looked for again after this time. */
#define REWATCH_USEC (2 * USEC_PER_SEC)

struct Servers {
        Manager *manager;
        Snapshot **snapshots; /* sorted by id */
        size_t n;
        SnapshotMerge merge;
        char **complaints;

        char **vanished; /* ids: snapshots that somebody deleted; kept until it is clear that they will not come back */
        sd_event_source *believe;
        bool believed;

        int fd; /* inotify */
        sd_event_source *io;
        int servers_wd;
        int top_wd; /* the store's own directory: what comes and goes there is ours to notice */
        int reserve_wd;
        sd_event_source *settle; /* deferred: one look for a burst of events */
        sd_event_source *rewatch;
        bool servers_dirty;
        bool top_dirty;
};

static int watch_directory(Servers *s, const char *directory, const char *name, uint32_t mask) {
        _auto_free_ char *path = str_printf("%s/%s%s%s", store_path(s->manager->store), directory, name ? "/" : "", str_or(name, ""));
        int wd;

        if (!path)
                return -ENOMEM;
        wd = inotify_add_watch(s->fd, path, mask | IN_ONLYDIR | IN_DONT_FOLLOW);
        return wd < 0 ? -errno : wd;
}

static int on_rewatch(sd_event_source *source, uint64_t usec, void *userdata);

static void watch_servers(Servers *s) {
        int r = watch_directory(s, STORE_SERVERS, NULL, IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF);

        if (r >= 0) {
                if (s->servers_wd != r)
                        s->servers_dirty = true;
                s->servers_wd = r;
                return;
        }
        if (s->servers_wd != -2) {
                LogField fields[] = { { "MD_EVENT", "store-damaged" } };

                log_full(LOG_ERR, -r, MESSAGE_STORE_DAMAGED, fields, ELEMENTSOF(fields),
                         "Cannot watch %s/" STORE_SERVERS ": %m. The domains known so far are kept; run 'systemd-tmpfiles --create md-manager.conf' to make it again.",
                         store_path(s->manager->store));
        }
        s->servers_wd = -2; /* told */
        s->rewatch = sd_event_source_disable_unref(s->rewatch);
        (void) sd_event_add_time_relative(s->manager->event, &s->rewatch, CLOCK_MONOTONIC, REWATCH_USEC, 0, on_rewatch, s);
}

static void watch_top(Servers *s) {
        int r;

        if (s->top_wd >= 0)
                return;
        r = watch_directory(s, ".", NULL, IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ATTRIB);
        s->top_wd = r < 0 ? -1 : r;
}

static void watch_reserve(Servers *s) {
        int r = watch_directory(s, STORE_RESERVE, NULL, IN_DELETE | IN_MOVED_FROM);

        s->reserve_wd = r < 0 ? -1 : r;
}

static int settle(sd_event_source *source, void *userdata) {
        Servers *s = userdata;

        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (s->top_dirty) {
                s->top_dirty = s->servers_dirty = false;
                watch_top(s);
                watch_servers(s);
                watch_reserve(s);
                manager_check(s->manager);
        }
        if (s->servers_dirty) {
                s->servers_dirty = false;
                if (servers_read(s))
                        manager_apply_snapshots(s->manager);
        }
        return 0;
}

static int on_rewatch(sd_event_source *source, uint64_t usec, void *userdata) {
        Servers *s = userdata;

        watch_top(s);
        watch_servers(s);
        if (s->servers_dirty)
                (void) sd_event_source_set_enabled(s->settle, SD_EVENT_ONESHOT);
        return 0;
}

/* Something below domains/NAME/ went away or was put there by somebody. Our own writes come here too: reading a few files again is cheap. */
static void on_domain_event(Servers *s, const struct inotify_event *e) {
        const char *name;
        Domain *d;

        if (e->len > 0 && file_is_temporary_name(e->name))
                return; /* our own way of replacing a file */
        MAP_FOREACH(s->manager->domains, name, d) {
                if (d->inotify_wd != e->wd)
                        continue;
                if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
                        d->inotify_wd = -1;
                domain_files_changed(d, e->len > 0 ? e->name : NULL);
                return;
        }
        if (e->mask & IN_MOVE_SELF)
                (void) inotify_rm_watch(s->fd, e->wd); /* a set that went to the archive */
}

/* Somebody took a domain's second copy away. */
static void on_reserve_event(Servers *s, const struct inotify_event *e) {
        Domain *d = e->len > 0 ? manager_find_domain(s->manager, e->name) : NULL;

        if (!d)
                return;
        domain_forget_facts(d);
        domain_evaluate(d);
}

static void on_event(Servers *s, const struct inotify_event *e) {
        if (e->mask & IN_Q_OVERFLOW || e->wd == s->top_wd) {
                if (e->mask & IN_IGNORED) /* the directory itself went away: watched again when it is back */
                        s->top_wd = -1;
                s->top_dirty = true;
                return;
        }
        if (e->wd == s->reserve_wd) {
                on_reserve_event(s, e);
                return;
        }
        if (e->wd != s->servers_wd) {
                on_domain_event(s, e);
                return;
        }
        if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) {
                s->servers_wd = s->top_wd = -1;
                watch_servers(s);
        }
        if (e->len == 0 || str_has_suffix(e->name, ".json"))
                s->servers_dirty = true;
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Servers *s = userdata;
        char buffer[16 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : log_failure(errno, "Cannot read from inotify: %m");
        for (char *p = buffer; p < buffer + n;) {
                const struct inotify_event *e = (const struct inotify_event *) p;

                p += sizeof(*e) + e->len;
                on_event(s, e);
        }
        if (s->servers_dirty || s->top_dirty)
                (void) sd_event_source_set_enabled(s->settle, SD_EVENT_ONESHOT);
        return 0;
}

int servers_new(Manager *m, Servers **ret) {
        Servers *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->manager = m;
        s->servers_wd = s->top_wd = s->reserve_wd = -1;
        s->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        r = s->fd < 0 ? -errno : sd_event_add_io(m->event, &s->io, s->fd, EPOLLIN, on_inotify, s);
        if (r >= 0)
                r = sd_event_add_defer(m->event, &s->settle, settle, s);
        if (r < 0) {
                servers_free(s);
                return r;
        }
        (void) sd_event_source_set_enabled(s->settle, SD_EVENT_OFF);
        watch_top(s);
        watch_servers(s);
        watch_reserve(s);
        s->servers_dirty = false;
        *ret = s;
        return 0;
}

Servers *servers_free(Servers *s) {
        if (!s)
                return NULL;
        snapshot_merge_done(&s->merge);
        for (size_t i = 0; i < s->n; i++)
                snapshot_free(s->snapshots[i]);
        free(s->snapshots);
        strv_free(s->complaints);
        strv_free(s->vanished);
        sd_event_source_disable_unref(s->believe);
        sd_event_source_disable_unref(s->io);
        sd_event_source_disable_unref(s->settle);
        sd_event_source_disable_unref(s->rewatch);
        if (s->fd >= 0)
                (void) close(s->fd);
        free(s);
        return NULL;
}

void servers_watch_domain(Servers *s, Domain *d) {
        int r = watch_directory(s, STORE_DOMAINS, DOMAIN_NAME(d), IN_DELETE | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF);

        d->inotify_wd = r < 0 ? -1 : r;
}

static Snapshot *take_known(Servers *s, const char *id) {
        for (size_t i = 0; i < s->n; i++)
                if (s->snapshots[i] && str_equal(s->snapshots[i]->id, id))
                        return take_ptr(s->snapshots[i]);
        return NULL;
}

/* 'why' names the file, unless 'id' is given. */
static void complain(Servers *s, const char *id, const char *why, const char *what_next) {
        _auto_free_ char *line = id ? str_printf("%s/" STORE_SERVERS "/%s.json: %s", store_path(s->manager->store), id, why) : strdup(why);
        LogField fields[] = { { "MD_EVENT", "snapshot-refused" } };

        if (!line)
                return;
        log_full(LOG_ERR, 0, MESSAGE_SNAPSHOT_REFUSED, fields, ELEMENTSOF(fields), "%s. %s", line, what_next);
        (void) strv_extend(&s->complaints, line);
}

/* The snapshot of one server; the last good one when it cannot be read, NULL when there is none. */
static Snapshot *read_one(Servers *s, const char *id) {
        _auto_problem_ Problem *problem = NULL;
        _auto_strv_ char **complaints = NULL;
        Snapshot *fresh = NULL, *known = take_known(s, id);
        int r;

        r = store_snapshot_read(s->manager->store, id, &fresh, &complaints, &problem);
        STRV_FOREACH(c, complaints)
                complain(s, id, *c, "That domain is left out; the others of this server are not touched by it.");
        if (r == STORE_SNAPSHOT_DONE) {
                snapshot_free(known);
                return fresh;
        }
        if (r == STORE_SNAPSHOT_E_NOT_FOUND)
                return known; /* it went while we looked: that is told in a moment */
        complain(s, problem ? NULL : id, problem ? problem->detail : strerror(r < 0 ? -r : EBADMSG),
                 known ? "The last good one counts until the server is reloaded and writes it again." : "Reload the server to have it written again.");
        return known;
}

/* --- A snapshot that is not there any more. Servers do not delete theirs: one that names no domains has an empty one. So it was deleted by hand, and the
 * server can be asked to write it again; one that does not is believed to be gone. --- */

static int on_believe(sd_event_source *source, uint64_t usec, void *userdata);

static void believe_later(Servers *s) {
        int r;

        s->believe = sd_event_source_disable_unref(s->believe);
        r = sd_event_add_time_relative(s->manager->event, &s->believe, CLOCK_MONOTONIC, s->manager->settings.served_timeout_usec, 0, on_believe, s);
        if (r < 0)
                (void) log_failure(r, "Cannot set a timer: %m");
}

static int on_believe(sd_event_source *source, uint64_t usec, void *userdata) {
        Servers *s = userdata;

        s->believe = sd_event_source_disable_unref(s->believe);
        s->believed = !reload_is_pending(s->manager);
        if (s->believed && servers_read(s))
                manager_apply_snapshots(s->manager);
        else
                believe_later(s);
        s->believed = false;
        return 0;
}

static void ask_again(Servers *s, const Snapshot *gone, const char *unit) {
        LogField fields[] = { { "MD_EVENT", "store-damaged" } };

        log_full(LOG_WARNING, 0, MESSAGE_STORE_DAMAGED, fields, ELEMENTSOF(fields),
                 "%s/" STORE_SERVERS "/%s.json is gone. What it said counts for now; %s is reloaded to have it written again.", store_path(s->manager->store),
                 gone->id, unit);
        (void) reload_request_unit(s->manager, unit);
        believe_later(s);
}

/* True: it counts although it is not there. */
static bool keep_vanished(Servers *s, const Snapshot *gone, char ***vanished) {
        const char *unit = str_or(s->manager->settings.reload_unit, gone->unit);

        if (s->believed || str_is_empty(unit) || str_equal(unit, "none"))
                return false;
        if (!strv_contains(s->vanished, gone->id))
                ask_again(s, gone, unit);
        return strv_extend(vanished, gone->id) >= 0;
}

static int compare_ids(const void *a, const void *b) {
        const Snapshot *x = *(Snapshot *const *) a, *y = *(Snapshot *const *) b;

        return strcmp(x->id, y->id);
}

/* Takes over what is left of the known ones. */
static size_t take_vanished(Servers *s, Snapshot **fresh, size_t n) {
        char **vanished = NULL;

        for (size_t i = 0; i < s->n; i++) {
                if (!s->snapshots[i] || !keep_vanished(s, s->snapshots[i], &vanished))
                        continue;
                fresh[n++] = take_ptr(s->snapshots[i]);
        }
        if (vanished)
                qsort(fresh, n, sizeof(*fresh), compare_ids);
        strv_free(s->vanished);
        s->vanished = vanished;
        return n;
}

/* Domains in the store and nobody who names them: more likely lost than meant. */
static void complain_of_silence(Servers *s, char *const *ids) {
        _auto_strv_ char **names = NULL;

        if (ids || s->n > 0 || store_domain_list(s->manager->store, STORE_SET_LIVE, &names) != 0 || !names)
                return;
        (void) strv_extend(&s->complaints, "No server has told about its configuration, but there are domains in the store: reload Apache, which tells it again");
}

bool servers_read(Servers *s) {
        _auto_strv_ char **ids = NULL;
        Snapshot **fresh;
        size_t n = 0;
        int r;

        r = store_snapshot_list(s->manager->store, &ids);
        if (r != 0) {
                log_error("Cannot read %s/" STORE_SERVERS ": %s. The domains known so far are kept.", store_path(s->manager->store), strerror(r < 0 ? -r : ENOENT));
                return false;
        }
        s->complaints = strv_free(s->complaints);
        complain_of_silence(s, ids);
        fresh = calloc(strv_length(ids) + s->n + 1, sizeof(*fresh));
        if (!fresh) {
                (void) log_oom();
                return false;
        }
        STRV_FOREACH(id, ids) {
                Snapshot *one = read_one(s, *id);

                if (one && absence_is_forgotten(s->manager->absence, one))
                        one = snapshot_free(one);
                if (one)
                        fresh[n++] = one;
        }
        n = take_vanished(s, fresh, n);
        snapshot_merge_done(&s->merge);
        s->merge = (SnapshotMerge){ 0 };
        for (size_t i = 0; i < s->n; i++)
                snapshot_free(s->snapshots[i]);
        free(s->snapshots);
        s->snapshots = fresh;
        s->n = n;
        r = snapshot_merge(s->snapshots, s->n, &s->merge);
        if (r < 0)
                (void) log_failure(r, "Cannot merge the servers' snapshots: %m");
        return true;
}

const SnapshotMerge *servers_merge(const Servers *s) {
        return &s->merge;
}

Snapshot *const *servers_snapshots(const Servers *s, size_t *ret_n) {
        *ret_n = s->n;
        return s->snapshots;
}

char *const *servers_complaints(const Servers *s) {
        return s->complaints;
}
