/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/call-limit.h"

#include <errno.h>

#include "base/string-util.h"

typedef struct Budget {
        size_t bytes, items;
} Budget;

static bool spend(Budget *b, size_t bytes) {
        if (b->items == 0 || b->bytes < bytes)
                return false;
        b->items--;
        b->bytes -= bytes;
        return true;
}

static bool is_text(char type) {
        return type == SD_BUS_TYPE_STRING || type == SD_BUS_TYPE_OBJECT_PATH || type == SD_BUS_TYPE_SIGNATURE;
}

static int weigh_basic(sd_bus_message *m, char type, Budget *b) {
        union {
                const char *text;
                uint64_t number; /* none is larger */
        } value = { 0 };
        int r = sd_bus_message_read_basic(m, type, &value);

        return r < 0 ? r : spend(b, is_text(type) ? strlen(value.text) : sizeof(value.number));
}

static int weigh_bytes(sd_bus_message *m, Budget *b) {
        const void *data;
        size_t size;
        int r = sd_bus_message_read_array(m, SD_BUS_TYPE_BYTE, &data, &size);

        return r < 0 ? r : spend(b, size);
}

static int weigh_all(sd_bus_message *m, Budget *b);

static int weigh_container(sd_bus_message *m, char type, const char *contents, Budget *b) {
        int r;

        if (type == SD_BUS_TYPE_ARRAY && str_equal(contents, "y"))
                return weigh_bytes(m, b);
        if (!spend(b, 0))
                return 0;
        r = sd_bus_message_enter_container(m, type, contents);
        if (r >= 0)
                r = weigh_all(m, b);
        if (r <= 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

/* Containers lie in containers as deep as the protocol allows: 64. */
static int weigh_all(sd_bus_message *m, Budget *b) {
        const char *contents;
        char type;
        int r;

        while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                r = contents ? weigh_container(m, type, contents, b) : weigh_basic(m, type, b);
                if (r <= 0)
                        return r;
        }
        return r < 0 ? r : 1;
}

int call_limit_weigh(sd_bus_message *call, size_t bytes, size_t items) {
        Budget b = { bytes, items };
        int r, k;

        assert(call);

        r = sd_bus_message_rewind(call, 1);
        if (r < 0)
                return r;
        r = weigh_all(call, &b);
        k = sd_bus_message_rewind(call, 1);
        return k < 0 ? k : r;
}

static const CallLimit *find(const CallLimit *limits, sd_bus_message *call) {
        const char *interface = sd_bus_message_get_interface(call), *member = sd_bus_message_get_member(call);

        while ((limits->interface && !str_equal(limits->interface, interface)) || (limits->member && !str_equal(limits->member, member)))
                limits++;
        return limits;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const CallLimit *limit;
        int r;

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return 0;
        limit = find(userdata, m);
        r = call_limit_weigh(m, limit->bytes, limit->items);
        if (r != 0)
                return r < 0 ? r : 0;
        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "The arguments are too large: %zu bytes in %zu values are taken", limit->bytes, limit->items);
}

int call_limit_add(sd_bus *bus, const CallLimit *limits) {
        int r;

        assert(bus);
        assert(limits);

        r = sd_bus_add_filter(bus, NULL, on_message, (void *) limits);
        return r < 0 ? r : 0;
}
