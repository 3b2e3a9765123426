/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Live sets, domains/NAME/, sets in the making, staging/NAME/, and earlier ones: the same files in all. */

#include "base/key-spec.h"
#include "base/secret.h"
#include "domain/domain.h"
#include "domain/job.h"
#include "store/store.h"

typedef enum StoreSet {
        STORE_SET_LIVE,    /* domains/ */
        STORE_SET_STAGING, /* staging/ */
        STORE_SET_RESERVE, /* reserve/: what mends the live set */
        STORE_SET_ARCHIVE, /* archive/; for reading, and the name is that of store_archive_entry() */
} StoreSet;

const char *store_set_directory(StoreSet set); /* "domains", "staging", … */

enum {
        STORE_DOMAIN_DONE,
        STORE_DOMAIN_E_NOT_FOUND, /* list and write: domains/ or staging/ itself is missing and cannot be made: store_check() tells it */
        STORE_DOMAIN_E_DAMAGED, /* not readable as what it should be; *ret_problem (where there is one) names the file */
};

bool store_domain_exists(Store *s, StoreSet set, const char *name); /* the directory, whatever is in it */
int store_domain_list(Store *s, StoreSet set, char ***ret_names); /* directories with valid names, sorted */

int store_domain_read_key(Store *s, StoreSet set, const char *name, const KeySpec *spec, Secret **ret);
int store_domain_read_chain(Store *s, StoreSet set, const char *name, const KeySpec *spec, char **ret_pem);

/* Role MANAGER; they make the directory when it is missing. Durable when they return. */
int store_domain_write_key(Store *s, StoreSet set, const char *name, const KeySpec *spec, const Secret *pem);
int store_domain_write_chain(Store *s, StoreSet set, const char *name, const KeySpec *spec, const char *pem);

/* The key made ahead, in reserve/: activation does not touch it, and it goes along when the domain gets another name. Write and remove: role MANAGER, durable;
 * one that is not there is removed. */
int store_domain_read_next_key(Store *s, const char *name, const KeySpec *spec, Secret **ret);
int store_domain_write_next_key(Store *s, const char *name, const KeySpec *spec, const Secret *pem);
int store_domain_remove_next_key(Store *s, const char *name, const KeySpec *spec);

/* md.json. A damaged one is STORE_DOMAIN_E_DAMAGED; the manager writes it anew from the snapshot. Write only when it differs. */
int store_domain_read_md(Store *s, StoreSet set, const char *name, ManagedDomain **ret, Problem **ret_problem);
int store_domain_write_md(Store *s, StoreSet set, const ManagedDomain *d);

/* job.json, always in domains/. A missing or damaged one gives an empty job and STORE_DOMAIN_E_NOT_FOUND / _E_DAMAGED together with *ret. */
int store_domain_read_job(Store *s, const char *name, Job **ret);

/* What the job was when the set came to the archive, under store_archive_entry(). The same results. */
int store_domain_read_archived_job(Store *s, const char *entry, const char *name, Job **ret);

/* Role MANAGER. A job that would be too large to be read again is written without its log. */
int store_domain_write_job(Store *s, const Job *job);

/* Removes staging/NAME with everything in it; not found is done. */
int store_staging_discard(Store *s, const char *name);
