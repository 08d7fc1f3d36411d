/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * session.h - SQL as it arrives: statements, their parameters, what they leave.
 *
 * A batch is what is written to a file opened write-only: its statements run as
 * they complete, the first error ends it, and its outcome is published when it
 * is finished.  A program's session (a file opened read-write) asks and is
 * answered any number of times on one connection.  Engine side; calls on one
 * session are serialised by who owns it.
 */
#ifndef KSQL_SESSION_H
#define KSQL_SESSION_H

#include "exec.h"
#include "ksql_core.h"
#include "outcome.h"
#include "split.h"

struct session {
	struct session *next; /* in @dir's list of streams */
	struct session *next_left; /* in @dir's list of those closed */
	struct ksql_db *db;
	struct session_dir *dir; /* counted; NULL: the connection is its own */
	bool listed; /* in @dir's list of streams; by who has taken @dir */
	struct ksql_caller who; /* opened it; its cancel flag is not to be used */
	bool batch;
	enum format format; /* of a program's answers */

	/* Owned; NULL until the first statement.  Of a directory's files it is
	 * the directory's, and here while they have that.
	 */
	struct conn *conn;
	struct split split;
	struct buf text; /* the statement so far */
	struct buf params; /* what came after its NUL */
	bool in_params; /* that NUL has come */
	bool held; /* @text is complete but has parameters: is a NUL next? */
	bool written; /* a statement of the batch was run, or failed */
	int failed; /* the batch's errno; nothing runs any more */
	/* Owned: made at the batch's beginning, so that its end can be told. */
	struct outcome *outcome;

	/* What the file "status" and "error" will say. */
	uint64_t changes;
	int64_t ns; /* spent so far */
	sqlite3_int64 rowid; /* inserted last, as of session_leave() */
	int sqlite; /* code of the failure */
	struct buf error;
	struct rows rows; /* of a batch's last statement that has columns */

	/* A program's answer. */
	struct stream stream;
	struct buf answer; /* what was rendered and is not read yet */
	bool asked; /* something of this request has come */
	sqlite3_int64 changed; /* total_changes() when the request began */
	size_t last_line; /* FORMAT_ROWS: bytes at the answer's end that end it */
};

/** session_new() - NULL if no memory.  In a directory, or @dir is NULL. */
struct session *session_new(struct ksql_db *db, struct session_dir *dir,
			    const struct ksql_caller *caller, bool batch,
			    enum format format);
/**
 * session_free() - what a batch has not finished is dropped
 *
 * Rolls back, unless the connection is a directory's.
 */
void session_free(struct session *s);
/** session_free_taken() - likewise, by who has taken its directory. */
void session_free_taken(struct session *s);
/** session_drop_answer() - the rest of an answer that is read no more. */
void session_drop_answer(struct session *s);

/**
 * session_enter() - have the directory's connection, if it is in one
 *
 * For a program's session, before all that follows here, and session_leave()
 * after it; a batch does so by itself.  If it fails, what was written and has not
 * run never runs: the batch has failed, or the program's request is over.
 * Return: 0, or as session_dir_take().
 */
int session_enter(struct session *s);
void session_leave(struct session *s);

/** session_write() - bytes; runs what they complete.  0 or -errno. */
int session_write(struct session *s, const char *p, size_t n);

/** session_finish() - the batch is at its end.  0 or the errno of what ran now. */
int session_finish(struct session *s);

/** session_next_request() - forget the last request and what of its answer was not read. */
void session_next_request(struct session *s);
/** session_pending() - is there text that the first read must run? */
bool session_pending(const struct session *s);
/**
 * session_answer() - run what is pending, or render more of the answer
 *
 * s->answer then holds what comes next; empty at its end.  Return: 0 or -errno.
 */
int session_answer(struct session *s);

#endif /* KSQL_SESSION_H */
