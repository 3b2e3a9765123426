/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What other programs left behind, in our own terms: accounts at CAs, and certificates with their keys and what is known of how they are renewed.
 *
 * mdctl reads it, as the administrator, and hands over the bytes as they are (base/bundle.h); here they are understood, and nothing of them is believed
 * before it was verified. Each reader gets the files of one account or one certificate. */

#include "base/bundle.h"
#include "crypto/cert.h"
#include "domain/domain.h"
#include "domain/job.h"
#include "store/account.h"

typedef struct ImportSource {
        const char *name;    /* what the files are called by over there: a directory, or what a certificate goes by */
        const Bundle *files;
        uint64_t now_usec;
} ImportSource;

typedef struct ImportAccount {
        Account *account;   /* without id */
        Secret *key;        /* PKCS#8 */
        char *key_sha256;   /* of its public half */
        char **remarks;     /* for people */
} ImportAccount;

typedef struct ImportPair {
        KeySpec spec;       /* for the names of its files */
        Secret *key;        /* PKCS#8 */
        char *chain;        /* PEM, leaf first */
        CertInfo info;
} ImportPair;

typedef struct ImportCertificate {
        ManagedDomain *settings; /* its name is the one to go by here */
        bool settings_known;     /* they are those of mod_md, and not made up from the certificate */
        Job *job;                /* NULL: nothing is known of what was before */
        char *ca_url;            /* where it came from; NULL: not known */
        ImportPair pairs[KEY_SPEC_MAX];
        size_t n;
        char **remarks;          /* for people */
        char **directives;       /* what to write into its <MDomain> */
} ImportCertificate;

/* Besides 0 and negative errnos. In both cases *ret_problem says why. */
enum {
        IMPORT_DONE,
        IMPORT_E_REFUSED, /* something is wrong with it */
        IMPORT_E_NOTHING, /* there is nothing in it that would be of use */
};

void import_account_done(ImportAccount *a);
void import_certificate_done(ImportCertificate *c);
#define _auto_import_account_ _cleanup_(import_account_done)
#define _auto_import_certificate_ _cleanup_(import_certificate_done)

/* The formats. In import-mod-md.c, import-certbot.c, import-acme-sh.c. */
int import_mod_md_account(const ImportSource *s, ImportAccount *ret, Problem **ret_problem);
int import_mod_md_certificate(const ImportSource *s, ImportCertificate *ret, Problem **ret_problem);
int import_certbot_account(const ImportSource *s, ImportAccount *ret, Problem **ret_problem);
int import_certbot_certificate(const ImportSource *s, ImportCertificate *ret, Problem **ret_problem);
int import_acme_sh_account(const ImportSource *s, ImportAccount *ret, Problem **ret_problem);
int import_acme_sh_certificate(const ImportSource *s, ImportCertificate *ret, Problem **ret_problem);

/* --- For the formats --- */

/* IMPORT_E_REFUSED with a problem. */
int import_refuse(Problem **ret_problem, const char *format, ...) _printf_(2, 3);
int import_nothing(Problem **ret_problem, const char *format, ...) _printf_(2, 3);

/* Adds a line, made printable. -ENOMEM. */
int import_note(char ***list, const char *format, ...) _printf_(2, 3);

/* The JSON object in a file. IMPORT_E_NOTHING (without problem): there is no such file. */
int import_read_json(const ImportSource *s, const char *file, JsonObject **ret, Problem **ret_problem);

/* An account with this key at this CA, when both can be of use. */
int import_account_begin(EVP_PKEY *key, const char *ca_url, ImportAccount *a, Problem **ret_problem);
/* Its URL at the CA; what is none is left out, with a remark. Then the CA is asked for it by the key. */
int import_account_set_url(ImportAccount *a, const char *url);
/* Contacts are kept when they are URIs; addresses become such. */
int import_account_add_contact(ImportAccount *a, const char *contact);

typedef struct ImportPairFiles {
        const char *what;         /* for people: "privkey.pem" */
        const BundleFile *key, *chain, *more; /* 'more' stands behind the chain; may be NULL */
        const Secret *passphrase; /* NULL: none is known */
        const KeySpec *spec;      /* NULL: by what the key is */
} ImportPairFiles;

/* Reads, verifies and adds a pair. */
int import_pair_add(const ImportSource *s, const ImportPairFiles *files, ImportCertificate *c, Problem **ret_problem);

/* Adds a line to what to write into its <MDomain>: one, whatever is in it. A directive has one argument, which Apache reads back as it is; what its configuration
 * cannot say is left out, with a remark. -ENOMEM. In import-propose.c. */
int import_propose(ImportCertificate *c, const char *directive, const char *argument);
int import_propose_comment(ImportCertificate *c, const char *format, ...) _printf_(2, 3);

/* Settings for what was read, from the certificates alone: a name ('hint', when the certificate has it, perhaps without "-0001" at its end) and names. */
int import_certificate_settle(ImportCertificate *c, const char *hint);
/* CA and kinds of keys as directives, in front of those that are there. */
int import_certificate_finish(ImportCertificate *c, const char *ca_url);
/* The whole section for Apache's configuration. */
int import_certificate_propose(const ImportCertificate *c, char ***ret_lines);
