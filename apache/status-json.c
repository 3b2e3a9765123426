/* SPDX-License-Identifier: Apache-2.0 */

/* "md-status" for programs: the manager's texts, as they are. */

#include "status.h"

#include "http_log.h"
#include "http_protocol.h"

#include "config.h"
#include "status-data.h"
#include "store-view.h"

static int write_one(request_rec *r, const ManagedDomain *d) {
        StatusDomain found;
        JsonObject *json = NULL, *log, *renewal;
        const char *text = NULL;

        if (status_data_one(r, d, &found) == 0)
                json = status_data_json(r, &found);
        renewal = json_get_object(json, "renewal");
        log = json_get_object(json, STORE_VIEW_STATUS_LOG);
        if (renewal && log && json_add_object(renewal, STORE_VIEW_STATUS_LOG, json_object_get(log)) == 0)
                json_object_object_del(json, STORE_VIEW_STATUS_LOG); /* where mod_md has it */
        if (json)
                text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
        if (!text)
                return HTTP_INTERNAL_SERVER_ERROR;
        (void) ap_rputs(text, r);
        (void) ap_rputs("\n", r);
        return OK;
}

int status_json(request_rec *r, const ManagedDomain *d) {
        const apr_array_header_t *all;

        ap_set_content_type(r, "application/json");
        if (d)
                return write_one(r, d);
        all = status_data_all(r);
        if (!all)
                return HTTP_INTERNAL_SERVER_ERROR;
        (void) ap_rputs("{\"version\":\"" PROJECT_VERSION "\",\"managed-domains\":[", r);
        for (int i = 0; i < all->nelts; i++) {
                const StatusDomain *s = &APR_ARRAY_IDX(all, i, StatusDomain);

                (void) ap_rputs(i > 0 ? ",\n" : "\n", r);
                (void) ap_rwrite(s->text, (int) s->size, r);
        }
        (void) ap_rputs("\n]}\n", r);
        return OK;
}
