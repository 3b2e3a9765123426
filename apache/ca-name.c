/* SPDX-License-Identifier: Apache-2.0 */
#include "ca-name.h"

#include <stdio.h>

#include "base/string-util.h"

static const CaName ca_names[] = {
        { "LetsEncrypt", "https://acme-v02.api.letsencrypt.org/directory", .is_letsencrypt = true },
        { "LetsEncrypt-Test", "https://acme-staging-v02.api.letsencrypt.org/directory", .is_letsencrypt = true },
        { "LetsEncrypt-Staging", "https://acme-staging-v02.api.letsencrypt.org/directory", .is_letsencrypt = true },
        { "ZeroSSL", "https://acme.zerossl.com/v2/DV90", .wants_binding = true },
        { "Google", "https://dv.acme-v02.api.pki.goog/directory", .wants_binding = true },
        { "Google-Staging", "https://dv.acme-v02.test-api.pki.goog/directory", .wants_binding = true },
        { "SSLcom-RSA", "https://acme.ssl.com/sslcom-dv-rsa", .wants_binding = true },
        { "SSLcom-ECC", "https://acme.ssl.com/sslcom-dv-ecc", .wants_binding = true },
        { "Actalis", "https://acme-api.actalis.com/acme/directory", .wants_binding = true },
        { "Sectigo", "https://acme.sectigo.com/v2/DV", .wants_binding = true },
        { "Sectigo-OV", "https://acme.sectigo.com/v2/OV", .wants_binding = true },
        { "Sectigo-EV", "https://acme.sectigo.com/v2/EV", .wants_binding = true },
        { "GlobalSign", "https://emea.acme.atlas.globalsign.com/directory", .wants_binding = true },
        { "DigiCert", "https://one.digicert.com/mpki/api/v1/acme/v2/directory", .wants_binding = true },
        /* The last certificates came from here in October 2025. */
        { "Buypass", NULL },
        { "Buypass-Test", NULL },
};

/* Let's Encrypt, documentation of its profiles, July 2026. */
static const struct {
        const char *profile;
        unsigned names_max;
} letsencrypt_profiles[] = {
        { "classic", 100 },
        { "tlsserver", 25 },
        { "shortlived", 25 },
};

const CaName *ca_name_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(ca_names); i++)
                if (str_equal_nocase(ca_names[i].name, name))
                        return ca_names + i;
        return NULL;
}

const CaName *ca_name_find_url(const char *url) {
        for (size_t i = 0; i < ELEMENTSOF(ca_names); i++)
                if (str_equal(ca_names[i].url, url))
                        return ca_names + i;
        return NULL;
}

unsigned ca_names_max(const CaName *ca, const char *profile) {
        if (!ca || !ca->is_letsencrypt)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(letsencrypt_profiles); i++)
                if (str_equal_nocase(letsencrypt_profiles[i].profile, str_or(profile, letsencrypt_profiles[0].profile)))
                        return letsencrypt_profiles[i].names_max;
        return 0;
}

const char *ca_names_text(char buffer[static CA_NAMES_TEXT_MAX]) {
        size_t used = 0;

        buffer[0] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(ca_names); i++)
                if (ca_names[i].url) {
                        used += (size_t) snprintf(buffer + used, CA_NAMES_TEXT_MAX - used, "%s%s", used > 0 ? ", " : "",
                                                  ca_names[i].name);
                        assert(used < CA_NAMES_TEXT_MAX);
                }
        return buffer;
}
