/* SPDX-License-Identifier: Apache-2.0 */

/* mdctl: what md-manager knows and does, on the command line. Another verb is another row and another file. */

#include "mdctl/mdctl.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/options.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "base/strv.h"
#include "mdctl/agent.h"
#include "mdctl/pager.h"

enum {
        RETRIES_MAX = 100,
        NAMES_MAX = 1000,
        LINES_DEFAULT = 100,
};

typedef struct Verb {
        const char *name;
        const char *arguments; /* for --help */
        const char *help;
        int min, max; /* how many arguments */
        int (*run)(Mdctl *c, char *const *arguments);
        bool is_default;
} Verb;

static const Verb verbs[] = {
        { "list",    "",       "List managed domains",                                    0, 0, verb_list, .is_default = true },
        { "show",    "NAME",   "Show everything about a domain",                          1, 1, verb_show                     },
        { "explain", "NAME",   "Explain what happens to a domain, and why",                1, 1, verb_explain                  },
        { "renew",   "NAME",   "Renew a domain's certificates and wait for the end",      1, 1, verb_renew                    },
        { "retry",   "NAME...", "Try again now what waits after a failure",               1, RETRIES_MAX, verb_retry          },
        { "log",     "NAME",   "Show what happened to a domain: its own log and the journal", 1, 1, verb_log                    },
        { "events",  "[NAME]", "Show the latest events of all domains, or of one",         0, 1, verb_events                   },
        { "timeline", "",      "Show when each domain is renewed and expires",             0, 0, verb_timeline                 },
        { "watch",   "",       "Print what happens, as it happens",                       0, 0, verb_watch                    },
        { "check",   "",       "Look at every domain again; exit status 1 tells of faults", 0, 0, verb_check                  },
        { "reload",  "[UNIT]", "Have web servers load new certificates",                  0, 1, verb_reload                   },
        { "export",  "NAME",   "Print a domain's certificate with its chain, or its key, too", 1, 1, verb_export               },
        { "metrics", "",       "Print what monitoring wants to know (OpenMetrics)",       0, 0, verb_metrics                  },
        { "revoke",  "NAME",   "Have a domain's certificates revoked",                    1, 1, verb_revoke                   },
        { "archive", "NAME",   "List earlier sets of certificates and keys",              1, 1, verb_archive                  },
        { "rollback", "NAME [SET]", "Put an earlier set back, and wait until it is served", 1, 2, verb_rollback               },
        { "domain",  "COMMAND", "list, add, update, remove: domains that no virtual host serves", 1, NAMES_MAX, verb_domain    },
        { "hook",    "COMMAND", "list, test: what hooks are still to be told; run one and show all of it", 1, 3, verb_hook      },
        { "targets", "",       "List what other services have of the certificates",       0, 0, verb_targets                  },
        { "account", "COMMAND", "list, show, register, update, rollover, deactivate: accounts at CAs", 1, 2, verb_account     },
        { "tlsa",    "NAME",   "Print what TLSA records are to hold for a domain's keys", 1, 1, verb_tlsa                     },
        { "import",  "[DIRECTORY]", "Take over what mod_md, certbot or acme.sh left behind", 0, 1, verb_import                },
        { "version", "",       "Show the versions of mdctl and md-manager",               0, 0, verb_version                  },
};

