/* SPDX-License-Identifier: Apache-2.0 */
#include "directives.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"

#include "base/clock.h"
#include "base/string-util.h"
#include "ca-directives.h"
#include "call.h"
#include "definition.h"
#include "domain-directives.h"
#include "server-directives.h"

/* Where a directive may stand. None of them is for <Directory>, <Location> or .htaccess; check_place() sees to that. */
typedef enum Scope {
        SCOPE_ALL,
        SCOPE_NOT_DOMAIN, /* everywhere but inside <MDomain> */
        SCOPE_DOMAIN,     /* only there */
} Scope;

/* What it changes. */
typedef enum Effect {
        EFFECT_SERVER,          /* the server as a whole, wherever it stands */
        EFFECT_DOMAIN,          /* one domain, or outside of <MDomain> all that do not say otherwise */
        EFFECT_DOMAIN_AND_HOST, /* in a virtual host that one, and there no domain */
} Effect;

enum {
        ANY_NUMBER = -1,
};

typedef struct Directive {
        const char *name;
        const char *(*parse)(Call *call, char **words, int n);
        int min, max; /* words */
        Scope scope;
        Effect effect;
        size_t offset;         /* of the member that it sets: of Configuration (EFFECT_SERVER) or Settings */
        bool is_names;         /* its words are names of domains */
        bool is_command;       /* its words are split as a shell does it: "\\ " is a blank */
        const char *arguments; /* for people */
        const char *instead;   /* an old name: the one to write now */
} Directive;

static const char *parse_words(cmd_parms *cmd, void *unused, const char *line);

/* httpd knows <If> as a directory, so all of them are allowed in directories here, and check_place() takes the others out. */
#define ROW(title, help_text, ...)                                                                                 \
        {                                                                                                          \
                title, { .raw_args = parse_words }, (void *) &(const Directive){ .name = title, __VA_ARGS__ },     \
                        RSRC_CONF|ACCESS_CONF, RAW_ARGS, help_text                                                 \
        }

/* What a row about the server sets, and what one about a domain does. */
#define SERVER .scope = SCOPE_NOT_DOMAIN, .effect = EFFECT_SERVER
#define SERVER_ANYWHERE .scope = SCOPE_ALL, .effect = EFFECT_SERVER
#define DOMAIN .scope = SCOPE_ALL, .effect = EFFECT_DOMAIN
#define DOMAIN_OR_HOST .scope = SCOPE_ALL, .effect = EFFECT_DOMAIN_AND_HOST
#define DOMAIN_ONLY .scope = SCOPE_DOMAIN, .effect = EFFECT_DOMAIN
#define OF_SERVER(member) .offset = offsetof(Configuration, member)
#define OF_DOMAIN(member) .offset = offsetof(Settings, member)
#define WORDS(parser, least, most, text) .parse = parser, .min = least, .max = most, .arguments = text
#define NAMES(parser, text) .parse = parser, .min = 1, .max = ANY_NUMBER, .is_names = true, .arguments = text
#define COMMAND(parser, text) .parse = parser, .min = 1, .max = ANY_NUMBER, .is_command = true, .arguments = text

/* The table. Another directive is another row. */

#define SOME_NAMES "DNS-NAME [DNS-NAME]... [auto|manual]"

