/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/servers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/message-ids.h"
#include "base/string-util.h"
#include "manager/absence.h"
#include "manager/adoption.h"
#include "manager/domain.h"
#include "manager/listing.h"
#include "manager/manager-bus.h"
#include "manager/reading.h"
#include "manager/reload-unit.h"
#include "manager/reload.h"
#include "manager/turns.h"
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

        bool wanted;     /* somebody wants them to be looked at (again) */
        bool under_way;  /* they are being read or merged */
        Leftovers *old;  /* what counted until now: domains borrow from it until all have been adopted */

        char **vanished; /* ids: snapshots that somebody deleted; kept until it is clear that they will not come back */
        sd_event_source *believe;
        bool believed;

        int fd; /* inotify */
        sd_event_source *io;
        int servers_wd;
        int top_wd; /* the store's own directory: what comes and goes there is ours to notice */
        int reserve_wd;
        Map *watched; /* decimal watch descriptor → Domain */
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
                servers_look(s);
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

#define WATCH_KEY_MAX 16

static const char *watch_key(char key[static WATCH_KEY_MAX], int wd) {
        (void) snprintf(key, WATCH_KEY_MAX, "%d", wd);
        return key;
}

/* Something below domains/NAME/ went away or was put there by somebody. Our own writes come here too: reading a few files again is cheap. */
static void on_domain_event(Servers *s, const struct inotify_event *e) {
        char key[WATCH_KEY_MAX];
        Domain *d;

        if (e->len > 0 && file_is_temporary_name(e->name))
                return; /* our own way of replacing a file */
        d = map_get(s->watched, watch_key(key, e->wd));
        if (d) {
                if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF))
                        servers_unwatch_domain(s, d);
                domain_files_changed(d, e->len > 0 ? e->name : NULL);
        } else if (e->mask & IN_MOVE_SELF)
                (void) inotify_rm_watch(s->fd, e->wd); /* a set that went to the archive */
}

/* Somebody took a domain's second copy away. */
static void on_reserve_event(Servers *s, const struct inotify_event *e) {
        Domain *d = e->len > 0 ? manager_find_domain(s->manager, e->name) : NULL;

        if (!d)
                return;
        domain_forget_facts(d);
        turns_add(s->manager->turns, d);
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
        s->watched = map_new();
        s->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        r = s->fd < 0 ? -errno : !s->watched ? -ENOMEM : sd_event_add_io(m->event, &s->io, s->fd, EPOLLIN, on_inotify, s);
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
        leftovers_free(s->old);
        map_free(s->watched);
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
        char key[WATCH_KEY_MAX];
        int r = watch_directory(s, STORE_DOMAINS, DOMAIN_NAME(d), IN_DELETE | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF);

        if (r == d->inotify_wd)
                return;
        servers_unwatch_domain(s, d);
        if (r >= 0 && map_put(s->watched, watch_key(key, r), d) >= 0)
                d->inotify_wd = r;
}

void servers_unwatch_domain(Servers *s, Domain *d) {
        char key[WATCH_KEY_MAX];

        if (d->inotify_wd >= 0)
                (void) map_remove(s->watched, watch_key(key, d->inotify_wd));
        d->inotify_wd = -1;
}

static Snapshot *find_known(const Servers *s, const char *id) {
        for (size_t i = 0; i < s->n; i++)
                if (str_equal(s->snapshots[i]->id, id))
                        return s->snapshots[i];
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
        manager_bus_general_event(s->manager, "snapshot-refused", line);
}