static const Option options[] = {
        { "host",            'H', "HOST", "Ask the manager of another machine, by ssh" },
        { "json",            0, "MODE", "Print JSON: short, pretty, or off" },
        { "no-pager",        0, NULL,   "Do not pipe output into a pager" },
        { "no-legend",       0, NULL,   "Do not print headers and footers" },
        { "no-ask-password", 0, NULL,   "Do not ask for passwords" },
        { "force",           0, NULL,   "With renew: also when nothing is due" },
        { "no-wait",         0, NULL,   "With renew, retry, reload, revoke, rollback, account, domain: do not wait" },
        { "lines",         'n', "N",    "With log and events: so many, the newest (100)" },
        { "dry-run",         0, NULL,   "With import: only say what would be done" },
        { "reason",          0, "REASON", "With revoke: why, for instance keyCompromise" },
        { "reissue",         0, NULL,   "With revoke: get new certificates with new keys at once; the default, unless the names are given up" },
        { "no-reissue",      0, NULL,   "With revoke: go on with the revoked ones" },
        { "by-certificate-key", 0, NULL, "With revoke: prove it by the certificate's key" },
        { "private-key",     0, NULL,   "With export: the private key, too" },
        { "key",             0, "KEY",  "With export: the certificate for this key, for instance rsa" },
        { "format",          0, "FORMAT", "With export: pem or pkcs12" },
        { "password-file",   0, "FILE", "With export: what has the password of PKCS#12 in it" },
        { "output",          'o', "FILE", "With export: write this file" },
        { "directive",       0, "TEXT", "With domain add and update: a directive; may be repeated" },
        { "contact",         0, "URI",  "With account register: a contact; may be repeated" },
        { "agree",           0, NULL,   "With account register: agree to the CA's terms of service" },
};

int mdctl_oom(void) {
        fprintf(stderr, "Out of memory.\n");
        return MDCTL_FAILED;
}

static int parse_json_mode(Mdctl *c, const char *word) {
        if (str_equal(word, "short"))
                c->json = JSON_SHORT;
        else if (str_equal(word, "pretty"))
                c->json = JSON_PRETTY;
        else if (str_equal(word, "off"))
                c->json = JSON_OFF;
        else {
                fprintf(stderr, "--json=%s is not known; write --json=short, --json=pretty or --json=off.\n", word);
                return -EINVAL;
        }
        return 0;
}

/* As in MDContactEmail: an address is a mailto: URI. */
static int add_contact(Mdctl *c, const char *text) {
        char *uri = strchr(text, ':') ? strdup(text) : str_printf("mailto:%s", text);

        return uri && strv_consume(&c->contacts, uri) == 0 ? 0 : -ENOMEM;
}

/* It becomes a word of the command line of ssh, which is not to take it for an option. */
static int set_host(Mdctl *c, const char *host) {
        if (str_is_empty(host) || host[0] == '-') {
                fprintf(stderr, "'%s' is no name of a host; write --host=NAME or --host=USER@NAME.\n", host);
                return -EINVAL;
        }
        c->host = host;
        return 0;
}

static int set_lines(Mdctl *c, const char *number) {
        uint32_t n;

        if (parse_uint32(number, &n) < 0 || n == 0) {
                fprintf(stderr, "--lines=%s is no number of lines.\n", number);
                return -EINVAL;
        }
        c->lines = n;
        return 0;
}

static int handle_option(const Option *option, const char *argument, void *userdata) {
        Mdctl *c = userdata;
        const struct {
                const char *name;
                bool *flag;
        } flags[] = {
                { "no-pager", &c->no_pager },
                { "no-legend", &c->no_legend },
                { "no-ask-password", &c->no_ask_password },
                { "force", &c->force },
                { "no-wait", &c->no_wait },
                { "dry-run", &c->dry_run },
                { "reissue", &c->reissue },
                { "no-reissue", &c->no_reissue },
                { "by-certificate-key", &c->by_certificate_key },
                { "agree", &c->agree },
                { "private-key", &c->private_key },
        };
        const struct {
                const char *name;
                const char **text;
        } texts[] = {
                { "reason", &c->reason },
                { "key", &c->key },
                { "format", &c->format },
                { "password-file", &c->password_file },
                { "output", &c->output },
        };

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (str_equal(option->long_name, flags[i].name)) {
                        *flags[i].flag = true;
                        return 0;
                }
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (str_equal(option->long_name, texts[i].name)) {
                        *texts[i].text = argument;
                        return 0;
                }
        if (str_equal(option->long_name, "contact"))
                return add_contact(c, argument);
        if (str_equal(option->long_name, "directive"))
                return strv_extend(&c->directives, argument);
        if (str_equal(option->long_name, "lines"))
                return set_lines(c, argument);
        if (str_equal(option->long_name, "host"))
                return set_host(c, argument);
        return parse_json_mode(c, argument);
}

