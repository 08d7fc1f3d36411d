/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * buf.h - bytes that grow.  Zeroed memory is an empty one.
 *
 * Adding never fails on the spot: a buffer that could not grow is marked, takes
 * no more, and its owner looks once at the end (as SQLite's sqlite3_str does).
 * Engine side.
 */
#ifndef KSQL_BUF_H
#define KSQL_BUF_H

#include "port/types.h"

struct buf {
	char *data; /* owned; not NUL-terminated */
	size_t len;
	size_t room;
	bool failed; /* no memory: what is here is not all */
};

/** buf_grow() - make room for @n more; where to put them, or NULL.  Safe point. */
char *buf_grow(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
/** buf_printf() - in the language of sqlite3_mprintf(). */
void buf_printf(struct buf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** buf_clear() - empty, memory kept. */
void buf_clear(struct buf *b);
/** buf_empty() - empty; memory kept if it is what an ordinary use needs. */
void buf_empty(struct buf *b);
/** buf_free() - empty, memory given back. */
void buf_free(struct buf *b);

#endif /* KSQL_BUF_H */
