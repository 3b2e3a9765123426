/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl version: of both sides of the bus. */

#include "mdctl/mdctl.h"

#include <stdio.h>

#include "bus/names.h"
#include "config.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

int verb_version(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *manager = NULL, *answer = json_object_new_object();
        int r;

        if (!answer)
                return mdctl_oom();
        r = client_get_all(c, BUS_PATH, BUS_INTERFACE_MANAGER, &manager);
        if (r != MDCTL_DONE)
                return r;
        if (json_add_string(answer, "mdctl", PROJECT_VERSION) < 0 ||
            json_add_string(answer, "md-manager", get_text(manager, "Version")) < 0 ||
            json_add_string(answer, "StoreDirectory", get_text(manager, "StoreDirectory")) < 0)
                return mdctl_oom();
        if (c->json != JSON_OFF)
                return format_json(c, answer);
        printf("mdctl %s\nmd-manager %s, store %s\n", PROJECT_VERSION, get_text(manager, "Version"), get_text(manager, "StoreDirectory"));
        return MDCTL_DONE;
}
