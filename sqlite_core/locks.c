// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * locks.c - SQLite's locks on a database and its log, and who waits for them.
 *
 * They are those of SQLite's own unix VFS, kept in counters under a spinlock.
 */
#include "locks.h"

#include "port/cstd.h"

/* Of SQLite's wal.c. */
#define WAL_WRITE_LOCK 0
#define WAL_CKPT_LOCK  1

int locks_init(struct locks *l)
{
	l->unlocked = port_event_new();
	return l->unlocked ? 0 : -ENOMEM;
}

void locks_exit(struct locks *l)
{
	port_event_free(l->unlocked);
}

int hold_init(struct hold *h, struct locks *l)
{
	h->locks = l;
	h->turn = port_event_new();
	return h->turn ? 0 : -ENOMEM;
}

void hold_exit(struct hold *h)
{
	hold_leave(h);
	hold_shm_unlock(h, 0, SQLITE_SHM_NLOCK);
	hold_unlock(h, SQLITE_LOCK_NONE);
	port_event_free(h->turn);
}

/* Called under the lock; what happens later adds to the counts. */
static void refuse(struct hold *h, bool write)
{
	h->refused = true;
	h->refused_write = write;
	h->seen = port_event_count(h->locks->unlocked);
	h->told = port_event_count(h->turn);
}

/* --- the database's ------------------------------------------------------ */

/* SQLite's five lock levels, as its documentation of xLock() has them. */
int hold_lock(struct hold *h, int level)
{
	struct locks *l = h->locks;
	int rc = SQLITE_BUSY;

	if (h->level >= level)
		return SQLITE_OK;
	port_spin_lock(&l->lock);
	if (level == SQLITE_LOCK_SHARED) {
		if (l->pending || l->exclusive)
			goto unlock;
		l->shared++;
	} else if (level == SQLITE_LOCK_RESERVED) {
		if (l->reserved)
			goto unlock;
		l->reserved = true;
	} else { /* exclusive, through pending */
		if (h->level < SQLITE_LOCK_PENDING) {
			if (l->pending ||
			    (l->reserved && h->level < SQLITE_LOCK_RESERVED))
				goto unlock;
			l->pending = true;
			l->reserved = true;
			h->level = SQLITE_LOCK_PENDING;
		}
		if (l->shared > 1)
			goto unlock;
		l->exclusive = true;
	}
	h->level = level;
	rc = SQLITE_OK;
unlock:
	if (rc)
		refuse(h, false);
	port_spin_unlock(&l->lock);
	return rc;
}

void hold_unlock(struct hold *h, int level)
{
	struct locks *l = h->locks;

	if (h->level <= level)
		return;
	port_spin_lock(&l->lock);
	if (h->level == SQLITE_LOCK_EXCLUSIVE)
		l->exclusive = false;
	if (h->level >= SQLITE_LOCK_PENDING)
		l->pending = false;
	if (h->level >= SQLITE_LOCK_RESERVED)
		l->reserved = false;
	if (level == SQLITE_LOCK_NONE)
		l->shared--;
	h->level = level;
	port_spin_unlock(&l->lock);
	port_event_signal(l->unlocked);
}

bool locks_reserved(struct locks *l)
{
	bool reserved;

	port_spin_lock(&l->lock);
	reserved = l->reserved;
	port_spin_unlock(&l->lock);
	return reserved;
}

/* --- the queue; all called under the lock -------------------------------- */

static bool is_checkpoint(const struct hold *h)
{
	return h->shm_exclusive & 1u << WAL_CKPT_LOCK;
}

/* Under the lock, as the first may be gone without it. */
static void tell_first(struct locks *l)
{
	if (l->first && !l->shm_exclusive[WAL_WRITE_LOCK])
		port_event_signal(l->first->turn);
}

static void join(struct locks *l, struct hold *h, bool first)
{
	struct hold **at = &l->first;

	while (*at && !first)
		at = &(*at)->next;
	h->next = *at;
	*at = h;
	h->queued = true;
	__atomic_store_n(&l->waiters, l->waiters + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&l->waits, l->waits + 1, __ATOMIC_RELAXED);
}

static void leave(struct locks *l, struct hold *h)
{
	struct hold **at = &l->first;

	if (!h->queued)
		return;
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	h->queued = false;
	__atomic_store_n(&l->waiters, l->waiters - 1, __ATOMIC_RELAXED);
	if (at == &l->first)
		tell_first(l);
}

