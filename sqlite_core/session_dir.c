// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * session_dir.c - sessions/NAME: a connection that lasts, and what it left.
 *
 * Whoever gives the directory back clears up what others wanted to meanwhile:
 * so neither close() nor rmdir() waits behind a statement.
 */
#include "session_dir.h"

#include "port/cstd.h"
#include "conn.h"
#include "db.h"
#include "mem.h"
#include "memvfs.h"
#include "outcome.h"
#include "session.h"

/* --- one of them --------------------------------------------------------- */

static struct session_dir *dir_new(struct ksql_db *db, const char *name,
				   size_t len, const struct ksql_caller *caller)
{
	struct session_dir *d = ksql_zalloc(sizeof(*d) + len);

	if (!d)
		return NULL;
	d->given = port_event_new();
	if (!d->given) {
		ksql_free(d);
		return NULL;
	}
	d->db = db;
	d->users = 1;
	d->uid = caller->uid;
	d->gid = caller->gid;
	d->len = len;
	memcpy(d->name, name, len);
	return d;
}

struct session_dir *session_dir_get(struct session_dir *d)
{
	__atomic_fetch_add(&d->users, 1, __ATOMIC_RELAXED);
	return d;
}

void session_dir_put(struct session_dir *d)
{
	if (!d || __atomic_sub_fetch(&d->users, 1, __ATOMIC_ACQ_REL))
		return;
	outcome_put(d->outcome);
	port_event_free(d->given);
	ksql_free(d);
}

bool session_dir_is_removed(const struct session_dir *d)
{
	return __atomic_load_n(&d->removed, __ATOMIC_ACQUIRE);
}

/* --- the outcome --------------------------------------------------------- */

struct outcome *session_dir_outcome(struct session_dir *d)
{
	struct outcome *o;

	port_spin_lock(&d->db->lock);
	o = d->outcome;
	if (o)
		__atomic_fetch_add(&o->users, 1, __ATOMIC_RELAXED);
	port_spin_unlock(&d->db->lock);
	return o;
}

void session_dir_publish(struct session_dir *d, struct outcome *o)
{
	struct outcome *old;

	port_spin_lock(&d->db->lock);
	old = d->outcome;
	d->outcome = o;
	port_spin_unlock(&d->db->lock);
	outcome_put(old);
}

/* --- taking turns -------------------------------------------------------- */

/* Never of one that was cleared: nobody would clear it again. */
static bool try_take(struct session_dir *d)
{
	bool free;

	port_spin_lock(&d->db->lock);
	free = !d->taken && !d->cleared;
	if (free)
		d->taken = true;
	port_spin_unlock(&d->db->lock);
	return free;
}

int session_dir_take(struct session_dir *d)
{
	int64_t end =
		port_coarse_ns() + (int64_t)db_options(d->db).busy_ms * 1000000;
	unsigned long seen;
	int64_t left;

	for (;;) {
		seen = port_event_count(d->given);
		if (session_dir_is_removed(d))
			return -ECANCELED;
		if (try_take(d))
			return 0;
		left = end - port_coarse_ns();
		if (left <= 0)
			return -EBUSY;
		if (port_event_wait(d->given, seen, (uint64_t)left) == -EINTR)
			return -EINTR;
	}
}

/* What a removed one holds.  The caller has taken it. */
static void clear(struct session_dir *d)
{
	while (d->streams)
		session_drop_answer(d->streams);
	conn_put(d->conn);
	d->conn = NULL;
	session_dir_publish(d, NULL);
}

void session_dir_give(struct session_dir *d)
{
	struct ksql_db *db = d->db;
	struct session *s;
	bool ended;

	for (;;) {
		port_spin_lock(&db->lock);
		s = d->left;
		ended = !d->cleared && session_dir_is_removed(d);
		if (!s && !ended)
			break;
		if (s)
			d->left = s->next_left;
		else
			d->cleared = true;
		port_spin_unlock(&db->lock);
		if (s)
			session_free_taken(s);
		else
			clear(d);
	}
	d->taken = false;
	port_spin_unlock(&db->lock);
	port_event_signal(d->given);
}

bool session_dir_leave_to(struct session_dir *d, struct session *s)
{
	bool taken;

	port_spin_lock(&d->db->lock);
	taken = !d->taken;
	d->taken = true;
	if (!taken) {
		s->next_left = d->left;
		d->left = s;
	}
	port_spin_unlock(&d->db->lock);
	return taken;
}

/* --- all of them --------------------------------------------------------- */

/* Called under sessions_lock. */
static struct session_dir *find(struct ksql_db *db, const char *name,
				size_t len)
{
	struct session_dir *d;

	for (d = db->sessions; d; d = d->next)
		if (d->len == len && memcmp(d->name, name, len) == 0)
			break;
	return d;
}

/* Called under sessions_lock. */
static uint32_t count_of(struct ksql_db *db, uint32_t uid)
{
	struct session_dir *d;
	uint32_t count = 0;

	for (d = db->sessions; d; d = d->next)
		count += d->uid == uid;
	return count;
}

int session_dir_make(struct ksql_db *db, const char *name, size_t len,
		     const struct ksql_caller *caller, struct session_dir **out)
{
	struct session_dir *d = dir_new(db, name, len, caller);
	int err = 0;

	if (!d)
		return -ENOMEM;
	port_mutex_lock(db->sessions_lock);
	if (find(db, name, len)) {
		err = -EEXIST;
	} else if (count_of(db, caller->uid) >= db_options(db).sessions) {
		err = -EDQUOT;
	} else {
		d->number = ++db->sessions_made;
		d->next = db->sessions;
		db->sessions = session_dir_get(d);
	}
	port_mutex_unlock(db->sessions_lock);
	if (err)
		session_dir_put(d);
	else
		*out = d;
	return err;
}

struct session_dir *session_dir_find(struct ksql_db *db, const char *name,
				     size_t len)
{
	struct session_dir *d;

	port_mutex_lock(db->sessions_lock);
	d = find(db, name, len);
	if (d)
		session_dir_get(d);
	port_mutex_unlock(db->sessions_lock);
	return d;
}

int session_dir_each(struct ksql_db *db, uint32_t uid,
		     void (*each)(void *arg, const struct session_dir *d),
		     void *arg)
{
	struct session_dir *d;

	port_mutex_lock(db->sessions_lock);
	for (d = db->sessions; d; d = d->next)
		if (!uid || d->uid == uid)
			each(arg, d);
	port_mutex_unlock(db->sessions_lock);
	return 0;
}

int session_dir_remove(struct session_dir *d)
{
	struct ksql_db *db = d->db;
	struct session_dir **at;

	port_mutex_lock(db->sessions_lock);
	for (at = &db->sessions; *at && *at != d; at = &(*at)->next)
		;
	if (*at) {
		*at = d->next;
		__atomic_store_n(&d->removed, true, __ATOMIC_RELEASE);
	} else {
		at = NULL;
	}
	port_mutex_unlock(db->sessions_lock);
	if (!at)
		return -ENOENT;
	if (try_take(d))
		session_dir_give(d);
	else
		store_wake(db->store); /* who has it sees that it is removed */
	session_dir_put(d);
	return 0;
}

void session_dir_forget(struct ksql_db *db)
{
	while (db->sessions)
		session_dir_remove(db->sessions);
}
