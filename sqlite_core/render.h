/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * render.h - rows as text (docs/interface.md, "How values are written").
 * Engine side.
 */
#ifndef KSQL_RENDER_H
#define KSQL_RENDER_H

#include "buf.h"
#include "sqlite3.h"

enum format {
	FORMAT_CSV,
	FORMAT_TSV,
	FORMAT_JSON,
	FORMAT_NDJSON,
	FORMAT_ROWS, /* for programs: arrays, a line each; names first */
	FORMATS
};

/* One value of a row; text and blob point into their owner's memory. */
struct value {
	int type; /* SQLITE_INTEGER, _FLOAT, _TEXT, _BLOB, _NULL */
	union {
		sqlite3_int64 integer;
		double real;
		struct {
			const char *data;
			size_t len;
		} bytes; /* text and blob */
	};
};

struct render {
	enum format format;
	int columns;
	struct buf head; /* the header line; JSON, NDJSON: the keys in a row */
	size_t *key_end; /* JSON, NDJSON: where in @head each key ends */
	uint64_t rows; /* rendered so far */
};

/**
 * render_init() - for a set of columns
 * @names: @columns column names, UTF-8
 *
 * Return: 0 or -ENOMEM; either way ended by render_fini().
 */
int render_init(struct render *r, enum format format, const char *const *names,
		int columns);
void render_fini(struct render *r);
/** render_restart() - from the first row again. */
void render_restart(struct render *r);

/** render_begin() - what comes before the first row. */
void render_begin(struct render *r, struct buf *out);
void render_row(struct render *r, struct buf *out, const struct value *values);
/** render_end() - what comes after the last. */
void render_end(struct render *r, struct buf *out);

/** render_bare() - one value as the file "value" shows it: no quoting. */
void render_bare(struct buf *out, const struct value *value);

/** render_text() - text as it is, but for U+FFFD where it is not UTF-8. */
void render_text(struct buf *out, const char *text, size_t n);

/** value_of_column() - column @i of the row that @stmt stands on.  0 or -ENOMEM. */
int value_of_column(struct value *value, sqlite3_stmt *stmt, int i);

/** render_integer() - in decimal. */
void render_integer(struct buf *out, sqlite3_int64 v);

/** render_json_text() - text as a string of JSON, with its quotes. */
void render_json_text(struct buf *out, const char *text, size_t n);

/** utf8_valid() - how many of @n bytes, from the first, are whole UTF-8. */
size_t utf8_valid(const char *p, size_t n);

#endif /* KSQL_RENDER_H */
