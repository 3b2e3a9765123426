/* SPDX-License-Identifier: Apache-2.0 */
#include "ca-name.h"

#include <stdio.h>

#include "base/string-util.h"

static const CaName ca_names[] = {
        { "LetsEncrypt", "https://acme-v02.api.letsencrypt.org/directory" },
        { "LetsEncrypt-Test", "https://acme-staging-v02.api.letsencrypt.org/directory" },
        { "LetsEncrypt-Staging", "https://acme-staging-v02.api.letsencrypt.org/directory" },
        { "ZeroSSL", "https://acme.zerossl.com/v2/DV90" },
        { "Google", "https://dv.acme-v02.api.pki.goog/directory" },
        { "Google-Staging", "https://dv.acme-v02.test-api.pki.goog/directory" },
        { "SSLcom-RSA", "https://acme.ssl.com/sslcom-dv-rsa" },
        { "SSLcom-ECC", "https://acme.ssl.com/sslcom-dv-ecc" },
        { "Actalis", "https://acme-api.actalis.com/acme/directory" },
        { "Sectigo", "https://acme.sectigo.com/v2/DV" },
        { "GlobalSign", "https://emea.acme.atlas.globalsign.com/directory" },
        { "DigiCert", "https://one.digicert.com/mpki/api/v1/acme/v2/directory" },
        /* The last certificates came from here in October 2025. */
        { "Buypass", NULL },
        { "Buypass-Test", NULL },
};

const CaName *ca_name_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(ca_names); i++)
                if (str_equal_nocase(ca_names[i].name, name))
                        return ca_names + i;
        return NULL;
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
