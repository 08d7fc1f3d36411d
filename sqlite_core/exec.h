/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * exec.h - one statement running, and its rows on their way out.  Engine side.
 */
#ifndef KSQL_EXEC_H
#define KSQL_EXEC_H

#include "conn.h"
#include "render.h"

/*
 * A statement that runs.  Between run_resume() and run_pause() the watch over
 * its connection is on; its time limit counts only those stretches.
 */
struct run {
	struct conn *conn;
	struct query query; /* owned; ->stmt NULL: nothing runs */
	int64_t budget_ns; /* of running time left; 0: no bound */
	struct run_changes changes;
	uint64_t rows; /* it gave */
	bool failed;
};

/*
 * What is known of a statement's columns once it has been stepped: kept with
 * it, so that running it again allocates nothing.
 */
struct shape {
	int reprepared; /* SQLITE_STMTSTATUS_REPREPARE when it was made */
	int columns;
	bool rendered; /* @render is there */
	struct render render;
	struct value values[]; /* of the row that the statement stands on */
};

void shape_free(struct shape *s);

/** run_begin() - take over @q, which stands before its first step. */
void run_begin(struct run *r, struct conn *c, struct query *q);
void run_resume(struct run *r);
/**
 * run_step() - to the next row, which the shape's values then hold
 *
 * Return: 1 on a row, 0 at the end, or f->err.
 */
int run_step(struct run *r, struct fault *f);
void run_pause(struct run *r);
/** run_end() - the statement goes back to its connection.  Harmless when none runs. */
void run_end(struct run *r);

/**
 * ask_number() - the number in the first row of a statement of our own
 * @sql: of sqlite3_mprintf(); taken over; NULL: there was no memory for it
 * @number: out; -1 if there is no row
 *
 * Return: 0 or f->err.
 */
int ask_number(struct conn *c, char *sql, sqlite3_int64 *number,
	       struct fault *f);

/* A running statement whose rows become text. */
struct stream {
	struct run run;
	bool live; /* there is more to come */
};

/**
 * stream_begin() - first step, and what comes before the first row
 * @q: taken over
 * @want: bytes of @out to fill now, if there are so many
 *
 * Return: 0 or f->err (the stream is then ended).
 */
int stream_begin(struct stream *s, struct conn *c, struct query *q,
		 enum format format, struct buf *out, size_t want,
		 struct fault *f);
/** stream_fill() - add rows to @out until it holds @want bytes, or all.  0 or f->err. */
int stream_fill(struct stream *s, struct buf *out, size_t want,
		struct fault *f);
/** stream_end() - drop what was not asked for.  Harmless when not live. */
void stream_end(struct stream *s);

/* Rows kept as they are, for whichever format is asked for later. */
struct rows {
	int columns;
	struct buf names; /* each ended by NUL */
	struct buf data;
	uint64_t count;
};

/** rows_collect() - run @q, which is taken over, to its end; at most @max bytes. */
int rows_collect(struct rows *rows, struct conn *c, struct query *q,
		 uint64_t max, struct fault *f);
/** rows_render() - all of them, added to @out.  0 or -errno. */
int rows_render(const struct rows *rows, enum format format, struct buf *out);
/** rows_size() - how many bytes rows_render() would add.  0 or -errno. */
int rows_size(const struct rows *rows, enum format format, uint64_t *size);
/** rows_first_value() - the first column of the first row; false if there is none. */
bool rows_first_value(const struct rows *rows, struct value *value);
void rows_free(struct rows *rows);

/** stmt_names() - the column names of a statement; freed by ksql_free().  NULL: no memory. */
const char **stmt_names(sqlite3_stmt *stmt, int columns);

#endif /* KSQL_EXEC_H */
