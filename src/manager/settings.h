/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Settings of the machine: md-manager.conf(5) and its drop-ins, with systemd's precedence. */

#include "base/macro.h"
#include "domain/hook-settings.h"

typedef struct Settings {
        char *store_dir;                 /* StoreDir= */
        unsigned max_renewals;           /* MaxConcurrentRenewals=: workers at a time */
        unsigned max_timers;             /* MaxTimers=: nearest renewals that have a timer of their own */
        char **reload_units;             /* ReloadUnit=: instead of the unit that the server says it runs in; "none": never reload; NULL: the server's */
        char *reload_on_calendar;        /* ReloadOnCalendar=: reloads that are not urgent wait for these times; NULL: for none */
        uint64_t reload_urgent_usec;     /* ReloadUrgentSec=: one is urgent when what is served ends within this time */
        uint64_t reload_interval_usec;   /* ReloadIntervalSec=: least time between two reloads of a unit */
        uint64_t reload_max_wait_usec;   /* ReloadMaxWaitSec=: how long a reload waits for other renewals under way */
        uint64_t served_timeout_usec;    /* ServedTimeoutSec=: after a reload, until the server must have said what it serves */
        bool verify_served;              /* VerifyServed=: connections to the listeners show whether it does */
        uint64_t restart_not_served_usec; /* RestartIfNotServedSec=: so long after they showed something else, the unit is restarted; 0: never */
        uint64_t step_timeout_usec;      /* StepTimeoutSec=: how long a CA may take for validation, readiness and issuance, each */
        uint64_t renewal_info_usec;      /* RenewalInfoIntervalSec=: how often a CA is asked when to renew, when it does not say how often */
        unsigned certificates_per_week;  /* CertificatesPerWeek=: the most for one set of names, unless short lives need more; 0: no limit */
        uint64_t forget_servers_usec;    /* ForgetServersSec=: what a server said is forgotten when it has not run for so long; 0: never */
        bool revocation_check;           /* RevocationCheck=: whether CAs are asked if the certificates of managed domains are revoked, also where nothing is stapled */
        unsigned archive_keep;           /* ArchiveKeep=: archived sets per domain */
        uint64_t hook_merge_usec;        /* HookMergeSec=: how long what has one cause for several domains waits for others; 0: each is told by itself */
        HookSettings hooks;              /* read to tell what makes no sense: the launcher goes by what it reads itself */
        uint64_t archive_age_usec;       /* ArchiveMaxAgeSec=: how long an archived set is kept; 0: for ever */
        char **complaints;               /* what was ignored of the files, with file and line */
} Settings;

/* Reads the main file and the drop-ins. A file that cannot be read, or a line that makes no sense, is told with file and line and ignored: a typing error must not end
 * the renewals. */
int settings_load(Settings *ret);
void settings_done(Settings *c);
