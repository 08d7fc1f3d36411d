// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * conn.c - a connection to a database: its pool, its statements, its watch.
 */
#include "conn.h"

#include "port/cstd.h"
#include "db.h"
#include "events.h"
#include "exec.h"
#include "locks.h"
#include "mem.h"
#include "memvfs.h"
#include "policy.h"
#include "sqlite/unit.h"

#define POOL_MAX	  4u /* idle connections that a database keeps */
#define CHECKPOINT_FRAMES 256u /* of the log: one MiB */
#define WAIT_FRAMES	  4096u /* 16 MiB */
#define WAIT_NS		  500000000
#define IO_CALLS	  16u /* VFS calls between two looks */

/* --- commits ------------------------------------------------------------- */

/*
 * Bring the log's pages into the database, which moves them (memvfs.c), and give
 * its memory back, unless a reader needs it still.  While it waits for readers
 * nobody writes, so each who comes finds a log that he does not need, or one
 * that ends where his snapshot does: it ends when those do who were there.
 *
 * What was to be done is done already: that this is interrupted or has used the
 * statement's time up is no outcome of the statement's.
 */
bool conn_checkpoint(struct conn *c, int64_t wait_ns)
{
	int rc, frames = -1, stopped = c->stopped;
	bool waited;

	c->checkpoints = true;
	c->checkpoint_wait_ns = wait_ns;
	c->busy_end_ns = 0;
	rc = sqlite3_wal_checkpoint_v2(
		c->lite, "main", SQLITE_CHECKPOINT_TRUNCATE, &frames, NULL);
	c->checkpoints = false;
	c->stopped = stopped;
	waited = c->busy_end_ns != 0;
	figures_checkpoint(&c->db->figures,
			   !rc	       ? CHECKPOINT_DONE :
			   frames >= 0 ? CHECKPOINT_PARTIAL :
					 CHECKPOINT_FAILED,
			   waited);
	return rc && waited;
}

/*
 * The length of the log from which a commit waits for its readers: a quarter of
 * what the database may have, as the log's own bound follows that.
 */
static uint32_t wait_frames(struct ksql_db *db)
{
	uint64_t frames = db_options(db).size / KSQL_PAGE_SIZE / 4;

	if (frames > WAIT_FRAMES)
		return WAIT_FRAMES;
	return frames < CHECKPOINT_FRAMES ? CHECKPOINT_FRAMES :
					    (uint32_t)frames;
}

/*
 * How long a commit may wait for the readers of so long a log.  Not so long that
 * those who wait for the write lock meanwhile would give up; and when it was in
 * vain, as somebody reads on and on, not again before the log has doubled.
 */
static int64_t checkpoint_wait_ns(struct ksql_db *db, uint32_t frames)
{
	int64_t half = (int64_t)db_options(db).busy_ms * 500000;
	uint32_t least = wait_frames(db);
	uint32_t next = __atomic_load_n(&db->wait_frames, __ATOMIC_RELAXED);

	if (frames < least && next) /* it has begun anew meanwhile */
		__atomic_store_n(&db->wait_frames, 0, __ATOMIC_RELAXED);
	if (frames < least || frames < next)
		return 0;
	return half < WAIT_NS ? half : WAIT_NS;
}

static void checkpoint(struct conn *c, uint32_t frames)
{
	if (conn_checkpoint(c, checkpoint_wait_ns(c->db, frames)))
		__atomic_store_n(&c->db->wait_frames, 2 * frames,
				 __ATOMIC_RELAXED);
}

/* After each commit that wrote something. */
static int committed(void *arg, sqlite3 *lite, const char *schema, int frames)
{
	struct conn *c = arg;

	(void)lite;
	(void)schema; /* no other has a log */
	db_changed(c->db, c);
	if ((uint32_t)frames >= CHECKPOINT_FRAMES)
		checkpoint(c, (uint32_t)frames);
	return SQLITE_OK;
}

/* --- pages copied --------------------------------------------------------- */

/*
 * Pages of the log are read into a connection's cache, of up to 512 KiB.  What
 * all connections may keep there while they wait for the next statement; each
 * may a few.
 */
#define IDLE_PAGES_ALL 1024u
#define IDLE_PAGES_MIN 4u

static void release_pages(struct conn *c)
{
	uint32_t conns = __atomic_load_n(&c->db->conns, __ATOMIC_RELAXED);
	uint32_t may = conns ? IDLE_PAGES_ALL / conns : IDLE_PAGES_ALL;

	if (may < IDLE_PAGES_MIN)
		may = IDLE_PAGES_MIN;
	if ((uint32_t)ksql_cached_pages(c->lite) > may &&
	    sqlite3_get_autocommit(c->lite))
		sqlite3_db_release_memory(c->lite);
}

/* --- the pool ------------------------------------------------------------ */

void conn_forget_kept(struct conn *c)
{
	while (c->kept_room)
		conn_discard(&c->kept[--c->kept_room]);
}