/* The part of --help that comes from the table of verbs. NULL: out of memory. */
static char *describe_verbs(void) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        fputs("Commands:\n", f);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                fprintf(f, "  %-8s %-10s  %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
        fputs("\nWithout a command, mdctl lists. See mdctl(1).\n", f);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* NULL: there is none; it was told. */
static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (name ? str_equal(verbs[i].name, name) : verbs[i].is_default)
                        return &verbs[i];
        fprintf(stderr, "There is no command '%s'. Try 'mdctl --help'.\n", name);
        return NULL;
}

static bool options_fit(const Mdctl *c, const Verb *verb) {
        const struct {
                bool given;
                const char *options;
                int (*verbs[7])(Mdctl *c, char *const *arguments);
                const char *fit;
        } rules[] = {
                { c->lines != LINES_DEFAULT, "--lines is", { verb_log, verb_events }, "'mdctl log' and 'events'" },
                { c->force, "--force is", { verb_renew }, "'mdctl renew'" },
                { c->dry_run, "--dry-run is", { verb_import }, "'mdctl import'" },
                { c->reason || c->reissue || c->no_reissue || c->by_certificate_key, "--reason, --reissue, --no-reissue and --by-certificate-key are", { verb_revoke }, "'mdctl revoke'" },
                { c->no_wait, "--no-wait is", { verb_renew, verb_retry, verb_reload, verb_revoke, verb_rollback, verb_account, verb_domain },
                  "'mdctl renew', 'retry', 'reload', 'revoke', 'rollback', 'account' and 'domain'" },
                { c->directives, "--directive is", { verb_domain }, "'mdctl domain'" },
                { c->private_key || c->key || c->format || c->password_file || c->output, "--private-key, --key, --format, --password-file and --output are", { verb_export },
                  "'mdctl export'" },
                { c->contacts || c->agree, "--contact and --agree are", { verb_account }, "'mdctl account register'" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                bool fits = !rules[i].given;

                for (size_t k = 0; k < ELEMENTSOF(rules[i].verbs); k++)
                        fits = fits || rules[i].verbs[k] == verb->run;
                if (!fits) {
                        fprintf(stderr, "%s for %s only.\n", rules[i].options, rules[i].fit);
                        return false;
                }
        }
        return true;
}

static bool usage_is_right(const Mdctl *c, const Verb *verb, int n) {
        if (n >= verb->min && n <= verb->max)
                return options_fit(c, verb);
        fprintf(stderr, "Too %s arguments. Write: mdctl %s%s%s\n", n < verb->min ? "few" : "many", verb->name, *verb->arguments ? " " : "", verb->arguments);
        return false;
}

static int run(Mdctl *c, int n, char *const *words) {
        const Verb *verb = find_verb(n > 0 ? words[0] : NULL);
        int r;

        if (!verb || !usage_is_right(c, verb, n > 0 ? n - 1 : 0))
                return MDCTL_USAGE;
        r = verb->run(c, n > 0 ? words + 1 : words);
        if (fflush(stdout) != 0 && errno != EPIPE && r == MDCTL_DONE) {
                fprintf(stderr, "Cannot write: %m\n");
                r = MDCTL_FAILED;
        }
        agent_close();
        pager_close();
        c->contacts = strv_free(c->contacts);
        c->directives = strv_free(c->directives);
        sd_bus_flush_close_unref(c->bus);
        return r;
}

int main(int argc, char *argv[]) {
        _auto_free_ char *commands = describe_verbs();
        const OptionTable table = {
                .program = "mdctl",
                .synopsis = "[OPTIONS…] COMMAND …",
                .description = "Look at and control the certificates that md-manager manages.",
                .options = options,
                .n_options = ELEMENTSOF(options),
                .epilogue = commands,
        };
        Mdctl c = { .lines = LINES_DEFAULT };
        int index, r;

        if (!commands)
                return mdctl_oom();
        (void) setlocale(LC_ALL, "");
        r = options_parse(&table, argc, argv, handle_option, &c, &index);
        if (r != OPTIONS_DONE)
                return r == OPTIONS_E_EXIT ? MDCTL_DONE : r == OPTIONS_E_USAGE ? MDCTL_USAGE : mdctl_oom();
        return run(&c, argc - index, argv + index);
}
