/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/rollback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/string-util.h"
#include "bus/error.h"
#include "bus/names.h"
#include "manager/domain-bus.h"
#include "manager/errands.h"
#include "manager/manager-bus.h"

enum { LOOKS_MAX = 16 };

/* Somebody wants to know what is in the archive, which everybody may. All of it is read through for that, and what is found is loaded, so that it is done beside the
 * loop; once at a time for each caller. */
struct ArchiveLook {
        ArchiveLook *next;
        Manager *manager; /* of which the thread has the store only */
        sd_bus_message *call;
        char *name;
        KeySpecs keys;
        RollbackSets sets;
        int outcome;
};

static void look_free(void *archive_look) {
        ArchiveLook *l = archive_look;

        for (ArchiveLook **p = &l->manager->archive_looks; *p; p = &(*p)->next)
                if (*p == l) {
                        *p = l->next;
                        break;
                }
        rollback_sets_done(&l->sets);
        sd_bus_message_unref(l->call);
        free(l->name);
        free(l);
}

static int append_set(sd_bus_message *reply, const RollbackSet *s) {
        int r = sd_bus_message_open_container(reply, 'r', "tta(ssstts)s");

        if (r >= 0)
                r = sd_bus_message_append(reply, "tt", s->number, s->archived_usec);
        if (r >= 0)
                r = domain_bus_append_certificates(reply, &s->facts);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", str_or(s->obstacle, ""));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply(ArchiveLook *l, const Domain *d) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = rollback_judge(d, &l->sets);

        if (r == 0)
                r = sd_bus_message_new_method_return(l->call, &m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(tta(ssstts)s)");
        for (size_t i = 0; r >= 0 && i < l->sets.n; i++)
                r = append_set(m, &l->sets.items[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_send(NULL, m, NULL);
}

static void work(void *errand) {
        ArchiveLook *l = errand;

        l->outcome = rollback_read(l->manager->store, l->name, &l->keys, &l->sets);
}

static void done(void *errand) {
        ArchiveLook *l = errand;
        Domain *d = manager_find_domain(l->manager, l->name);
        int r = l->outcome;

        if (r == 0 && d) {
                domain_learn_facts(d);
                r = reply(l, d);
        } else if (r == 0)
                r = sd_bus_reply_method_errorf(l->call, BUS_ERROR_NO_SUCH_DOMAIN, "%s is not managed any more", l->name);
        if (r < 0)
                (void) sd_bus_reply_method_errno(l->call, r, NULL);
        look_free(l);
}

static const ErrandClass class = { .work = work, .done = done, .release = look_free };

static bool is_too_much(const Manager *m, sd_bus_message *call) {
        size_t n = 0;

        for (const ArchiveLook *l = m->archive_looks; l; l = l->next) {
                if (str_equal(sd_bus_message_get_sender(l->call), sd_bus_message_get_sender(call)))
                        return true;
                n++;
        }
        return n >= LOOKS_MAX;
}

int rollback_bus_list(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        Domain *d = userdata;
        Manager *m = d->manager;
        ArchiveLook *l;
        int r;

        if (is_too_much(m, call))
                return sd_bus_error_set(error, BUS_ERROR_BUSY, "The archive is being looked through; wait for one answer before asking again");
        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        *l = (ArchiveLook){ .next = m->archive_looks, .manager = m, .call = sd_bus_message_ref(call), .name = strdup(DOMAIN_NAME(d)), .keys = d->config->keys };
        m->archive_looks = l;
        r = l->name ? errands_send(m->errands, &class, l) : -ENOMEM;
        if (r < 0) {
                look_free(l);
                return r;
        }
        return 1; /* the answer comes later */
}

int rollback_bus_start(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _auto_problem_ Problem *p = NULL;
        Domain *d = userdata;
        uint64_t number;
        int r;

        r = sd_bus_message_read(call, "t", &number);
        if (r < 0)
                return r;
        r = authorize(d->manager, call, ACTION_ROLLBACK, DOMAIN_NAME(d), error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (!d->managed || d->config->refused)
                return sd_bus_error_setf(error, BUS_ERROR_NOT_CONFIGURED, "%s: %s", DOMAIN_NAME(d),
                                         str_or(d->config->refused, "no server names this domain any more"));
        r = rollback_start(d, number, &number, &p);
        if (r == 0)
                return sd_bus_reply_method_return(call, "t", number);
        return bus_error_from_problem(error, r == -EINVAL ? BUS_ERROR_REFUSED : r == -ENOENT ? BUS_ERROR_NOTHING_TO_DO : r == -EBUSY ? BUS_ERROR_BUSY : BUS_ERROR_FAILED, p);
}
