/* SPDX-License-Identifier: Apache-2.0 */
#include "pair-memory.h"

#include <stdio.h>

#include "apr_hash.h"

#include "base/clock.h"

enum {
        SETTLED_USEC = 2 * USEC_PER_SEC,
        LAYOUT = 1, /* counted up with any change of what is kept */
        KEY_MAX = 80,
};

/* The certificate's file is what an entry goes by. */
typedef struct Key {
        uint64_t device, inode;
} Key;

typedef struct Entry {
        Key key;
        PairMark mark;
        PairKnown known;
        bool wanted;        /* since the last sweep */
        struct Entry *next; /* of those that are free */
} Entry;

struct PairMemory {
        apr_pool_t *pool;
        apr_hash_t *entries; /* Key → Entry */
        Entry *free;
};

static bool file_mark_take(const char *file, FileMark *ret) {
        struct stat st;

        if (stat(file, &st) < 0)
                return false;
        *ret = (FileMark){ .device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .changed = st.st_ctim };
        return true;
}

bool pair_mark_take(const char *cert_file, const char *key_file, PairMark *ret) {
        return file_mark_take(cert_file, &ret->cert) && file_mark_take(key_file, &ret->key);
}

static bool file_mark_is_settled(const FileMark *mark, uint64_t now_usec) {
        return mark->changed.tv_sec >= 0 && usec_add((uint64_t) mark->changed.tv_sec * USEC_PER_SEC, SETTLED_USEC) < now_usec;
}

bool pair_mark_is_settled(const PairMark *mark, uint64_t now_usec) {
        return file_mark_is_settled(&mark->cert, now_usec) && file_mark_is_settled(&mark->key, now_usec);
}

static bool file_mark_equal(const FileMark *a, const FileMark *b) {
        return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
                a->changed.tv_nsec == b->changed.tv_nsec;
}

static Entry *find(const PairMemory *m, const PairMark *mark) {
        const Key key = { mark->cert.device, mark->cert.inode };

        return apr_hash_get(m->entries, &key, sizeof(key));
}

PairMemory *pair_memory_of_process(apr_pool_t *process_pool, const char *name) {
        char key[KEY_MAX];
        void *data = NULL;
        PairMemory *m;

        (void) snprintf(key, sizeof(key), "md_manager %s, layout %d of %zu", name, (int) LAYOUT, sizeof(Entry));
        if (apr_pool_userdata_get(&data, key, process_pool) == APR_SUCCESS && data)
                return data;

        m = apr_pcalloc(process_pool, sizeof(*m));
        m->pool = process_pool;
        m->entries = apr_hash_make(process_pool);
        (void) apr_pool_userdata_set(m, key, apr_pool_cleanup_null, process_pool);
        return m;
}

const PairKnown *pair_memory_recall(PairMemory *m, const PairMark *mark) {
        Entry *e = find(m, mark);

        if (!e || !file_mark_equal(&e->mark.cert, &mark->cert) || !file_mark_equal(&e->mark.key, &mark->key))
                return NULL;
        e->wanted = true;
        return &e->known;
}

static Entry *take_room(PairMemory *m) {
        Entry *e = m->free;

        if (!e)
                return apr_pcalloc(m->pool, sizeof(*e));
        m->free = e->next;
        return e;
}

void pair_memory_keep(PairMemory *m, const PairMark *mark, const PairKnown *known) {
        Entry *e = find(m, mark);

        if (!e) {
                e = take_room(m);
                e->key = (Key){ mark->cert.device, mark->cert.inode };
                apr_hash_set(m->entries, &e->key, sizeof(e->key), e);
        }
        e->mark = *mark;
        e->known = *known;
        e->wanted = true;
}

void pair_memory_sweep(PairMemory *m) {
        for (apr_hash_index_t *i = apr_hash_first(NULL, m->entries); i; i = apr_hash_next(i)) {
                Entry *e = apr_hash_this_val(i);

                if (!e->wanted) {
                        apr_hash_set(m->entries, &e->key, sizeof(e->key), NULL);
                        e->next = m->free;
                        m->free = e;
                }
                e->wanted = false;
        }
}

size_t pair_memory_count(const PairMemory *m) {
        return apr_hash_count(m->entries);
}
