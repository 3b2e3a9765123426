/* SPDX-License-Identifier: Apache-2.0 */
#include "status-accept.h"

#include <stddef.h>

#include "lib/test.h"

TEST(accept) {
        static const struct {
                const char *field;
                bool html;
        } cases[] = {
                { NULL, false }, { "", false }, { "*/*", false }, { "text/*", false }, { "application/json", false }, { "text/html", true },
                { "TEXT/HTML", true }, { " text/html ", true }, { "text/html;charset=utf-8", true }, { "text/htmlx", false }, { "xtext/html", false },
                { "text/html,application/json", true }, { "application/json,text/html;q=0.9", false }, { "application/json;q=0.9,text/html", true },
                { "application/json;q=0.9,text/html;q=0.9", true }, { "text/html;q=0", false }, { "text/html;q=0.000", false }, { "text/html;q=0.001", true },
                { "text/html; q=0.5 , application/json ; q=0.6", false }, { "text/html;level=1;q=0.4, application/json;q=0.3", true },
                { "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true },
                { "text/html;q=", true }, { "text/html;q=x", true }, { "text/html;q", true }, { "text/html;;;", true }, { ",,,text/html,,", true }, { ";q=1", false },
                { "text/html;q=1.999999999999,application/json;q=1", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                test_case("%s", cases[i].field ? cases[i].field : "(none)");
                CHECK_INT(accept_prefers_html(cases[i].field), cases[i].html);
        }
}
