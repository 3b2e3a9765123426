/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl export: a domain's certificate for other programs, with its key for who may have it. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/string-util.h"
#include "bus/names.h"
#include "mdctl/client.h"
#include "mdctl/format.h"

enum { PASSWORD_MAX = 4096 };

typedef struct Pair {
        Secret *key; /* NULL: not wanted */
        char *chain;
} Pair;

static void pair_done(Pair *p) {
        secret_free(p->key);
        free(p->chain);
}

static bool wants_pkcs12(const Mdctl *c) {
        return str_equal(c->format, "pkcs12");
}

/* --- PEM --- */

static int take_pair(sd_bus_message *reply, bool with_key, Pair *p) {
        const char *key = NULL, *chain;
        int r;

        r = with_key ? sd_bus_message_read(reply, "ss", &key, &chain) : sd_bus_message_read(reply, "s", &chain);
        if (r < 0)
                return client_tell_answer(r);
        p->chain = strdup(chain);
        p->key = key ? secret_new(key, strlen(key)) : NULL;
        return p->chain && (p->key || !with_key) ? MDCTL_DONE : mdctl_oom();
}

static int fetch_pair(Mdctl *c, const char *path, Pair *p) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = client_call(c, (ClientMethod){ path, BUS_INTERFACE_DOMAIN, c->private_key ? "GetPrivateKey" : "GetChain" }, &error, &reply, "s", str_or(c->key, ""));
        return r < 0 ? client_tell(&error, NULL) : take_pair(reply, c->private_key, p);
}

/* The key first, as most servers want it. */
static int join_pair(const Pair *p, Secret **ret) {
        size_t n = p->key ? p->key->size : 0, m = strlen(p->chain);
        char *all = malloc(n + m + 1);

        if (!all)
                return mdctl_oom();
        if (n > 0)
                memcpy(all, p->key->data, n);
        memcpy(all + n, p->chain, m);
        *ret = secret_new(all, n + m);
        secret_wipe(all, n + m);
        free(all);
        return *ret ? MDCTL_DONE : mdctl_oom();
}

/* --- PKCS#12 --- */

