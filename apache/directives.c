/* SPDX-License-Identifier: Apache-2.0 */
#include "directives.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "apr_uri.h"
#include "http_core.h"
#include "http_log.h"

#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "ca-name.h"
#include "contact.h"
#include "pass.h"

/* Where a directive may stand. None of them is for <Directory> or <Location>; RSRC_CONF sees to that. */
typedef enum Scope {
        SCOPE_ALL,
        SCOPE_NOT_DOMAIN, /* everywhere but inside <MDomain> */
        SCOPE_DOMAIN,     /* only there */
} Scope;

/* What it changes. */
typedef enum Effect {
        EFFECT_SERVER,          /* the server as a whole, wherever it stands */
        EFFECT_DOMAIN,          /* one domain, or outside of <MDomain> all that do not say otherwise */
        EFFECT_DOMAIN_AND_HOST, /* in a virtual host also that one */
} Effect;

/* A directive being read. */
typedef struct Call {
        cmd_parms *cmd;
        Configuration *configuration;
        ServerSettings *server;
        Settings *settings; /* where a value of one domain goes */
        apr_pool_t *pool;
} Call;

enum {
        ANY_NUMBER = -1,
};

/* A parse function gets its words (followed by NULL) and returns NULL, or what is wrong and what would be right; httpd puts
 * directive, file and line in front. */
typedef struct Directive {
        const char *name;
        const char *(*parse)(Call *call, char **words, int n);
        int min, max; /* words */
        Scope scope;
        Effect effect;
        const char *arguments; /* for people */
} Directive;

static const char *parse_words(cmd_parms *cmd, void *unused, const char *line);

#define ROW(name, parse, min, max, scope, effect, arguments, help)                                                                 \
        {                                                                                                                          \
                name, { .raw_args = parse_words }, (void *) &(const Directive){ name, parse, min, max, scope, effect, arguments }, \
                        RSRC_CONF, RAW_ARGS, help                                                                                  \
        }

/* Helpers of the parse functions */

static const char *complain(Call *call, const char *format, ...) _printf_(2, 3);
static const char *complain(Call *call, const char *format, ...) {
        va_list ap;
        char *text;

        va_start(ap, format);
        text = apr_pvsprintf(call->pool, format, ap);
        va_end(ap);
        return text;
}

/* Not an error, but not what was meant. */
static void warn(Call *call, const char *text) {
        if (pass_is_told())
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, call->configuration->base, "%s:%d: %s: %s.",
                             call->cmd->directive->filename, call->cmd->directive->line_num, call->cmd->directive->directive, text);
}

static const char *parse_switch(Call *call, const char *word, bool *ret) {
        if (str_equal_nocase(word, "on"))
                *ret = true;
        else if (str_equal_nocase(word, "off"))
                *ret = false;
        else
                return complain(call, "'%s' is neither 'on' nor 'off'", word);
        return NULL;
}

static void list_add(apr_array_header_t *list, const char *word) {
        for (int i = 0; i < list->nelts; i++)
                if (str_equal(APR_ARRAY_IDX(list, i, const char *), word))
                        return;
        APR_ARRAY_PUSH(list, const char *) = word;
}

/* The domains */

/* "auto" and "manual" may stand anywhere among the names. */
static bool parse_member_mode(Call *call, const char *word, Settings *settings) {
        bool *transitive;

        if (!str_equal_nocase(word, "auto") && !str_equal_nocase(word, "manual"))
                return false;

        transitive = apr_palloc(call->pool, sizeof(*transitive));
        *transitive = str_equal_nocase(word, "auto");
        settings->transitive = transitive;
        return true;
}