static bool must_queue(const struct locks *l, const struct hold *h)
{
	return l->first && l->first != h && !h->served && !is_checkpoint(h) &&
	       (!h->lite ||
		sqlite3_txn_state(h->lite, "main") == SQLITE_TXN_NONE);
}

/* --- the log's ----------------------------------------------------------- */

static bool may_lock(const struct locks *l, const struct hold *h, int i,
		     bool exclusive)
{
	uint32_t mine = (h->shm_shared >> i) & 1u;

	if (l->shm_exclusive[i])
		return false;
	if (i == WAL_WRITE_LOCK && must_queue(l, h))
		return false;
	return !exclusive || l->shm_shared[i] == mine;
}

static void take(struct locks *l, struct hold *h, int i, bool exclusive)
{
	uint16_t bit = (uint16_t)(1u << i);

	if (!exclusive) {
		if (!(h->shm_shared & bit))
			l->shm_shared[i]++;
		h->shm_shared |= bit;
		return;
	}
	l->shm_exclusive[i] = true;
	h->shm_exclusive |= bit;
	if (i == WAL_WRITE_LOCK) {
		h->refused = false;
		h->served = !is_checkpoint(h);
		__atomic_store_n(&l->written_ns, port_coarse_ns(),
				 __ATOMIC_RELAXED);
		leave(l, h);
	}
}

int hold_shm_lock(struct hold *h, int offset, int n, bool exclusive)
{
	struct locks *l = h->locks;
	int i, rc = SQLITE_OK;

	port_spin_lock(&l->lock);
	for (i = offset; i < offset + n; i++) {
		if (may_lock(l, h, i, exclusive))
			continue;
		if (!l->shm_exclusive[i])
			l->shm_wanted |= (uint16_t)(1u << i);
		refuse(h, i == WAL_WRITE_LOCK);
		rc = SQLITE_BUSY;
		goto unlock;
	}
	for (i = offset; i < offset + n; i++)
		take(l, h, i, exclusive);
unlock:
	port_spin_unlock(&l->lock);
	return rc;
}

/*
 * Could somebody who was refused get it now, other than who queues?  Each try of
 * a waiter takes and gives back read locks of its own: if those counted, waiters
 * would wake themselves and each other without end.
 */
static bool give(struct locks *l, struct hold *h, int i)
{
	uint16_t bit = (uint16_t)(1u << i);
	bool frees = h->shm_exclusive & bit;

	if (h->shm_exclusive & bit)
		l->shm_exclusive[i] = false;
	if (h->shm_shared & bit && --l->shm_shared[i] == 0 &&
	    l->shm_wanted & bit) {
		l->shm_wanted &= (uint16_t)~bit;
		frees = true;
	}
	h->shm_exclusive &= (uint16_t)~bit;
	h->shm_shared &= (uint16_t)~bit;
	if (i != WAL_WRITE_LOCK || !frees)
		return frees;
	__atomic_store_n(&l->written_ns, 0, __ATOMIC_RELAXED);
	tell_first(l);
	return false;
}

void hold_shm_unlock(struct hold *h, int offset, int n)
{
	struct locks *l = h->locks;
	bool given = false;
	int i;

	port_spin_lock(&l->lock);
	for (i = offset; i < offset + n; i++)
		given |= give(l, h, i);
	port_spin_unlock(&l->lock);
	if (given)
		port_event_signal(l->unlocked);
}

bool hold_writes(const struct hold *h)
{
	return h->shm_exclusive & 1u << WAL_WRITE_LOCK;
}

/* --- waiting ------------------------------------------------------------- */

int hold_wait(struct hold *h, uint64_t timeout_ns)
{
	struct locks *l = h->locks;
	bool mine;

	if (h->refused && !h->refused_write) {
		hold_leave(h);
		return port_event_wait(l->unlocked, h->seen, timeout_ns);
	}
	port_spin_lock(&l->lock);
	if (!h->queued)
		join(l, h, h->served || is_checkpoint(h));
	mine = l->first == h && !l->shm_exclusive[WAL_WRITE_LOCK];
	port_spin_unlock(&l->lock);
	return mine ? 0 : port_event_wait(h->turn, h->told, timeout_ns);
}

void locks_wake(struct locks *l)
{
	struct hold *h;

	port_spin_lock(&l->lock);
	for (h = l->first; h; h = h->next)
		port_event_signal(h->turn);
	port_spin_unlock(&l->lock);
	port_event_signal(l->unlocked);
}

void hold_leave(struct hold *h)
{
	h->served = false;
	if (!h->queued)
		return;
	port_spin_lock(&h->locks->lock);
	leave(h->locks, h);
	port_spin_unlock(&h->locks->lock);
}
