/* SPDX-License-Identifier: Apache-2.0 */
#include "mdctl/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/string-util.h"
#include "mdctl/pager.h"

enum {
        GAP = 2,
        SHRUNK_MIN = 12, /* a cell that is cut off shows at least this */
};

/* What the terminal can do, looked up before the pager takes its place. */
static bool has_colours;
static size_t terminal_width; /* 0: no terminal, no limit */

static size_t find_width(void) {
        struct winsize ws;
        uint32_t n;

        if (getenv("COLUMNS") && parse_uint32(getenv("COLUMNS"), &n) == 0 && n > 0)
                return n;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
                return ws.ws_col;
        return 80;
}

/* SYSTEMD_COLORS counts more than NO_COLOR, as with systemd's own programs; besides a truth value it may be a number of colours. */
static bool wants_colours(void) {
        const char *own = getenv("SYSTEMD_COLORS");
        bool wanted;

        if (own && parse_boolean(own, &wanted) == 0 && !wanted)
                return false;
        return (!str_is_empty(own) || str_is_empty(getenv("NO_COLOR"))) && !str_equal(getenv("TERM"), "dumb");
}

void format_begin(const Mdctl *c) {
        if (!isatty(STDOUT_FILENO))
                return;
        has_colours = wants_colours();
        terminal_width = find_width();
        if (!c->no_pager)
                pager_open();
}

size_t format_width(void) {
        return terminal_width;
}

const char *colour_on(Colour colour) {
        static const char *const sequences[_COLOUR_MAX] = {
                [COLOUR_NONE] = "",
                [COLOUR_GOOD] = "\x1b[0;1;32m",
                [COLOUR_WARN] = "\x1b[0;1;33m",
                [COLOUR_BAD] = "\x1b[0;1;31m",
                [COLOUR_BOLD] = "\x1b[0;1;39m",
                [COLOUR_DIM] = "\x1b[0;2m",
                [COLOUR_HEADER] = "\x1b[0;4m",
        };

        return has_colours ? sequences[colour] : "";
}

const char *colour_off(Colour colour) {
        return has_colours && colour != COLOUR_NONE ? "\x1b[0m" : "";
}

/* Tables */

typedef struct Cell {
        char *text;
        Colour colour;
} Cell;

struct Table {
        const Column *columns;
        size_t n_columns;
        Cell *cells;
        size_t n_cells, n_allocated;
};

Table *table_new(const Column *columns, size_t n) {
        Table *t = calloc(1, sizeof(*t));

        if (t) {
                t->columns = columns;
                t->n_columns = n;
        }
        return t;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i].text);
        free(t->cells);
        free(t);
        return NULL;
}