/* The first line of the file. */
static int read_password(const Mdctl *c, Secret **ret) {
        _auto_close_ int fd = open(c->password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _auto_free_ char *text = NULL;
        size_t size;
        int r = fd < 0 ? -errno : fd_read_to_end(fd, PASSWORD_MAX, &text, &size);

        if (r != 0) {
                fprintf(stderr, "Cannot read %s: %s\n", c->password_file, r < 0 ? strerror(-r) : "it is too long");
                return MDCTL_FAILED;
        }
        *ret = secret_new(text, strcspn(text, "\r\n"));
        secret_wipe(text, size);
        if (!*ret)
                return mdctl_oom();
        if ((*ret)->size > 0)
                return MDCTL_DONE;
        *ret = secret_free(*ret);
        fprintf(stderr, "There is no password in the first line of %s\n", c->password_file);
        return MDCTL_FAILED;
}

static int call_pkcs12(Mdctl *c, const char *path, const Secret *password, sd_bus_message **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, path, BUS_INTERFACE_DOMAIN, "GetPkcs12");
        if (r >= 0)
                r = sd_bus_message_sensitive(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", str_or(c->key, ""), password->data);
        if (r >= 0)
                r = client_send(c, m, &error, ret);
        return r >= 0 ? MDCTL_DONE : sd_bus_error_is_set(&error) ? client_tell(&error, NULL) : client_tell_answer(r);
}

static int fetch_pkcs12(Mdctl *c, const char *path, Secret **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _auto_secret_ Secret *password = NULL;
        const void *data;
        size_t size;
        int r;

        r = read_password(c, &password);
        if (r == MDCTL_DONE)
                r = call_pkcs12(c, path, password, &reply);
        if (r != MDCTL_DONE)
                return r;
        r = sd_bus_message_read_array(reply, 'y', &data, &size);
        if (r < 0)
                return client_tell_answer(r);
        *ret = secret_new(data, size);
        return *ret ? MDCTL_DONE : mdctl_oom();
}

/* --- Out --- */

/* A device, a pipe, a socket: these are written to, not replaced, and that is what standard output is for. */
static bool is_no_file(int dir_fd, const char *base) {
        struct stat st;

        return fstatat(dir_fd, base, &st, 0) == 0 && !S_ISREG(st.st_mode);
}

/* Whole or not at all; what has a key in it is nobody else's to read, whatever was there before. */
static int write_file(const Mdctl *c, const Secret *data) {
        const FileMode mode = { .mode = c->private_key ? 0600 : 0644, .uid = (uid_t) -1, .gid = (gid_t) -1 };
        const char *slash = strrchr(c->output, '/'), *base = slash ? slash + 1 : c->output;
        _auto_free_ char *directory = slash ? strndup(c->output, (size_t) (slash - c->output) + 1) : strdup(".");
        _auto_close_ int fd = -1;
        int r;

        if (!directory)
                return mdctl_oom();
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                r = -errno;
        else if (is_no_file(fd, base))
                r = FILE_E_NOT_REGULAR;
        else
                r = file_replace_at(fd, base, data->data, data->size, &mode);
        if (r == 0)
                return MDCTL_DONE;
        fprintf(stderr, "Cannot write %s: %s\n", c->output, r < 0 ? strerror(-r) : "something that is no file stands there; without --output it goes to standard output");
        return MDCTL_FAILED;
}

static int print_json(const Mdctl *c, const Pair *p, const char *name) {
        _auto_json_ JsonObject *o = json_object_new_object();

        if (!o || json_add_string(o, "Name", name) < 0 || json_add_string(o, "Chain", p->chain) < 0 || json_add_string(o, "PrivateKey", p->key ? p->key->data : NULL) < 0)
                return mdctl_oom();
        return format_json(c, o);
}

static int write_out(const Mdctl *c, const Secret *data) {
        if (c->output && !str_equal(c->output, "-"))
                return write_file(c, data);
        (void) fwrite(data->data, 1, data->size, stdout);
        return MDCTL_DONE;
}

static bool options_make_sense(const Mdctl *c) {
        if (c->format && !wants_pkcs12(c) && !str_equal(c->format, "pem"))
                fprintf(stderr, "--format=%s is not known; write --format=pem or --format=pkcs12.\n", c->format);
        else if (wants_pkcs12(c) && !c->private_key)
                fprintf(stderr, "PKCS#12 is for certificates with their keys: add --private-key.\n");
        else if (wants_pkcs12(c) && !c->password_file)
                fprintf(stderr, "PKCS#12 is encrypted: name a file with the password by --password-file=.\n");
        else if (!wants_pkcs12(c) && c->password_file)
                fprintf(stderr, "--password-file is for --format=pkcs12 only.\n");
        else if (wants_pkcs12(c) && c->json != JSON_OFF)
                fprintf(stderr, "PKCS#12 is no text: it does not go with --json.\n");
        else if (c->output && c->json != JSON_OFF)
                fprintf(stderr, "--output does not go with --json, which prints.\n");
        else if (wants_pkcs12(c) && !c->output && isatty(STDOUT_FILENO))
                fprintf(stderr, "PKCS#12 is nothing for a terminal: name a file by --output=.\n");
        else
                return true;
        return false;
}

static int export_pem(Mdctl *c, const char *path, const char *name) {
        _cleanup_(pair_done) Pair pair = { 0 };
        _auto_secret_ Secret *data = NULL;
        int r;

        r = fetch_pair(c, path, &pair);
        if (r != MDCTL_DONE)
                return r;
        if (c->json != JSON_OFF)
                return print_json(c, &pair, name);
        r = join_pair(&pair, &data);
        return r == MDCTL_DONE ? write_out(c, data) : r;
}

static int export_pkcs12(Mdctl *c, const char *path) {
        _auto_secret_ Secret *data = NULL;
        int r = fetch_pkcs12(c, path, &data);

        return r == MDCTL_DONE ? write_out(c, data) : r;
}

int verb_export(Mdctl *c, char *const *arguments) {
        _auto_json_ JsonObject *domain = NULL;
        _auto_free_ char *path = NULL;
        int r;

        if (!options_make_sense(c))
                return MDCTL_USAGE;
        r = client_get_domain(c, arguments[0], &path, &domain);
        if (r != MDCTL_DONE)
                return r;
        return wants_pkcs12(c) ? export_pkcs12(c, path) : export_pem(c, path, get_text(domain, "Name"));
}