void conn_close(struct conn *c)
{
	conn_forget_kept(c);
	ksql_free(c->kept);
	sqlite3_close(c->lite);
	changes_free(c);
	__atomic_fetch_sub(&c->db->conns, 1, __ATOMIC_RELAXED);
	ksql_free(c);
}

static int open_store(struct ksql_db *db, struct store *store,
		      int (*install)(struct conn *c), struct conn **out)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			  SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	struct conn *c = ksql_zalloc(sizeof(*c));
	int rc, err;

	if (!c)
		return -ENOMEM;
	c->db = db;
	__atomic_fetch_add(&db->conns, 1, __ATOMIC_RELAXED);
	rc = sqlite3_open_v2(store_name(store), &c->lite, flags, NULL);
	if (rc) {
		err = errno_of_sqlite(rc, NULL);
		goto close;
	}
	c->hold = store_hold(c->lite);
	err = install(c);
	if (err)
		goto close;
	*out = c;
	return 0;

close:
	conn_close(c);
	return err;
}

static int conn_open(struct ksql_db *db, struct conn **out)
{
	int err = open_store(db, db->store, policy_install, out);

	if (err)
		return err;
	sqlite3_wal_hook((*out)->lite, committed, *out);
	changes_begin(*out);
	return 0;
}

int conn_open_scratch(struct ksql_db *db, struct store *store,
		      struct conn **out)
{
	int err = open_store(db, store, policy_install_scratch, out);

	if (!err)
		(*out)->scratch = true;
	return err;
}

int conn_get(struct ksql_db *db, struct conn **out)
{
	struct conn *c;

	port_spin_lock(&db->lock);
	c = db->idle;
	if (c) {
		db->idle = c->next;
		db->idle_count--;
	}
	port_spin_unlock(&db->lock);
	if (!c)
		return conn_open(db, out);
	*out = c;
	return 0;
}

void conn_put(struct conn *c)
{
	struct ksql_db *db;
	bool keep = false;

	if (!c)
		return;
	db = c->db;
	c->removed = NULL;
	hold_leave(c->hold);
	if (!sqlite3_get_autocommit(c->lite)) {
		conn_run_begin(c, 0);
		if (conn_exec(c, "ROLLBACK"))
			c->tainted = true;
		conn_run_end(c);
	}
	c->users = false;
	figures_cache(&db->figures, c->lite);
	ksql_forget_counts(c->lite);
	sqlite3_db_release_memory(c->lite);
	if (!c->tainted) {
		port_spin_lock(&db->lock);
		keep = db->idle_count < POOL_MAX;
		if (keep) {
			c->next = db->idle;
			db->idle = c;
			db->idle_count++;
		}
		port_spin_unlock(&db->lock);
	}
	if (!keep)
		conn_close(c);
}

/* --- statements ---------------------------------------------------------- */

/* Make room for as many as statements= says now; if there is memory for more. */
static void keep_to_limit(struct conn *c)
{
	uint32_t limit = db_statements(c->db);
	struct query *kept;

	while (c->kept_room > limit)
		conn_discard(&c->kept[--c->kept_room]);
	if (c->kept_room == limit)
		return;
	kept = ksql_realloc(c->kept, limit * sizeof(*kept));
	if (!kept)
		return;
	memset(kept + c->kept_room, 0, (limit - c->kept_room) * sizeof(*kept));
	c->kept = kept;
	c->kept_room = limit;
}

bool conn_take(struct conn *c, const char *sql, size_t len, struct query *q)
{
	size_t i;

	changes_prepare(c);
	if (c->kept_room != db_statements(c->db))
		keep_to_limit(c);
	for (i = 0; i < c->kept_room && c->kept[i].stmt; i++) {
		if (c->kept[i].len != len ||
		    memcmp(sqlite3_sql(c->kept[i].stmt), sql, len) != 0)
			continue;
		*q = c->kept[i];
		q->proven = true;
		for (; i + 1 < c->kept_room && c->kept[i + 1].stmt; i++)
			c->kept[i] = c->kept[i + 1];
		c->kept[i] = (struct query){ 0 };
		return true;
	}
	return false;
}

/*
 * SQLite prepares by the schema that the connection knows, and looks whether it
 * has changed only when a name is unknown: "table t has 2 columns" may be said
 * of a table that is no more.  Running something makes it look.
 */
static int look_at_schema(struct conn *c)
{
	return conn_exec(c, "SELECT 1 FROM main.sqlite_schema LIMIT 1");
}

int conn_prepare(struct conn *c, const char *sql, size_t len, struct query *q,
		 size_t *used, struct fault *f)
{
	const char *tail = NULL;
	int rc;

	*used = len;
	if (conn_take(c, sql, len, q))
		return 0;
	*q = (struct query){ 0 };
	if (c->users)
		figures_prepared(&c->db->figures);
	rc = sqlite3_prepare_v3(c->lite, sql, (int)len, 0, &q->stmt, &tail);
	if (rc == SQLITE_ERROR && !look_at_schema(c))
		rc = sqlite3_prepare_v3(c->lite, sql, (int)len, 0, &q->stmt,
					&tail);
	if (rc) {
		changes_prepared(c, q);
		return conn_fault(c, rc, f);
	}
	*used = (size_t)(tail - sql);
	q->len = *used;
	if (changes_prepared(c, q)) {
		conn_discard(q);
		return fault_set(f, -ENOMEM, -1, "out of memory");
	}
	return 0;
}

