/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the command line asked for, and the verbs. */

#include <systemd/sd-bus.h>

#include "base/macro.h"

/* Exit codes; mdctl(1) promises them. Verbs and whatever tells a failure on stderr return one of these. */
enum {
        MDCTL_DONE = 0,
        MDCTL_FAILED = 1,
        MDCTL_USAGE = 2,
        MDCTL_NOTHING_TO_DO = 3,
        MDCTL_NOT_ALLOWED = 4,
};

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,  /* one line for each answer */
        JSON_PRETTY,
} JsonMode;

typedef struct Mdctl {
        sd_bus *bus; /* client_connect() */
        const char *host; /* another machine's, over ssh(1); NULL: this one's */
        JsonMode json;
        bool no_pager, no_legend, no_ask_password;
        bool no_wait;     /* renew, retry, account, revoke, rollback */
        uint32_t lines;   /* log, events: the newest so many */
        bool force;       /* renew */
        bool dry_run;     /* import */
        char **contacts;  /* account register */
        bool agree;
        char **directives; /* domain add, update */
        bool private_key; /* export */
        const char *key, *format, *password_file, *output;
        const char *reason; /* revoke */
        bool reissue, no_reissue, by_certificate_key;
} Mdctl;

/* 'arguments' are those behind the verb, as many as its row in main.c allows, followed by NULL. */
int verb_account(Mdctl *c, char *const *arguments);
int verb_archive(Mdctl *c, char *const *arguments);
int verb_check(Mdctl *c, char *const *arguments);
int verb_domain(Mdctl *c, char *const *arguments);
int verb_events(Mdctl *c, char *const *arguments);
int verb_explain(Mdctl *c, char *const *arguments);
int verb_export(Mdctl *c, char *const *arguments);
int verb_hook(Mdctl *c, char *const *arguments);
int verb_import(Mdctl *c, char *const *arguments);
int verb_list(Mdctl *c, char *const *arguments);
int verb_log(Mdctl *c, char *const *arguments);
int verb_metrics(Mdctl *c, char *const *arguments);
int verb_reload(Mdctl *c, char *const *arguments);
int verb_renew(Mdctl *c, char *const *arguments);
int verb_retry(Mdctl *c, char *const *arguments);
int verb_revoke(Mdctl *c, char *const *arguments);
int verb_rollback(Mdctl *c, char *const *arguments);
int verb_show(Mdctl *c, char *const *arguments);
int verb_targets(Mdctl *c, char *const *arguments);
int verb_timeline(Mdctl *c, char *const *arguments);
int verb_tlsa(Mdctl *c, char *const *arguments);
int verb_version(Mdctl *c, char *const *arguments);
int verb_watch(Mdctl *c, char *const *arguments);

/* "Out of memory", on stderr. */
int mdctl_oom(void);