static void definition_add_name(Call *call, Definition *d, const char *word) {
        char *name = apr_pstrdup(call->pool, word);
        size_t length = strlen(name);

        str_to_lower(name);
        if (length > 1 && name[length - 1] == '.')
                name[length - 1] = '\0';

        if (apr_hash_get(d->known, name, APR_HASH_KEY_STRING))
                return;
        apr_hash_set(d->known, name, APR_HASH_KEY_STRING, name);
        APR_ARRAY_PUSH(d->names, const char *) = name;
}

static void definition_add_words(Call *call, Definition *d, char **words) {
        for (; *words; words++)
                if (!parse_member_mode(call, *words, &d->settings))
                        definition_add_name(call, d, *words);
}

static const char *define_domain(Call *call, char **words, Definition **ret) {
        Definition *d = apr_pcalloc(call->pool, sizeof(*d));

        d->names = apr_array_make(call->pool, 4, sizeof(const char *));
        d->known = apr_hash_make(call->pool);
        d->file = call->cmd->directive->filename;
        d->line = (unsigned) call->cmd->directive->line_num;

        definition_add_words(call, d, words);
        if (d->names->nelts == 0)
                return "needs at least one DNS name";

        APR_ARRAY_PUSH(call->configuration->definitions, Definition *) = d;
        *ret = d;
        return NULL;
}

static const char *parse_domain(Call *call, char **words, int n) {
        Definition *d;

        return define_domain(call, words, &d);
}

static const char *parse_domain_section(Call *call, char **words, int n) {
        const char *error;
        Definition *d;

        error = define_domain(call, words, &d);
        if (error)
                return error;

        call->server->section = d;
        error = ap_walk_config(call->cmd->directive->first_child, call->cmd, call->cmd->context);
        call->server->section = NULL;
        return error;
}

static const char *parse_members(Call *call, char **words, int n) {
        if (call->server->section) {
                definition_add_words(call, call->server->section, words);
                return NULL;
        }

        if (n > 1)
                return "takes names only inside <MDomain>; outside it takes one word, 'auto' or 'manual'";
        if (!parse_member_mode(call, words[0], call->settings))
                return complain(call, "'%s' is neither 'auto' nor 'manual'; names of members belong inside <MDomain>", words[0]);
        return NULL;
}

/* The server as a whole */

static const char *parse_base_server(Call *call, char **words, int n) {
        return parse_switch(call, words[0], &call->configuration->manage_base_server);
}

static const char *parse_match_names(Call *call, char **words, int n) {
        if (str_equal_nocase(words[0], "all"))
                call->configuration->match_server_names_only = false;
        else if (str_equal_nocase(words[0], "servernames"))
                call->configuration->match_server_names_only = true;
        else
                return complain(call, "'%s' is neither 'all' nor 'servernames'", words[0]);
        return NULL;
}

static const char *parse_store_dir(Call *call, char **words, int n) {
        const char *path = ap_server_root_relative(call->pool, words[0]);

        if (!path)
                return complain(call, "'%s' is not a path", words[0]);
        call->configuration->store_dir = path;
        call->configuration->store_dir_place =
                apr_psprintf(call->pool, "%s:%d", call->cmd->directive->filename, call->cmd->directive->line_num);
        return NULL;
}

static const char *parse_port_map_entry(Call *call, const char *word) {
        const char *colon = strchr(word, ':'), *from;
        uint16_t to = 0, *target;

        if (!colon)
                return complain(call, "'%s' has no ':'; maps look like http:8080 or https:-", word);

        from = apr_pstrmemdup(call->pool, word, (apr_size_t) (colon - word));
        if (str_equal_nocase(from, "http") || str_equal(from, "80"))
                target = &call->configuration->http_port;
        else if (str_equal_nocase(from, "https") || str_equal(from, "443"))
                target = &call->configuration->https_port;
        else
                return complain(call, "'%s' cannot be mapped, only http (80) and https (443) can", from);

        if (!str_equal(colon + 1, "-") && parse_port(colon + 1, &to) != 0)
                return complain(call, "'%s' is neither a port (1 to 65535) nor '-' for unreachable", colon + 1);
        *target = to;
        return NULL;
}

