/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * outcome.h - what a finished batch left: the files result*, value, error, status.
 *
 * One for each uid, pinned by whoever has one of its files open.  Constant once
 * published, but for texts rendered when first asked for.  Engine side.
 */
#ifndef KSQL_OUTCOME_H
#define KSQL_OUTCOME_H

#include "exec.h"

struct ksql_caller;
struct ksql_db;
struct port_mutex;

struct outcome {
	struct outcome *next; /* in the database's list; under its lock */
	uint32_t users; /* atomic */
	uint32_t uid;
	int err; /* of the batch whose rows these are: 0 or negative errno */
	struct outcome *
		result; /* whose rows result* shows: counted, or NULL for its own */
	struct rows rows;
	struct buf error; /* text of the file */
	struct buf status; /* likewise */

	struct port_mutex *lock; /* owned; protects all below */
	struct buf text[FORMATS];
	bool have[FORMATS]; /* text[] is rendered */
	uint64_t size[FORMATS]; /* of text[], which need not be made for stat() */
	bool have_size[FORMATS];
	struct buf value;
	bool have_value;
};

/* What the files "error" and "status" are to say. */
struct report {
	int err; /* 0 or negative errno */
	int sqlite; /* SQLite's extended code, 0 if it is not SQLite's failure */
	const struct buf *error; /* text for the first, if @err is set */
	uint64_t rows, changes;
	sqlite3_int64 rowid; /* inserted last */
	int64_t ns; /* spent */
};

/** outcome_new() - one user: the caller.  NULL if no memory. */
struct outcome *outcome_new(uint32_t uid);
/** outcome_put() - NULL is allowed. */
void outcome_put(struct outcome *o);
/** outcome_get() - what a uid has, counted; NULL if nothing yet. */
struct outcome *outcome_get(struct ksql_db *db, uint32_t uid);
/** outcome_describe() - what @r says becomes the texts of @o.  0 or -ENOMEM. */
int outcome_describe(struct outcome *o, const struct report *r);
/** outcome_keep_result() - result* will show what @last, taken over, has them show. */
void outcome_keep_result(struct outcome *o, struct outcome *last);
/** outcome_publish() - in place of what @o->uid had; takes over the caller's count. */
void outcome_publish(struct ksql_db *db, struct outcome *o);
/**
 * outcome_tell() - what became of a file that was written or read, but for SQL's
 * @o: new, of @who's; taken over; NULL if there was no memory for it
 * @who: wrote or read it
 * @f: why it was refused; err 0: it was taken
 * @counts: its rows, changes, rowid and ns; the rest is not looked at
 *
 * "error" and "status" say so to @who; result* stay.  Return: 0 or -ENOMEM.
 */
int outcome_tell(struct ksql_db *db, struct outcome *o,
		 const struct ksql_caller *who, const struct fault *f,
		 const struct report *counts);
/** outcome_forget() - everything that all uids have. */
void outcome_forget(struct ksql_db *db);
/** outcome_rows() - the outcome whose rows result* and value show. */
struct outcome *outcome_rows(struct outcome *o);
/** outcome_text() - the rows in a format.  0 or -errno. */
int outcome_text(struct outcome *o, enum format format,
		 const struct buf **text);
/** outcome_size() - how long that text is, without making it.  0 or -errno. */
int outcome_size(struct outcome *o, enum format format, uint64_t *size);
/** outcome_value() - the text of the file "value".  0 or -errno. */
int outcome_value(struct outcome *o, const struct buf **text);

#endif /* KSQL_OUTCOME_H */
