/* SPDX-License-Identifier: Apache-2.0 */
#include "base/drop-ins.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "config.h"

const char *const drop_ins_directories[DROP_INS_DIRECTORIES] = { "/usr/lib/md-manager", "/usr/local/lib/md-manager", "/run/md-manager", SYSCONF_DIR };

/* One that cannot be looked into stands for its files: whoever reads them finds out, and tells. */
static int add_unreadable(const char *path, Map *files) {
        char *copy;
        int r;

        if (errno == ENOENT || errno == ENOTDIR)
                return 0;
        copy = strdup(path);
        r = copy ? map_put(files, path, copy) : -ENOMEM;
        if (r < 0)
                free(copy);
        return r < 0 ? r : 0;
}

static int collect(const char *directory, const char *folder, Map *files) {
        _auto_free_ char *path = str_printf("%s/%s", directory, folder);
        _auto_closedir_ DIR *d = NULL;

        if (!path)
                return -ENOMEM;
        d = opendir(path);
        if (!d)
                return add_unreadable(path, files);
        for (struct dirent *e; (e = readdir(d));) {
                char *file;

                if (e->d_name[0] == '.' || !str_has_suffix(e->d_name, ".conf"))
                        continue;
                file = str_printf("%s/%s", path, e->d_name);
                if (!file)
                        return -ENOMEM;
                free(map_remove(files, e->d_name));
                if (map_put(files, e->d_name, file) < 0) {
                        free(file);
                        return -ENOMEM;
                }
        }
        return 0;
}

static int sort(const Map *files, char ***ret_paths) {
        _auto_strv_ char **names = NULL, **paths = NULL;
        const char *name;
        char *path;

        MAP_FOREACH(files, name, path)
                if (strv_extend(&names, name) < 0)
                        return -ENOMEM;
        strv_sort(names);
        STRV_FOREACH(n, names)
                if (strv_extend(&paths, map_get(files, *n)) < 0)
                        return -ENOMEM;
        *ret_paths = take_ptr(paths);
        return 0;
}

int drop_ins_list(const char *folder, char ***ret_paths) {
        Map *files = map_new();
        int r = files ? 0 : -ENOMEM;

        assert(folder);
        assert(ret_paths);

        for (size_t i = 0; r == 0 && i < DROP_INS_DIRECTORIES; i++)
                r = collect(drop_ins_directories[i], folder, files);
        if (r == 0)
                r = sort(files, ret_paths);
        map_free_with(files, free);
        return r;
}

static int find_main(const char *base, char ***paths) {
        for (size_t i = DROP_INS_DIRECTORIES; i-- > 0;) {
                _auto_free_ char *path = str_printf("%s/%s", drop_ins_directories[i], base);

                if (!path)
                        return -ENOMEM;
                if (access(path, F_OK) == 0)
                        return strv_consume(paths, take_ptr(path));
        }
        return 0;
}

int drop_ins_list_settings(const char *base, char ***ret_paths) {
        _auto_strv_ char **paths = NULL, **drop_ins = NULL;
        _auto_free_ char *folder = NULL;
        int r;

        assert(base);
        assert(ret_paths);

        folder = str_printf("%s.d", base);
        r = folder ? find_main(base, &paths) : -ENOMEM;
        if (r >= 0)
                r = drop_ins_list(folder, &drop_ins);
        STRV_FOREACH(path, drop_ins)
                if (r >= 0)
                        r = strv_extend(&paths, *path);
        if (r < 0)
                return r;
        *ret_paths = take_ptr(paths);
        return 0;
}
