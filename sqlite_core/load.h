/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * load.h - rows written as CSV or NDJSON, on their way into a table.
 *
 * Each row is inserted as it comes, all in one transaction, which ends when the
 * file is closed.  Engine side.
 */
#ifndef KSQL_LOAD_H
#define KSQL_LOAD_H

#include "csv.h"
#include "lines.h"
#include "ndjson.h"
#include "open.h"

struct import;
struct outcome;

struct load {
	struct ksql_file base;
	struct ksql_db *db;
	struct ksql_caller who; /* its cancel flag is not to be used */
	const char *table; /* the node's */
	bool json;
	bool making; /* the table is made from what comes */
	bool touched; /* something came, of which closing must tell */

	struct lines lines;
	struct csv csv;
	struct ndjson ndjson;

	struct conn *conn; /* owned; NULL before the first byte */
	bool begun; /* the transaction is */
	bool headed; /* CSV: its header was read */
	struct buf names; /* of the columns of @insert, each ended by NUL */
	int columns; /* so many */
	unsigned char *takes; /* owned: what CSV gives to each of them */
	sqlite3_stmt *insert; /* owned; NULL until there is a row */
	struct buf bytes; /* of the row's blobs */
	uint64_t rows; /* inserted */

	struct import
		*import; /* owned: what is known of the table that is made */

	/* Owned: made at the beginning, so that the end can be told. */
	struct outcome *outcome;
	struct fault fault; /* why it ended */
	int64_t ns; /* spent so far */
};

/**
 * load_open() - a file to write rows to
 * @node: its object names the table, its entry the format
 *
 * Return: 0, -ENOMEM.
 */
int load_open(struct ksql_db *db, struct ksql_node *node,
	      const struct ksql_caller *caller, struct ksql_file **out);

/* --- insert.c: rows into the table ---------------------------------------- */

/** load_put() - SQL, in which each @ becomes @name in quotes. */
void load_put(struct buf *sql, const char *text, const char *name);
/** load_exec() - a statement of our own.  0 or f->err. */
int load_exec(struct load *l, const char *sql, struct fault *f);
/**
 * load_blob() - a blob as text: \x and hexadecimal digits
 * @out: the bytes, which stay until the row is in
 *
 * Return: false if the text is something else.
 */
bool load_blob(struct load *l, const struct csv_field *field,
	       struct value *out);

/** insert_begin() - the transaction, if it has not begun.  0 or f->err. */
int insert_begin(struct load *l, struct fault *f);
/** insert_check_names() - is one there twice, as SQLite compares?  0 or f->err. */
int insert_check_names(struct load *l, struct fault *f);
/** insert_columns() - the next rows have values for @l->names.  0 or f->err. */
int insert_columns(struct load *l, struct fault *f);
/** insert_fields() - the row of @len bytes that was split last.  0 or f->err. */
int insert_fields(struct load *l, size_t len, struct fault *f);
/** insert_members() - the object that was read last.  0 or f->err. */
int insert_members(struct load *l, struct fault *f);

/* --- import.c: a table made from what comes ------------------------------- */

void import_free(struct import *i);
/** import_columns() - the columns that are inserted exist from now on.  0 or f->err. */
int import_columns(struct load *l, struct fault *f);
/** import_field() - what a field becomes in its column, and what that says of it. */
void import_field(struct load *l, int column, const struct csv_field *field,
		  struct value *out);
/** import_value() - what the value of a member says of its column. */
void import_value(struct load *l, int column, const struct value *value);
/** import_end() - the columns get their types.  0 or f->err. */
int import_end(struct load *l, struct fault *f);

/* --- import_name.c -------------------------------------------------------- */

/** import_closed() - a file of this name. */
void import_closed(struct ksql_node *node);

#endif /* KSQL_LOAD_H */
