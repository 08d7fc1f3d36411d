/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * lines.h - bytes as they come, cut into whole lines of NDJSON or rows of CSV.
 *
 * A line that is whole in what was given is shown where it lies; only one that
 * comes in pieces is kept.  Engine side.
 */
#ifndef KSQL_LINES_H
#define KSQL_LINES_H

#include "error.h"

struct lines {
	uint64_t line; /* of the file, from 1, at which the last one began */

	bool csv; /* a newline in quotes ends nothing */
	size_t max; /* bytes that one may have */
	const char *next, *end; /* given and not looked at yet: the giver's */
	struct buf part; /* what came before of one that is not whole */
	bool shown; /* @part is what was shown last */
	unsigned char state; /* of the CSV at the end of @part */
	unsigned char mark; /* bytes of a byte order mark that have come */
	bool at_end; /* nothing more comes */
	uint64_t passed; /* newlines, before @next and not in @part */
	uint64_t within; /* newlines in @part */
};

/** lines_init() - zeroed memory, for a file of which nothing has come. */
void lines_init(struct lines *l, bool csv, size_t max);
/** lines_free() - what was kept. */
void lines_free(struct lines *l);

/** lines_put() - more bytes, to stay until lines_next() has returned 0. */
void lines_put(struct lines *l, const char *p, size_t n);
/** lines_end() - no more will come: what is left without a newline is a line. */
void lines_end(struct lines *l);

/**
 * lines_next() - the next one
 * @p: out: its first byte; stays until the next call
 * @n: out: its bytes, without what ended it (LF or CR LF)
 *
 * A byte order mark at the file's beginning is passed over.
 * Return: 1; 0 when there is no whole one; or f->err.
 */
int lines_next(struct lines *l, const char **p, size_t *n, struct fault *f);

#endif /* KSQL_LINES_H */
