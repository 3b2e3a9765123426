/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A managed domain and its settings, as Apache's configuration gives them: plain values. JSON members are those of mod_md's
 * md.json. */

#include "base/json.h"
#include "base/problem.h"
#include "base/strv.h"
#include "base/key-spec.h"
#include "domain/window.h"

typedef enum RenewMode {
        RENEW_MODE_MANUAL, /* the numbers are those of "renew-mode" in md.json */
        RENEW_MODE_AUTO,
        RENEW_MODE_ALWAYS,
} RenewMode;

typedef enum RequireHttps {
        REQUIRE_HTTPS_OFF,
        REQUIRE_HTTPS_TEMPORARY,
        REQUIRE_HTTPS_PERMANENT, /* with Strict-Transport-Security */
        _REQUIRE_HTTPS_MAX,
} RequireHttps;

typedef struct ManagedDomain {
        char *name;   /* the first name; also the directory in the store */
        char **names; /* with the name in front; normalized, no duplicates */
        char **contacts; /* URIs, "mailto:…" */
        bool transitive; /* MDMembers auto */

        char **ca_urls;   /* directory URLs in order; at least one once a snapshot was read */
        char *ca_file;    /* MDCACertificateFile; NULL: the system's trust */
        char *protocol;   /* MDCertificateProtocol: "tailscale"; NULL: ACME */
        char *agreement;  /* MDCertificateAgreement; NULL: none */
        char *profile;    /* MDProfile; NULL: the CA's default */
        bool profile_mandatory;
        char *preferred_chain; /* MDPreferredChain: common name in a chain's topmost issuer; NULL: the CA's default chain */
        char *eab_kid, *eab_hmac; /* MDExternalAccountBinding: values (the HMAC key is base64url, and secret); NULL: none */
        char *eab_credential;     /* … or the name of a systemd credential of md-manager that holds both; NULL: none */
        char *proxy_url;          /* MDHttpProxy; NULL: what the environment says. May hold a password */
        char *proxy_ca_file;      /* MDHttpProxyCACertificateFile; NULL: the system's trust */

        char **challenges; /* MDCAChallenges; NULL: chosen by what can be reached */
        char **dns01_cmd;  /* MDChallengeDns01, program and its first arguments; NULL: none */
        uint64_t dns01_wait_usec; /* MDChallengeDns01Wait: how long a record may take to be visible; 0: it is not looked for */
        bool challenge_check;     /* MDChallengeCheck: answers are tried by ourselves before the CA is told */

        KeySpecs keys;
        bool key_reuse;   /* MDKeyReuse: a renewal takes the key that there is */
        bool next_key;    /* MDNextKey: the key of the next certificate is made ahead and kept */
        bool must_staple; /* MDMustStaple */
        char **cert_files, **key_files; /* MDCertificateFile, MDCertificateKeyFile: static, by position; NULL: none */
        RequireHttps require_https;
        bool stapling;    /* MDStapling */

        RenewMode renew_mode;
        Window renew_window;
        Window warn_window;
        bool ari;                  /* MDRenewViaARI */
        bool renew_on_ca_change;   /* MDRenewOnCAChange: another MDCertificateAuthority is a reason to renew */

        /* What the server found out */
        bool used;      /* some virtual host serves one of its names */
        bool used_tls;  /* … with TLS */
        char **acme_tls_names; /* names whose virtual host answers acme-tls/1; NULL: none */
        char **hosts;   /* for people, the virtual hosts that use it: "FILE:LINE (ServerName www.example.org)"; NULL: none */
        char **origins; /* for people, where names come from that MDomain does not say: "www.example.org: ServerAlias at FILE:LINE"; NULL: none */
        char **endpoints; /* where it is served with TLS, and by which name: "ADDRESS:PORT NAME" (domain/endpoint.h); NULL: nowhere */
        char *defined_file; /* where it was configured; NULL: not by Apache */
        unsigned defined_line;
        char *refused;  /* why the server disabled this domain; NULL: it did not */
        char **file_certs; /* static: what stands in cert_files, leaf certificates in PEM, by position; NULL: not known */
        char **served;  /* SHA-256 fingerprints (hex) of the certificates handed to the TLS module for it; NULL: none */
} ManagedDomain;

#define MANAGED_DOMAIN_CA_URL_DEFAULT "https://acme-v02.api.letsencrypt.org/directory"