void conn_discard(struct query *q)
{
	sqlite3_finalize(q->stmt);
	shape_free(q->shape);
	ksql_free(q->targets);
	*q = (struct query){ 0 };
}

/*
 * Which kept statement gives way to one more.  Those whose text is new each time
 * must not push out the others, nor use up the connection's lookaside memory: of
 * eight there are three at most.
 */
static size_t give_way(const struct conn *c)
{
	size_t i, unproven = 0;

	for (i = 0; i + 1 < c->kept_room && c->kept[i].stmt; i++) {
		unproven += !c->kept[i].proven;
		if (unproven == (c->kept_room * 3u + 7u) / 8u)
			break;
	}
	return i;
}

void conn_retire(struct conn *c, struct query *q)
{
	size_t i;
	int rc;

	if (!q->stmt)
		return;
	rc = sqlite3_reset(q->stmt);
	ksql_tell_commit(c->lite);
	release_pages(c);
	if (rc || !c->kept_room || q->len > CONN_TEXT_MAX ||
	    strlen(sqlite3_sql(q->stmt)) != q->len) {
		conn_discard(q);
		return;
	}
	sqlite3_clear_bindings(q->stmt);
	q->ns = 0;
	q->began_ns = 0;
	i = give_way(c);
	conn_discard(&c->kept[i]);
	for (; i > 0; i--)
		c->kept[i] = c->kept[i - 1];
	c->kept[0] = *q;
	*q = (struct query){ 0 };
}

int conn_exec(struct conn *c, const char *sql)
{
	int rc = sqlite3_exec(c->lite, sql, NULL, NULL, NULL);

	return rc ? errno_of_sqlite(rc, sqlite3_errmsg(c->lite)) : 0;
}

/* --- the watch ----------------------------------------------------------- */

void conn_run_begin(struct conn *c, int64_t budget_ns)
{
	conn_run_go_on(c, budget_ns, port_monotonic_ns());
}

void conn_run_go_on(struct conn *c, int64_t budget_ns, int64_t since_ns)
{
	c->began_ns = since_ns;
	c->deadline_ns = budget_ns ? c->began_ns + budget_ns : 0;
	c->stopped = 0;
	c->refused = mem_refusals();
	if (!c->scratch)
		ksql_bound_pages(c->lite, db_size_pages(c->db));
	if (db_zero(c->db))
		ksql_secure_delete(c->lite);
	port_set_local(c);
}

int64_t conn_run_end(struct conn *c)
{
	int64_t now = port_monotonic_ns();
	int64_t left = c->deadline_ns ? c->deadline_ns - now : 0;

	c->ran_ns = now - c->began_ns;
	conn_run_stop(c);
	return left > 0 ? left : 1; /* 0 would be no bound */
}

void conn_run_stop(struct conn *c)
{
	port_set_local(NULL);
	hold_leave(c->hold);
	c->deadline_ns = 0;
}

int conn_poll(struct conn *c)
{
	if (c->stopped)
		return c->stopped;
	c->stopped = port_pause();
	if (!c->stopped && c->deadline_ns && port_coarse_ns() > c->deadline_ns)
		c->stopped = -ETIMEDOUT;
	if (!c->stopped && c->removed &&
	    __atomic_load_n(c->removed, __ATOMIC_RELAXED))
		c->stopped = -ECANCELED;
	return c->stopped;
}

void conn_poll_io(struct conn *c)
{
	if (++c->io_calls % IO_CALLS == 0 && conn_poll(c))
		sqlite3_interrupt(c->lite);
}

/* --- faults -------------------------------------------------------------- */

int conn_fault(struct conn *c, int rc, struct fault *f)
{
	const char *message = sqlite3_errmsg(c->lite);
	struct mem_refusals refused = mem_refusals();

	fault_clear(f);
	f->sqlite = rc;
	f->err = errno_of_sqlite(rc, message);
	f->offset = sqlite3_error_offset(c->lite);
	if (c->stopped) {
		/* What it was at may have failed for want of its end. */
		if ((rc & 0xff) != SQLITE_BUSY)
			f->sqlite = SQLITE_INTERRUPT;
		f->err = c->stopped;
	} else if (f->err == -ENOMEM && refused.denied != c->refused.denied) {
		f->err = -ENOSPC;
	}
	if (f->err == -ETIMEDOUT)
		message = "the time limit (timeout=) is reached";
	else if (f->err == -EINTR)
		message = "interrupted";
	else if (c->stopped == -ECANCELED)
		message = "the session was removed";
	else if (f->err == -ENOSPC && f->sqlite != SQLITE_FULL)
		message = "the memory limit is reached";
	else if (f->err == -ENOMEM && refused.too_deep != c->refused.too_deep)
		message =
			"out of memory: nested too deep for the engine's stack";
	f->message = sqlite3_mprintf("%s", message);
	return f->err;
}