int table_add(Table *t, Colour colour, const char *text) {
        char *copy;

        if (t->n_cells == t->n_allocated) {
                size_t n = MAX_OF((size_t) 64, 2 * t->n_allocated);
                Cell *grown = reallocarray(t->cells, n, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                t->cells = grown;
                t->n_allocated = n;
        }
        copy = strdup(str_or(text, "-"));
        if (!copy)
                return -ENOMEM;
        t->cells[t->n_cells++] = (Cell){ copy, colour };
        return 0;
}

size_t table_rows(const Table *t) {
        return t->n_cells / t->n_columns;
}

static size_t width_of(const char *s) {
        size_t width = 0;

        for (; *s; s++)
                width += (*s & 0xc0) != 0x80;
        return width;
}

static size_t find_widths(const Table *t, bool header, size_t *widths) {
        size_t total = GAP * (t->n_columns - 1);

        for (size_t i = 0; i < t->n_columns; i++) {
                widths[i] = header ? width_of(t->columns[i].header) : 0;
                for (size_t k = i; k < t->n_cells; k += t->n_columns)
                        widths[i] = MAX_OF(widths[i], width_of(t->cells[k].text));
                total += widths[i];
        }
        return total;
}

/* Takes from the widest column that may shrink, until all fits or nothing can shrink further. True: it fits. */
static bool shrink(const Table *t, size_t *widths, size_t total) {
        while (terminal_width > 0 && total > terminal_width) {
                size_t widest = t->n_columns;

                for (size_t i = 0; i < t->n_columns; i++)
                        if (t->columns[i].shrinks && widths[i] > SHRUNK_MIN && (widest == t->n_columns || widths[i] > widths[widest]))
                                widest = i;
                if (widest == t->n_columns)
                        return false;
                widths[widest]--;
                total--;
        }
        return true;
}

/* As many bytes as make 'width' columns. */
static size_t bytes_of(const char *s, size_t width) {
        size_t n = 0;

        while (s[n] && (width > 0 || (s[n] & 0xc0) == 0x80))
                if ((s[n++] & 0xc0) != 0x80)
                        width--;
        /* the rest of the last character */
        while ((s[n] & 0xc0) == 0x80)
                n++;
        return n;
}

static void print_bytes(const char *s, size_t n) {
        (void) fwrite_unlocked(s, 1, n, stdout);
}

static void print_blanks(size_t n) {
        static const char blanks[] = "                                ";

        for (size_t now; n > 0; n -= now) {
                now = MIN_OF(n, sizeof(blanks) - 1);
                print_bytes(blanks, now);
        }
}

/* A list may have very many of them: printf() would take most of the time. */
static void print_cell(const char *text, Colour colour, size_t width, bool last) {
        size_t wanted = width_of(text);
        bool cut = wanted > width;

        (void) fputs_unlocked(colour_on(colour), stdout);
        print_bytes(text, cut ? bytes_of(text, width - 1) : strlen(text));
        if (cut)
                (void) fputs_unlocked("…", stdout);
        (void) fputs_unlocked(colour_off(colour), stdout);
        if (!last)
                print_blanks(width - (cut ? width : wanted) + GAP);
}

/* On a terminal that is too narrow for the table: a row as some lines, what stands in front of it and what belongs to it. */
static void print_block(const Table *t, const Cell *row) {
        size_t indent = 0;

        for (size_t i = 1; i < t->n_columns; i++)
                indent = MAX_OF(indent, GAP + width_of(t->columns[i].header) + GAP);
        printf("%s%s%s\n", colour_on(row[0].colour), row[0].text, colour_off(row[0].colour));
        for (size_t i = 1; i < t->n_columns; i++) {
                printf("%*s%s%*s%s", GAP, "", t->columns[i].header, (int) (indent - GAP - width_of(t->columns[i].header)), "", colour_on(row[i].colour));
                format_wrapped(row[i].text, indent);
                printf("%s", colour_off(row[i].colour));
        }
}

void table_print(const Table *t, bool header) {
        _auto_free_ size_t *widths = calloc(t->n_columns, sizeof(*widths));
        size_t total;

        if (!widths)
                return;
        total = find_widths(t, header, widths);
        if (!shrink(t, widths, total)) {
                for (size_t i = 0; i < t->n_cells; i += t->n_columns)
                        print_block(t, t->cells + i);
                return;
        }

        for (size_t i = 0; header && i < t->n_columns; i++)
                print_cell(t->columns[i].header, COLOUR_HEADER, widths[i], i + 1 == t->n_columns);
        if (header)
                putchar('\n');
        for (size_t i = 0; i < t->n_cells; i++) {
                bool last = (i + 1) % t->n_columns == 0;

                print_cell(t->cells[i].text, t->cells[i].colour, widths[i % t->n_columns], last);
                if (last)
                        putchar('\n');
        }
}

/* Up to the last blank within 'width' columns; a word that is longer stays whole. */
static size_t line_of(const char *s, size_t width) {
        size_t end = bytes_of(s, width);

        if (width_of(s) <= width)
                return strlen(s);
        while (end > 0 && s[end] != ' ')
                end--;
        return end > 0 ? end : strcspn(s, " ");
}

void format_wrapped(const char *text, size_t indent) {
        size_t width = terminal_width > indent + SHRUNK_MIN ? terminal_width - indent : SIZE_MAX;

        for (;;) {
                size_t n = line_of(text, width);

                printf("%.*s\n", (int) n, text);
                text += n + strspn(text + n, " ");
                if (!*text)
                        return;
                printf("%*s", (int) indent, "");
        }
}

/* Values */

int format_json(const Mdctl *c, JsonObject *o) {
        _auto_free_ char *text = c->json == JSON_PRETTY ? json_format(o) : json_format_short(o);

        if (!text)
                return mdctl_oom();
        printf("%s%s", text, str_has_suffix(text, "\n") ? "" : "\n");
        return MDCTL_DONE;
}

char *format_time(char buffer[static FORMAT_TIME_MAX], uint64_t usec) {
        char absolute[CLOCK_HUMAN_MAX], relative[CLOCK_HUMAN_MAX];

        if (usec == 0)
                (void) snprintf(buffer, FORMAT_TIME_MAX, "-");
        else
                (void) snprintf(buffer, FORMAT_TIME_MAX, "%s (%s)", clock_format_utc(absolute, usec), clock_format_relative(relative, usec, clock_now_usec()));
        return buffer;
}

const char *get_text(JsonObject *o, const char *key) {
        const char *s = json_get_string(o, key);

        return s ? s : "";
}

uint64_t get_number(JsonObject *o, const char *key) {
        uint64_t n;

        return json_get_uint(o, key, &n) ? n : 0;
}
