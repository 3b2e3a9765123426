/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl tlsa: what a TLSA record (RFC 6698) has to hold for a domain's keys, those in use and those made ahead. */

#include "mdctl/mdctl.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "mdctl/bus-json.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

/* DANE-EE, SubjectPublicKeyInfo, SHA-256: the key itself is pinned, whichever CA certifies it (RFC 7671 section 5.1). What follows the semicolon is a
 * comment in a zone file, too. */
static bool print_record(const char *spec, const char *what, const char *sha256) {
        if (str_is_empty(sha256))
                return false;
        printf("3 1 1 %s ; %s, %s\n", sha256, spec, what);
        return true;
}

static bool print_records(JsonObject *keys) {
        bool any = false;

        for (size_t i = 0; i < json_object_array_length(keys); i++) {
                JsonObject *o = json_object_array_get_idx(keys, i);

                any = print_record(get_text(o, "KeySpec"), "live", get_text(o, "Live")) || any;
                any = print_record(get_text(o, "KeySpec"), "next", get_text(o, "Next")) || any;
        }
        return any;
}

int verb_tlsa(Mdctl *c, char *const *arguments) {
        static const char *const members[] = { "KeySpec", "Live", "Next", NULL };
        _auto_json_ JsonObject *domain = NULL, *keys = NULL;
        int r;

        r = client_get_domain(c, arguments[0], NULL, &domain);
        if (r != MDCTL_DONE)
                return r;
        keys = bus_json_name_each(json_get_array(domain, "KeyHashes"), members);
        if (!keys)
                return mdctl_oom();
        format_begin(c);
        if (c->json != JSON_OFF)
                return format_json(c, keys);
        if (print_records(keys))
                return MDCTL_DONE;
        fprintf(stderr, "%s has no key yet.\n", arguments[0]);
        return MDCTL_NOTHING_TO_DO;
}
