/* SPDX-License-Identifier: Apache-2.0 */

/* The functions that c-ares 1.34 wants to be used instead are not in 1.18 yet. */
#define CARES_NO_DEPRECATED

#include "acme-worker/dns.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"

enum {
        TRY_TIMEOUT_MSEC = 1500,
        TRIES_MAX = 2,
        /* What passes unbroken everywhere (DNS flag day 2020). */
        UDP_SIZE_MAX = 1232,
        POLL_MAX_MSEC = 200,
};
/* A resolver of the system may have to ask its way down from the root; and several may be configured. */
#define ROUND_TIMEOUT_USEC (10 * USEC_PER_SEC)

typedef struct Exchange {
        DnsQuestion *question;
        ares_channel channel;
        bool ended;
        int result; /* negative errno */
} Exchange;

void dns_question_done(DnsQuestion *q) {
        q->answer = dns_answer_free(q->answer);
        free(q->failure);
        q->failure = NULL;
}

static int fail(DnsQuestion *q, const char *why) {
        return str_replace(&q->failure, why);
}

static int take_answer(DnsQuestion *q, const void *data, size_t size) {
        int r;

        r = dns_answer_parse(data, size, q->name, q->type, &q->answer);
        return r == DNS_ANSWER_E_MALFORMED ? fail(q, "The answer cannot be understood") : r;
}

/* Also for an answer that says "no": it comes with its bytes. */
static void on_answer(void *userdata, int status, int timeouts, unsigned char *data, int size) {
        Exchange *e = userdata;

        e->ended = true;
        if (status == ARES_ENOMEM)
                e->result = -ENOMEM;
        else if (data && size > 0)
                e->result = take_answer(e->question, data, (size_t) size);
        else
                e->result = fail(e->question, status == ARES_EDESTRUCTION ? "No answer in time" : ares_strerror(status));
}

/* ARES_SUCCESS, or why there is none. */
static int make_channel(const char *server, ares_channel *ret) {
        struct ares_options options = {
                .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS |
                        /* One server's refusal is what is wanted; of the system's resolvers, the next one may know better. */
                        (server ? ARES_FLAG_NORECURSE | ARES_FLAG_NOCHECKRESP : 0),
                .timeout = TRY_TIMEOUT_MSEC,
                .tries = TRIES_MAX,
                .ednspsz = UDP_SIZE_MAX,
        };
        int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ, status;
        ares_channel channel;

#ifdef ARES_OPT_QUERY_CACHE
        mask |= ARES_OPT_QUERY_CACHE; /* qcache_max_ttl 0: there is none */
#endif
        status = ares_init_options(&channel, &options, mask);
        if (status == ARES_SUCCESS && server) {
                status = ares_set_servers_csv(channel, server);
                if (status != ARES_SUCCESS)
                        ares_destroy(channel);
        }
        if (status == ARES_SUCCESS)
                *ret = channel;
        return status;
}

static void start(Exchange *e, DnsQuestion *q) {
        int status;

        dns_question_done(q);
        e->question = q;
        status = make_channel(q->server, &e->channel);
        if (status == ARES_SUCCESS)
                ares_query(e->channel, q->name, ns_c_in, q->type, on_answer, e);
        else
                on_answer(e, status, 0, NULL, 0);
}

static nfds_t add_sockets(Exchange *e, struct pollfd *fds) {
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        /* c-ares's own macros shift a one into the sign. */
        unsigned mask = (unsigned) ares_getsock(e->channel, sockets, ARES_GETSOCK_MAXNUM);
        nfds_t n = 0;

        for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
                short events = (short) ((mask >> i & 1 ? POLLIN : 0) | (mask >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));

                if (events)
                        fds[n++] = (struct pollfd){ .fd = sockets[i], .events = events };
        }
        return n;
}

/* Answers, and times that are over, of one exchange whose sockets are 'fds'. */
static void process(Exchange *e, const struct pollfd *fds, nfds_t n) {
        ares_process_fd(e->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        for (nfds_t i = 0; i < n && !e->ended; i++)
                if (fds[i].revents)
                        ares_process_fd(e->channel, fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? fds[i].fd : ARES_SOCKET_BAD,
                                        fds[i].revents & (POLLOUT | POLLERR) ? fds[i].fd : ARES_SOCKET_BAD);
}

static int step(Exchange *exchanges, size_t n, struct pollfd *fds, bool *ret_ended) {
        nfds_t counts[DNS_QUESTIONS_MAX] = {}, total = 0, at = 0;

        *ret_ended = true;
        for (size_t i = 0; i < n; i++) {
                if (exchanges[i].ended)
                        continue;
                *ret_ended = false;
                counts[i] = add_sockets(&exchanges[i], fds + total);
                total += counts[i];
        }
        if (*ret_ended)
                return 0;
        if (poll(fds, total, POLL_MAX_MSEC) < 0)
                return errno == EINTR ? 0 : -errno;
        for (size_t i = 0; i < n; at += counts[i++])
                if (!exchanges[i].ended)
                        process(&exchanges[i], fds + at, counts[i]);
        return 0;
}

static int run(Exchange *exchanges, size_t n) {
        _auto_free_ struct pollfd *fds = calloc(n * ARES_GETSOCK_MAXNUM, sizeof(*fds));
        uint64_t deadline_usec = usec_add(clock_monotonic_usec(), ROUND_TIMEOUT_USEC);
        bool ended = false;
        int r = 0;

        if (!fds)
                return -ENOMEM;
        while (r == 0 && !ended && clock_monotonic_usec() < deadline_usec)
                r = step(exchanges, n, fds, &ended);
        return r;
}

int dns_ask(DnsQuestion *questions, size_t n) {
        Exchange exchanges[DNS_QUESTIONS_MAX] = {};
        int r;

        assert(n <= DNS_QUESTIONS_MAX);

        if (n == 0)
                return 0;
        if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                start(&exchanges[i], &questions[i]);
        r = run(exchanges, n);
        /* What has no answer by now is told so. */
        for (size_t i = 0; i < n; i++) {
                if (exchanges[i].channel)
                        ares_destroy(exchanges[i].channel);
                if (r == 0)
                        r = exchanges[i].result;
        }
        ares_library_cleanup();
        return r;
}

static bool is_in_hosts_file(ares_channel channel, const char *name, int family) {
        struct hostent *host = NULL;
        bool found = ares_gethostbyname_file(channel, name, family, &host) == ARES_SUCCESS;

        if (found)
                ares_free_hostent(host);
        return found;
}

bool dns_name_is_in_hosts_file(const char *name) {
        ares_channel channel;
        bool found;

        if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
                return false;
        found = make_channel(NULL, &channel) == ARES_SUCCESS;
        if (found) {
                found = is_in_hosts_file(channel, name, AF_INET) || is_in_hosts_file(channel, name, AF_INET6);
                ares_destroy(channel);
        }
        ares_library_cleanup();
        return found;
}
