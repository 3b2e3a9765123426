/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/revoked.h"

#include "base/log.h"
#include "manager/event.h"

void revoked_note(Domain *d, const CertFacts *f, bool key_compromised, const char *source) {
        if (strv_contains(d->job->revoked, f->sha256))
                return;
        if (!job_is_revoked_told(d->job, f->sha256)) /* otherwise somebody had it revoked, and went on with it */
                event_tell(d, EVENT_REVOKED, NULL, "The CA says (%s) that certificate %s was revoked", source, f->serial);
        if (job_note_revoked(d->job, f->sha256) < 0 || (key_compromised && job_note_revoked_key(d->job, f->key_sha256) < 0))
                (void) log_oom();
        domain_save_job(d);
}
