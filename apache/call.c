/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <stdarg.h>

#include "apr_strings.h"
#include "apr_uri.h"

#include "base/parse.h"
#include "base/string-util.h"
#include "pass.h"

const char *call_complain(Call *call, const char *format, ...) {
        va_list ap;
        char *text;

        va_start(ap, format);
        text = apr_pvsprintf(call->pool, format, ap);
        va_end(ap);
        return text;
}

static void vwarn(Call *call, const char *format, va_list ap) _printf_(2, 0);
static void vwarn(Call *call, const char *format, va_list ap) {
        const ap_directive_t *d = call->cmd->directive;

        if (pass_is_told())
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, call->configuration->base, "%s:%d: %s%s: %s.", d->filename, d->line_num,
                             d->directive, d->directive[0] == '<' ? ">" : "", apr_pvsprintf(call->pool, format, ap));
}

void call_warn(Call *call, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vwarn(call, format, ap);
        va_end(ap);
}

void call_warn_once(Call *call, const char *topic, const char *format, ...) {
        va_list ap;

        if (apr_hash_get(call->configuration->warned, topic, APR_HASH_KEY_STRING))
                return;
        apr_hash_set(call->configuration->warned, apr_pstrdup(call->pool, topic), APR_HASH_KEY_STRING, "");

        va_start(ap, format);
        vwarn(call, format, ap);
        va_end(ap);
}

const char *call_read_switch(Call *call, const char *word, bool *ret) {
        if (str_equal_nocase(word, "on"))
                *ret = true;
        else if (str_equal_nocase(word, "off"))
                *ret = false;
        else
                return call_complain(call, "'%s' is neither 'on' nor 'off'", word);
        return NULL;
}

const char *call_read_setting(Call *call, const char *word, Switch *ret) {
        const char *error;
        bool on = false;

        error = call_read_switch(call, word, &on);
        if (!error)
                *ret = on ? SWITCH_ON : SWITCH_OFF;
        return error;
}

const char *call_read_duration(Call *call, const char *word, const char *unit, uint64_t *ret_usec) {
        if (parse_md_duration_usec(word, unit, ret_usec) != 0)
                return call_complain(call, "'%s' is not a duration; write 30s, 5mi, 2h or 1d", word);
        return NULL;
}

const char *call_read_window(Call *call, const char *word, Window *ret) {
        const char *why = NULL;

        if (window_parse(word, ret, &why) != WINDOW_DONE)
                return call_complain(call, "'%s': %s", word, str_or(why, "neither a duration (30d, 12h) nor a part of the lifetime (33%)"));
        return NULL;
}

const char *call_read_path(Call *call, const char *word, const char **ret) {
        const char *path = *word ? ap_server_root_relative(call->pool, word) : NULL;

        if (!path)
                return call_complain(call, "'%s' is not a path", word);
        *ret = path;
        return NULL;
}

static bool has_blanks(const char *text) {
        for (const char *c = text; *c; c++)
                if ((unsigned char) *c <= ' ' || (unsigned char) *c >= 0x7f)
                        return true;
        return false;
}

const char *call_check_url(Call *call, const char *url, bool https_only) {
        apr_uri_t uri;

        if (has_blanks(url))
                return "a URL has no blanks, control characters or letters beyond ASCII";
        if (apr_uri_parse(call->pool, url, &uri) != APR_SUCCESS || !uri.scheme)
                return call_complain(call, "'%s' is not a URL", url);
        if (!str_equal_nocase(uri.scheme, "https") && (https_only || !str_equal_nocase(uri.scheme, "http")))
                return call_complain(call, "'%s' is not an %s URL", url, https_only ? "https" : "http or https");
        if (str_is_empty(uri.hostname))
                return call_complain(call, "'%s' names no host", url);
        if (!str_is_empty(uri.port_str) && parse_port(uri.port_str, &(uint16_t){ 0 }) != 0)
                return call_complain(call, "'%s' has no valid port (1 to 65535)", url);
        return NULL;
}
