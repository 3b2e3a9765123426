/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Calls to md-manager. The bus starts it when it does not run. */

#include "base/json.h"
#include "mdctl/bus-json.h"
#include "mdctl/mdctl.h"

/* Connects to the system bus. Tells a failure; the result is an exit code. */
int client_connect(Mdctl *c);

typedef struct ClientMethod {
        const char *path, *interface, *name;
} ClientMethod;

/* 0, or a negative errno with 'error' set. The user may be asked for a password before it returns. *ret may be NULL when the answer says nothing. */
int client_call(Mdctl *c, ClientMethod method, sd_bus_error *error, sd_bus_message **ret, const char *types, ...);

/* The same with a message that is ready: whoever is asked for a password is asked meanwhile. */
int client_send(Mdctl *c, sd_bus_message *m, sd_bus_error *error, sd_bus_message **ret);

/* The same for what takes longer than other calls. */
int client_send_patiently(Mdctl *c, sd_bus_message *m, uint64_t timeout_usec, sd_bus_error *error, sd_bus_message **ret);

/* Tells on stderr what is behind the error, in front of it "WHAT: " when 'what' is not NULL; gives the exit code. */
int client_tell(const sd_bus_error *error, const char *what);
/* The same for an answer that makes no sense to us. */
int client_tell_answer(int r);

/* Connects, calls a method of org.mdmanager1.Manager at the root object, and tells a failure: an exit code. */
int client_call_manager(Mdctl *c, const char *name, sd_bus_message **ret, const char *types, ...);

/* All properties of an interface as one object. Exit codes. */
int client_get_all(Mdctl *c, const char *path, const char *interface, JsonObject **ret);
/* The domain's path from any of its names, and all its properties. ret_path may be NULL. */
int client_get_domain(Mdctl *c, const char *name, char **ret_path, JsonObject **ret);

/* All domains, an object each, with members that are named as the properties: one after the other (mdctl/bus-json.h), or in an array. Exit codes. */
int client_each_domain(Mdctl *c, BusJsonEntry on_domain, void *userdata);
int client_list_domains(Mdctl *c, JsonObject **ret);

/* Dispatches what comes until *done; -ECONNRESET and the like: the bus is gone. */
int client_run_until(Mdctl *c, const bool *done);
/* The same, for so long at most: *done says what it was. */
int client_run_until_time(Mdctl *c, const bool *done, uint64_t timeout_usec);
