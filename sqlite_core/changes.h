/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * changes.h - which tables a connection's transaction changes, and which rows.
 *
 * What a statement may write is learnt when it is prepared (SQLite's authorizer
 * is asked for each table) and kept with it; the connection gathers the tables
 * of its transaction, and its commit marks them (tracked.h).  Rows are recorded
 * only while somebody reads a file "changes": SQLite's pre-update hook tells of
 * each, but costs time, and makes DELETE without WHERE go row by row.
 *
 * Engine side; called by who has the connection.
 */
#ifndef KSQL_CHANGES_H
#define KSQL_CHANGES_H

#include "buf.h"
#include "sqlite3.h"

struct conn;
struct query;

/* What a statement does; what it does it to follows, and a NUL. */
enum touch {
	TOUCH_ROWS = 'w', /* a table whose rows may change */
	TOUCH_SCHEMA = 't', /* one to which something belongs: an index, say */
	TOUCH_WHOLE = 's', /* one that is made, dropped or altered */
	TOUCH_ALL = 'a', /* every table: rows may get other numbers */
	TOUCH_NOTHING = 'n', /* it writes, but to none that has a folder */
	TOUCH_SAVEPOINT = 'S', /* the rest are of savepoints */
	TOUCH_RELEASE = 'R',
	TOUCH_ROLLBACK = 'T',
};

/* A connection's part. */
struct conn_changes {
	struct buf targets; /* of the statement that is being prepared */
	struct buf tables; /* of the open transaction, likewise; each once */
	struct buf rows; /* struct row_change each, of the open transaction */
	struct buf excess; /* struct excess each: rows that were too many */
	struct buf savepoints; /* struct savepoint each: those that are open */
	bool hooked; /* SQLite tells of rows */
	bool recording; /* counted in db->recording: @rows has tables in it */
	bool pushed; /* @rows are in their tables' rings, but not to be seen */
};

/* What a run must know again at its end. */
struct run_changes {
	size_t rows; /* recorded when it began */
	size_t tables_from, tables_to; /* what it added there */
	sqlite3_int64 total; /* sqlite3_total_changes64() */
	bool failed;
};

/** changes_target() - the authorizer says what the statement will do. */
void changes_target(struct conn *c, enum touch how, const char *name);
/** changes_prepare() - before a statement is prepared, or taken from those kept. */
void changes_prepare(struct conn *c);
/** changes_prepared() - after it: @q keeps what it may do.  0 or -ENOMEM. */
int changes_prepared(struct conn *c, struct query *q);
/** changes_run() - a statement is going to be stepped for the first time. */
void changes_run(struct conn *c, const char *targets, struct run_changes *r);
/** changes_ran() - it is done with, but not yet reset. */
void changes_ran(struct conn *c, const char *targets,
		 const struct run_changes *r);
/** changes_committed() - others can see what it did; @version: of that commit. */
void changes_committed(struct conn *c, uint64_t version);
/** changes_begin() - of a connection that is new. */
void changes_begin(struct conn *c);
/** changes_free() - it goes. */
void changes_free(struct conn *c);

#endif /* KSQL_CHANGES_H */
