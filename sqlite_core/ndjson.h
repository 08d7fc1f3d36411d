/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ndjson.h - a line of NDJSON as names and values.  Engine side.
 */
#ifndef KSQL_NDJSON_H
#define KSQL_NDJSON_H

#include "conn.h"
#include "render.h"

struct ndjson {
	struct buf names; /* of the line that was read last, each ended by NUL */
	struct value *values; /* owned; into @text */
	int count;
	int room; /* of @values */
	struct buf text;
	sqlite3_stmt *check,
		*each; /* owned; of the connection that is read by */
};

/** ndjson_free() - before its connection goes; zeroed memory has read nothing. */
void ndjson_free(struct ndjson *j);

/**
 * ndjson_read() - an object (RFC 8259, strictly)
 * @c: whose run this is
 * @line: stays only for the call
 *
 * Return: 1; 0 if the line is blank; or f->err.
 */
int ndjson_read(struct ndjson *j, struct conn *c, const char *line, size_t n,
		struct fault *f);

#endif /* KSQL_NDJSON_H */