/* What counts of one server: what was found, the last good one when it cannot be read, NULL when there is none. */
static Snapshot *judge(Servers *s, FoundSnapshot *f) {
        Snapshot *known = find_known(s, f->id);

        STRV_FOREACH(c, f->complaints)
                complain(s, f->id, *c, "That domain is left out; the others of this server are not touched by it.");
        if (f->outcome == STORE_SNAPSHOT_DONE)
                return f->snapshot;
        if (f->outcome == STORE_SNAPSHOT_E_NOT_FOUND)
                return known; /* it went while we looked: that is told in a moment */
        complain(s, f->problem ? NULL : f->id, f->problem ? f->problem->detail : strerror(f->outcome < 0 ? -f->outcome : EBADMSG),
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
        s->believed = !reload_is_under_way(s->manager); /* until they have been looked at */
        if (s->believed)
                servers_look(s);
        else
                believe_later(s);
        return 0;
}

static void ask_again(Servers *s, const Snapshot *gone) {
        LogField fields[] = { { "MD_EVENT", "store-damaged" } };
        const char *unit;

        log_full(LOG_WARNING, 0, MESSAGE_STORE_DAMAGED, fields, ELEMENTSOF(fields),
                 "%s/" STORE_SERVERS "/%s.json is gone. What it said counts for now; %s is reloaded to have it written again.", store_path(s->manager->store),
                 gone->id, reload_unit_of(s->manager, gone, 1) ? "every unit of ReloadUnit=" : reload_unit_of(s->manager, gone, 0));
        for (size_t i = 0; (unit = reload_unit_of(s->manager, gone, i)); i++)
                (void) reload_request_unit(s->manager, unit);
        believe_later(s);
}

/* True: it counts although it is not there. */
static bool keep_vanished(Servers *s, const Snapshot *gone, char ***vanished) {
        if (s->believed || !reload_unit_of(s->manager, gone, 0))
                return false;
        if (!strv_contains(s->vanished, gone->id))
                ask_again(s, gone);
        return strv_extend(vanished, gone->id) >= 0;
}

static int compare_ids(const void *a, const void *b) {
        const Snapshot *x = *(Snapshot *const *) a, *y = *(Snapshot *const *) b;

        return strcmp(x->id, y->id);
}

static bool was_found(const Reading *r, const char *id) {
        for (size_t i = 0; i < r->n; i++)
                if (str_equal(r->found[i].id, id))
                        return true;
        return false;
}

/* Those of the known ones that count although nobody found them. */
static void add_vanished(Servers *s, const Reading *r, Merging *m) {
        char **vanished = NULL;

        for (size_t i = 0; i < s->n; i++)
                if (!was_found(r, s->snapshots[i]->id) && keep_vanished(s, s->snapshots[i], &vanished))
                        m->snapshots[m->n++] = s->snapshots[i];
        if (vanished)
                qsort(m->snapshots, m->n, sizeof(*m->snapshots), compare_ids);
        strv_free(s->vanished);
        s->vanished = vanished;
}

/* Domains in the store and nobody who names them: more likely lost than meant. */
static void complain_of_silence(Servers *s, const Reading *r) {
        _auto_strv_ char **names = NULL;

        if (r->n > 0 || s->n > 0 || store_domain_list(s->manager->store, STORE_SET_LIVE, &names) != 0 || !names)
                return;
        (void) strv_extend(&s->complaints, "No server has told about its configuration, but there are domains in the store: reload Apache, which tells it again");
}

/* --- Looking at them: the files are read in the thread, what counts is chosen in the loop, the thread merges it, and the loop has it adopted. --- */

/* Whether its errands and its adoption are over. */
bool servers_are_settled(const Servers *s) {
        return !s->wanted && !s->under_way && !adoption_is_running(s->manager->adoption);
}

static void proceed(Servers *s);

/* One look after the other: domains borrow from what was read. */
static bool servers_may_be_read(const Servers *s) {
        return !s->under_way && !adoption_is_running(s->manager->adoption);
}

static void stop(Servers *s, int error, const char *what) {
        (void) log_failure(error, "Cannot %s: %m. The domains known so far are kept.", what);
        s->under_way = false;
        proceed(s);
        listing_wake_all(s->manager);
}

/* What counts from now on. What counted before goes when no domain borrows from it any more. */
static int take_over(Servers *s, Merging *m) {
        Leftovers *old = calloc(1, sizeof(*old));

        if (!old)
                return -ENOMEM;
        old->snapshots = calloc(s->n + 1, sizeof(*old->snapshots));
        if (!old->snapshots) {
                free(old);
                return -ENOMEM;
        }
        for (size_t i = 0; i < s->n; i++) {
                bool stays = false;

                for (size_t k = 0; k < m->n; k++)
                        stays = stays || m->snapshots[k] == s->snapshots[i];
                if (!stays)
                        old->snapshots[old->n++] = s->snapshots[i];
        }
        free(s->snapshots);
        old->merge = s->merge;
        old->next = s->old;
        s->old = old;
        s->snapshots = take_ptr(m->snapshots);
        s->n = m->n;
        s->merge = m->merge;
        m->merge = (SnapshotMerge){ 0 };
        m->n_owned = 0; /* they are ours */
        return 0;
}

static void on_merged(Merging *m, void *userdata) {
        Servers *s = userdata;
        int r = m->outcome;

        if (r >= 0)
                r = take_over(s, m);
        merging_free(m);
        if (r < 0) {
                stop(s, r, "merge the servers' snapshots");
                return;
        }
        s->under_way = false;
        adoption_begin(s->manager->adoption);
}

/* Which of what was read and what was known counts. */
static int choose(Servers *s, Reading *r, Merging **ret) {
        Merging *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->done = on_merged;
        m->userdata = s;
        m->snapshots = calloc(r->n + s->n + 1, sizeof(*m->snapshots));
        m->owned = calloc(r->n + 1, sizeof(*m->owned));
        if (!m->snapshots || !m->owned) {
                merging_free(m);
                return -ENOMEM;
        }
        s->complaints = strv_free(s->complaints);
        complain_of_silence(s, r);
        for (size_t i = 0; i < r->n; i++) {
                Snapshot *one = judge(s, &r->found[i]);

                if (!one || absence_is_forgotten(s->manager->absence, one))
                        continue;
                m->snapshots[m->n++] = one;
                if (one == r->found[i].snapshot)
                        m->owned[m->n_owned++] = take_ptr(r->found[i].snapshot);
        }
        add_vanished(s, r, m);
        s->believed = false;
        *ret = m;
        return 0;
}

static int choose_what_was_read(Servers *s, Reading *reading, Merging **ret) {
        int r = reading->outcome;

        if (r == 0)
                r = choose(s, reading, ret);
        reading_free(reading);
        return r > 0 ? -ENOENT : r;
}

static void on_read(Reading *reading, void *userdata) {
        Servers *s = userdata;
        Merging *m;
        int r = choose_what_was_read(s, reading, &m);

        if (r < 0) {
                stop(s, r, "read " STORE_SERVERS "/ of the store");
                return;
        }
        r = errands_send(s->manager->errands, &merging_class, m);
        if (r < 0) {
                merging_free(m);
                stop(s, r, "merge the servers' snapshots");
        }
}

static int new_reading(Servers *s, Reading **ret) {
        Reading *reading = calloc(1, sizeof(*reading));

        if (!reading)
                return -ENOMEM;
        *reading = (Reading){ .store = s->manager->store, .done = on_read, .userdata = s };
        *ret = reading;
        return 0;
}

static void proceed(Servers *s) {
        Reading *reading;
        int r;

        if (!s->wanted || !servers_may_be_read(s))
                return;
        s->wanted = false;
        r = new_reading(s, &reading);
        if (r >= 0) {
                r = errands_send(s->manager->errands, &reading_class, reading);
                if (r < 0)
                        reading_free(reading);
        }
        if (r < 0)
                (void) log_failure(r, "Cannot read " STORE_SERVERS "/ of the store: %m. The domains known so far are kept.");
        else
                s->under_way = true;
}

void servers_look(Servers *s) {
        s->wanted = true;
        proceed(s);
}

void servers_look_now(Servers *s) {
        Reading *reading;
        Merging *m = NULL;
        int r;

        r = new_reading(s, &reading);
        if (r >= 0) {
                reading_class.work(reading);
                r = choose_what_was_read(s, reading, &m);
        }
        if (r < 0) {
                (void) log_failure(r, "Cannot read " STORE_SERVERS "/ of the store: %m");
                adoption_begin(s->manager->adoption); /* of nothing */
                return;
        }
        merging_class.work(m);
        on_merged(m, s);
}

void servers_adopted(Servers *s, bool all) {
        Leftovers *old = all ? take_ptr(s->old) : NULL;

        if (old && errands_send(s->manager->errands, &leftovers_class, old) < 0)
                leftovers_free(old);
        proceed(s);
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
