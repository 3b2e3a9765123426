/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "base/strv.h"

static pid_t pager;

/* A pager can start a shell. Who was let in as another user only to run mdctl gets one that does not. */
static bool must_be_secure(void) {
        return getenv("SUDO_UID") || getenv("PKEXEC_UID") || getuid() != geteuid();
}

/* NULL: the usual ones. */
static const char *wanted_pager(void) {
        const char *wanted = getenv("SYSTEMD_PAGER");

        return wanted ? wanted : getenv("PAGER");
}

_noreturn_ static void run_pager(const char *wanted) {
        static const char *const usual[] = { "less", "more", "cat" };
        _auto_strv_ char **words = NULL;

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void) signal(SIGINT, SIG_IGN);
        (void) setenv("LESS", str_or(getenv("SYSTEMD_LESS"), "FRSXMK"), 1);
        if (must_be_secure()) {
                (void) setenv("LESSSECURE", "1", 1);
                execlp("less", "less", (char *) NULL);
        } else {
                words = wanted ? strv_split(wanted, " \t") : NULL;
                if (words)
                        execvp(words[0], words);
                for (size_t i = 0; i < ELEMENTSOF(usual); i++)
                        execlp(usual[i], usual[i], (char *) NULL);
        }
        execlp("cat", "cat", (char *) NULL);
        _exit(EXIT_FAILURE);
}

void pager_open(void) {
        const char *wanted = wanted_pager();
        int fds[2];

        if (pager > 0 || !isatty(STDOUT_FILENO) || str_equal(getenv("TERM"), "dumb"))
                return;
        if (wanted && (str_is_empty(wanted) || str_equal(wanted, "cat")))
                return;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return;

        (void) fflush(stdout);
        pager = fork();
        if (pager == 0) {
                (void) dup2(fds[0], STDIN_FILENO);
                run_pager(wanted);
        }
        if (pager > 0)
                (void) dup2(fds[1], STDOUT_FILENO);
        (void) close(fds[0]);
        (void) close(fds[1]);
}

void pager_close(void) {
        if (pager <= 0)
                return;
        (void) fclose(stdout);
        (void) close(STDOUT_FILENO);
        while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
                ;
        pager = 0;
}
