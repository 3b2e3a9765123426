/* SPDX-License-Identifier: Apache-2.0 */
#include "store/activate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"
#include "store/lock.h"

/* An old set without certificate on its way out. It has the form of a temporary name, so that recovery removes what a crash leaves. */
#define BARE ".old.bare00"

typedef struct Places {
        Store *store;
        int domains_fd, staging_fd, tmp_fd;
} Places;

static void places_done(Places *p) {
        cleanup_close(&p->domains_fd);
        cleanup_close(&p->staging_fd);
        cleanup_close(&p->tmp_fd);
}
#define _auto_places_ _cleanup_(places_done)
#define PLACES_INIT ((Places){ .domains_fd = -1, .staging_fd = -1, .tmp_fd = -1 })

static int places_open(Places *p, Store *s) {
        int r;

        p->store = s;
        r = store_open_writable(s, STORE_DOMAINS, (gid_t) -1, &p->domains_fd);
        if (r == 0)
                r = store_open_writable(s, STORE_STAGING, (gid_t) -1, &p->staging_fd);
        if (r == 0)
                r = store_open_writable(s, STORE_TMP, (gid_t) -1, &p->tmp_fd);
        return r <= 0 ? r : STORE_ACTIVATE_E_NOT_FOUND;
}

static bool exists(int dir_fd, const char *name) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int move(int from_fd, int to_fd, const char *name) {
        int r;

        r = dir_rename_at(from_fd, name, to_fd, name);
        if (r > 0)
                return r == DIR_E_EXISTS ? -EEXIST : -ENOENT;
        return r;
}

/* Step 4: the old set leaves tmp/. */
static int retire(const Places *p, const char *name) {
        char entry[STORE_ARCHIVE_ENTRY_SIZE];
        _auto_close_ int fd = -1;
        int r;

        r = dir_open_at(p->tmp_fd, name, &fd);
        if (r == DIR_E_NOT_FOUND)
                return 0;
        if (r < 0)
                return r;
        if (r > 0 || !store_set_has_certificate(fd))
                return store_remove_at(p->tmp_fd, name);

        if (fchmod(fd, 0700) < 0)
                return -errno;
        return store_archive_take(p->store, p->tmp_fd, name, entry);
}

/* The set is live and alone: the mark has done its work. It does no harm either, so a failure does not matter. */
static void unmark_live(const Places *p, const char *name) {
        _auto_close_ int fd = -1;

        if (dir_open_at(p->domains_fd, name, &fd) == 0)
                (void) unlinkat(fd, STORE_FILE_ACTIVATED, 0);
}

/* Whatever a crash left in tmp/NAME. The table stands in the header. */
static int recover(const Places *p, const char *name, bool *ret_mended) {
        _auto_close_ int fd = -1;
        bool is_new = false;
        int r;

        *ret_mended = false;
        if (!exists(p->tmp_fd, name))
                return 0;

        r = dir_open_at(p->tmp_fd, name, &fd);
        if (r < 0)
                return r;
        if (r == 0)
                is_new = exists(fd, STORE_FILE_ACTIVATED);

        if (r == 0 && !exists(p->domains_fd, name))
                r = move(p->tmp_fd, p->domains_fd, name);
        else if (is_new && !exists(p->staging_fd, name))
                r = move(p->tmp_fd, p->staging_fd, name);
        else
                r = retire(p, name);
        if (r < 0)
                return r;

        store_step(p->store, "recovered");
        unmark_live(p, name);
        *ret_mended = true;
        return 0;
}

static bool is_complete(int fd, const KeySpecs *specs) {
        for (size_t i = 0; i < key_specs_count(specs); i++) {
                const KeySpec spec = key_specs_get(specs, i);
                char file[KEY_SPEC_FILE_MAX];

                if (!store_has_file(fd, key_spec_file(&spec, STORE_STEM_KEY, file)) ||
                    !store_has_file(fd, key_spec_file(&spec, STORE_STEM_CERT, file)))
                        return false;
        }
        return true;
}

/* What is not there, or is not what it should be, is not worth carrying on: the staged one stays if there is one. */
static int carry_over(int from_fd, int to_fd, const char *file) {
        _auto_json_ JsonObject *o = NULL;
        _auto_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = file_read_at(from_fd, file, STORE_JSON_MAX, &text, &size);
        if (r == 0)
                r = json_parse(text, size, &o, NULL);
        if (r != 0)
                return r < 0 ? r : 0;

        return file_replace_at(to_fd, file, text, size, &STORE_PRIVATE_FILE);
}

static int complete_from_live(const Places *p, const char *name, int set_fd) {
        _auto_close_ int live_fd = -1;
        int r;

        r = dir_open_at(p->domains_fd, name, &live_fd);
        if (r != 0)
                return r < 0 ? r : 0;

        r = store_remove_at(live_fd, STORE_FILE_ACTIVATED);
        if (r < 0)
                return r;
        store_step(p->store, "live set unmarked");

        r = carry_over(live_fd, set_fd, STORE_FILE_MD);
        if (r < 0)
                return r;
        store_step(p->store, "md.json carried over");

        return carry_over(live_fd, set_fd, STORE_FILE_JOB);
}

