/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The reasons to renew, one certificate at a time: what decision.c weighs. Pure. */

#include "domain/decision.h"

/* One key spec and the certificate that there is for it. */
typedef struct ReasonSlot {
        const ManagedDomain *domain;
        const Job *job;
        KeySpec spec;
        char name[KEY_SPEC_NAME_MAX];
        const CertFacts *cert; /* NULL: there is none */
        uint64_t now_usec;
} ReasonSlot;

ReasonSlot reason_slot(const ManagedDomain *d, const CertFactsList *live, const Job *job, size_t i, uint64_t now_usec);

/* MDRenewWindow for this certificate: what it is when it is not set depends on its life. 'cert' NULL: for one as they usually are. */
Window reason_window(const ManagedDomain *d, const CertFacts *cert) _pure_;

/* When this certificate (there is one) is to be renewed by its age or the CA's word, whichever comes first. */
uint64_t reason_renew_at_usec(const ReasonSlot *s) _pure_;
/* By its age alone. */
uint64_t reason_window_usec(const ReasonSlot *s) _pure_;
/* The moment that was chosen in the CA's window; 0: the CA said nothing about this certificate, or nobody asks it. */
uint64_t reason_suggested_usec(const ReasonSlot *s) _pure_;

/* 1: there is one, the first in the order in which they are told, with *ret_detail. */
int reason_find(const ManagedDomain *d, const CertFactsList *live, const Job *job, uint64_t now_usec, DecisionReason *ret, char **ret_detail);

int reason_printf(char **ret, const char *format, ...) _printf_(2, 3);
