/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A store in a directory of the test's own. Everything in it belongs to whoever runs the test. */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/test.h"
#include "lib/tmp-dir.h"
#include "store/internal.h"

static inline Store *tree_open(TmpDir *dir, StoreRole role) {
        _auto_problem_ Problem *problem = NULL;
        Store *s = NULL;
        int r;

        r = store_open(dir->path, role, &s, &problem);
        if (r != 0) {
                printf("# store_open: %d %s\n", r, problem ? problem->detail : "");
                printf("Bail out! no store\n");
                exit(EXIT_FAILURE);
        }
        return s;
}

#define _auto_store_ _cleanup_(store_closep)

/* Makes the directories of a path and the file, unless text is NULL. */
static inline void tree_put(TmpDir *dir, const char *path, const char *text) {
        char part[4096];

        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                (void) snprintf(part, sizeof(part), "%.*s", (int) (slash - path), path);
                (void) mkdirat(dir->fd, part, 0700);
        }
        if (text)
                tmp_dir_write(dir, path, text);
}

static inline unsigned tree_mode(TmpDir *dir, const char *path) {
        struct stat st;

        return fstatat(dir->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode & 07777;
}

static inline bool tree_holds(TmpDir *dir, const char *path, const char *text) {
        _auto_free_ char *stored = tmp_dir_read(dir, path);

        return stored && strcmp(stored, text) == 0;
}

static inline void tree_remove(TmpDir *dir, const char *path) {
        char command[8192];

        (void) snprintf(command, sizeof(command), "rm -rf '%s/%s'", dir->path, path);
        if (system(command) != 0)
                printf("# cannot remove %s\n", path);
}

static inline bool tree_wait(pid_t pid) {
        int status;

        return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Runs 'work' in a child that is an ordinary user, in no group but its own. Needs root. */
enum {
        TREE_USER = 12345,
        TREE_GROUP = 54321, /* of others */
};
static inline bool tree_as_user(bool (*work)(Store *s), Store *s) {
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0) {
                if (setgroups(0, NULL) < 0 || setresgid(TREE_USER, TREE_USER, TREE_USER) < 0 || setresuid(TREE_USER, TREE_USER, TREE_USER) < 0)
                        _exit(1);
                _exit(work(s) ? 0 : 1);
        }
        return tree_wait(pid);
}

/* Runs 'work' in a child that may write files of at most 'size' bytes. True: it returned true there. */
static inline bool tree_when_disk_is_full(bool (*work)(Store *s), Store *s, rlim_t size) {
        pid_t pid;

        (void) fflush(stdout);
        pid = fork();
        if (pid == 0) {
                const struct rlimit limit = { .rlim_cur = size, .rlim_max = size };

                (void) signal(SIGXFSZ, SIG_IGN);
                (void) setrlimit(RLIMIT_FSIZE, &limit);
                _exit(work(s) ? 0 : 1);
        }
        return tree_wait(pid);
}
