/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * csv.h - a row of CSV (RFC 4180) as its fields.  Engine side.
 */
#ifndef KSQL_CSV_H
#define KSQL_CSV_H

#include "error.h"

struct csv_field {
	const char *p;
	size_t len;
	bool quoted; /* "" is the empty text, nothing at all is NULL */
};

struct csv {
	struct csv_field *fields; /* owned; of the row that was split last */
	int count; /* that it has; those beyond @most are not in @fields */
	int most;
	int room;
	struct buf plain; /* fields that had doubled quotes, without them */
};

/** csv_free() - zeroed memory is a splitter that has split nothing. */
void csv_free(struct csv *c);

/**
 * csv_split() - the fields of a row
 * @p: the row, which must stay while they are used
 * @n: its bytes, without the newline at its end
 * @line: at which it begins; at a fault: that of the fault
 *
 * Polls the connection whose run this is.  Return: 0 or f->err.
 */
int csv_split(struct csv *c, const char *p, size_t n, uint64_t *line,
	      struct fault *f);

/** csv_is_blank() - the row was an empty line. */
bool csv_is_blank(const struct csv *c);

#endif /* KSQL_CSV_H */
