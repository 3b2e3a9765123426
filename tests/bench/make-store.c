/* SPDX-License-Identifier: Apache-2.0 */

/* A store as a server with very many domains has it. As the manager's user: a key and a certificate for each domain that has none. As root: the snapshot.
 *
 *     make-store STORE COUNT ROUND [FIRST]
 *
 * Domains are d0.example.org and so on, each with three names and a P-256 key. ROUND is in a setting of
 * every domain from FIRST on (none, when it is left out): another round is another configuration of those. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/string-util.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "domain/snapshot.h"
#include "store/domain.h"
#include "store/snapshot.h"

static const KeySpec spec = { .type = KEY_TYPE_EC, .curve = "P-256" };

static int make_set(Store *s, const ManagedDomain *d) {
        static size_t count;
        _auto_pkey_ EVP_PKEY *key = NULL;
        _auto_secret_ Secret *pem = NULL;
        _auto_cert_chain_ CertChain chain = { .n = 1 };
        _auto_free_ char *text = NULL;
        /* Spread over a month, none due: the renewal window of 90 days is the last third. */
        uint64_t begin = clock_now_usec() - (1 + count++ % 30) * USEC_PER_DAY;
        int r;

        r = key_make(&spec, &key, NULL);
        if (r == 0)
                r = key_to_pem(key, &pem);
        if (r == 0)
                r = cert_make_self_signed(key, NULL, d->names, begin, begin + 90 * USEC_PER_DAY, &chain.certs[0]);
        if (r == 0)
                r = cert_chain_to_pem(&chain, &text);
        if (r == 0)
                r = store_domain_write_key(s, STORE_SET_LIVE, d->name, &spec, pem);
        return r == 0 ? store_domain_write_chain(s, STORE_SET_LIVE, d->name, &spec, text) : r;
}

static int find_served(Store *s, ManagedDomain *d) {
        _auto_cert_chain_ CertChain chain = { 0 };
        _auto_free_ char *pem = NULL, *sha256 = NULL;
        int r = store_domain_read_chain(s, STORE_SET_LIVE, d->name, &spec, &pem);

        if (store_role(s) == STORE_ROLE_MANAGER)
                return r == 0 ? 0 : make_set(s, d);
        if (r == 0)
                r = cert_chain_from_pem(pem, strlen(pem), &chain, NULL);
        if (r == 0)
                r = cert_sha256(chain.certs[0], &sha256);
        return r == 0 ? strv_extend(&d->served, sha256) : r;
}

static int add_text(char ***list, char *text) {
        return text ? strv_consume(list, text) : -ENOMEM;
}

static int add_domain(Store *s, Snapshot *snapshot, size_t i, size_t round) {
        _auto_free_ char *name = str_printf("d%zu.example.org", i), *www = str_printf("www.d%zu.example.org", i), *mail = str_printf("mail.d%zu.example.org", i);
        ManagedDomain *d = name ? managed_domain_new(name) : NULL;

        if (!d || !www || !mail)
                return -ENOMEM;
        if (managed_domain_add_name(d, www) < 0 || managed_domain_add_name(d, mail) < 0 ||
            add_text(&d->contacts, str_printf("mailto:admin%zu@example.org", round)) < 0 ||
            strv_extend(&d->ca_urls, "https://acme-v02.api.letsencrypt.org/directory") < 0 || str_replace(&d->agreement, "accepted") < 0 ||
            str_replace(&d->defined_file, "/etc/apache2/sites-enabled/many.conf") < 0 ||
            add_text(&d->hosts, str_printf("/etc/apache2/sites-enabled/many.conf:%zu (ServerName %s)", 20 * i + 4, name)) < 0 || find_served(s, d) != 0) {
                managed_domain_free(d);
                return -EIO;
        }
        d->keys = (KeySpecs){ .items = { spec }, .n = 1 };
        d->renew_mode = RENEW_MODE_AUTO;
        d->renew_window = (Window){ .percent = MANAGED_DOMAIN_RENEW_PERCENT };
        d->warn_window = (Window){ .percent = MANAGED_DOMAIN_WARN_PERCENT };
        d->defined_line = (unsigned) (20 * i + 1);
        d->used = d->used_tls = true;
        d->ari = false; /* there is no CA */
        return snapshot_add_domain(snapshot, d);
}

static int make(Store *s, size_t count, size_t round, size_t first) {
        _cleanup_(snapshot_freep) Snapshot *snapshot = snapshot_new("bench");
        int r = snapshot ? 0 : -ENOMEM;

        if (r == 0)
                r = str_replace(&snapshot->store_dir, store_path(s));
        for (size_t i = 0; r == 0 && i < count; i++)
                r = add_domain(s, snapshot, i, i >= first ? round : 0);
        if (r < 0 || store_role(s) == STORE_ROLE_MANAGER)
                return r;
        snapshot->written_usec = clock_now_usec();
        return store_snapshot_write_anew(s, snapshot, (gid_t) -1);
}

int main(int argc, char *argv[]) {
        _cleanup_(store_closep) Store *s = NULL;
        _auto_problem_ Problem *problem = NULL;
        int r;

        if (argc < 4 || argc > 5) {
                fprintf(stderr, "Usage: make-store STORE COUNT ROUND [FIRST]\n");
                return EXIT_FAILURE;
        }
        (void) umask(0027);
        r = store_open(argv[1], geteuid() == 0 ? STORE_ROLE_SERVER : STORE_ROLE_MANAGER, &s, &problem);
        if (r == 0)
                r = make(s, strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argc > 4 ? strtoul(argv[4], NULL, 10) : SIZE_MAX);
        if (r != 0) {
                fprintf(stderr, "%s\n", problem ? problem->detail : strerror(r < 0 ? -r : EIO));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
