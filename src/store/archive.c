/* SPDX-License-Identifier: Apache-2.0 */
#include "store/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "store/internal.h"

enum {
        STEM_MAX = 235, /* leaves room for a dot and any number below 2^64 in a file name */
        SLOT_TRIES = 100,
};

#define SLOT_MAX UINT64_C(1000000000000000) /* a larger number is nothing that we counted */

typedef struct Slots {
        uint64_t *numbers; /* ascending */
        size_t n;
} Slots;

static void slots_done(Slots *s) {
        free(s->numbers);
}

/* FNV-1a; tells long names with the same beginning apart, nothing depends on more. */
static uint64_t hash_name(const char *name) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *name; name++)
                h = (h ^ (unsigned char) *name) * UINT64_C(0x100000001b3);
        return h;
}

static void make_stem(const char *name, char stem[static STEM_MAX + 1]) {
        if (strlen(name) <= STEM_MAX)
                (void) strcpy(stem, name);
        else
                (void) snprintf(stem, STEM_MAX + 1, "%.*s~%016" PRIx64, STEM_MAX - 17, name, hash_name(name));
}

static int compare_numbers(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

        return x < y ? -1 : x > y;
}

/* "NAME.12" is one of NAME's, and also none of "NAME.12"'s: the last label of a domain is never a number. */
static bool parse_slot(const char *entry, const char *stem, uint64_t *ret) {
        const char *number;

        number = str_after_prefix(entry, stem);
        return number && *number == '.' && parse_uint64(number + 1, ret) == 0 && *ret < SLOT_MAX;
}

