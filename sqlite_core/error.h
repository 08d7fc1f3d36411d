/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * error.h - SQLite's codes as errnos, and the text of the file "error".
 * Engine side.
 */
#ifndef KSQL_ERROR_H
#define KSQL_ERROR_H

#include "buf.h"

/* What went wrong with one statement. */
struct fault {
	int err; /* negative errno; 0: nothing */
	int sqlite; /* SQLite's extended code; 0 where the fault is not SQLite's */
	int offset; /* byte of the statement, or -1 */
	char *message; /* owned; NULL: the errno's own words */
};

/**
 * fault_set() - in our own words, in the language of sqlite3_mprintf()
 *
 * Return: @err.
 */
int fault_set(struct fault *f, int err, int offset, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void fault_clear(struct fault *f);

/**
 * fault_locate() - find the place of a fault that SQLite gives none for
 *
 * It says "no such table: NAME" without an offset: take NAME's first mention.
 */
void fault_locate(struct fault *f, const char *sql, size_t len);

/** errno_of_sqlite() - negative errno of a code; @message as sqlite3_errmsg() has it. */
int errno_of_sqlite(int code, const char *message);

/* The errnos that a statement ends with, 0 among them. */
#define ERRNOS 17u

/** errno_index() - a number below ERRNOS for -EINVAL, 0 for 0. */
unsigned int errno_index(int err);
/** errno_at() - the name of the errno of such a number. */
const char *errno_at(unsigned int index);

/** errno_name() - "EINVAL" for -EINVAL; "0" for 0. */
const char *errno_name(int err);

/**
 * fault_describe() - the text of the file "error"
 * @f: what went wrong; err 0 gives "ok"
 * @sql: the statement, not NUL-terminated; NULL if there is none
 * @len: its bytes
 */
void fault_describe(const struct fault *f, const char *sql, size_t len,
		    struct buf *out);

/**
 * fault_as_lines() - the same for the file "log"
 *
 * A line with the errno's name and the message, which is cut if it is long, and
 * below it the statement with a tab before each of its lines.
 */
void fault_as_lines(const struct fault *f, const char *sql, size_t len,
		    struct buf *out);

/**
 * fault_as_json() - the same for programs: members of an object, without its braces
 *
 * "offset" counts bytes of "statement", which is cut as fault_describe() cuts it.
 */
void fault_as_json(const struct fault *f, const char *sql, size_t len,
		   struct buf *out);

#endif /* KSQL_ERROR_H */
