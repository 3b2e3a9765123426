/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enum-table.h"

#include "lib/test.h"

typedef enum Colour {
        COLOUR_RED,
        COLOUR_NAMELESS,
        COLOUR_BLUE,
} Colour;

DECLARE_ENUM_TABLE(colour, Colour);

static const char *const colour_table[] = {
        [COLOUR_RED] = "red",
        [COLOUR_BLUE] = "blue",
};
DEFINE_ENUM_TABLE(colour, Colour)

TEST(to_string) {
        CHECK_STR(colour_to_string(COLOUR_RED), "red");
        CHECK_STR(colour_to_string(COLOUR_BLUE), "blue");
        CHECK_STR(colour_to_string(COLOUR_NAMELESS), NULL);
        CHECK_STR(colour_to_string((Colour) 3), NULL);
        CHECK_STR(colour_to_string((Colour) -1), NULL);
}

TEST(from_string) {
        Colour c = COLOUR_NAMELESS;

        CHECK_INT(colour_from_string("green", &c), -EINVAL);
        CHECK_INT(colour_from_string("Red", &c), -EINVAL);
        CHECK_INT(colour_from_string("", &c), -EINVAL);
        CHECK_INT(colour_from_string(NULL, &c), -EINVAL);
        CHECK_INT(c, COLOUR_NAMELESS);
        CHECK_INT(colour_from_string("blue", &c), 0);
        CHECK_INT(c, COLOUR_BLUE);
}
