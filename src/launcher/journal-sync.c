/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/journal-sync.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define ADDRESS "/run/systemd/journal/io.systemd.journal"
#define REQUEST "{\"method\":\"io.systemd.Journal.Synchronize\",\"parameters\":{}}" /* varlink: a NUL byte ends it */
#define PATIENCE_USEC (5 * USEC_PER_SEC)

struct JournalSync {
        int fd;
        sd_event_source *answer, *deadline;
        void (*done)(void *userdata);
        void *userdata;
};

JournalSync *journal_sync_free(JournalSync *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->answer);
        sd_event_source_disable_unref(s->deadline);
        if (s->fd >= 0)
                (void) close(s->fd);
        free(s);
        return NULL;
}

static void finish(JournalSync *s) {
        (void) sd_event_source_set_enabled(s->answer, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(s->deadline, SD_EVENT_OFF);
        s->done(s->userdata);
}

/* Whatever it says: it has come to us, or it never will. */
static int on_answer(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        finish(userdata);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        finish(userdata);
        return 0;
}

static int ask(int fd) {
        const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = ADDRESS };

        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return send(fd, REQUEST, sizeof(REQUEST), MSG_NOSIGNAL) == (ssize_t) sizeof(REQUEST) ? 0 : -EIO;
}

int journal_sync_new(sd_event *event, void (*done)(void *userdata), void *userdata, JournalSync **ret) {
        _cleanup_(journal_sync_freep) JournalSync *s = calloc(1, sizeof(*s));
        int r;

        assert(event);
        assert(done);
        assert(ret);

        if (!s)
                return -ENOMEM;
        *s = (JournalSync){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .done = done, .userdata = userdata };
        r = s->fd < 0 ? -errno : ask(s->fd);
        if (r == 0)
                r = sd_event_add_io(event, &s->answer, s->fd, EPOLLIN, on_answer, s);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &s->deadline, CLOCK_MONOTONIC, PATIENCE_USEC, 0, on_deadline, s);
        if (r < 0)
                return r;
        *ret = take_ptr(s);
        return 0;
}
