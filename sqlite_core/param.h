/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * param.h - the parameters that follow a statement.  Engine side.
 */
#ifndef KSQL_PARAM_H
#define KSQL_PARAM_H

#include "error.h"
#include "sqlite3.h"

/**
 * param_bind() - bind NUL-terminated parameters, in SQLite's order of numbers
 * @stmt: prepared, reset
 * @p: the bytes behind the statement's own NUL; must stay until it is run
 * @n: how many
 *
 * There must be as many as the statement has.  Return: 0 or f->err.
 */
int param_bind(struct sqlite3_stmt *stmt, const char *p, size_t n,
	       struct fault *f);

/** hex_read() - @n digits as @n / 2 bytes of @out; false if they are none. */
bool hex_read(const char *hex, size_t n, char *out);

#endif /* KSQL_PARAM_H */