static const char *parse_port_map(Call *call, char **words, int n) {
        const char *error = NULL;

        for (; *words && !error; words++)
                error = parse_port_map_entry(call, *words);
        return error;
}

static const char *parse_retry_delay(Call *call, char **words, int n) {
        uint64_t delay_usec;

        if (parse_md_duration_usec(words[0], "s", &delay_usec) != 0)
                return complain(call, "'%s' is not a duration; write 30s, 5mi, 2h or 1d", words[0]);
        if (delay_usec == 0)
                return "must be more than 0";
        call->configuration->retry_delay_usec = delay_usec;
        return NULL;
}

static const char *parse_message_cmd(Call *call, char **words, int n) {
        if (words[0][0] != '/')
                return complain(call, "'%s' is not an absolute path; programs are not searched for", words[0]);
        call->configuration->message_cmd = words;
        return NULL;
}

/* One domain, or all */

static const char *check_ca_url(Call *call, const char *url) {
        char names[CA_NAMES_TEXT_MAX];
        apr_uri_t uri;

        for (const char *c = url; *c; c++)
                if ((unsigned char) *c <= ' ' || *c == 0x7f)
                        return "a URL has no blanks or control characters";

        if (!strchr(url, ':'))
                return complain(call, "'%s' is neither a URL nor a CA known by name; known are: %s", url, ca_names_text(names));
        if (apr_uri_parse(call->pool, url, &uri) != APR_SUCCESS || !uri.scheme)
                return complain(call, "'%s' is not a URL", url);
        if (!str_equal_nocase(uri.scheme, "https"))
                return complain(call, "'%s' is not an https URL", url);
        if (str_is_empty(uri.hostname))
                return complain(call, "'%s' names no host", url);
        if (uri.port_str && (uri.port_str[0] != '\0') && parse_port(uri.port_str, &(uint16_t){ 0 }) != 0)
                return complain(call, "'%s' has no valid port (1 to 65535)", url);
        return NULL;
}

static const char *parse_ca(Call *call, char **words, int n) {
        apr_array_header_t *urls = apr_array_make(call->pool, n > 0 ? n : 1, sizeof(const char *));
        const char *gone = NULL;

        for (; *words; words++) {
                const CaName *known = ca_name_find(*words);
                const char *error;

                if (known && !known->url) {
                        gone = known->name;
                        continue;
                }
                if (known) {
                        list_add(urls, known->url);
                        continue;
                }
                error = check_ca_url(call, *words);
                if (error)
                        return error;
                list_add(urls, *words);
        }

        if (gone && urls->nelts == 0)
                return complain(call, "%s issues no certificates any more; LetsEncrypt, ZeroSSL, Google and Actalis do", gone);
        if (gone)
                warn(call, complain(call, "%s issues no certificates any more and is left out", gone));

        /* Without arguments the list is empty, and the default counts again, also inside <MDomain>. */
        call->settings->ca_urls = urls;
        return NULL;
}

static const char *parse_ca_file(Call *call, char **words, int n) {
        const char *path;

        if (str_equal_nocase(words[0], "none")) {
                call->settings->ca_file = "";
                return NULL;
        }

        path = ap_server_root_relative(call->pool, words[0]);
        if (!path)
                return complain(call, "'%s' is not a path", words[0]);
        call->settings->ca_file = path;
        return NULL;
}

/* A URL of the terms is what the first versions of ACME wanted to hear, and still stands in configurations. */
static bool is_consent(Call *call, const char *word) {
        apr_uri_t uri;

        if (str_equal_nocase(word, "accepted"))
                return true;
        return apr_uri_parse(call->pool, word, &uri) == APR_SUCCESS && !str_is_empty(uri.hostname) &&
                (str_equal(uri.scheme, "https") || str_equal(uri.scheme, "http"));
}

