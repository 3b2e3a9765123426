/* SPDX-License-Identifier: Apache-2.0 */

/* Which files of which program belong together. */

#include "mdctl/import-source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bundle.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/string-util.h"

static int leave_out_known(ImportSource *s, const char *const (*known)[2], size_t n) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                if (import_source_has(s, known[i][0]))
                        r = import_source_leave_out(s, known[i][0], known[i][1]);
        return r;
}

/* --- mod_md --- */

static bool is_of_a_set(const char *file) {
        static const char *const others[] = { "md.json", "job.json", "pkey.pem", "cert.pem", "chain.pem" };

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (str_equal(file, others[i]))
                        return true;
        return (str_has_prefix(file, "privkey.") || str_has_prefix(file, "pubcert.")) && str_has_suffix(file, ".pem");
}

static bool has_certificate(char *const *files) {
        STRV_FOREACH(file, files)
                if (str_has_prefix(*file, "pubcert.") || str_equal(*file, "cert.pem"))
                        return true;
        return false;
}

static int add_set(ImportSource *s, const char *kind, const char *area, const char *entry, const char *name, const char *without) {
        _auto_free_ char *path = str_printf("%s/%s", area, entry);
        _auto_strv_ char **files = NULL;
        ImportItem *item;
        int r;

        if (!path)
                return -ENOMEM;
        r = import_source_list(s, path, &files);
        if (r < 0)
                return r;
        if (!has_certificate(files) || !bundle_name_is_valid(name))
                return files ? import_source_leave_out(s, path, has_certificate(files) ? "its name is none" : without) : 0;
        item = import_source_add(s, kind, name, path);
        r = item ? import_item_add(item, "", "md_store.json", "md_store.json") : -ENOMEM;
        STRV_FOREACH(file, files)
                if (r == 0 && is_of_a_set(*file) && bundle_name_is_valid(*file))
                        r = import_item_add(item, path, *file, *file);
        return r;
}

static int add_sets(ImportSource *s, const char *area, const char *without) {
        _auto_strv_ char **names = NULL;
        int r = import_source_list(s, area, &names);

        STRV_FOREACH(name, names)
                if (r == 0)
                        r = add_set(s, "certificate", area, *name, *name, without);
        return r;
}

typedef struct Earlier {
        char *entry; /* borrowed */
        char *name;
        uint64_t number;
} Earlier;

static int compare_earlier(const void *a, const void *b) {
        const Earlier *x = a, *y = b;
        int c = strcmp(x->name, y->name);

        return c != 0 ? c : x->number < y->number ? -1 : x->number > y->number;
}

/* The oldest come first, so that they are in that order here, too. */
static int add_archive(ImportSource *s) {
        _auto_strv_ char **entries = NULL, **names = NULL;
        _auto_free_ Earlier *sets = NULL;
        size_t n = 0;
        int r = import_source_list(s, "archive", &entries);

        sets = calloc(strv_length(entries) + 1, sizeof(*sets));
        if (!sets)
                return -ENOMEM;
        STRV_FOREACH(entry, entries) {
                const char *dot = strrchr(*entry, '.');

                if (r < 0 || !dot || parse_uint64(dot + 1, &sets[n].number) < 0)
                        continue;
                sets[n] = (Earlier){ .entry = *entry, .name = strndup(*entry, (size_t) (dot - *entry)), .number = sets[n].number };
                r = strv_consume(&names, sets[n].name);
                n += r == 0;
        }
        qsort(sets, n, sizeof(*sets), compare_earlier);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = add_set(s, "archived", "archive", sets[i].entry, sets[i].name, "there is no certificate");
        return r;
}

/* An account that a renewal made and that is not in accounts/ yet lies beside what is staged. */
static int add_accounts(ImportSource *s, const char *area) {
        _auto_strv_ char **names = NULL;
        int r = import_source_list(s, area, &names);

        STRV_FOREACH(name, names) {
                _auto_free_ char *path = str_printf("%s/%s", area, *name), *key = str_printf("%s/%s/account.pem", area, *name);
                ImportItem *item;

                if (!path || !key)
                        return -ENOMEM;
                if (r < 0 || !import_source_has(s, key) || !bundle_name_is_valid(*name))
                        continue;
                item = import_source_add(s, "account", *name, path);
                r = item ? import_item_add(item, "", "md_store.json", "md_store.json") : -ENOMEM;
                if (r == 0)
                        r = import_item_add(item, path, "account.json", "account.json");
                if (r == 0)
                        r = import_item_add(item, path, "account.pem", "account.pem");
        }
        return r;
}

int import_source_find_mod_md(ImportSource *s) {
        static const char *const known[][2] = {
                { "challenges", "answers to challenges are made anew" },
                { "ocsp", "OCSP responses are asked for anew" },
                { "tmp", "what was in the making is made anew" },
                { "httpd.json", "what Apache listens on is found out anew" },
        };
        int r;

        r = add_accounts(s, "accounts");
        if (r == 0)
                r = add_accounts(s, "staging");
        if (r == 0)
                r = add_archive(s);
        if (r == 0)
                r = add_sets(s, "domains", "there is no certificate yet");
        if (r == 0)
                r = add_sets(s, "staging", "a renewal has not come to its end, and begins anew when it is due");
        return r == 0 ? leave_out_known(s, known, ELEMENTSOF(known)) : r;
}

/* --- certbot --- */