/* Not dir_list(): of all sets of all domains we want a handful. */
static int find_slots(int fd, const char *stem, Slots *ret) {
        _auto_closedir_ DIR *d = NULL;
        _cleanup_(slots_done) Slots slots = {};
        struct dirent *entry;
        int own_fd;

        own_fd = openat(fd, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
        if (own_fd < 0)
                return -errno;
        d = fdopendir(own_fd);
        if (!d) {
                (void) close(own_fd);
                return -ENOMEM;
        }

        while ((errno = 0, entry = readdir(d))) {
                uint64_t number, *grown;

                if (!parse_slot(entry->d_name, stem, &number))
                        continue;
                grown = reallocarray(slots.numbers, slots.n + 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                slots.numbers = grown;
                slots.numbers[slots.n++] = number;
        }
        if (errno != 0)
                return -errno;

        if (slots.n > 0)
                qsort(slots.numbers, slots.n, sizeof(*slots.numbers), compare_numbers);
        *ret = slots;
        slots = (Slots){};
        return 0;
}

static void make_entry(const char *stem, uint64_t number, char entry[static STORE_ARCHIVE_ENTRY_SIZE]) {
        (void) snprintf(entry, STORE_ARCHIVE_ENTRY_SIZE, "%.*s.%" PRIu64, STEM_MAX, stem, number);
}

void store_archive_entry(const char *name, uint64_t number, char ret_entry[static STORE_ARCHIVE_ENTRY_SIZE]) {
        char stem[STEM_MAX + 1];

        assert(name);

        make_stem(name, stem);
        make_entry(stem, number, ret_entry);
}

/* Being renamed is a change of the directory; nobody changes anything in it afterwards. */
static uint64_t changed_usec(const struct stat *st) {
        return st->st_ctim.tv_sec < 0 ? 0 : (uint64_t) st->st_ctim.tv_sec * USEC_PER_SEC + (uint64_t) st->st_ctim.tv_nsec / 1000;
}

/* 0: there is no directory of this name. */
static uint64_t archived_at(int archive_fd, const char *entry) {
        struct stat st;

        if (fstatat(archive_fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                return 0;
        return MAX_OF(changed_usec(&st), (uint64_t) 1);
}

static int describe(int archive_fd, const char *stem, const Slots *slots, size_t max, ArchivedSet **ret_sets, size_t *ret_n) {
        _auto_free_ ArchivedSet *sets = calloc(MIN_OF(slots->n, max) + 1, sizeof(*sets));
        size_t n = 0;

        if (!sets)
                return -ENOMEM;
        for (size_t i = slots->n; i-- > 0 && n < max;) {
                char entry[STORE_ARCHIVE_ENTRY_SIZE];
                uint64_t at;

                make_entry(stem, slots->numbers[i], entry);
                at = archived_at(archive_fd, entry);
                if (at > 0)
                        sets[n++] = (ArchivedSet){ slots->numbers[i], at };
        }
        *ret_sets = n > 0 ? take_ptr(sets) : NULL;
        *ret_n = n;
        return 0;
}

/* The archive for reading, and what is in it of a domain. A positive result: there is nothing. */
static int open_slots(Store *s, const char *name, int *ret_fd, char stem[static STEM_MAX + 1], Slots *ret) {
        int r;

        if (!store_name_is_valid(name))
                return DIR_E_NOT_FOUND;
        r = store_open_dir(s, STORE_ARCHIVE, ret_fd);
        if (r != 0)
                return r;
        make_stem(name, stem);
        return find_slots(*ret_fd, stem, ret);
}

int store_archive_list(Store *s, const char *name, size_t max, ArchivedSet **ret_sets, size_t *ret_n) {
        _cleanup_(slots_done) Slots slots = {};
        _auto_close_ int archive_fd = -1;
        char stem[STEM_MAX + 1];
        int r;

        assert(s);
        assert(ret_sets);
        assert(ret_n);

        r = open_slots(s, name, &archive_fd, stem, &slots);
        if (r < 0)
                return r;
        if (r == 0)
                return describe(archive_fd, stem, &slots, max, ret_sets, ret_n);
        *ret_sets = NULL;
        *ret_n = 0;
        return 0;
}

int store_archive_take(Store *s, int from_fd, const char *name, char ret_entry[static STORE_ARCHIVE_ENTRY_SIZE]) {
        _cleanup_(slots_done) Slots slots = {};
        _auto_close_ int archive_fd = -1;
        char stem[STEM_MAX + 1];
        uint64_t number;
        int r;

        r = store_open_writable(s, STORE_ARCHIVE, (gid_t) -1, &archive_fd);
        if (r != 0)
                return r < 0 ? r : -ENOENT;
        make_stem(name, stem);
        r = find_slots(archive_fd, stem, &slots);
        if (r < 0)
                return r;

        number = slots.n > 0 ? slots.numbers[slots.n - 1] + 1 : 1;
        for (unsigned i = 0; i < SLOT_TRIES; i++, number++) {
                make_entry(stem, number, ret_entry);
                r = dir_rename_at(from_fd, name, archive_fd, ret_entry);
                if (r != DIR_E_EXISTS)
                        return r <= 0 ? r : -ENOENT;
        }
        return -EEXIST;
}

int store_archive_staging(Store *s, const char *name) {
        char entry[STORE_ARCHIVE_ENTRY_SIZE];
        _auto_close_ int staging_fd = -1;
        int r;

        assert(s);

        if (!store_name_is_valid(name))
                return -EINVAL;
        r = store_open_writable(s, STORE_STAGING, (gid_t) -1, &staging_fd);
        if (r != 0)
                return r < 0 ? r : -ENOENT;
        return store_archive_take(s, staging_fd, name, entry);
}

bool store_set_has_certificate(int dir_fd) {
        _auto_strv_ char **names = NULL;

        if (dir_list(dir_fd, &names) != 0)
                return true; /* better one set too many in the archive */

        STRV_FOREACH(name, names)
                if (str_has_prefix(*name, STORE_STEM_CERT ".") && str_has_suffix(*name, ".pem"))
                        return true;
        return false;
}

static int remove_slot(int archive_fd, const char *stem, uint64_t number) {
        char entry[STORE_ARCHIVE_ENTRY_SIZE];
        int r;

        make_entry(stem, number, entry);
        r = dir_remove_tree_at(archive_fd, entry);
        if (r == DIR_E_NOT_DIRECTORY)
                return 0; /* a stray file is not ours */
        return r < 0 ? r : 0;
}

int store_archive_prune(Store *s, const char *name, unsigned keep) {
        _cleanup_(slots_done) Slots slots = {};
        _auto_close_ int archive_fd = -1;
        char stem[STEM_MAX + 1];
        int r;

        assert(s);

        r = open_slots(s, name, &archive_fd, stem, &slots);
        if (r != 0)
                return r < 0 ? r : 0;

        for (size_t i = 0; i + keep < slots.n; i++) {
                r = remove_slot(archive_fd, stem, slots.numbers[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int store_archive_remove(Store *s, const char *name, uint64_t number) {
        _auto_close_ int archive_fd = -1;
        char stem[STEM_MAX + 1];
        int r;

        assert(s);

        if (!store_name_is_valid(name))
                return 0;
        r = store_open_dir(s, STORE_ARCHIVE, &archive_fd);
        if (r != 0)
                return r < 0 ? r : 0;
        make_stem(name, stem);
        return remove_slot(archive_fd, stem, number);
}

/* "NAME.N", whatever the name is. */
static bool is_slot(const char *entry) {
        const char *dot = strrchr(entry, '.');
        uint64_t number;

        return dot && dot > entry && *entry != '.' && parse_uint64(dot + 1, &number) == 0 && number < SLOT_MAX;
}

int store_archive_prune_before(Store *s, uint64_t before_usec, size_t *ret_n) {
        _auto_close_ int archive_fd = -1;
        _auto_strv_ char **entries = NULL;
        int r, first_error = 0;
        size_t n = 0;

        assert(s);

        r = store_open_dir(s, STORE_ARCHIVE, &archive_fd);
        if (r == 0)
                r = dir_list(archive_fd, &entries);
        STRV_FOREACH(entry, entries) {
                uint64_t at = is_slot(*entry) ? archived_at(archive_fd, *entry) : 0;

                if (at == 0 || at >= before_usec)
                        continue;
                r = dir_remove_tree_at(archive_fd, *entry);
                if (r < 0 && first_error == 0)
                        first_error = r;
                n += r == 0;
                r = 0;
        }
        if (ret_n)
                *ret_n = n;
        return r < 0 ? r : first_error;
}
