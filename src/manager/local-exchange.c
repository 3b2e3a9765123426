/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/local-exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/string-util.h"

struct LocalExchange {
        int fd;
        sd_event_source *io;
        char *request;
        size_t size, sent;
        char *answer;
        size_t received;
        LocalExchangeHandler handler;
        void *userdata;
};

LocalExchange *local_exchange_free(LocalExchange *x) {
        if (!x)
                return NULL;
        sd_event_source_disable_unref(x->io);
        cleanup_close(&x->fd);
        if (x->answer)
                secret_wipe(x->answer, x->received);
        free(x->answer);
        free(x->request);
        free(x);
        return NULL;
}

static int finish(LocalExchange *x, int error) {
        x->io = sd_event_source_disable_unref(x->io);
        x->handler(x, error, x->answer, x->received, x->userdata);
        return 0;
}

/* One that answers before it has read everything may have closed already: its answer counts. */
static int send_more(LocalExchange *x) {
        ssize_t n = send(x->fd, x->request + x->sent, x->size - x->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EPIPE)
                x->sent = x->size;
        else if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        else
                x->sent += (size_t) n;
        return x->sent == x->size ? sd_event_source_set_io_events(x->io, EPOLLIN) : 0;
}

/* Positive: it has closed. */
static int receive_more(LocalExchange *x) {
        ssize_t n;

        if (x->received == LOCAL_EXCHANGE_ANSWER_MAX)
                return -EMSGSIZE;
        n = recv(x->fd, x->answer + x->received, LOCAL_EXCHANGE_ANSWER_MAX - x->received, 0);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        x->received += (size_t) n;
        return n == 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        LocalExchange *x = userdata;
        int r = 0;

        if ((revents & EPOLLOUT) && x->sent < x->size)
                r = send_more(x);
        if (r >= 0 && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                r = receive_more(x);
        if (r == 0)
                return 0;
        return finish(x, MIN_OF(r, 0));
}

static int open_socket(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _auto_close_ int fd = -1;

        if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        (void) strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return take_fd(fd);
}

int local_exchange_new(sd_event *event, const char *path, const char *request, LocalExchangeHandler handler, void *userdata, LocalExchange **ret) {
        LocalExchange *x = calloc(1, sizeof(*x));
        int r;

        assert(handler);

        if (!x)
                return -ENOMEM;
        x->handler = handler;
        x->userdata = userdata;
        x->request = strdup(request);
        x->answer = malloc(LOCAL_EXCHANGE_ANSWER_MAX);
        x->size = strlen(request);
        x->fd = open_socket(path);
        r = !x->request || !x->answer ? -ENOMEM : MIN_OF(x->fd, 0);
        if (r == 0)
                r = sd_event_add_io(event, &x->io, x->fd, EPOLLIN | EPOLLOUT, on_io, x);
        if (r < 0) {
                local_exchange_free(x);
                return r;
        }
        *ret = x;
        return 0;
}