static const char *parse_agreement(Call *call, char **words, int n) {
        if (!is_consent(call, words[0]))
                return complain(call, "'%s' is no consent; write accepted, or leave the line out", words[0]);
        call->settings->agreement = words[0];
        return NULL;
}

static const char *parse_contact(Call *call, char **words, int n) {
        const char *contact = contact_uri(call->pool, words[0]);

        if (!contact)
                return complain(call, "'%s' is not an e-mail address; it looks like admin@example.org", words[0]);
        call->settings->contact = contact;
        return NULL;
}

static const char *parse_challenges(Call *call, char **words, int n) {
        apr_array_header_t *list = apr_array_make(call->pool, n, sizeof(const char *));

        for (; *words; words++) {
                str_to_lower(*words);
                list_add(list, *words);
        }
        call->settings->challenges = list;
        return NULL;
}

static const char *parse_private_keys(Call *call, char **words, int n) {
        KeySpecs *keys = apr_pcalloc(call->pool, sizeof(*keys));
        const char *why = NULL;
        int r;

        r = key_specs_parse(words, keys, &why);
        if (r != 0)
                return complain(call, "%s; write Default, RSA with a number of bits, or names of curves",
                                str_or(why, "not a list of keys"));
        call->settings->keys = keys;
        return NULL;
}

static const char *parse_renew_mode(Call *call, char **words, int n) {
        RenewMode *mode = apr_palloc(call->pool, sizeof(*mode));

        if (renew_mode_from_string(words[0], mode) != 0)
                return complain(call, "'%s' is none of 'auto', 'always' and 'manual'", words[0]);
        call->settings->renew_mode = mode;
        return NULL;
}

static const char *parse_window(Call *call, const char *word, Window *ret) {
        const char *why = NULL;

        if (window_parse(word, ret, &why) != 0)
                return complain(call, "'%s': %s", word,
                                str_or(why, "neither a duration (30d, 12h) nor a part of the lifetime (33%)"));
        return NULL;
}

static const char *parse_renew_window(Call *call, char **words, int n) {
        return parse_window(call, words[0], &call->settings->renew_window);
}

static const char *parse_warn_window(Call *call, char **words, int n) {
        return parse_window(call, words[0], &call->settings->warn_window);
}

/* The table. Another directive is another row. */

