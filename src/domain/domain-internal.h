/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The members of a managed domain that are texts, lists and switches, as one table for everything that goes through all of them. Only the
 * files of this folder include it. */

#include <stddef.h>

#include "domain/domain.h"

typedef enum DomainMemberType {
        DOMAIN_MEMBER_TEXT,   /* char *; NULL: not set */
        DOMAIN_MEMBER_LIST,   /* char **; NULL: empty */
        DOMAIN_MEMBER_SWITCH, /* bool */
} DomainMemberType;

enum {
        DOMAIN_MEMBER_SETTING = 1 << 0, /* configured; the others are what the server found out */
        DOMAIN_MEMBER_PRIVATE = 1 << 1, /* left out of what everybody may see */
        DOMAIN_MEMBER_SECRET = 1 << 2,  /* masked there */
        DOMAIN_MEMBER_ALWAYS = 1 << 3,  /* a switch that is written also when it stands at its default */
        DOMAIN_MEMBER_BY_HAND = 1 << 4, /* JSON knows it otherwise */
        DOMAIN_MEMBER_SHOWN = 1 << 5,   /* everybody may see it also when it stands at its default, as mod_md has it */
};

typedef struct DomainMember {
        const char *in;  /* the object that it stands in; NULL: the domain's own */
        const char *key; /* in JSON */
        DomainMemberType type;
        size_t offset;
        unsigned flags;
        size_t number;   /* a switch: its default; a list: the most entries */
        bool (*is_valid)(const char *s); /* one entry of a list */
} DomainMember;

extern const DomainMember domain_members[];
extern const size_t domain_n_members;

static inline char **domain_member_text(ManagedDomain *d, const DomainMember *m) {
        return (char **) ((char *) d + m->offset);
}

static inline char ***domain_member_list(ManagedDomain *d, const DomainMember *m) {
        return (char ***) ((char *) d + m->offset);
}

static inline bool *domain_member_switch(ManagedDomain *d, const DomainMember *m) {
        return (bool *) ((char *) d + m->offset);
}

bool domain_text_is_clean(const char *s) _pure_;         /* not empty, not too long, no control characters */
bool domain_url_is_plausible(const char *s) _pure_;      /* of the form that a CA can have; who uses it looks closer */
bool domain_challenge_is_plausible(const char *s) _pure_;
bool domain_fingerprint_is_valid(const char *s) _pure_;
bool domain_certificate_is_plausible(const char *s) _pure_; /* PEM */
bool domain_endpoint_is_valid(const char *s);
