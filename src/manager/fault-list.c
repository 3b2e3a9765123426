/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/fault-list.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/string-util.h"

enum { FRAME = 24 }; /* bytes: two lengths, two NULs, and what aligns the structure */

int fault_list_append(FaultList *l, const char *domain, const char *text) {
        _auto_free_ char *shown = str_printable(text, strlen(text), FAULT_TEXT_MAX);
        size_t size;

        if (!shown)
                return -ENOMEM;
        size = strlen(domain) + strlen(shown) + FRAME;
        if (l->n_left_out > 0 || l->bytes + size > FAULT_LIST_MAX) {
                l->n_left_out++;
                return 0;
        }
        l->bytes += size;
        return sd_bus_message_append(l->reply, "(ss)", domain, shown);
}

int fault_list_end(FaultList *l) {
        _auto_free_ char *text = NULL;

        if (l->n_left_out == 0)
                return 0;
        text = str_printf("%zu more faults are too many for one answer", l->n_left_out);
        return text ? sd_bus_message_append(l->reply, "(ss)", "", text) : -ENOMEM;
}
