/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Writing into a response. Whatever comes from a file, a CA or a directive goes through one of the escaping ones. */

#include "httpd.h" /* the others build on it */

#include "base/macro.h"

/* Our own words, as they are. */
void put(request_rec *r, const char *s);
void putf(request_rec *r, const char *format, ...) _printf_(2, 3);
/* Foreign ones: as text or attribute of HTML; NULL is nothing. Control bytes become blanks. */
void put_html(request_rec *r, const char *s);
/* One path segment or value of a query. */
void put_url(request_rec *r, const char *s);
/* One line of text: control bytes become blanks. */
void put_line(request_rec *r, const char *s);

/* Whether it can be linked to: http or https, and nothing in it that ends the link. */
bool is_web_url(const char *s) _pure_;
/* The host of a web URL, for people; of anything else, the text itself. */
const char *url_host(apr_pool_t *p, const char *url);
