/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.mdmanager1.Manager at /org/mdmanager1. */

#include "base/problem.h"
#include "bus/launcher-client.h"
#include "manager/domain.h"

int manager_bus_register(Manager *m);

/* Its properties changed; tells in the next round, once for all changes. Also renews STATUS= of the service. */
void manager_bus_changed(Manager *m);
void manager_bus_update_status(Manager *m);

/* Signal Event. */
void manager_bus_hook_ended(Manager *m, const char *event, const char *domain, const LauncherHookEnd *end);
void manager_bus_general_event(Manager *m, const char *event, const char *text); /* about no single domain */
/* 'domain' may be the name of none: "other" for a certificate that is not managed. */
void manager_bus_event(Manager *m, const char *event, const char *domain, const Problem *problem, const char *text);

/* For the method handlers of all interfaces: polkit's answer for one of our actions about a domain or unit ("" when it is about all). Returns as polkit_authorize(). */
typedef enum Action { ACTION_RENEW, ACTION_RELOAD, ACTION_CHECK, ACTION_REVOKE, ACTION_ACCOUNT, ACTION_ROLLBACK, ACTION_TEST_HOOK, ACTION_EXPORT_KEY, ACTION_IMPORT, ACTION_TARGETS, _ACTION_MAX } Action;
int authorize(Manager *m, sd_bus_message *call, Action action, const char *subject, sd_bus_error *error);
/* The same where there is more to say about the subject: a NULL-terminated list of keys and values. The words of the caller among them are valid ones: a person reads them. */
int authorize_details(Manager *m, sd_bus_message *call, Action action, char *const *details, sd_bus_error *error);
