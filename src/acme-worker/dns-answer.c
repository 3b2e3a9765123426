/* SPDX-License-Identifier: Apache-2.0 */
#include "acme-worker/dns-answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <resolv.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/string-util.h"

DnsAnswer *dns_answer_free(DnsAnswer *answer) {
        if (!answer)
                return NULL;

        free(answer->name);
        strv_free(answer->values);
        free(answer->zone);
        free(answer);
        return NULL;
}

bool dns_name_is_in_zone(const char *name, const char *zone) {
        size_t n = strlen(name), z = strlen(zone);

        if (str_equal(zone, "."))
                return true;
        return n >= z && strcasecmp(name + n - z, zone) == 0 && (n == z || name[n - z - 1] == '.');
}

/* A section's records of one type: the next one from *i on. 1: there is one, 0: there is none any more, negative: not readable. */
static int next_record(ns_msg *m, ns_sect section, int type, int *i, ns_rr *ret) {
        int n = MIN_OF((int) ns_msg_count(*m, section), (int) DNS_RECORDS_MAX);

        while (*i < n) {
                if (ns_parserr(m, section, (*i)++, ret) < 0)
                        return -EBADMSG;
                if ((int) ns_rr_type(*ret) == type && ns_rr_class(*ret) == ns_c_in)
                        return 1;
        }
        return 0;
}

static int expand(ns_msg *m, const unsigned char *from, char name[static NS_MAXDNAME]) {
        return dn_expand(ns_msg_base(*m), ns_msg_end(*m), from, name, NS_MAXDNAME) < 0 ? -EBADMSG : 0;
}

/* 1: *name is an alias, and became what it stands for. */
static int follow_alias(ns_msg *m, char **name) {
        char target[NS_MAXDNAME];
        int i = 0, r;
        ns_rr rr;

        while ((r = next_record(m, ns_s_an, ns_t_cname, &i, &rr)) > 0) {
                if (strcasecmp(ns_rr_name(rr), *name) != 0)
                        continue;
                r = expand(m, ns_rr_rdata(rr), target);
                if (r == 0)
                        r = str_replace(name, target);
                return r < 0 ? r : 1;
        }
        return r;
}

static int follow_aliases(ns_msg *m, char **name) {
        int r;

        for (unsigned n = 0; n <= DNS_ALIASES_MAX; n++) {
                r = follow_alias(m, name);
                if (r <= 0)
                        return r;
        }
        return -EBADMSG;
}

/* RFC 1035 3.3.14: one or more strings, each with its length in front; RFC 8555 8.4 means them put together. */
static int read_text(const ns_rr *rr, char **ret) {
        _auto_buffer_ Buffer b = BUFFER_INIT(UINT16_MAX);
        const unsigned char *p = ns_rr_rdata(*rr), *end = p + ns_rr_rdlen(*rr);

        while (p < end) {
                size_t n = *p++;

                if (n > (size_t) (end - p))
                        return -EBADMSG;
                if (buffer_append(&b, p, n) != 0)
                        return -ENOMEM;
                p += n;
        }
        *ret = str_printable(b.data ? b.data : "", b.size, DNS_VALUE_BYTES_MAX);
        return *ret ? 0 : -ENOMEM;
}

static int read_name(ns_msg *m, const ns_rr *rr, char **ret) {
        char name[NS_MAXDNAME];
        int r;

        r = expand(m, ns_rr_rdata(*rr), name);
        if (r < 0)
                return r;
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

static int read_address(const ns_rr *rr, int family, size_t size, char **ret) {
        char text[INET6_ADDRSTRLEN];

        if (ns_rr_rdlen(*rr) != size || !inet_ntop(family, ns_rr_rdata(*rr), text, sizeof(text)))
                return -EBADMSG;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

static int read_value(ns_msg *m, const ns_rr *rr, char **ret) {
        switch (ns_rr_type(*rr)) {
        case ns_t_txt:
                return read_text(rr, ret);
        case ns_t_a:
                return read_address(rr, AF_INET, sizeof(struct in_addr), ret);
        case ns_t_aaaa:
                return read_address(rr, AF_INET6, sizeof(struct in6_addr), ret);
        default:
                return read_name(m, rr, ret); /* of an SOA record, its first field */
        }
}

static int read_values(ns_msg *m, int type, const char *name, char ***values) {
        int i = 0, r;
        ns_rr rr;

        while ((r = next_record(m, ns_s_an, type, &i, &rr)) > 0) {
                char *value;

                if (strcasecmp(ns_rr_name(rr), name) != 0)
                        continue;
                if (strv_length(*values) >= DNS_VALUES_MAX)
                        return 0;
                r = read_value(m, &rr, &value);
                if (r == 0)
                        r = strv_consume(values, value);
                if (r < 0)
                        return r;
        }
        return r;
}

static int read_zone(ns_msg *m, const char *name, char **zone) {
        ns_rr rr;

        for (ns_sect section = ns_s_an; section <= ns_s_ns; section++) {
                int i = 0, r;

                while ((r = next_record(m, section, ns_t_soa, &i, &rr)) > 0)
                        if (dns_name_is_in_zone(name, ns_rr_name(rr)))
                                return str_replace(zone, ns_rr_name(rr));
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool answers_question(ns_msg *m, const char *name, int type) {
        ns_rr rr;

        return ns_msg_getflag(*m, ns_f_qr) && ns_msg_count(*m, ns_s_qd) == 1 && ns_parserr(m, ns_s_qd, 0, &rr) == 0 &&
                (int) ns_rr_type(rr) == type && strcasecmp(ns_rr_name(rr), name) == 0;
}

static int read_message(ns_msg *m, int type, DnsAnswer *answer) {
        int r;

        answer->code = (unsigned) ns_msg_getflag(*m, ns_f_rcode);
        answer->authoritative = ns_msg_getflag(*m, ns_f_aa);
        r = follow_aliases(m, &answer->name);
        if (r == 0)
                r = read_values(m, type, answer->name, &answer->values);
        return r < 0 ? r : read_zone(m, answer->name, &answer->zone);
}

int dns_answer_parse(const void *data, size_t size, const char *name, int type, DnsAnswer **ret) {
        _cleanup_(dns_answer_freep) DnsAnswer *answer = NULL;
        ns_msg m;
        int r;

        if (size > NS_MAXMSG || ns_initparse(data, (int) size, &m) < 0 || !answers_question(&m, name, type))
                return DNS_ANSWER_E_MALFORMED;
        answer = calloc(1, sizeof(*answer));
        if (!answer || str_replace(&answer->name, name) < 0)
                return -ENOMEM;
        r = read_message(&m, type, answer);
        if (r < 0)
                return r == -ENOMEM ? r : DNS_ANSWER_E_MALFORMED;
        *ret = take_ptr(answer);
        return 0;
}
