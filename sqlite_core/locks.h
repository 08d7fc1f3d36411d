/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * locks.h - SQLite's locks on a database and its log, and who waits for them.
 *
 * Taking one never waits: who does not get it is told so, and waits, or not, in
 * SQLite's busy handler (policy.c).  There the lock by which a log is written has
 * a queue: it is had in the order in which they began to wait.  For every other
 * one waits who looks again at each unlock; they are rare.
 *
 * Nobody goes before those who queue, but
 * - a connection in a read transaction.  SQLite does not let it wait, and would
 *   fail its statement, and with it the transaction, for a lock that is free;
 *   those who queue wait for one transaction more.
 * - a checkpoint: who queues would find a longer log in its place.
 * - who has had its turn, and lost the lock without having written: SQLite gives
 *   it up when it finds the schema changed, to compile the statement again, and
 *   when others have written since it began to read, a moment before.  The next
 *   one may have taken it then, and is waited for.
 *
 * The first of the queue is told when it may try: when the lock becomes free and
 * when it becomes the first while it is.  Told, it may still go away, and then
 * the next is told; whoever stops waiting must leave.  Engine side.
 */
#ifndef KSQL_LOCKS_H
#define KSQL_LOCKS_H

#include "port/port.h"
#include "sqlite3.h"

struct hold;

/* Of a database.  Zeroed memory, then locks_init(). */
struct locks {
	struct port_event *unlocked; /* owned, constant: any but the write lock */

	struct port_spin lock; /* protects all below */
	uint32_t shared; /* connections with SQLITE_LOCK_SHARED */
	bool reserved, pending, exclusive; /* somebody holds that lock */
	uint32_t shm_shared[SQLITE_SHM_NLOCK];
	bool shm_exclusive[SQLITE_SHM_NLOCK];
	uint16_t shm_wanted; /* bits of locks refused because of readers */
	struct hold *first; /* those who wait for the write lock: theirs */
	uint32_t waiters; /* so many; read atomically */
	uint64_t waits; /* so many ever; read atomically */
	int64_t written_ns; /* since when it is held; 0: it is free; likewise */
};

/* What one connection holds of them, or waits for.  Its own, but for @next. */
struct hold {
	struct locks *locks;
	sqlite3 *lite; /* whose; NULL while it is opened */
	int level; /* SQLITE_LOCK_* held */
	uint16_t shm_shared; /* bits of locks held shared */
	uint16_t shm_exclusive; /* and exclusively */

	bool refused; /* the last lock it asked for that counts here */
	bool refused_write; /* and that was the write lock */
	unsigned long seen; /* the count of @unlocked then */
	unsigned long told; /* and of @turn */
	bool served; /* it has had its turn, and its statement has not ended */
	bool queued;
	struct port_event *turn; /* owned: it may try; NULL: it never waits */
	struct hold *next; /* under the lock */
};

/** locks_init() - 0 or -ENOMEM. */
int locks_init(struct locks *l);
/** locks_exit() - with nobody holding any. */
void locks_exit(struct locks *l);

/** locks_wake() - all who wait look whether they still want to. */
void locks_wake(struct locks *l);

/** hold_init() - of a connection that holds none yet.  0 or -ENOMEM.  Safe point. */
int hold_init(struct hold *h, struct locks *l);
/** hold_exit() - gives all up.  Safe point. */
void hold_exit(struct hold *h);

/** hold_lock() - SQLite's xLock(): an SQLite code. */
int hold_lock(struct hold *h, int level);
/** hold_unlock() - SQLite's xUnlock(). */
void hold_unlock(struct hold *h, int level);
/** locks_reserved() - SQLite's xCheckReservedLock(). */
bool locks_reserved(struct locks *l);

/** hold_shm_lock() - SQLite's xShmLock(), to take @n: SQLITE_OK or SQLITE_BUSY. */
int hold_shm_lock(struct hold *h, int offset, int n, bool exclusive);
/** hold_shm_unlock() - the same, to give them up. */
void hold_shm_unlock(struct hold *h, int offset, int n);
/** hold_writes() - does it have the write lock? */
bool hold_writes(const struct hold *h);

/**
 * hold_wait() - until what was refused last can be tried again.  Safe point.
 * @timeout_ns: at most so long
 *
 * For the busy handler.  The place in the queue stays until the lock is taken,
 * or hold_leave().
 * Return: 0; -ETIMEDOUT, -EINTR as port_event_wait().
 */
int hold_wait(struct hold *h, uint64_t timeout_ns);
/** hold_leave() - its statement has ended, or waits no more.  Harmless at any time. */
void hold_leave(struct hold *h);

#endif /* KSQL_LOCKS_H */
