/* SPDX-License-Identifier: Apache-2.0 */
#include "children.h"

#include <grp.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "httpd.h" /* the others build on it */

#include "apr_strings.h"
#include "unixd.h"

#include "base/string-util.h"

enum {
        GROUPS_MAX = 256,
};

/* "User #1000" has no groups but its own. */
static bool is_in_group(const char *user, gid_t own, gid_t group) {
        gid_t groups[GROUPS_MAX];
        int n = GROUPS_MAX;

        if (own == group)
                return true;
        if (!user || *user == '#' || getgrouplist(user, own, groups, &n) < 0)
                return false;
        for (int i = 0; i < n; i++)
                if (groups[i] == group)
                        return true;
        return false;
}

static bool may_read(const struct stat *st) {
        mode_t needed = S_IROTH | S_IXOTH;

        if (st->st_uid == ap_unixd_config.user_id)
                needed = S_IRUSR | S_IXUSR;
        else if (is_in_group(ap_unixd_config.user_name, ap_unixd_config.group_id, st->st_gid))
                needed = S_IRGRP | S_IXGRP;
        return (st->st_mode & needed) == needed;
}

static const char *remedy(apr_pool_t *p, const char *user, gid_t gid) {
        const struct group *group = getgrgid(gid);

        if (!group || gid == 0 || *user == '#')
                return "\"systemd-tmpfiles --create md-manager.conf\" gives it to the group that it was built for";
        return apr_psprintf(p, "\"usermod -aG %s %s\" and a restart let them", group->gr_name, user);
}

const char *children_trouble(StoreView *v, apr_pool_t *p) {
        const char *user = str_or(ap_unixd_config.user_name, "?"), *path;
        struct stat st;

        if (geteuid() != 0 || ap_unixd_config.user_id == 0)
                return NULL;
        if (ap_unixd_config.chroot_dir)
                return apr_psprintf(p, "they live below ChrootDir %s, where the store is not", ap_unixd_config.chroot_dir);
        if (store_view_stat_challenges(v, p, &path, &st) != STORE_VIEW_DONE || may_read(&st))
                return NULL;
        return apr_psprintf(p, "user %s may not read %s; %s", user, path, remedy(p, user, st.st_gid));
}
