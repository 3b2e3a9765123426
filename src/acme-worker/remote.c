/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/remote.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"

#define OPEN_TIMEOUT_USEC USEC_PER_HOUR

#define _auto_message_ _cleanup_(sd_bus_message_unrefp)
#define _auto_error_ _cleanup_(sd_bus_error_free)

int remote_new(Remote **ret) {
        _cleanup_(remote_freep) Remote *remote = NULL;
        int r;

        remote = calloc(1, sizeof(*remote));
        if (!remote)
                return -ENOMEM;
        r = sd_bus_open_system_with_description(&remote->bus, "md-acme");
        if (r < 0)
                return r;
        *ret = take_ptr(remote);
        return 0;
}

Remote *remote_free(Remote *remote) {
        if (!remote)
                return NULL;

        sd_bus_slot_unref(remote->watch);
        sd_bus_flush_close_unref(remote->bus);
        free(remote->manager);
        free(remote->domain);
        free(remote->account_url);
        free(remote);
        return NULL;
}

/* Calls */

int remote_new_call(Remote *remote, const char *member, sd_bus_message **ret) {
        return sd_bus_message_new_method_call(remote->bus, ret, str_or(remote->manager, BUS_NAME), BUS_PATH_WORKER,
                                              BUS_INTERFACE_WORKER, member);
}

/* No answer is to be expected from the manager any more, as opposed to one that we do not like. */
static bool means_gone(int r, const sd_bus_error *error) {
        switch (r) {
        case -ECONNRESET:
        case -ECONNABORTED:
        case -ENOTCONN:
        case -EPIPE:
        case -ESHUTDOWN:
        case -ESTALE:
        case -ETIMEDOUT:
                return true;
        default:
                return sd_bus_error_has_names(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                              SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_DISCONNECTED, SD_BUS_ERROR_NO_SERVER,
                                              SD_BUS_ERROR_TIMEOUT) > 0;
        }
}

int remote_call(Remote *remote, sd_bus_message *m, uint64_t timeout_usec, const char *what, sd_bus_message **ret_reply, Problem **ret_problem) {
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call(remote->bus, m, timeout_usec, &error, ret_reply);
        if (r >= 0)
                return 0;
        remote->gone = means_gone(r, &error);
        if (ret_problem && !*ret_problem)
                *ret_problem = problem_from_bus_error(&error, NULL, what);
        return r;
}

int remote_call_with_strings(Remote *remote, const char *member, const char *what, char *const *arguments, Problem **ret_problem) {
        _auto_message_ sd_bus_message *m = NULL;
        int r;

        r = remote_new_call(remote, member, &m);
        STRV_FOREACH(s, arguments)
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", *s);
        return r < 0 ? r : remote_call(remote, m, REMOTE_CALL_TIMEOUT_USEC, what, NULL, ret_problem);
}

/* One job after the other */

/* Everybody may send us a signal that looks like this one; the bus says who did. */
static int on_name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *new_owner;
        Remote *remote = userdata;
        int r;

        if (!str_equal(sd_bus_message_get_sender(m), "org.freedesktop.DBus"))
                return 0;
        r = sd_bus_message_read(m, "sss", &name, NULL, &new_owner);
        if (r >= 0 && str_equal(name, remote->manager) && str_is_empty(new_owner))
                remote->gone = true;
        return 0;
}

static int watch_manager(Remote *remote, const char *unique_name) {
        _auto_free_ char *match = NULL;

        /* Without a bus in between there is no name, and the connection itself ends. */
        if (!unique_name || str_equal(remote->manager, unique_name))
                return 0;
        if (str_replace(&remote->manager, unique_name) < 0)
                return -ENOMEM;
        match = str_printf(
                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='%s'",
                unique_name);
        return match ? sd_bus_add_match_async(remote->bus, &remote->watch, match, on_name_owner_changed, NULL, remote) : -ENOMEM;
}

int remote_open(Remote *remote, RemoteJob **ret, Problem **ret_problem) {
        _cleanup_(remote_job_freep) RemoteJob *job = NULL;
        _auto_message_ sd_bus_message *m = NULL, *reply = NULL;
        _auto_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = remote_new_call(remote, "Open", &m);
        if (r < 0)
                return r;
        r = sd_bus_call(remote->bus, m, OPEN_TIMEOUT_USEC, &error, &reply);
        if (sd_bus_error_has_name(&error, BUS_ERROR_NOTHING_TO_DO))
                return REMOTE_E_NOTHING_TO_DO;
        if (r < 0) {
                remote->gone = means_gone(r, &error);
                *ret_problem = problem_from_bus_error(&error, NULL, "The manager does not open a job");
                return r;
        }

        r = remote_job_read(reply, &job);
        if (r < 0)
                return r;
        r = watch_manager(remote, sd_bus_message_get_sender(reply));
        if (r < 0 || str_replace(&remote->domain, job->domain) < 0)
                return r < 0 ? r : -ENOMEM;
        (void) str_replace(&remote->account_url, NULL);
        remote->more = false;
        *ret = take_ptr(job);
        return 0;
}

int remote_close(Remote *remote, const Problem *problem, Problem **ret_problem) {
        _auto_free_ char *argument = problem_to_argument(problem);

        if (!argument)
                return -ENOMEM;
        return remote_call_with_strings(remote, "Close", "Cannot close the job", STRINGS(argument), ret_problem);
}

static int gone(Remote *remote, Problem **ret_problem) {
        remote->gone = true;
        problem_set(ret_problem, PROBLEM_TYPE_INTERNAL, "The manager went away while the CA was at work");
        return -ECONNRESET;
}

/* The CA may take minutes: time enough to hear that nobody waits for us any more. */
int remote_wait(void *userdata, uint64_t usec, Problem **ret_problem) {
        Remote *remote = userdata;
        uint64_t deadline_usec = usec_add(clock_monotonic_usec(), usec);

        for (;;) {
                uint64_t now_usec;
                int r;

                r = sd_bus_process(remote->bus, NULL);
                if (r < 0 || remote->gone)
                        return gone(remote, ret_problem);
                if (r > 0)
                        continue;
                now_usec = clock_monotonic_usec();
                if (now_usec >= deadline_usec)
                        return 0;
                r = sd_bus_wait(remote->bus, deadline_usec - now_usec);
                if (r < 0 && r != -EINTR)
                        return gone(remote, ret_problem);
        }
}
