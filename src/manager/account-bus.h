/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.mdmanager1.Account at /org/mdmanager1/account/ESCAPED: what lies in accounts/, as it was read last. The files are the truth: they are
 * read at start, at each check, and after each change of ours. */

#include "manager/manager.h"
#include "store/account.h"

typedef struct ListedAccount {
        Manager *manager;
        char *path;
        Account *account;
        char *algorithm;    /* "ES256", …; NULL: its key is missing or damaged */
        bool changing_key;  /* a next key lies there */
        sd_event_source *doubt; /* … and the CA may hear of it yet; NULL: what it says of it is so (manager/account-doubt.h) */
        bool next_key_denied;   /* it said that it does not know it */
} ListedAccount;

int account_bus_register(Manager *m);

/* Reads all: accounts come, go and change. A failure is told. */
void account_bus_read(Manager *m);
/* One was made or changed, by us. */
void account_bus_changed(Manager *m, const char *id);
/* The domains that use it are others now, or a job of it came or went. */
void account_bus_used(Manager *m, const char *id);

void account_bus_free(void *listed_account);

/* Manager.ListAccounts, Manager.GetAccount, Manager.RegisterAccount. */
int account_bus_list(Manager *m, sd_bus_message *call);
int account_bus_get(Manager *m, const char *id, sd_bus_message *call, sd_bus_error *error);
int account_bus_register_new(Manager *m, sd_bus_message *call, sd_bus_error *error);