const command_rec directive_table[] = {
        ROW("MDomain", parse_domain, 1, ANY_NUMBER, SCOPE_NOT_DOMAIN, EFFECT_SERVER, "DNS-NAME [DNS-NAME]... [auto|manual]",
            "Names that share one certificate, which is obtained and renewed"),
        ROW("<MDomain", parse_domain_section, 1, ANY_NUMBER, SCOPE_NOT_DOMAIN, EFFECT_SERVER,
            "DNS-NAME [DNS-NAME]... [auto|manual]", "The same, with settings of its own inside"),
        ROW("<MDomainSet", parse_domain_section, 1, ANY_NUMBER, SCOPE_NOT_DOMAIN, EFFECT_SERVER,
            "DNS-NAME [DNS-NAME]... [auto|manual]", "The same as <MDomain>"),
        ROW("MDMember", parse_members, 1, ANY_NUMBER, SCOPE_ALL, EFFECT_DOMAIN, "DNS-NAME..., or auto|manual",
            "More names, or whether names of virtual hosts with TLS are added by themselves"),
        ROW("MDMembers", parse_members, 1, ANY_NUMBER, SCOPE_ALL, EFFECT_DOMAIN, "DNS-NAME..., or auto|manual",
            "The same as MDMember"),

        ROW("MDBaseServer", parse_base_server, 1, 1, SCOPE_NOT_DOMAIN, EFFECT_SERVER, "on|off",
            "Whether the server outside of virtual hosts is managed, too"),
        ROW("MDMatchNames", parse_match_names, 1, 1, SCOPE_NOT_DOMAIN, EFFECT_SERVER, "all|servernames",
            "Which names of a virtual host count when its domain is looked for"),
        ROW("MDStoreDir", parse_store_dir, 1, 1, SCOPE_NOT_DOMAIN, EFFECT_SERVER, "PATH", "The store; must be that of md-manager"),
        ROW("MDPortMap", parse_port_map, 1, 2, SCOPE_NOT_DOMAIN, EFFECT_SERVER, "http:PORT|- https:PORT|-",
            "Local ports where the ports 80 and 443 of the internet arrive"),
        ROW("MDRetryDelay", parse_retry_delay, 1, 1, SCOPE_NOT_DOMAIN, EFFECT_SERVER, "DURATION",
            "How long to wait after the first failure; doubled after each further one"),
        ROW("MDMessageCmd", parse_message_cmd, 1, ANY_NUMBER, SCOPE_NOT_DOMAIN, EFFECT_SERVER, "PATH [ARGUMENT]...",
            "Program that is told about every event"),

        ROW("MDCertificateAuthority", parse_ca, 0, ANY_NUMBER, SCOPE_ALL, EFFECT_DOMAIN, "NAME|URL...",
            "CAs by name or directory URL; further ones are tried when the first fails"),
        ROW("MDCACertificateFile", parse_ca_file, 1, 1, SCOPE_ALL, EFFECT_DOMAIN, "PATH|none",
            "Certificates (PEM) that the connection to the CA is checked against, instead of the system's"),
        ROW("MDCertificateAgreement", parse_agreement, 1, 1, SCOPE_ALL, EFFECT_DOMAIN, "accepted",
            "Consent to the CA's terms of service"),
        ROW("MDContactEmail", parse_contact, 1, 1, SCOPE_ALL, EFFECT_DOMAIN_AND_HOST, "ADDRESS|URI",
            "Contact that the CA is told; ServerAdmin counts when there is none"),
        ROW("MDCAChallenges", parse_challenges, 1, ANY_NUMBER, SCOPE_ALL, EFFECT_DOMAIN, "TYPE...",
            "Ways of proving the names, in order, whatever seems reachable"),
        ROW("MDPrivateKeys", parse_private_keys, 1, ANY_NUMBER, SCOPE_ALL, EFFECT_DOMAIN, "Default, or RSA [BITS] and CURVE...",
            "Keys to make; each gets a certificate"),
        ROW("MDRenewMode", parse_renew_mode, 1, 1, SCOPE_ALL, EFFECT_DOMAIN, "auto|always|manual", "When certificates are renewed"),
        ROW("MDDriveMode", parse_renew_mode, 1, 1, SCOPE_ALL, EFFECT_DOMAIN, "auto|always|manual", "The same as MDRenewMode"),
        ROW("MDRenewWindow", parse_renew_window, 1, 1, SCOPE_ALL, EFFECT_DOMAIN, "DURATION|N%",
            "How long before its end a certificate is renewed"),
        ROW("MDWarnWindow", parse_warn_window, 1, 1, SCOPE_ALL, EFFECT_DOMAIN, "DURATION|N%",
            "How long before its end a certificate is warned about"),
        { NULL }
};

/* Reading a line */

static bool inside_domain_section(const cmd_parms *cmd) {
        for (const ap_directive_t *d = cmd->directive->parent; d; d = d->parent)
                if (str_equal_nocase(d->directive, "<MDomain") || str_equal_nocase(d->directive, "<MDomainSet"))
                        return true;
        return false;
}

static const char *check_place(Call *call, const Directive *d) {
        bool inside = inside_domain_section(call->cmd);

        if (d->scope == SCOPE_NOT_DOMAIN && inside)
                return "is not allowed inside <MDomain>; move it out of the section";
        if (d->scope == SCOPE_DOMAIN && !inside)
                return "is only allowed inside <MDomain>";

        if (d->effect == EFFECT_DOMAIN && !inside && call->cmd->server->is_virtual)
                warn(call, "has no effect inside <VirtualHost>; write it into <MDomain>, or outside for all domains");
        return NULL;
}