enum {
        MANAGED_DOMAIN_TEXT_MAX = 4096,   /* one URL, path, word or contact */
        MANAGED_DOMAIN_NAMES_MAX = 10000, /* MDomain and ServerAlias together */
        MANAGED_DOMAIN_CONTACTS_MAX = 64,
        MANAGED_DOMAIN_CA_URLS_MAX = 16,
        MANAGED_DOMAIN_CHALLENGES_MAX = 16,
        MANAGED_DOMAIN_SERVED_MAX = 256,
        MANAGED_DOMAIN_RENEW_PERCENT = 33, /* MDRenewWindow and MDWarnWindow when they are not set */
        MANAGED_DOMAIN_WARN_PERCENT = 10,
        MANAGED_DOMAIN_COMMAND_MAX = 256, /* words */
        MANAGED_DOMAIN_FILES_MAX = 64,
        MANAGED_DOMAIN_CERT_MAX = 64 * 1024, /* bytes of one leaf certificate in PEM */
        MANAGED_DOMAIN_TOLD_MAX = 10000,  /* hosts, origins, endpoints */
};

#define MANAGED_DOMAIN_DNS01_WAIT_USEC ((uint64_t) 2 * 60 * 1000000) /* MDChallengeDns01Wait when it is not set */

/* With its name as the only one and the defaults of the directives. Lists and windows that are not set stay empty: who reads
 * them knows what that means (managed_domain_from_json() fills in the CA). NULL: out of memory. */
ManagedDomain *managed_domain_new(const char *name);
ManagedDomain *managed_domain_copy(const ManagedDomain *d);
ManagedDomain *managed_domain_free(ManagedDomain *d);
DEFINE_CLEANUP(ManagedDomain *, managed_domain_free)

/* Adds it normalized, not checked; one that is there already is not added again. */
int managed_domain_add_name(ManagedDomain *d, const char *name);
bool managed_domain_has_name(const ManagedDomain *d, const char *name) _pure_; /* exactly this one; 'name' is normalized */

/* All but what the server found out. Keys count by what they ask for, names whatever the order behind the first. */
bool managed_domain_settings_equal(const ManagedDomain *a, const ManagedDomain *b) _pure_;

/* The same names, in whatever order. */
bool managed_domain_names_equal(const ManagedDomain *a, const ManagedDomain *b) _pure_;

/* All of it. */
bool managed_domain_equal(const ManagedDomain *a, const ManagedDomain *b) _pure_;

/* The settings, without what the server found out. Secrets are in it; switches that stand at their default are not. */
int managed_domain_to_json(const ManagedDomain *d, JsonObject **ret);
/* The same for everybody's eyes: the HMAC key is "***", and commands, paths and proxies are left out. What mod_md always has is there also when it stands
 * at its default, and "ca" "url" is the first CA. */
int managed_domain_to_public_json(const ManagedDomain *d, JsonObject **ret);

/* -EBADMSG with *ret_problem naming the member: no name, a name that is none, a list that is too long, … */
int managed_domain_from_json(JsonObject *o, ManagedDomain **ret, Problem **ret_problem);

/* What the server found out, as members of the same object. A member that is missing leaves what is there; -EBADMSG as
 * above. */
int managed_domain_server_to_json(const ManagedDomain *d, JsonObject *o);
int managed_domain_server_from_json(JsonObject *o, ManagedDomain *d, Problem **ret_problem);

/* What its files are called by: the keys that are configured, but with MDCertificateProtocol tailscale the default one, because the daemon decides about the key. */
const KeySpecs *managed_domain_keys(const ManagedDomain *d) _pure_;
/* For who acts on the settings: puts back what means nothing with MDCertificateProtocol tailscale. */
void managed_domain_fit_protocol(ManagedDomain *d);

bool managed_domain_is_static(const ManagedDomain *d) _pure_;
bool managed_domain_has_eab(const ManagedDomain *d) _pure_;

const char *require_https_to_string(RequireHttps r); /* "off", "temporary", "permanent" */
int require_https_from_string(const char *s, RequireHttps *ret); /* case does not matter; -EINVAL */

const char *renew_mode_to_string(RenewMode mode);
int renew_mode_from_string(const char *s, RenewMode *ret); /* also "automatic" and "stick"; case does not matter; -EINVAL */
