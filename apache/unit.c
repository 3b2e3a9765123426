/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "apr_file_io.h"
#include "apr_strings.h"

#include "base/cleanup.h"
#include "base/string-util.h"
#include "crypto/digest.h"
#include "domain/snapshot.h"

#define SERVICE_SUFFIX ".service"

enum {
        CGROUP_MAX = 16 * 1024,
        ID_HASH_DIGITS = 16,
};

/* "0::PATH" (unified), or "N:name=systemd:PATH". */
static const char *systemd_path(const char *line) {
        const char *path;

        path = str_after_prefix(line, "0::/");
        if (path)
                return path;
        line = strchr(line, ':');
        return line ? str_after_prefix(line, ":name=systemd:/") : NULL;
}

/* The innermost service counts; a server may have been given cgroups below its unit's. */
static const char *last_service(apr_pool_t *p, const char *path) {
        const char *found = NULL;
        char *state = NULL, *component;

        component = apr_strtok(apr_pstrdup(p, path), "/", &state);
        if (str_equal(component, "user.slice"))
                return NULL; /* units of a user's manager are out of the system's sight */

        for (; component; component = apr_strtok(NULL, "/", &state))
                if (str_has_suffix(component, SERVICE_SUFFIX) && strlen(component) > strlen(SERVICE_SUFFIX))
                        found = component;
        return found;
}

const char *unit_from_cgroup(apr_pool_t *p, const char *text) {
        const char *unified = NULL;
        char *state = NULL, *line;

        for (line = apr_strtok(apr_pstrdup(p, text), "\n", &state); line; line = apr_strtok(NULL, "\n", &state)) {
                const char *path = systemd_path(line), *unit = path ? last_service(p, path) : NULL;

                if (!unit)
                        continue;
                /* On a mixed system the named hierarchy is systemd's own. */
                if (!str_has_prefix(line, "0::"))
                        return unit;
                unified = unit;
        }
        return unified;
}

const char *unit_of_this_process(apr_pool_t *p) {
        char *text = apr_pcalloc(p, CGROUP_MAX + 1);
        apr_size_t size = 0;
        apr_file_t *file;

        if (apr_file_open(&file, "/proc/self/cgroup", APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, p) != APR_SUCCESS)
                return NULL;
        (void) apr_file_read_full(file, text, CGROUP_MAX, &size);
        (void) apr_file_close(file);

        text[size] = '\0';
        return unit_from_cgroup(p, text);
}

const char *unit_snapshot_id(apr_pool_t *p, const char *unit, const char *server_root, const char *config_file) {
        const char *place = apr_psprintf(p, "%s\n%s", server_root, config_file);
        _auto_free_ char *hash = NULL;

        if (unit && str_has_suffix(unit, SERVICE_SUFFIX)) {
                const char *id = apr_pstrndup(p, unit, strlen(unit) - strlen(SERVICE_SUFFIX));

                if (snapshot_id_is_valid(id))
                        return id;
        }

        if (digest_sha256_hex(place, strlen(place), &hash) < 0)
                return "httpd";
        return apr_psprintf(p, "httpd-%.*s", ID_HASH_DIGITS, hash);
}
