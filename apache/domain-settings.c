/* SPDX-License-Identifier: Apache-2.0 */
#include "domain-settings.h"

#include <errno.h>

#include "base/string-util.h"
#include "base/strv.h"
#include "ca-name.h"

static int take_list(char ***list, const apr_array_header_t *words) {
        int r = 0;

        for (int i = 0; r == 0 && words && i < words->nelts; i++)
                r = strv_extend(list, APR_ARRAY_IDX(words, i, const char *));
        return r;
}

/* The value of one setting: the domain's own, else that of the base server, else (NULL or unset) the default. */
#define IN_FORCE(own, base, member) ((own)->member ? (own)->member : (base)->member)

static bool is_on(Switch value, bool standard) {
        return value == SWITCH_UNSET ? standard : value == SWITCH_ON;
}

static int take_text(char **text, const char *value) {
        return str_is_empty(value) ? 0 : str_replace(text, value);
}

static bool is_socket(const apr_array_header_t *urls) {
        return urls && urls->nelts > 0 && str_has_prefix(APR_ARRAY_IDX(urls, 0, const char *), CA_SOCKET_PREFIX);
}

/* The daemon of tailscale has a socket where others have a directory. A domain that is its alone does not inherit the CA of the others. */
static int take_ca(ManagedDomain *d, const Settings *own, const Settings *base) {
        bool is_alone = !str_is_empty(own->protocol) && !own->ca_urls && !is_socket(base->ca_urls);
        const apr_array_header_t *urls = is_alone ? NULL : IN_FORCE(own, base, ca_urls);
        int r;

        r = take_text(&d->protocol, IN_FORCE(own, base, protocol));
        if (r < 0)
                return r;
        if (urls && urls->nelts > 0)
                return take_list(&d->ca_urls, urls);
        return strv_extend(&d->ca_urls, d->protocol ? CA_TAILSCALE_SOCKET : MANAGED_DOMAIN_CA_URL_DEFAULT);
}

static int take_account(ManagedDomain *d, const Settings *own, const Settings *base) {
        const AccountBinding *eab = IN_FORCE(own, base, eab);
        int r;

        r = take_text(&d->agreement, IN_FORCE(own, base, agreement));
        if (r == 0 && eab)
                r = take_text(&d->eab_kid, eab->kid);
        if (r == 0 && eab)
                r = take_text(&d->eab_hmac, eab->hmac);
        if (r == 0 && eab)
                r = take_text(&d->eab_credential, eab->credential);
        return r;
}

static int take_way_to_ca(ManagedDomain *d, const Settings *own, const Settings *base) {
        int r;

        r = take_text(&d->ca_file, IN_FORCE(own, base, ca_file));
        if (r == 0)
                r = take_text(&d->proxy_url, IN_FORCE(own, base, proxy_url));
        if (r == 0)
                r = take_text(&d->proxy_ca_file, IN_FORCE(own, base, proxy_ca_file));
        return r;
}

static int take_order(ManagedDomain *d, const Settings *own, const Settings *base) {
        const KeySpecs *keys = IN_FORCE(own, base, keys);
        int r;

        if (keys)
                d->keys = *keys;
        d->key_reuse = is_on(IN_FORCE(own, base, key_reuse), false);
        d->next_key = is_on(IN_FORCE(own, base, next_key), false);
        d->must_staple = is_on(IN_FORCE(own, base, must_staple), false);
        d->profile_mandatory = is_on(IN_FORCE(own, base, profile_mandatory), false);
        r = take_text(&d->profile, IN_FORCE(own, base, profile));
        return r == 0 ? take_text(&d->preferred_chain, IN_FORCE(own, base, preferred_chain)) : r;
}

static int take_challenges(ManagedDomain *d, const Settings *own, const Settings *base) {
        const uint64_t *wait_usec = IN_FORCE(own, base, dns01_wait_usec);
        char *const *command = IN_FORCE(own, base, dns01_cmd);

        d->challenge_check = is_on(IN_FORCE(own, base, challenge_check), true);
        if (wait_usec)
                d->dns01_wait_usec = *wait_usec;
        if (command && command[0]) {
                d->dns01_cmd = strv_copy(command);
                if (!d->dns01_cmd)
                        return -ENOMEM;
        }
        return take_list(&d->challenges, IN_FORCE(own, base, challenges));
}

/* What is there already is not renewed by itself, unless that is said. */
static int take_files(ManagedDomain *d, const Settings *own) {
        int r;

        r = take_list(&d->cert_files, own->cert_files);
        if (r == 0)
                r = take_list(&d->key_files, own->key_files);
        if (managed_domain_is_static(d) && d->renew_mode == RENEW_MODE_AUTO)
                d->renew_mode = RENEW_MODE_MANUAL;
        return r;
}

static void take_renewal(ManagedDomain *d, const Settings *own, const Settings *base) {
        const RenewMode *mode = IN_FORCE(own, base, renew_mode);

        d->renew_mode = mode ? *mode : RENEW_MODE_AUTO;
        d->renew_window = window_is_set(&own->renew_window) ? own->renew_window : base->renew_window;
        d->warn_window = window_is_set(&own->warn_window) ? own->warn_window : base->warn_window;
        d->ari = is_on(IN_FORCE(own, base, ari), true);
        d->renew_on_ca_change = is_on(IN_FORCE(own, base, renew_on_ca_change), true);
}

int domain_settings_take(ManagedDomain *d, const Settings *own, const Settings *base) {
        const RequireHttps *require_https = IN_FORCE(own, base, require_https);
        int r;

        d->transitive = is_on(IN_FORCE(own, base, transitive), true);
        d->stapling = is_on(IN_FORCE(own, base, stapling), false);
        d->require_https = require_https ? *require_https : REQUIRE_HTTPS_OFF;
        take_renewal(d, own, base);

        r = take_ca(d, own, base);
        if (r == 0)
                r = take_account(d, own, base);
        if (r == 0)
                r = take_way_to_ca(d, own, base);
        if (r == 0)
                r = take_order(d, own, base);
        if (r == 0)
                r = take_challenges(d, own, base);
        return r == 0 ? take_files(d, own) : r;
}
