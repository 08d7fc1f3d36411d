/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * conn.h - a connection to a database: its pool, its statements, its watch.
 *
 * A connection is used by one thread at a time: whoever took it from the pool.
 * Engine side.
 */
#ifndef KSQL_CONN_H
#define KSQL_CONN_H

#include "changes.h"
#include "error.h"
#include "mem.h"
#include "port/types.h"
#include "sqlite3.h"

struct hold;
struct ksql_db;
struct store;

#define CONN_TEXT_MAX 4096u /* longest text of such a one */

/* What SQLite's LIKE optimisation expects at the user data of like() and glob(). */
struct like_info {
	unsigned char match_all, match_one, match_set, no_case;
};

struct shape;

/* A statement, prepared. */
struct query {
	sqlite3_stmt *stmt; /* owned; NULL: the text was empty */
	size_t len; /* of its text, which sqlite3_sql() has */
	bool proven; /* it was kept, and asked for again */
	int64_t ns; /* it has taken so far */
	int64_t began_ns; /* monotonic: its compilation, not in @ns yet; 0: none */
	struct shape *shape; /* owned; exec.c's, NULL until it ran */
	char *targets; /* owned; what it may change (changes.h); NULL: nothing */
};

struct conn {
	struct conn *next; /* in the pool; under the database's lock */
	struct ksql_db *db;
	sqlite3 *lite;
	struct hold *hold; /* of the store's locks; @lite's */
	bool tainted; /* has state of its own: not for the next user */
	bool checkpoints; /* waits for locks as a checkpoint does */
	bool users; /* runs what a user wrote: to be counted */
	bool scratch; /* to no database of a mount: size= is not for it */
	const bool *removed; /* atomic: of the session that it is; NULL: none */

	/* The watch over what runs: conn_run_begin() to conn_run_end(). */
	int64_t began_ns; /* monotonic */
	int64_t ran_ns; /* from beginning to end, once it has ended */
	int64_t deadline_ns; /* monotonic; 0: none */
	int stopped; /* why it must end: 0, -EINTR, -ETIMEDOUT */
	uint32_t io_calls; /* since the last look */
	size_t work; /* done since then, in bytes (work.h) */
	struct mem_refusals refused; /* at its beginning */

	struct conn_changes changes;

	/* The busy handler's. */
	int64_t busy_end_ns;
	int64_t checkpoint_wait_ns;

	/* Kept for the next time their text comes: most recently used first. */
	struct query *kept; /* owned */
	uint32_t kept_room; /* so many there may be: statements= */
};

/** conn_get() - a connection from the pool, or a new one.  0 or -errno. */
int conn_get(struct ksql_db *db, struct conn **out);
/**
 * conn_open_scratch() - to a database that nobody else has, and nobody has checked
 * @db: whose limits it keeps to
 *
 * It has no log, and reads no page in place: SQLite may look some bytes beyond
 * the end of a damaged one.  Only for statements of our own.  Ended by
 * conn_close().  Return: 0 or -errno.
 */
int conn_open_scratch(struct ksql_db *db, struct store *store,
		      struct conn **out);
/** conn_put() - back into the pool, rolled back; NULL is allowed. */
void conn_put(struct conn *c);
/** conn_close() - for good. */
void conn_close(struct conn *c);

/**
 * conn_prepare() - the first statement of a text
 * @used: out: bytes of the text that it takes
 *
 * Return: 0 with @q->stmt NULL when the text holds none; or f->err.
 */
int conn_prepare(struct conn *c, const char *sql, size_t len, struct query *q,
		 size_t *used, struct fault *f);
/**
 * conn_take() - a statement kept from last time
 *
 * Return: true with @q filled if @sql is, to the byte, the text of one.
 */
bool conn_take(struct conn *c, const char *sql, size_t len, struct query *q);
/** conn_retire() - reset a statement and keep it for the next time. */
void conn_retire(struct conn *c, struct query *q);
/** conn_discard() - finalise it. */
void conn_discard(struct query *q);
/** conn_forget_kept() - all that are kept. */
void conn_forget_kept(struct conn *c);

/**
 * conn_run_begin() - from now on, at most @budget_ns of running (0: no bound)
 *
 * The database may grow to what size= says now.
 */
void conn_run_begin(struct conn *c, int64_t budget_ns);
/** conn_run_go_on() - the same from @since_ns on, an earlier c->began_ns. */
void conn_run_go_on(struct conn *c, int64_t budget_ns, int64_t since_ns);
/** conn_run_end() - returns what is left of the budget. */
int64_t conn_run_end(struct conn *c);
/** conn_run_stop() - the same without a look at the clock: who goes on looks. */
void conn_run_stop(struct conn *c);

/**
 * conn_poll() - let others run; must this end?  Safe point.
 *
 * Return: 0, or -EINTR or -ETIMEDOUT, which stays until conn_run_begin().
 */
int conn_poll(struct conn *c);
/** conn_poll_io() - the same, cheaper, from the VFS; stops SQLite itself. */
void conn_poll_io(struct conn *c);

/** conn_fault() - what SQLite says of @rc, as a fault.  Returns f->err. */
int conn_fault(struct conn *c, int rc, struct fault *f);

/**
 * conn_checkpoint() - give the log's memory back if nobody needs it
 * @wait_ns: for so long who needs it, and who writes, is waited for; 0: not at all
 *
 * A signal and the time limit end the waiting, and leave no trace of it.
 * Return: true if it waited in vain.
 */
bool conn_checkpoint(struct conn *c, int64_t wait_ns);

/** conn_exec() - statements of our own, without rows.  0 or -errno. */
int conn_exec(struct conn *c, const char *sql);

#endif /* KSQL_CONN_H */
