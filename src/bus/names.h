/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bus names, paths, interfaces and error names; the documents are the XML files in dbus/ and org.mdmanager1(5). */

#define BUS_NAME "org.mdmanager1"
#define BUS_PATH "/org/mdmanager1"
#define BUS_PATH_DOMAIN BUS_PATH "/domain"
#define BUS_PATH_JOB BUS_PATH "/job"
#define BUS_PATH_ACCOUNT BUS_PATH "/account"
#define BUS_PATH_WORKER BUS_PATH "/worker"

#define BUS_INTERFACE_MANAGER "org.mdmanager1.Manager"
#define BUS_INTERFACE_DOMAIN "org.mdmanager1.Domain"
#define BUS_INTERFACE_JOB "org.mdmanager1.Job"
#define BUS_INTERFACE_ACCOUNT "org.mdmanager1.Account"
#define BUS_INTERFACE_WORKER "org.mdmanager1.Worker"

#define BUS_LAUNCHER_NAME "org.mdmanager1.Launcher"
#define BUS_LAUNCHER_PATH "/org/mdmanager1/Launcher"
#define BUS_LAUNCHER_INTERFACE "org.mdmanager1.Launcher"

#define BUS_SYSTEMD_NAME "org.freedesktop.systemd1"
#define BUS_SYSTEMD_PATH "/org/freedesktop/systemd1"
#define BUS_SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

#define BUS_ERROR_PREFIX "org.mdmanager1.Error."
#define BUS_ERROR_NO_SUCH_DOMAIN BUS_ERROR_PREFIX "NoSuchDomain"
#define BUS_ERROR_NO_SUCH_ACCOUNT BUS_ERROR_PREFIX "NoSuchAccount"
#define BUS_ERROR_NO_SUCH_JOB BUS_ERROR_PREFIX "NoSuchJob"
#define BUS_ERROR_NOT_ALLOWED BUS_ERROR_PREFIX "NotAllowed"         /* not for this caller: wrong user or unit */
#define BUS_ERROR_NOT_NOW BUS_ERROR_PREFIX "NotNow"                 /* the job is not at a point where this request makes sense */
#define BUS_ERROR_INVALID BUS_ERROR_PREFIX "InvalidArgument"
#define BUS_ERROR_NOTHING_TO_DO BUS_ERROR_PREFIX "NothingToDo"
#define BUS_ERROR_BUSY BUS_ERROR_PREFIX "Busy"
#define BUS_ERROR_NOT_CONFIGURED BUS_ERROR_PREFIX "NotConfigured"   /* root-owned configuration does not name it */
#define BUS_ERROR_REFUSED BUS_ERROR_PREFIX "Refused"                /* message is the problem's detail, as JSON of problem_to_json() behind a tab for our own clients */
#define BUS_ERROR_FAILED BUS_ERROR_PREFIX "Failed"
