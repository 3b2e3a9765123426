/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/configured.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/snapshot.h"

static void domain_release(void *value) {
        ConfiguredDomain *d = value;

        strv_free(d->dns01_command);
        strv_free(d->names);
        free(d);
}

static ConfiguredServer *server_free(ConfiguredServer *s) {
        if (!s)
                return NULL;
        map_free_with(s->domains, domain_release);
        strv_free(s->command);
        strv_free(s->notify_command);
        free(s->id);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(ConfiguredServer *, server_free)

static void free_servers(ConfiguredServer **servers, size_t n) {
        for (size_t i = 0; i < n; i++)
                server_free(servers[i]);
        free(servers);
}

void configured_done(Configured *c) {
        free_servers(c->servers, c->n_servers);
        *c = (Configured) {};
}

/* All zero: there is no such file any more. */
static int read_stamp(int dir_fd, const char *id, uint64_t stamp[5]) {
        _auto_free_ char *name = str_printf("%s.json", id);
        struct stat st = {};

        if (!name)
                return -ENOMEM;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
                return -errno;
        stamp[0] = st.st_dev;
        stamp[1] = st.st_ino;
        stamp[2] = (uint64_t) st.st_size;
        stamp[3] = (uint64_t) st.st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t) st.st_mtim.tv_nsec;
        stamp[4] = (uint64_t) st.st_ctim.tv_sec * UINT64_C(1000000000) + (uint64_t) st.st_ctim.tv_nsec;
        return 0;
}

/* The first definition of a name counts. */
static int take_domain(Map *domains, ManagedDomain *from) {
        ConfiguredDomain *d = map_get(domains, from->name) ? NULL : calloc(1, sizeof(*d));
        int r;

        if (!d)
                return map_get(domains, from->name) ? 0 : -ENOMEM;
        d->dns01_command = take_ptr(from->dns01_cmd);
        d->names = take_ptr(from->names);
        r = map_put(domains, from->name, d);
        if (r < 0)
                domain_release(d);
        return r;
}

static int take_over(ConfiguredServer *s, Snapshot *snapshot) {
        Map *domains = map_new();
        int r = domains ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < snapshot->n_domains; i++)
                r = take_domain(domains, snapshot->domains[i]);
        if (r < 0) {
                map_free_with(domains, domain_release);
                return r;
        }
        map_free_with(s->domains, domain_release);
        s->domains = domains;
        strv_free(s->command);
        s->command = take_ptr(snapshot->message_cmd);
        strv_free(s->notify_command);
        s->notify_command = take_ptr(snapshot->notify_cmd);
        s->dns01_version = snapshot->dns01_version;
        return 0;
}

static int read_server(Store *store, ConfiguredServer *s) {
        _cleanup_(snapshot_freep) Snapshot *snapshot = NULL;
        _auto_problem_ Problem *problem = NULL;
        _auto_strv_ char **complaints = NULL;
        int r;

        r = store_snapshot_read(store, s->id, &snapshot, &complaints, &problem);
        if (r < 0)
                return r;
        if (r == STORE_SNAPSHOT_DONE)
                return take_over(s, snapshot);
        if (r == STORE_SNAPSHOT_E_REFUSED)
                log_warning("Snapshot refused: %s", problem ? problem->detail : s->id);
        return 0;
}

/* Takes what is known of 'id' out of the old list. */
static ConfiguredServer *take_known(Configured *c, const char *id) {
        for (size_t i = 0; i < c->n_servers; i++)
                if (c->servers[i] && str_equal(c->servers[i]->id, id))
                        return take_ptr(c->servers[i]);
        return NULL;
}

/* The file is looked at before it is read: what changes meanwhile is another one the next time. */
static int look_at(Configured *c, Store *store, int dir_fd, const char *id, ConfiguredServer **ret) {
        _cleanup_(server_freep) ConfiguredServer *s = take_known(c, id);
        uint64_t stamp[5];
        int r;

        if (!s) {
                s = calloc(1, sizeof(*s));
                if (!s || str_replace(&s->id, id) < 0)
                        return -ENOMEM;
        }
        r = read_stamp(dir_fd, id, stamp);
        if (r < 0)
                return r;
        if (memcmp(stamp, s->stamp, sizeof(stamp)) != 0) {
                r = read_server(store, s);
                if (r < 0)
                        return r;
                memcpy(s->stamp, stamp, sizeof(stamp));
        }
        *ret = take_ptr(s);
        return 0;
}

static int look_at_all(Configured *c, Store *store, int dir_fd, char *const *ids) {
        size_t n = strv_length(ids);
        Configured now = { .servers = calloc(n + 1, sizeof(*now.servers)) };
        int r = 0;

        if (!now.servers)
                return -ENOMEM;
        for (; now.n_servers < n; now.n_servers++) {
                r = look_at(c, store, dir_fd, ids[now.n_servers], &now.servers[now.n_servers]);
                if (r < 0)
                        break;
        }
        /* On failure the rest is read again the next time. */
        configured_done(c);
        *c = now;
        return r;
}

static int refresh(Configured *c, const char *store_dir, Problem **ret_problem) {
        _cleanup_(store_closep) Store *store = NULL;
        _auto_strv_ char **ids = NULL;
        _auto_close_ int dir_fd = -1;
        int r;

        r = store_open(store_dir, STORE_ROLE_SERVER, &store, ret_problem);
        if (r != STORE_DONE)
                return r < 0 ? r : CONFIGURED_E_UNUSABLE;
        r = store_snapshot_list(store, &ids);
        if (r < 0)
                return r;
        if (!ids) {
                configured_done(c);
                return 0;
        }
        r = store_open_dir(store, STORE_SERVERS, &dir_fd);
        if (r != 0)
                return r < 0 ? r : CONFIGURED_E_UNUSABLE;
        return look_at_all(c, store, dir_fd, ids);
}

int configured_find(Configured *c, const char *store_dir, const char *domain, const ConfiguredServer **ret, Problem **ret_problem) {
        int r;

        assert(c);
        assert(store_dir);
        assert(ret);

        r = refresh(c, store_dir, ret_problem);
        if (r != 0)
                return r;

        *ret = NULL;
        for (size_t i = 0; i < c->n_servers && !*ret; i++)
                if (domain ? c->servers[i]->domains && map_get(c->servers[i]->domains, domain) : strv_length(c->servers[i]->command) > 0)
                        *ret = c->servers[i];
        return 0;
}
