/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * reading.h - what a field of CSV says it is.  Engine side.
 */
#ifndef KSQL_READING_H
#define KSQL_READING_H

#include "load.h"

/* Of a value, and of all that a column has. */
enum type {
	TYPE_NONE, /* no value yet */
	TYPE_INTEGER,
	TYPE_REAL,
	TYPE_BLOB,
	TYPE_TEXT,
	TYPE_MIXED, /* NDJSON: each value is what it is */
};

struct reading {
	enum type type;
	bool exact; /* @value, turned back into text, is the field */
	struct value value; /* if it is exact */
};

/** reading_of() - a field that is not NULL; a blob is put where load_blob() puts it. */
void reading_of(struct load *l, const struct csv_field *field,
		struct reading *r);

#endif /* KSQL_READING_H */