const command_rec directive_table[] = {
        ROW("MDomain", "Names that share one certificate, which is obtained and renewed",
            SERVER, NAMES(parse_domain, SOME_NAMES)),
        ROW("<MDomain", "The same, with settings of its own inside",
            SERVER, NAMES(parse_domain_section, SOME_NAMES)),
        ROW("<MDomainSet", "The same as <MDomain>",
            SERVER, NAMES(parse_domain_section, SOME_NAMES)),
        ROW("ManagedDomain", "The old name of MDomain",
            SERVER, NAMES(parse_domain, SOME_NAMES), .instead = "MDomain"),
        ROW("<ManagedDomain", "The old name of <MDomain>",
            SERVER, NAMES(parse_domain_section, SOME_NAMES), .instead = "<MDomain>"),
        ROW("MDMember", "More names, or whether names of virtual hosts with TLS are added by themselves",
            DOMAIN, NAMES(parse_members, "DNS-NAME..., or auto|manual")),
        ROW("MDMembers", "The same as MDMember",
            DOMAIN, NAMES(parse_members, "DNS-NAME..., or auto|manual")),
        ROW("MDIgnoreHost", "Whether this virtual host has nothing to do with managed domains",
            SERVER, WORDS(parse_ignore_host, 1, 1, "on|off")),
        ROW("MDBaseServer", "Whether the server outside of virtual hosts is managed, too",
            SERVER, WORDS(parse_switch, 1, 1, "on|off"), OF_SERVER(manage_base_server)),
        ROW("MDMatchNames", "Which names of a virtual host count when its domain is looked for",
            SERVER, WORDS(parse_match_names, 1, 1, "all|servernames")),
        ROW("MDStrict", "Whether what is wrong with one domain refuses the whole configuration",
            SERVER, WORDS(parse_switch, 1, 1, "on|off"), OF_SERVER(strict)),
        ROW("MDStoreDir", "The store; must be that of md-manager",
            SERVER, WORDS(parse_store_dir, 1, 1, "PATH")),
        ROW("MDStoreLocks", "Accepted, without effect: the store needs no such locks any more",
            SERVER, WORDS(parse_store_locks, 1, 1, "on|off|DURATION")),

        ROW("MDCertificateAuthority", "CAs by name or directory URL; further ones are tried when the first fails",
            DOMAIN, WORDS(parse_ca, 0, ANY_NUMBER, "NAME|URL...")),
        ROW("MDCertificateProtocol", "How certificates are asked for",
            DOMAIN, WORDS(parse_protocol, 1, 1, "ACME|tailscale")),
        ROW("MDCertificateAgreement", "Consent to the CA's terms of service",
            DOMAIN, WORDS(parse_agreement, 1, 1, "accepted")),
        ROW("MDContactEmail", "Contact that the CA is told; ServerAdmin counts when there is none",
            DOMAIN_OR_HOST, WORDS(parse_contact, 1, 1, "ADDRESS|URI")),
        ROW("MDExternalAccountBinding", "What the CA knows its customer by",
            DOMAIN, WORDS(parse_account_binding, 1, 2, "KEY-ID HMAC-KEY, or FILE|credential:NAME|none")),
        ROW("MDCACertificateFile", "Certificates (PEM) that the connection to the CA is checked against, instead of the system's",
            DOMAIN, WORDS(parse_trust, 1, 1, "PATH|none"), OF_DOMAIN(ca_file)),
        ROW("MDHttpProxy", "The proxy on the way to the CA",
            DOMAIN, WORDS(parse_proxy, 1, 1, "URL|none")),
        ROW("MDHttpProxyCACertificateFile", "Certificates (PEM) that the connection to an https proxy is checked against",
            DOMAIN, WORDS(parse_trust, 1, 1, "PATH|none"), OF_DOMAIN(proxy_ca_file)),
        ROW("MDProfile", "The profile of certificates to ask the CA for",
            DOMAIN, WORDS(parse_text, 1, 1, "NAME|none"), OF_DOMAIN(profile)),
        ROW("MDProfileMandatory", "Whether there is no certificate at all rather than one of another profile",
            DOMAIN, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(profile_mandatory)),
        ROW("MDPreferredChain", "Which of several chains to take: the common name of the topmost issuer",
            DOMAIN, WORDS(parse_text, 1, 1, "COMMON-NAME|none"), OF_DOMAIN(preferred_chain)),
        ROW("MDCertificateCheck", "Label and URL for a link that looks a certificate up",
            SERVER_ANYWHERE, WORDS(parse_certificate_check, 2, 2, "NAME URL")),
        ROW("MDCertificateMonitor", "The same as MDCertificateCheck",
            SERVER_ANYWHERE, WORDS(parse_certificate_check, 2, 2, "NAME URL")),

        ROW("MDCAChallenges", "Ways of proving the names, in order, whatever seems reachable",
            DOMAIN, WORDS(parse_challenges, 1, ANY_NUMBER, "TYPE...")),
        ROW("MDPortMap", "Local ports where the ports 80 and 443 of the internet arrive",
            SERVER, WORDS(parse_port_map, 1, 2, "http:PORT|- https:PORT|-")),
        ROW("MDChallengeDns01", "Program that publishes and removes the DNS records of dns-01",
            DOMAIN, COMMAND(parse_dns01, "PATH [ARGUMENT]...|none")),
        ROW("MDChallengeDns01Version", "With 2 the program is told the value also when it is to remove the record",
            SERVER, WORDS(parse_dns01_version, 1, 1, "1|2")),
        ROW("MDChallengeDns01Wait", "How long a DNS record may take to be visible before the CA is told to look",
            DOMAIN, WORDS(parse_dns01_wait, 1, 1, "DURATION")),
        ROW("MDChallengeCheck", "Whether answers to challenges are tried before the CA is told to look",
            DOMAIN, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(challenge_check)),

        ROW("MDPrivateKeys", "Keys to make; each gets a certificate",
            DOMAIN, WORDS(parse_private_keys, 1, ANY_NUMBER, "Default, or RSA [BITS] and CURVE...")),
        ROW("MDKeyReuse", "Whether a renewal takes the key that there is",
            DOMAIN, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(key_reuse)),
        ROW("MDNextKey", "Whether the next certificate's key is made ahead, so that its hash can be published before",
            DOMAIN, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(next_key)),
        ROW("MDMustStaple", "Whether certificates are to say that a server must staple",
            DOMAIN, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(must_staple)),
        ROW("MDCertificateFile", "A certificate (PEM) that is there already; may be repeated",
            DOMAIN_ONLY, WORDS(parse_file, 1, 1, "PATH"), OF_DOMAIN(cert_files)),
        ROW("MDCertificateKeyFile", "The key that belongs to it; may be repeated",
            DOMAIN_ONLY, WORDS(parse_file, 1, 1, "PATH"), OF_DOMAIN(key_files)),
        ROW("MDFallbackCertificate", "Certificate and key (PEM) that are served until there is a certificate",
            DOMAIN, WORDS(parse_fallback, 1, 2, "PATH PATH, or none")),
        ROW("MDRenewMode", "When certificates are renewed",
            DOMAIN, WORDS(parse_renew_mode, 1, 1, "auto|always|manual")),
        ROW("MDDriveMode", "The old name of MDRenewMode",
            DOMAIN, WORDS(parse_renew_mode, 1, 1, "auto|always|manual"), .instead = "MDRenewMode"),
        ROW("MDRenewWindow", "How long before its end a certificate is renewed",
            DOMAIN, WORDS(parse_window, 1, 1, "DURATION|N%"), OF_DOMAIN(renew_window)),
        ROW("MDWarnWindow", "How long before its end a certificate is warned about",
            DOMAIN, WORDS(parse_window, 1, 1, "DURATION|N%"), OF_DOMAIN(warn_window)),
        ROW("MDRenewViaARI", "Whether the CA is asked when it suggests to renew",
            DOMAIN, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(ari)),
        ROW("MDRenewOnCAChange", "Whether another MDCertificateAuthority is a reason to renew",
            DOMAIN, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(renew_on_ca_change)),
        ROW("MDInitialDelay", "How long to wait after a start before anything is renewed",
            SERVER, WORDS(parse_initial_delay, 1, 1, "DURATION")),
        ROW("MDCheckInterval", "How often certificates are looked at, about",
            SERVER, WORDS(parse_check_interval, 1, 1, "DURATION")),
        ROW("MDRetryDelay", "How long to wait after the first failure; doubled after each further one",
            SERVER, WORDS(parse_retry_delay, 1, 1, "DURATION")),
        ROW("MDRetryFailover", "After how many failures in a row the next CA is tried",
            SERVER, WORDS(parse_retry_failover, 1, 1, "NUMBER")),
        ROW("MDActivationDelay", "How long a new certificate waits before it is used",
            SERVER, WORDS(parse_activation_delay, 1, 1, "DURATION")),

        ROW("MDNotifyCmd", "Program that is told about new certificates",
            SERVER, COMMAND(parse_command, "PATH [ARGUMENT]..."), OF_SERVER(notify_cmd)),
        ROW("MDMessageCmd", "Program that is told about every event",
            SERVER, COMMAND(parse_command, "PATH [ARGUMENT]..."), OF_SERVER(message_cmd)),

        ROW("MDRequireHttps", "Whether plain http is sent over to https",
            DOMAIN, WORDS(parse_require_https, 1, 1, "off|temporary|permanent")),
        ROW("MDHsts", "What MDRequireHttps permanent says in Strict-Transport-Security",
            DOMAIN, WORDS(parse_hsts, 1, ANY_NUMBER, "max-age=SECONDS [includeSubDomains] [preload]|off")),
        ROW("MDServerStatus", "Whether server-status shows managed domains",
            SERVER_ANYWHERE, WORDS(parse_switch, 1, 1, "on|off"), OF_SERVER(server_status)),
        ROW("MDCertificateStatus", "Whether /.httpd/certificate-status tells about a domain's certificates",
            SERVER_ANYWHERE, WORDS(parse_switch, 1, 1, "on|off"), OF_SERVER(certificate_status)),

        ROW("MDStapling", "Whether OCSP responses are fetched and stapled",
            DOMAIN_OR_HOST, WORDS(parse_setting, 1, 1, "on|off"), OF_DOMAIN(stapling)),
        ROW("MDStapleOthers", "Whether that is done for certificates of no managed domain, too",
            DOMAIN_OR_HOST, WORDS(parse_staple_others, 1, 1, "on|off")),
        ROW("MDStaplingKeepResponse", "For how long OCSP responses are kept",
            SERVER_ANYWHERE, WORDS(parse_staple_keep, 1, 1, "DURATION|N%")),
        ROW("MDStaplingRenewWindow", "How long before its end an OCSP response is renewed",
            SERVER_ANYWHERE, WORDS(parse_staple_renew, 1, 1, "DURATION|N%")),
        { NULL }
};