/* "<MDomain a b>" arrives as "a b>". */
static const char *strip_bracket(Call *call, const char **line) {
        const char *end = ap_strrchr_c(*line, '>');

        if (!end)
                return "lacks the closing '>'";
        for (const char *c = end + 1; *c; c++)
                if (!apr_isspace(*c))
                        return "has something behind the closing '>'";

        *line = apr_pstrmemdup(call->pool, *line, (apr_size_t) (end - *line));
        return NULL;
}

static char **split_words(Call *call, const char *line, int *ret_n) {
        apr_array_header_t *words = apr_array_make(call->pool, 8, sizeof(char *));

        while (*line) {
                char *word = ap_getword_conf(call->pool, &line);

                if (*word)
                        APR_ARRAY_PUSH(words, char *) = word;
        }
        *ret_n = words->nelts;
        APR_ARRAY_PUSH(words, char *) = NULL;
        return (char **) words->elts;
}

static const char *check_count(Call *call, const Directive *d, int n) {
        if (n >= d->min && (d->max == ANY_NUMBER || n <= d->max))
                return NULL;
        return complain(call, "%s: write %s %s%s", n < d->min ? "too few arguments" : "too many arguments", d->name, d->arguments,
                        d->name[0] == '<' ? ">" : "");
}

static const char *parse_line(Call *call, const Directive *d, const char *line) {
        const char *error;
        char **words;
        int n;

        error = check_place(call, d);
        if (!error && d->name[0] == '<')
                error = strip_bracket(call, &line);
        if (error)
                return error;

        words = split_words(call, line, &n);
        error = check_count(call, d, n);
        if (error)
                return error;
        return d->parse(call, words, n);
}

/* All directives take the raw line, because httpd cuts lists off silently behind the 64th word. */
static const char *parse_words(cmd_parms *cmd, void *unused, const char *line) {
        const Directive *d = cmd->info;
        ServerSettings *server = ap_get_module_config(cmd->server->module_config, &md_module);
        Call call = {
                .cmd = cmd,
                .configuration = server->configuration,
                .server = server,
                .settings = server->section ? &server->section->settings : &server->settings,
                .pool = cmd->pool,
        };
        const char *error;

        error = parse_line(&call, d, line);
        /* What a directive inside of a section said, httpd has introduced already. */
        if (!error || cmd->err_directive)
                return error;
        return apr_psprintf(cmd->pool, "%s%s: %s", d->name, d->name[0] == '<' ? ">" : "", error);
}

/* Settings of servers */

/* There is one Configuration for each time that the configuration is read, that is: for each life of its pool. */
static Configuration *configuration_get(apr_pool_t *p) {
        static const char key[] = "md_manager:configuration";
        Configuration *c = NULL;
        void *found = NULL;

        (void) apr_pool_userdata_get(&found, key, p);
        if (found)
                return found;

        c = apr_pcalloc(p, sizeof(*c));
        c->definitions = apr_array_make(p, 16, sizeof(Definition *));
        c->http_port = 80;
        c->https_port = 443;
        c->retry_delay_usec = 30 * USEC_PER_SEC;
        (void) apr_pool_userdata_setn(c, key, NULL, p);
        return c;
}

void *directives_create_server_settings(apr_pool_t *p, server_rec *s) {
        ServerSettings *server = apr_pcalloc(p, sizeof(*server));

        server->configuration = configuration_get(p);
        if (!s->is_virtual)
                server->configuration->base = s;
        return server;
}

const ServerSettings *server_settings(const server_rec *s) {
        return ap_get_module_config(s->module_config, &md_module);
}

Configuration *server_configuration(const server_rec *s) {
        return server_settings(s)->configuration;
}
