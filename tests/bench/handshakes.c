/* SPDX-License-Identifier: Apache-2.0 */

/* handshakes PORT NAME SECONDS PROCESSES: as many whole TLS handshakes as go, each asking for an OCSP response; prints "PER-SECOND STAPLED", the second the part
 * of them (0 to 1) that got one. */

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

typedef struct Count {
        uint64_t done, stapled;
} Count;

static void need(bool held, const char *what) {
        if (held)
                return;
        fprintf(stderr, "Cannot %s.\n", what);
        exit(EXIT_FAILURE);
}

static int dial(uint16_t port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        need(fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0, "connect");
        return fd;
}

static void shake(SSL_CTX *context, uint16_t port, const char *name, Count *count) {
        SSL *ssl = SSL_new(context);
        int fd = dial(port);
        const uint8_t *response;

        need(ssl && SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1, "begin");
        need(SSL_connect(ssl) == 1, "shake hands");
        count->done++;
        count->stapled += SSL_get_tlsext_status_ocsp_resp(ssl, &response) > 0;
        (void) SSL_shutdown(ssl);
        SSL_free(ssl);
        (void) close(fd);
}

static void work(uint16_t port, const char *name, uint64_t end_usec, Count *count) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());

        need(context, "make a context");
        (void) SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        while (clock_monotonic_usec() < end_usec)
                shake(context, port, name, count);
        SSL_CTX_free(context);
}

int main(int argc, char *argv[]) {
        unsigned n = argc == 5 ? (unsigned) atoi(argv[4]) : 0;
        uint64_t begin = clock_monotonic_usec(), seconds = argc == 5 ? (uint64_t) atoi(argv[3]) : 0;
        Count *counts, sum = { 0 };
        bool failed = false;

        need(n > 0 && n <= 64 && seconds > 0, "do that: say PORT NAME SECONDS PROCESSES");
        counts = mmap(NULL, n * sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        need(counts != MAP_FAILED, "get memory");
        for (unsigned i = 0; i < n; i++)
                if (fork() == 0) {
                        work((uint16_t) atoi(argv[1]), argv[2], begin + seconds * USEC_PER_SEC, &counts[i]);
                        _exit(EXIT_SUCCESS);
                }
        for (int status; wait(&status) >= 0;)
                failed = failed || status != 0;
        need(!failed, "go on: a process failed");
        for (unsigned i = 0; i < n; i++) {
                sum.done += counts[i].done;
                sum.stapled += counts[i].stapled;
        }
        printf("%.1f %.3f\n", (double) sum.done * USEC_PER_SEC / (double) (clock_monotonic_usec() - begin), sum.done ? (double) sum.stapled / (double) sum.done : 0.0);
        return EXIT_SUCCESS;
}
