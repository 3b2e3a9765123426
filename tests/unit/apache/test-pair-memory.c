/* SPDX-License-Identifier: Apache-2.0 */
#include "pair-memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apr_general.h"

#include "base/clock.h"
#include "lib/test.h"

static apr_pool_t *pool_new(void) {
        apr_pool_t *p = NULL;

        (void) apr_initialize();
        (void) apr_pool_create(&p, NULL);
        return p;
}

static PairMark mark(uint64_t inode, time_t changed) {
        return (PairMark){
                .cert = { .device = 1, .inode = inode, .size = 100, .changed = { .tv_sec = changed, .tv_nsec = 5 } },
                .key = { .device = 1, .inode = inode + 1000, .size = 50, .changed = { .tv_sec = changed, .tv_nsec = 7 } },
        };
}

static const PairKnown known = { .digest = { 1, 2, 3 }, .until_usec = 77 };

TEST(recall) {
        apr_pool_t *p = pool_new();
        PairMemory *m = pair_memory_of_process(p, "pairs");
        PairMark a = mark(1, 10);
        const PairKnown *found;

        CHECK(!pair_memory_recall(m, &a));
        pair_memory_keep(m, &a, &known);
        found = pair_memory_recall(m, &a);
        CHECK(found && found->until_usec == 77 && memcmp(found->digest, known.digest, sizeof(known.digest)) == 0);
        CHECK(pair_memory_of_process(p, "pairs") == m);
        CHECK(pair_memory_of_process(p, "others") != m);
        CHECK(!pair_memory_recall(pair_memory_of_process(p, "others"), &a));
        apr_pool_destroy(p);
}

/* Every member of a mark counts, in both files. */
TEST(other_files) {
        apr_pool_t *p = pool_new();
        PairMemory *m = pair_memory_of_process(p, "pairs");
        PairMark a = mark(1, 10);

        pair_memory_keep(m, &a, &known);
        for (int file = 0; file < 2; file++)
                for (int member = 0; member < 5; member++) {
                        PairMark other = a;
                        FileMark *f = file == 0 ? &other.cert : &other.key;

                        f->device += member == 0;
                        f->inode += member == 1;
                        f->size += member == 2;
                        f->changed.tv_sec += member == 3;
                        f->changed.tv_nsec += member == 4;
                        CHECK(!pair_memory_recall(m, &other));
                }
        CHECK(pair_memory_recall(m, &a));
        apr_pool_destroy(p);
}

TEST(last_one_counts) {
        apr_pool_t *p = pool_new();
        PairMemory *m = pair_memory_of_process(p, "pairs");
        PairMark a = mark(1, 10), again = mark(1, 20);

        pair_memory_keep(m, &a, &known);
        pair_memory_keep(m, &again, &known);
        CHECK(!pair_memory_recall(m, &a));
        CHECK(pair_memory_recall(m, &again));
        CHECK_INT(pair_memory_count(m), 1);
        apr_pool_destroy(p);
}

TEST(sweep) {
        apr_pool_t *p = pool_new();
        PairMemory *m = pair_memory_of_process(p, "pairs");

        for (uint64_t pass = 0; pass < 100; pass++) {
                for (uint64_t i = 0; i < 50; i++) {
                        PairMark a = mark(100 * (pass % 2) + i, (time_t) pass);

                        pair_memory_keep(m, &a, &known);
                }
                pair_memory_sweep(m);
                CHECK_INT(pair_memory_count(m), 50);
        }

        /* Asked for is as good as kept. */
        for (uint64_t i = 0; i < 10; i++) {
                PairMark a = mark(100 + i, 99);

                CHECK(pair_memory_recall(m, &a));
        }
        pair_memory_sweep(m);
        CHECK_INT(pair_memory_count(m), 10);
        pair_memory_sweep(m);
        CHECK_INT(pair_memory_count(m), 0);
        apr_pool_destroy(p);
}

static void write_file(const char *path, const char *text) {
        FILE *f = fopen(path, "w");

        CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

TEST(marks) {
        char directory[] = "/tmp/test-pair-memory-XXXXXX", cert[64], key[64], other[64];
        PairMark a, b;
        uint64_t changed_usec;

        CHECK(mkdtemp(directory) != NULL);
        (void) snprintf(cert, sizeof(cert), "%s/cert", directory);
        (void) snprintf(key, sizeof(key), "%s/key", directory);
        (void) snprintf(other, sizeof(other), "%s/other", directory);
        write_file(cert, "cert");
        CHECK(!pair_mark_take(cert, key, &a));
        write_file(key, "key");
        CHECK(pair_mark_take(cert, key, &a));
        CHECK_INT(a.cert.size, 4);
        CHECK_INT(a.key.size, 3);

        changed_usec = (uint64_t) a.key.changed.tv_sec * USEC_PER_SEC;
        CHECK(!pair_mark_is_settled(&a, changed_usec));
        CHECK(!pair_mark_is_settled(&a, changed_usec + USEC_PER_SEC));
        CHECK(pair_mark_is_settled(&a, changed_usec + 4 * USEC_PER_SEC));
        CHECK(!pair_mark_is_settled(&a, changed_usec - USEC_PER_DAY)); /* the clock was put back */

        /* A file of the same size in its place. */
        write_file(other, "yek");
        CHECK(rename(other, key) == 0);
        CHECK(pair_mark_take(cert, key, &b));
        CHECK(a.key.inode != b.key.inode);
        CHECK(a.cert.inode == b.cert.inode);

        (void) unlink(cert);
        (void) unlink(key);
        (void) rmdir(directory);
}
