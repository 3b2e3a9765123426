/* SPDX-License-Identifier: Apache-2.0 */
#include "status-facts.h"

#include <string.h>

#include "base/clock.h"
#include "lib/test.h"

#define NOW (UINT64_C(1795404600) * USEC_PER_SEC) /* 2026-11-23 03:30 */
#define VALID(from, until) "\"cert\":{\"valid\":{\"from\":\"" from "\",\"until\":\"" until "\"}}"
#define FRESH VALID("Sun, 15 Nov 2026 00:00:00 GMT", "Sat, 13 Feb 2027 00:00:00 GMT")
#define LATE VALID("Sun, 23 Aug 2026 00:00:00 GMT", "Fri, 27 Nov 2026 00:00:00 GMT")
#define PAST VALID("Sun, 23 Aug 2026 00:00:00 GMT", "Sun, 22 Nov 2026 00:00:00 GMT")

TEST(condition) {
        static const struct {
                const char *json, *refused;
                StatusCondition condition;
        } cases[] = {
                { "{}", NULL, STATUS_UNKNOWN },
                { "{\"state\":2," FRESH "}", NULL, STATUS_GOOD },
                { "{\"state\":2," LATE "}", NULL, STATUS_EXPIRING },
                { "{\"state\":2,\"warn-window\":\"1d\"," LATE "}", NULL, STATUS_GOOD },
                { "{\"state\":2,\"warn-window\":\"no window\"," LATE "}", NULL, STATUS_EXPIRING },
                { "{\"state\":2," PAST "}", NULL, STATUS_EXPIRED },
                { "{\"state\":2," PAST ",\"renewal\":{\"errors\":3}}", "why", STATUS_EXPIRED },
                { "{\"state\":2," FRESH "}", "why", STATUS_REFUSED },
                { "{\"state\":2," FRESH ",\"renewal\":{\"errors\":1}}", NULL, STATUS_FAILING },
                { "{\"state\":2," FRESH ",\"renewal\":{\"errors\":0},\"next\":{\"action\":\"renewing\"}}", NULL, STATUS_RENEWING },
                { "{\"state\":2," FRESH ",\"next\":{\"action\":\"install\"}}", NULL, STATUS_PENDING },
                { "{\"state\":1,\"next\":{\"action\":\"nothing\"}}", NULL, STATUS_INCOMPLETE },
                { "{\"state\":4}", NULL, STATUS_FAILING },
                { "{\"state\":\"2\",\"cert\":[],\"next\":7,\"renewal\":\"x\",\"domains\":{}}", NULL, STATUS_UNKNOWN },
                { "{\"state\":-1}", NULL, STATUS_UNKNOWN },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _auto_json_ JsonObject *o = NULL;
                StatusFacts f;

                test_case("%s", cases[i].json);
                REQUIRE(CHECK_INT(json_parse(cases[i].json, strlen(cases[i].json), &o, NULL), 0));
                status_facts_read(o, cases[i].refused, NOW, &f);
                CHECK_STR(status_condition_to_string(f.condition), status_condition_to_string(cases[i].condition));
                CHECK(f.name);
        }
}
