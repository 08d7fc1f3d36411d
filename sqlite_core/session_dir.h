/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * session_dir.h - sessions/NAME: a connection that lasts, and what it left.
 *
 * All files opened in it share the connection, a call at a time: who calls takes
 * the directory, and gives it back.  Engine side.
 */
#ifndef KSQL_SESSION_DIR_H
#define KSQL_SESSION_DIR_H

#include "port/types.h"

struct conn;
struct ksql_caller;
struct ksql_db;
struct outcome;
struct port_event;
struct session;

struct session_dir {
	struct session_dir
		*next; /* in the database's list; under sessions_lock */
	struct ksql_db *db;
	uint32_t users; /* atomic: the list, nodes, open files */
	uint32_t uid, gid; /* the owner's; constant */
	uint64_t number; /* no other of this database ever has it; constant */
	bool removed; /* atomic: set once, under sessions_lock */

	/* Under the database's lock. */
	bool taken; /* a call uses what stands below */
	bool cleared; /* it was removed, and nothing stands there any more */
	struct session *left; /* closed while it was taken: owned */
	struct outcome *outcome; /* of the last batch: counted */

	struct port_event *given; /* owned: it is not taken any more */

	/* Of whoever has taken it. */
	struct conn *conn; /* owned; NULL until the first statement */
	struct session *streams; /* with an answer half read: theirs */

	size_t len;
	char name[]; /* constant; not NUL-terminated */
};

/**
 * session_dir_make() - a new one
 * @name: @len bytes, copied
 * @caller: its owner
 * @out: counted
 *
 * Return: 0, -EEXIST, -EDQUOT (the owner has as many as sessions= says), -ENOMEM.
 */
int session_dir_make(struct ksql_db *db, const char *name, size_t len,
		     const struct ksql_caller *caller,
		     struct session_dir **out);
/** session_dir_find() - by its name, counted; NULL: there is none. */
struct session_dir *session_dir_find(struct ksql_db *db, const char *name,
				     size_t len);
/** session_dir_get() - take another count. */
struct session_dir *session_dir_get(struct session_dir *d);
/** session_dir_put() - give one back; NULL is allowed.  Safe point. */
void session_dir_put(struct session_dir *d);
/** session_dir_is_removed() - does its name stand for it no more? */
bool session_dir_is_removed(const struct session_dir *d);
/**
 * session_dir_remove() - its name is gone, its transaction rolled back
 *
 * Waits for nobody: what runs in it is told to end, and who runs it clears up.
 * Return: 0, -ENOENT if it was removed before.
 */
int session_dir_remove(struct session_dir *d);
/** session_dir_each() - those of @uid; of all, if that is root.  0 or -errno. */
int session_dir_each(struct ksql_db *db, uint32_t uid,
		     void (*each)(void *arg, const struct session_dir *d),
		     void *arg);
/** session_dir_forget() - all of a database that nobody uses any more. */
void session_dir_forget(struct ksql_db *db);

/**
 * session_dir_take() - wait until no other call uses it, at most busy=
 *
 * Return: 0; -EBUSY, -EINTR; -ECANCELED: it was removed.
 */
int session_dir_take(struct session_dir *d);
/** session_dir_give() - let the next one have it.  Safe point. */
void session_dir_give(struct session_dir *d);
/**
 * session_dir_leave_to() - take it if it is free, or else have @s freed later
 *
 * Return: true if the caller has taken it now; false if @s is not his any more:
 * who has taken it calls session_free_taken().
 */
bool session_dir_leave_to(struct session_dir *d, struct session *s);

/** session_dir_outcome() - of its last batch, counted; NULL if nothing yet. */
struct outcome *session_dir_outcome(struct session_dir *d);
/** session_dir_publish() - in its place; takes over the caller's count; NULL: none. */
void session_dir_publish(struct session_dir *d, struct outcome *o);

#endif /* KSQL_SESSION_DIR_H */
