/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Output: tables that fit the terminal, colours where they can be seen, JSON. */

#include "base/json.h"
#include "mdctl/mdctl.h"

typedef enum Colour {
        COLOUR_NONE,
        COLOUR_GOOD,
        COLOUR_WARN,
        COLOUR_BAD,
        COLOUR_BOLD,
        COLOUR_DIM,
        COLOUR_HEADER,
        _COLOUR_MAX,
} Colour;

/* Looks at the terminal and starts the pager: before the first line of a long output. */
void format_begin(const Mdctl *c);
/* Columns of the terminal; 0: output does not go to one. After format_begin(). */
size_t format_width(void);

/* The sequences to switch a colour on and all off; "" when there are no colours. */
const char *colour_on(Colour colour);
const char *colour_off(Colour colour);

typedef struct Column {
        const char *header;
        bool shrinks; /* may be cut off when the terminal is narrow */
} Column;

typedef struct Table Table;

/* 'columns' is borrowed. NULL: out of memory. */
Table *table_new(const Column *columns, size_t n);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free)

/* Cells one after the other, a row being as many as there are columns. The text is copied. */
int table_add(Table *t, Colour colour, const char *text);
size_t table_rows(const Table *t);
void table_print(const Table *t, bool header);

/* A text and a line break, broken at blanks where the terminal ends; further lines begin 'indent' columns to the right, where the text already does. */
void format_wrapped(const char *text, size_t indent);

/* An answer in the form that --json asked for, with a line break. An exit code. */
int format_json(const Mdctl *c, JsonObject *o);

/* "2026-11-22 23:36:00 UTC (in 29 days)"; 0 gives "-". */
#define FORMAT_TIME_MAX 160
char *format_time(char buffer[static FORMAT_TIME_MAX], uint64_t usec);

/* Getters with a fallback for tables: "" and 0. */
const char *get_text(JsonObject *o, const char *key);
uint64_t get_number(JsonObject *o, const char *key);
