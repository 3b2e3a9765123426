/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The tree, with owners and modes, on one page. The root directory belongs to root, and so does every directory that root writes to: root
 * never writes into a directory that a lesser user owns, nor follows a link there. tmpfiles.d makes it; md-manager makes again
 * what is its own and was deleted.
 *
 *   .                       root:root         0755
 *   servers/                root:md-manager   0750   snapshots ID.json root:md-manager 0640; "lock" root:md-manager 0640 (store/lock.h)
 *   fallback/               root:root         0700   NAME/ with fallback-privkey[.SPEC].pem 0600, fallback-pubcert[.SPEC].pem
 *   domains/NAME/           md-manager        0700   md.json, job.json, pubcert[.SPEC].pem, privkey[.SPEC].pem, all 0600
 *   staging/NAME/           md-manager        0700   the set in the making
 *   reserve/NAME/           md-manager        0700   a second copy of the live set: mends what is deleted or torn by hand;
 *                                                    next-privkey[.SPEC].pem 0600: the key made ahead, which no certificate has yet
 *   archive/NAME.N/         md-manager        0700   previous sets
 *   accounts/ACME-HOST-N/   md-manager        0700   account.json, account.pem, account.next.pem
 *   accounts/limits.json    md-manager        0600   CAs that are to be left alone (store/ca-limit.h)
 *   tmp/NAME/               md-manager        0700   activation's scratch: the set that is changing places (store/activate.h)
 *   outbox/NAME/            md-manager        0700   outbox.json 0600: events that hooks are still to be told (domain/outbox.h)
 *   public/NAME/            md-manager        0755   pubcert[.SPEC].pem 0644: copies of the live chains, for everybody (store/public.h)
 *   challenges/NAME/        md-manager:httpd  2750   acme-http-01.txt 0640: one key authorization a line;
 *                                                    acme-tls-alpn-01-privkey[.SPEC].pem, acme-tls-alpn-01-pubcert[.SPEC].pem 0640
 *   ocsp/NAME/              md-manager:httpd  2750   ocsp-ID.json, ocsp-ID.staple 0640 (store/ocsp.h)
 *   crls/                   md-manager        0700   SHA256.crl 0600: lists of revoked certificates (store/crl.h);
 *                                                    "wanted" 0600: there is something to fetch
 *   status/                 md-manager:httpd  2750   NAME.json 0640: what the status pages show of a domain (store/status.h); .manager.json
 *
 * The manager can write where it owns, never in '.': directories that root made stay where they are. */

#define STORE_SERVERS "servers"
#define STORE_FALLBACK "fallback"
#define STORE_DOMAINS "domains"
#define STORE_STAGING "staging"
#define STORE_RESERVE "reserve"
#define STORE_ARCHIVE "archive"
#define STORE_ACCOUNTS "accounts"
#define STORE_TMP "tmp"
#define STORE_CHALLENGES "challenges"
#define STORE_OCSP "ocsp"
#define STORE_CRLS "crls"
#define STORE_STATUS "status"
#define STORE_OUTBOX "outbox"
#define STORE_PUBLIC "public"
#define STORE_LOCK "lock"

#define STORE_FILE_MD "md.json"
#define STORE_FILE_JOB "job.json"
#define STORE_FILE_OUTBOX "outbox.json"
#define STORE_FILE_ACTIVATED "activated"
#define STORE_FILE_HTTP01 "acme-http-01.txt"
#define STORE_FILE_ACCOUNT "account.json"
#define STORE_FILE_ACCOUNT_KEY "account.pem"
#define STORE_FILE_ACCOUNT_NEXT_KEY "account.next.pem"
#define STORE_FILE_LIMITS "limits.json"

/* For key_spec_file(). */
#define STORE_STEM_KEY "privkey"
#define STORE_STEM_NEXT_KEY "next-privkey"
#define STORE_STEM_CERT "pubcert"
#define STORE_STEM_FALLBACK_KEY "fallback-privkey"
#define STORE_STEM_FALLBACK_CERT "fallback-pubcert"
#define STORE_STEM_ALPN_KEY "acme-tls-alpn-01-privkey"
#define STORE_STEM_ALPN_CERT "acme-tls-alpn-01-pubcert"

enum {
        STORE_KEY_MAX = 64 * 1024,
        STORE_CERT_MAX = 1024 * 1024,
        STORE_JSON_MAX = 1024 * 1024,
        STORE_CHALLENGE_MAX = 8 * 1024,
};