/* Reading a line */

static bool is_inside(const cmd_parms *cmd, const char *section) {
        for (const ap_directive_t *d = cmd->directive->parent; d; d = d->parent)
                if (str_equal_nocase(d->directive, section))
                        return true;
        return false;
}

static const char *const domain_sections[] = { "<MDomain", "<MDomainSet", "<ManagedDomain", NULL };
static const char *const request_sections[] = {
        "<Directory", "<DirectoryMatch", "<Location", "<LocationMatch", "<Files", "<FilesMatch", "<Proxy", "<ProxyMatch", NULL,
};
static const char *const condition_sections[] = { "<If", "<ElseIf", "<Else", NULL };

static bool is_inside_any(const cmd_parms *cmd, const char *const *sections) {
        for (; *sections; sections++)
                if (is_inside(cmd, *sections))
                        return true;
        return false;
}

static const char *check_place(Call *call, const Directive *d) {
        bool inside = is_inside_any(call->cmd, domain_sections);

        if (ap_check_cmd_context(call->cmd, NOT_IN_HTACCESS) || is_inside_any(call->cmd, request_sections))
                return "is not allowed in <Directory>, <Location>, <Files>, <Proxy> and .htaccess; domains belong to the server as a whole";
        if (is_inside_any(call->cmd, condition_sections))
                call_warn(call, "counts always, whatever the condition of <If> says: it is read when the server starts");

        if (d->scope == SCOPE_NOT_DOMAIN && inside)
                return "is not allowed inside <MDomain>; move it out of the section";
        if (d->scope == SCOPE_DOMAIN && !inside)
                return "is only allowed inside <MDomain>";

        if (d->effect == EFFECT_DOMAIN && !inside && call->cmd->server->is_virtual)
                call_warn(call, "has no effect inside <VirtualHost>; write it into <MDomain>, or outside for all domains");
        if (d->instead)
                call_warn_once(call, d->name, "is an old name; write %s", d->instead);
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

static char **split_command(Call *call, const char *line, int *ret_n) {
        char **words = NULL;

        *ret_n = 0;
        if (apr_tokenize_to_argv(line, &words, call->pool) != APR_SUCCESS)
                return NULL;
        while (words[*ret_n])
                (*ret_n)++;
        return words;
}

static const char *check_count(Call *call, const Directive *d, int n) {
        if (n >= d->min && (d->max == ANY_NUMBER || n <= d->max))
                return NULL;
        return call_complain(call, "%s: write %s %s%s", n < d->min ? "too few arguments" : "too many arguments", d->name, d->arguments,
                        d->name[0] == '<' ? ">" : "");
}

static const char *check_text(Call *call, const char *word) {
        size_t n = strlen(word);

        if (n > MANAGED_DOMAIN_TEXT_MAX)
                return call_complain(call, "'%.40s...' is too long (%" APR_SIZE_T_FMT " bytes)", word, n);
        for (size_t step; n > 0; word += step, n -= step) {
                step = str_utf8_sequence(word, n, NULL);
                if (step == 0)
                        return call_complain(call, "the byte 0x%02x in it is not UTF-8, and md-manager could not be told", (unsigned char) *word);
                if ((unsigned char) *word < ' ' || *word == 0x7f)
                        return "a control character is in it";
        }
        return NULL;
}

/* What a snapshot cannot hold would be lost or changed on the way. A name of that kind is no name, which concerns its domain alone. */
static const char *check_words(Call *call, const Directive *d, char **words) {
        const char *error = NULL;

        for (; *words && !error && !d->is_names; words++)
                error = check_text(call, *words);
        return error;
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

        words = d->is_command ? split_command(call, line, &n) : split_words(call, line, &n);
        error = check_count(call, d, n);
        if (!error)
                error = check_words(call, d, words);
        return error ? error : d->parse(call, words, n);
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

        call.target = d->effect == EFFECT_SERVER ? (char *) call.configuration + d->offset : (char *) call.settings + d->offset;
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
        c->warned = apr_hash_make(p);
        c->retry_delay_usec = SNAPSHOT_RETRY_DELAY_USEC;
        c->check_interval_usec = SNAPSHOT_CHECK_INTERVAL_USEC;
        c->retry_failover = SNAPSHOT_RETRY_FAILOVER;
        c->dns01_version = SNAPSHOT_DNS01_VERSION;
        c->server_status = c->certificate_status = true;
        c->check_name = "crt.sh";
        c->check_url = "https://crt.sh?q=";
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

static Switch in_force(const server_rec *s, size_t offset) {
        const ServerSettings *own = server_settings(s), *base = server_settings(own->configuration->base);
        Switch value = *(const Switch *) ((const char *) &own->settings + offset);

        return value != SWITCH_UNSET ? value : *(const Switch *) ((const char *) &base->settings + offset);
}

bool server_staples(const server_rec *s) {
        return in_force(s, offsetof(Settings, stapling)) == SWITCH_ON;
}

bool server_staples_others(const server_rec *s) {
        return in_force(s, offsetof(Settings, staple_others)) != SWITCH_OFF;
}
