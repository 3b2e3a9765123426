/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"

#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "lib/test.h"

static void sink(const char *text, void *userdata) {
        CHECK_INT(buffer_append_string(userdata, text), 0);
}

TEST(nothing) {
        _auto_buffer_ Buffer b = BUFFER_INIT(65536);
        const Metrics m = { .version = "1.0" };

        metrics_write(&m, sink, &b);
        CHECK(strstr(b.data, "# TYPE md_manager info\n# HELP md_manager Version of md-manager.\nmd_manager_info{version=\"1.0\"} 1\n"));
        CHECK_STR(b.data + b.size - strlen("\n# EOF\n"), "\n# EOF\n");
}

TEST(labels_are_escaped) {
        static const MetricsCertificate certificates[] = {
                { .key = "rsa", .from_usec = 1 * USEC_PER_SEC, .until_usec = 2 * USEC_PER_SEC + 999999, .status = "revoked", .status_until_usec = 7 * USEC_PER_SEC, .status_errors = 3 },
        };
        static const MetricsDomain domains[] = {
                { .name = "a\"b\\c\nd\xff\xe2\x82\xac", .state = "complete", .served = true, .errors = 7, .next_usec = 5 * USEC_PER_SEC,
                  .certificates = certificates, .n_certificates = 1 },
        };
        static const MetricsReload reloads[] = { { "apache2@a\\x2db.service", 3, UINT64_MAX } };
        const Metrics m = { .version = "1.0", .domains = domains, .n_domains = 1, .reloads = reloads, .n_reloads = 1 };
        static const char *const lines[] = {
                "# TYPE md_certificate_expiry_timestamp_seconds gauge\n# UNIT md_certificate_expiry_timestamp_seconds seconds\n",
                "\nmd_certificate_expiry_timestamp_seconds{domain=\"a\\\"b\\\\c\\nd?\xe2\x82\xac\",key=\"rsa\"} 2\n",
                ",key=\"rsa\",md_revocation_status=\"revoked\"} 1\n",
                ",key=\"rsa\",md_revocation_status=\"good\"} 0\n",
                "\nmd_revocation_status_expiry_timestamp_seconds{domain=\"a\\\"b\\\\c\\nd?\xe2\x82\xac\",key=\"rsa\"} 7\n",
                "\nmd_revocation_status_consecutive_failures{domain=\"a\\\"b\\\\c\\nd?\xe2\x82\xac\",key=\"rsa\"} 3\n",
                "\nmd_certificate_not_before_timestamp_seconds{domain=\"a\\\"b\\\\c\\nd?\xe2\x82\xac\",key=\"rsa\"} 1\n",
                "\",md_state=\"complete\"} 1\n",
                "\",md_state=\"unknown\"} 0\n",
                "\nmd_reloads_total{unit=\"apache2@a\\\\x2db.service\"} 3\n",
                "\nmd_reload_failures_total{unit=\"apache2@a\\\\x2db.service\"} 18446744073709551615\n",
                "\"} 7\n",
        };
        _auto_buffer_ Buffer b = BUFFER_INIT(65536);

        metrics_write(&m, sink, &b);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                test_case("%s", lines[i]);
                CHECK(strstr(b.data, lines[i]));
        }
        /* A time that is not known has no sample. */
        CHECK(!strstr(b.data, "\nmd_renewal_due_timestamp_seconds{"));
        CHECK(strstr(b.data, "\nmd_next_action_timestamp_seconds{"));
}

TEST(others) {
        static const MetricsStapling others[] = {
                { .serial = "0A", .id = "aa", .status = "good", .status_until_usec = 7 * USEC_PER_SEC },
                { .serial = "0A", .id = "bb", .status = "unknown", .status_errors = 3 },
        };
        static const char *const lines[] = {
                "\nmd_revocation_status{domain=\"other\",serial=\"0A\",id=\"aa\",md_revocation_status=\"good\"} 1\n",
                "\nmd_revocation_status{domain=\"other\",serial=\"0A\",id=\"aa\",md_revocation_status=\"revoked\"} 0\n",
                "\nmd_revocation_status{domain=\"other\",serial=\"0A\",id=\"bb\",md_revocation_status=\"unknown\"} 1\n",
                "\nmd_revocation_status_expiry_timestamp_seconds{domain=\"other\",serial=\"0A\",id=\"aa\"} 7\n",
                "\nmd_revocation_status_consecutive_failures{domain=\"other\",serial=\"0A\",id=\"aa\"} 0\n",
                "\nmd_revocation_status_consecutive_failures{domain=\"other\",serial=\"0A\",id=\"bb\"} 3\n",
        };
        const Metrics m = { .version = "1.0", .others = others, .n_others = ELEMENTSOF(others) };
        _auto_buffer_ Buffer b = BUFFER_INIT(65536);

        metrics_write(&m, sink, &b);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                test_case("%s", lines[i]);
                CHECK(strstr(b.data, lines[i]));
        }
        CHECK(!strstr(b.data, "_expiry_timestamp_seconds{domain=\"other\",serial=\"0A\",id=\"bb\"}"));
}

static size_t count(const char *text, const char *what) {
        size_t n = 0;

        for (const char *s = text; (s = strstr(s, what)); s++)
                n++;
        return n;
}

/* However many a server staples: so many are written, the worst first. */
TEST(very_many_others) {
        static MetricsStapling others[3 * METRICS_OTHERS_MAX];
        _auto_buffer_ Buffer b = BUFFER_INIT(4 * 1024 * 1024);
        const Metrics m = { .version = "1.0", .others = others, .n_others = ELEMENTSOF(others) };

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                others[i] = (MetricsStapling){ .serial = "0A", .id = "aa", .status = "good" };
        others[ELEMENTSOF(others) - 2].status = "unknown";
        others[ELEMENTSOF(others) - 1].status = "revoked";
        metrics_write(&m, sink, &b);
        CHECK_UINT(count(b.data, "\nmd_revocation_status_consecutive_failures{"), METRICS_OTHERS_MAX);
        CHECK_UINT(count(b.data, "\nmd_revocation_status{"), 3 * METRICS_OTHERS_MAX);
        CHECK_UINT(count(b.data, "md_revocation_status=\"revoked\"} 1\n"), 1);
        CHECK_UINT(count(b.data, "md_revocation_status=\"unknown\"} 1\n"), 1);
        CHECK_UINT(count(b.data, "md_revocation_status=\"good\"} 1\n"), METRICS_OTHERS_MAX - 2);
}