static int lineages(ImportSource *s, char ***ret) {
        _auto_strv_ char **configured = NULL, **live = NULL, **names = NULL;
        int r = import_source_list(s, "renewal", &configured);

        if (r == 0)
                r = import_source_list(s, "live", &live);
        STRV_FOREACH(name, configured)
                if (r == 0 && str_has_suffix(*name, ".conf"))
                        r = strv_consume(&names, strndup(*name, strlen(*name) - strlen(".conf")));
        STRV_FOREACH(name, live)
                if (r == 0 && !str_equal(*name, "README") && !strv_contains(names, *name))
                        r = strv_extend(&names, *name);
        if (r == 0)
                *ret = take_ptr(names);
        return r;
}

static int add_lineage(ImportSource *s, const char *name) {
        static const char *const files[] = { "privkey.pem", "fullchain.pem", "cert.pem", "chain.pem" };
        _auto_free_ char *conf = str_printf("%s.conf", name), *live = str_printf("live/%s", name);
        ImportItem *item;
        int r;

        if (!conf || !live)
                return -ENOMEM;
        if (!bundle_name_is_valid(name))
                return import_source_leave_out(s, live, "its name is none");
        item = import_source_add(s, "certificate", name, live);
        r = item ? import_item_add(item, "renewal", conf, "renewal.conf") : -ENOMEM;
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(files); i++)
                r = import_item_add(item, live, files[i], files[i]);
        return r;
}

static int leave_out_hooks(ImportSource *s) {
        static const char *const places[] = { "renewal-hooks/pre", "renewal-hooks/deploy", "renewal-hooks/post" };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _auto_strv_ char **names = NULL;

                if (r == 0 && import_source_has(s, places[i]))
                        r = import_source_list(s, places[i], &names);
                STRV_FOREACH(name, names) {
                        _auto_free_ char *path = str_printf("%s/%s", places[i], *name);

                        if (r == 0)
                                r = path ? import_source_leave_out(s, path, "it is not run any more: see MDMessageCmd in mod_md_manager(8)") : -ENOMEM;
                }
        }
        return r;
}

int import_source_find_certbot(ImportSource *s) {
        static const char *const account[] = { "private_key.json", "regr.json", NULL };
        static const char *const known[][2] = {
                { "archive", "only the newest certificate of each name is taken" },
                { "csr", "requests are made anew" },
                { "keys", "keys without certificate are of no use" },
                { "cli.ini", "settings of certbot itself" },
        };
        _auto_strv_ char **names = NULL;
        int r = import_source_find_accounts(s, "accounts", account);

        if (r == 0)
                r = lineages(s, &names);
        STRV_FOREACH(name, names)
                if (r == 0)
                        r = add_lineage(s, *name);
        if (r == 0)
                r = leave_out_hooks(s);
        return r == 0 ? leave_out_known(s, known, ELEMENTSOF(known)) : r;
}

/* --- acme.sh --- */

static int add_variant(ImportItem *item, const char *directory, const char *name, const char *stem) {
        const char *const files[][2] = { { ".conf", ".conf" }, { ".key", ".key" }, { ".cer", ".cer" } };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(files); i++) {
                _auto_free_ char *file = str_printf("%s%s", name, files[i][0]), *to = str_printf("%s%s", stem, files[i][1]);

                r = file && to ? import_item_add(item, directory, file, to) : -ENOMEM;
        }
        if (r == 0)
                r = import_item_add(item, directory, "fullchain.cer", str_equal(stem, "domain") ? "domain.fullchain" : "domain_ecc.fullchain");
        if (r == 0)
                r = import_item_add(item, directory, "ca.cer", str_equal(stem, "domain") ? "domain.ca" : "domain_ecc.ca");
        return r;
}

static bool has_conf(const ImportSource *s, const char *directory, const char *name) {
        _auto_free_ char *path = str_printf("%s/%s.conf", directory, name);

        return path && import_source_has(s, path);
}

static int add_domain(ImportSource *s, const char *name) {
        _auto_free_ char *ecc = str_printf("%s_ecc", name);
        ImportItem *item;
        int r = 0;

        if (!ecc)
                return -ENOMEM;
        if (!bundle_name_is_valid(name))
                return import_source_leave_out(s, name, "its name is none");
        item = import_source_add(s, "certificate", name, has_conf(s, name, name) ? name : ecc);
        if (!item)
                return -ENOMEM;
        if (has_conf(s, name, name))
                r = add_variant(item, name, name, "domain");
        if (r == 0 && has_conf(s, ecc, name))
                r = add_variant(item, ecc, name, "domain_ecc");
        return r;
}

/* "NAME", or "NAME_ecc" when there is no "NAME" that comes by itself. */
static int add_directory(ImportSource *s, const char *directory) {
        _auto_free_ char *name = NULL;

        if (has_conf(s, directory, directory))
                return add_domain(s, directory);
        if (!str_has_suffix(directory, "_ecc"))
                return 0;
        name = strndup(directory, strlen(directory) - strlen("_ecc"));
        if (!name)
                return -ENOMEM;
        return has_conf(s, directory, name) && !has_conf(s, name, name) ? add_domain(s, name) : 0;
}

int import_source_find_acme_sh(ImportSource *s) {
        static const char *const account[] = { "account.key", "account.json", "ca.conf", NULL };
        static const char *const known[][2] = {
                { "account.conf", "settings of acme.sh itself, perhaps with credentials of DNS services: commands for MDChallengeDns01 have theirs" },
                { "account.key", "an account of a very old acme.sh that does not say of which CA" },
        };
        _auto_strv_ char **names = NULL;
        int r = import_source_has(s, "ca") ? import_source_find_accounts(s, "ca", account) : 0;

        if (r == 0)
                r = import_source_list(s, ".", &names);
        STRV_FOREACH(name, names)
                if (r == 0)
                        r = add_directory(s, *name);
        return r == 0 ? leave_out_known(s, known, ELEMENTSOF(known)) : r;
}