/* Step 1. */
static int complete(const Places *p, const char *name, const KeySpecs *specs) {
        _auto_close_ int fd = -1;
        int r;

        r = dir_open_at(p->staging_fd, name, &fd);
        if (r != 0)
                return r < 0 ? r : STORE_ACTIVATE_E_INCOMPLETE;
        if (!is_complete(fd, specs))
                return STORE_ACTIVATE_E_INCOMPLETE;

        r = store_remove_temporaries(fd);
        if (r < 0)
                return r;
        r = complete_from_live(p, name, fd);
        if (r < 0)
                return r;
        store_step(p->store, "job.json carried over");

        r = file_replace_at(fd, STORE_FILE_ACTIVATED, "", 0, &STORE_PRIVATE_FILE);
        if (r < 0)
                return r;
        store_step(p->store, "staged set marked");
        return 0;
}

/* Where the old set is while the new one takes its place. */
typedef struct Aside {
        int fd;
        char entry[STORE_ARCHIVE_ENTRY_SIZE];
        bool is_bare; /* without a certificate: not for the archive */
} Aside;

static void aside_done(Aside *a) {
        cleanup_close(&a->fd);
}

static int put_aside(const Places *p, const char *name, Aside *a) {
        _auto_close_ int live_fd = -1;
        int r;

        r = dir_open_at(p->domains_fd, name, &live_fd);
        if (r < 0)
                return r;

        a->is_bare = r > 0 || !store_set_has_certificate(live_fd);
        if (!a->is_bare) {
                r = store_open_writable(p->store, STORE_ARCHIVE, (gid_t) -1, &a->fd);
                if (r != 0)
                        return r < 0 ? r : -ENOENT;
                return store_archive_take(p->store, p->domains_fd, name, a->entry);
        }

        r = store_remove_at(p->tmp_fd, BARE);
        if (r < 0)
                return r;
        (void) strcpy(a->entry, BARE);
        r = dir_rename_at(p->domains_fd, name, p->tmp_fd, BARE);
        return r <= 0 ? r : -ENOENT;
}

static int exchange_in_two_steps(const Places *p, const char *name) {
        _cleanup_(aside_done) Aside aside = { .fd = -1 };
        int r;

        r = put_aside(p, name, &aside);
        if (r < 0)
                return r;
        store_step(p->store, "old set put aside");

        r = move(p->tmp_fd, p->domains_fd, name);
        if (r < 0) {
                (void) dir_rename_at(aside.is_bare ? p->tmp_fd : aside.fd, aside.entry, p->domains_fd, name);
                return r;
        }
        store_step(p->store, "new set is live");

        if (aside.is_bare)
                (void) store_remove_at(p->tmp_fd, BARE);
        return 0;
}

/* Step 3. */
static int exchange(const Places *p, const char *name) {
        int r;

        if (!exists(p->domains_fd, name)) {
                r = move(p->tmp_fd, p->domains_fd, name);
                if (r < 0)
                        return r;
                store_step(p->store, "new set is live");
                return 0;
        }

        if (p->store->without_exchange)
                return exchange_in_two_steps(p, name);
        if (renameat2(p->tmp_fd, name, p->domains_fd, name, RENAME_EXCHANGE) < 0) {
                if (errno == EINVAL || errno == ENOSYS)
                        return exchange_in_two_steps(p, name);
                return -errno;
        }
        store_step(p->store, "new set is live");

        /* It happened. Not knowing whether it lasts is no reason to say that it did not: a crash leaves the one or the other. */
        (void) dir_sync(p->domains_fd);
        (void) dir_sync(p->tmp_fd);
        return 0;
}

/* Steps 2 and 3, alone with the servers. */
static int change_places(const Places *p, const char *name) {
        _auto_close_ int lock_fd = -1;
        int r;

        r = store_lock_exclusive(p->store, &lock_fd);
        if (r != 0)
                return r < 0 ? r : STORE_ACTIVATE_E_BUSY;

        r = move(p->staging_fd, p->tmp_fd, name);
        if (r < 0)
                return r;
        store_step(p->store, "set is in tmp");

        r = exchange(p, name);
        if (r < 0)
                (void) move(p->tmp_fd, p->staging_fd, name);
        return r;
}

int store_activate(Store *s, const char *name, const KeySpecs *specs) {
        _auto_places_ Places p = PLACES_INIT;
        bool mended;
        int r;

        assert(s);
        assert(specs);

        if (!store_name_is_valid(name))
                return STORE_ACTIVATE_E_INCOMPLETE;
        r = places_open(&p, s);
        if (r != 0)
                return r;

        r = recover(&p, name, &mended);
        if (r < 0)
                return r;
        r = complete(&p, name, specs);
        if (r != 0)
                return r;
        r = change_places(&p, name);
        if (r != 0)
                return r;

        (void) retire(&p, name);
        store_step(s, "old set retired");
        unmark_live(&p, name);
        return 0;
}

int store_activate_recover(Store *s, char ***ret_names) {
        _auto_strv_ char **all = NULL, **mended = NULL;
        _auto_places_ Places p = PLACES_INIT;
        int r, first_error = 0;

        assert(s);

        r = places_open(&p, s);
        if (r != 0)
                return r;
        r = dir_list(p.tmp_fd, &all);
        if (r != 0)
                return r;

        STRV_FOREACH(name, all) {
                bool is_mended = false;

                if (!store_name_is_valid(*name))
                        continue;
                r = recover(&p, *name, &is_mended);
                if (r == 0 && is_mended)
                        r = strv_extend(&mended, *name);
                if (r < 0 && first_error == 0)
                        first_error = r;
        }

        r = store_remove_temporaries(p.tmp_fd);
        if (r < 0 && first_error == 0)
                first_error = r;
        if (first_error != 0)
                return first_error;

        if (ret_names)
                *ret_names = take_ptr(mended);
        return 0;
}
