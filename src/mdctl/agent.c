/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/string-util.h"

#define AGENT "/usr/bin/pkttyagent"

enum {
        READY_TIMEOUT_MSEC = 5000,
};

static pid_t agent;

_noreturn_ static void run_agent(pid_t parent, int ready_fd) {
        _auto_free_ char *fd = NULL, *process = NULL;

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void) signal(SIGINT, SIG_IGN);
        (void) fcntl(ready_fd, F_SETFD, 0);
        fd = str_printf("%i", ready_fd);
        process = str_printf("%i", (int) parent);
        if (fd && process)
                execl(AGENT, AGENT, "--notify-fd", fd, "--fallback", "--process", process, (char *) NULL);
        _exit(EXIT_FAILURE);
}

void agent_open(const Mdctl *c) {
        pid_t parent = getpid();
        struct pollfd ready;
        int fds[2];

        if (agent > 0 || c->host || c->no_ask_password || geteuid() == 0)
                return;
        if (!isatty(STDIN_FILENO) || access(AGENT, X_OK) < 0 || pipe2(fds, O_CLOEXEC) < 0)
                return;

        agent = fork();
        if (agent == 0)
                run_agent(parent, fds[1]);
        (void) close(fds[1]);
        /* It closes its end when it is registered, and also when it gives up. */
        ready = (struct pollfd){ .fd = fds[0], .events = POLLIN };
        if (agent > 0)
                (void) poll(&ready, 1, READY_TIMEOUT_MSEC);
        (void) close(fds[0]);
}

void agent_close(void) {
        if (agent <= 0)
                return;
        (void) kill(agent, SIGTERM);
        (void) kill(agent, SIGCONT);
        while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
                ;
        agent = 0;
}
