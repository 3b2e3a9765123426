/* SPDX-License-Identifier: Apache-2.0 */
#include "server-directives.h"

#include "apr_strings.h"

#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"

#define STAPLE_KEEP_USEC (7 * USEC_PER_DAY) /* MDStaplingKeepResponse 100% */

const char *parse_switch(Call *call, char **words, int n) {
        return call_read_switch(call, words[0], call->target);
}

const char *parse_command(Call *call, char **words, int n) {
        if (words[0][0] != '/')
                return call_complain(call, "'%s' is not an absolute path; programs are not searched for", words[0]);
        if (n > SNAPSHOT_COMMAND_MAX)
                return call_complain(call, "has more than %d words", SNAPSHOT_COMMAND_MAX);
        *(char ***) call->target = words;
        return NULL;
}

const char *parse_match_names(Call *call, char **words, int n) {
        if (str_equal_nocase(words[0], "all"))
                call->configuration->match_server_names_only = false;
        else if (str_equal_nocase(words[0], "servernames"))
                call->configuration->match_server_names_only = true;
        else
                return call_complain(call, "'%s' is neither 'all' nor 'servernames'", words[0]);
        return NULL;
}

const char *parse_store_dir(Call *call, char **words, int n) {
        const char *error;

        error = call_read_path(call, words[0], &call->configuration->store_dir);
        if (!error)
                call->configuration->store_dir_place =
                        apr_psprintf(call->pool, "%s:%d", call->cmd->directive->filename, call->cmd->directive->line_num);
        return error;
}

/* mod_md's processes of several machines wrote into one store. Here one program does, and whoever reads has a lock of its own. */
const char *parse_store_locks(Call *call, char **words, int n) {
        uint64_t usec = 0;

        if (str_equal_nocase(words[0], "off"))
                return NULL;
        if (!str_equal_nocase(words[0], "on") && parse_md_duration_usec(words[0], "s", &usec) != 0)
                return call_complain(call, "'%s' is neither 'on', 'off' nor a duration such as 5s", words[0]);
        call_warn(call, "has no effect: only md-manager writes into the store, and reading it is always locked; the line can go");
        return NULL;
}

static const char *read_port_map_entry(Call *call, const char *word) {
        const char *colon = strchr(word, ':'), *from;
        uint16_t to = 0, *target;

        if (!colon)
                return call_complain(call, "'%s' has no ':'; maps look like http:8080 or https:-", word);

        from = apr_pstrmemdup(call->pool, word, (apr_size_t) (colon - word));
        if (str_equal_nocase(from, "http") || str_equal(from, "80"))
                target = &call->configuration->http_port;
        else if (str_equal_nocase(from, "https") || str_equal(from, "443"))
                target = &call->configuration->https_port;
        else
                return call_complain(call, "'%s' cannot be mapped, only http (80) and https (443) can", from);

        if (!str_equal(colon + 1, "-") && parse_port(colon + 1, &to) != 0)
                return call_complain(call, "'%s' is neither a port (1 to 65535) nor '-' for unreachable", colon + 1);
        *target = to;
        return NULL;
}

const char *parse_port_map(Call *call, char **words, int n) {
        const char *error = NULL;

        for (; *words && !error; words++)
                error = read_port_map_entry(call, *words);
        return error;
}

static const char *read_least(Call *call, const char *word, const char *unit, uint64_t least_usec, uint64_t *ret_usec) {
        const char *error;
        uint64_t usec;

        error = call_read_duration(call, word, unit, &usec);
        if (!error && usec < least_usec)
                return least_usec >= USEC_PER_SEC ? "must be at least 1s" : "must be more than 0";
        if (!error)
                *ret_usec = usec;
        return error;
}

const char *parse_retry_delay(Call *call, char **words, int n) {
        return read_least(call, words[0], "s", 1, &call->configuration->retry_delay_usec);
}

const char *parse_retry_failover(Call *call, char **words, int n) {
        uint32_t count;

        if (parse_uint32(words[0], &count) != 0 || count == 0 || count > INT32_MAX)
                return call_complain(call, "'%s' is not a number greater than 0", words[0]);
        call->configuration->retry_failover = count;
        return NULL;
}

const char *parse_initial_delay(Call *call, char **words, int n) {
        return read_least(call, words[0], "s", 0, &call->configuration->initial_delay_usec);
}

const char *parse_check_interval(Call *call, char **words, int n) {
        return read_least(call, words[0], "s", USEC_PER_SEC, &call->configuration->check_interval_usec);
}

/* A time before now, which mod_md's own tests use, is as good as now. */
const char *parse_activation_delay(Call *call, char **words, int n) {
        bool negative = words[0][0] == '-';
        const char *error;
        uint64_t usec;

        error = call_read_duration(call, words[0] + (negative ? 1 : 0), "d", &usec);
        if (error)
                return call_complain(call, "'%s' is not a duration; write 30s, 5mi, 2h or 1d", words[0]);
        call->configuration->activation_delay_usec = negative ? 0 : usec;
        return NULL;
}

const char *parse_dns01_version(Call *call, char **words, int n) {
        if (!str_equal(words[0], "1") && !str_equal(words[0], "2"))
                return call_complain(call, "'%s' is neither 1 nor 2", words[0]);
        call->configuration->dns01_version = str_equal(words[0], "2") ? 2 : 1;
        return NULL;
}

/* "150%" of seven days is a duration like another. */
const char *parse_staple_keep(Call *call, char **words, int n) {
        size_t length = strlen(words[0]);
        uint32_t percent;

        if (words[0][length - 1] != '%' || parse_uint32(apr_pstrmemdup(call->pool, words[0], length - 1), &percent) != 0 || percent < 100)
                return call_read_window(call, words[0], &call->configuration->staple_keep);
        if (percent > 100 * 1000)
                return call_complain(call, "'%s' is too much", words[0]);
        call->configuration->staple_keep = (Window){ .usec = STAPLE_KEEP_USEC / 100 * percent };
        return NULL;
}

const char *parse_staple_renew(Call *call, char **words, int n) {
        return call_read_window(call, words[0], &call->configuration->staple_renew);
}

const char *parse_certificate_check(Call *call, char **words, int n) {
        const char *error = call_check_url(call, words[1], false);

        if (error)
                return error;
        call->configuration->check_name = words[0];
        call->configuration->check_url = words[1];
        return NULL;
}

const char *parse_ignore_host(Call *call, char **words, int n) {
        if (!call->cmd->server->is_virtual)
                return "is only allowed inside <VirtualHost>; the base server is left out by MDBaseServer off";
        return call_read_switch(call, words[0], &call->server->ignored);
}
