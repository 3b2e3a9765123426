/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/remote-job.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/string-util.h"

static const char *const remote_job_kind_table[] = {
        [REMOTE_JOB_RENEWAL] = "renewal",
        [REMOTE_JOB_RENEWAL_INFO] = "renewal-info",
        [REMOTE_JOB_ACCOUNT] = "account",
        [REMOTE_JOB_REVOCATION] = "revocation",
};

DEFINE_ENUM_TABLE(remote_job_kind, RemoteJobKind)

RemoteJob *remote_job_free(RemoteJob *job) {
        if (!job)
                return NULL;

        for (size_t i = 0; i < job->n_certificates; i++) {
                free((char *) job->certificates[i].token);
                free((char *) job->certificates[i].id);
        }
        free(job->certificates);
        free(job->domain);
        free(job->ca_url);
        free(job->ca_file);
        free(job->proxy);
        free(job->proxy_ca_file);
        free(job->user_agent);
        free(job->account_url);
        free(job->order_url);
        strv_free(job->challenge_types);
        free(job);
        return NULL;
}

AcmeCa remote_job_ca(const RemoteJob *job) {
        return (AcmeCa){
                .directory_url = job->ca_url,
                .ca_file = job->ca_file,
                .proxy = job->proxy,
                .proxy_ca_file = job->proxy_ca_file,
                .user_agent = job->user_agent,
        };
}

int remote_read_text(sd_bus_message *m, char **ret) {
        const char *text;
        int r;

        r = sd_bus_message_read(m, "v", "s", &text);
        return r < 0 ? r : str_replace(ret, text);
}

static int read_list(sd_bus_message *m, char ***ret) {
        int r;

        r = sd_bus_message_enter_container(m, 'v', "as");
        if (r < 0)
                return r;
        strv_free(*ret);
        *ret = NULL;
        r = sd_bus_message_read_strv(m, ret);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_flag(sd_bus_message *m, bool *ret) {
        int flag, r;

        r = sd_bus_message_read(m, "v", "b", &flag);
        if (r < 0)
                return r;
        *ret = flag;
        return 0;
}

static int add_certificate(RemoteJob *job, const char *token, const char *id) {
        AcmeCertificateId *longer;

        if (job->n_certificates >= REMOTE_CERTIFICATES_MAX)
                return -E2BIG;
        longer = reallocarray(job->certificates, job->n_certificates + 1, sizeof(*longer));
        if (!longer)
                return -ENOMEM;
        job->certificates = longer;
        longer[job->n_certificates] = (AcmeCertificateId){ strdup(token), strdup(id) };
        job->n_certificates++;
        return longer[job->n_certificates - 1].token && longer[job->n_certificates - 1].id ? 0 : -ENOMEM;
}

static int read_certificates(sd_bus_message *m, RemoteJob *job) {
        const char *token, *id;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "a(ss)");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(ss)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(ss)", &token, &id)) > 0) {
                r = add_certificate(job, token, id);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A word that is not known is a job that cannot be done. */
static int read_kind(sd_bus_message *m, RemoteJob *job) {
        const char *word;
        int r;

        r = sd_bus_message_read(m, "v", "s", &word);
        return r < 0 ? r : remote_job_kind_from_string(word, &job->kind);
}

static int read_operation(sd_bus_message *m, RemoteJob *job) {
        const char *word;
        int r;

        r = sd_bus_message_read(m, "v", "s", &word);
        return r < 0 ? r : acme_account_operation_from_string(word, &job->operation);
}

static char **text_named(RemoteJob *job, const char *key) {
        const struct {
                const char *key;
                char **text;
        } texts[] = {
                { "ca-url",        &job->ca_url        },
                { "ca-file",       &job->ca_file       },
                { "proxy",         &job->proxy         },
                { "proxy-ca-file", &job->proxy_ca_file },
                { "user-agent",    &job->user_agent    },
                { "account",       &job->account_url   },
                { "order",         &job->order_url     },
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (str_equal(key, texts[i].key))
                        return texts[i].text;
        return NULL;
}

static int read_detail(sd_bus_message *m, const char *key, void *userdata) {
        RemoteJob *job = userdata;
        char **text = text_named(job, key);

        if (text)
                return remote_read_text(m, text);
        if (str_equal(key, "kind"))
                return read_kind(m, job);
        if (str_equal(key, "operation"))
                return read_operation(m, job);
        if (str_equal(key, "certificates"))
                return read_certificates(m, job);
        if (str_equal(key, "challenges"))
                return read_list(m, &job->challenge_types);
        if (str_equal(key, "want-alternates"))
                return read_flag(m, &job->want_alternates);
        if (str_equal(key, "update-account"))
                return read_flag(m, &job->update_account);
        if (str_equal(key, "step-timeout"))
                return sd_bus_message_read(m, "v", "t", &job->step_timeout_usec);
        return sd_bus_message_skip(m, "v"); /* a later manager may say more */
}

int remote_read_dictionary(sd_bus_message *m, int (*read)(sd_bus_message *m, const char *key, void *userdata), void *userdata) {
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0)
                        r = read(m, key, userdata);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int remote_job_read(sd_bus_message *m, RemoteJob **ret) {
        _cleanup_(remote_job_freep) RemoteJob *job = NULL;
        const char *path, *domain;
        int r;

        job = calloc(1, sizeof(*job));
        if (!job)
                return -ENOMEM;
        r = sd_bus_message_read(m, "os", &path, &domain);
        if (r < 0)
                return r;
        r = remote_read_dictionary(m, read_detail, job);
        if (r < 0)
                return r;
        if (str_replace(&job->domain, domain) < 0)
                return -ENOMEM;
        *ret = take_ptr(job);
        return 0;
}
