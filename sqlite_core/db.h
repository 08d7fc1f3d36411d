/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * db.h - a database, as the engine's files share it.  Engine side.
 */
#ifndef KSQL_DB_H
#define KSQL_DB_H

#include "figures.h"
#include "ksql_core.h"
#include "port/port.h"

struct catalog;
struct conn;
struct log_user;
struct outcome;
struct session_dir;
struct store;
struct tracked;
struct watcher;

#define TRACKED_BUCKETS 256u

struct ksql_db {
	struct ksql_db *next; /* in the registry; under its mutex */
	uint32_t users; /* likewise */
	char *source; /* owned; constant */
	struct store *store; /* owned; constant */
	struct ksql_rom *rom; /* given back by the gate; constant; NULL: none */
	struct store *rom_store; /* of it; owned; constant */
	struct conn *
		anchor; /* owned; keeps the log alive; used under catalog_lock */

	uint32_t conns; /* atomic: so many connections are there */
	uint64_t commits; /* atomic: so many that changed something */
	int64_t changed_ns; /* atomic: time of the last one */
	struct figures figures; /* each of them atomic */
	/* Atomic: of the log, before a commit waits for its readers again; 0: any. */
	uint32_t wait_frames;

	struct port_spin
		tracked_lock; /* protects these, and what they point to */
	struct tracked *tracked[TRACKED_BUCKETS]; /* owned; tables by name */
	uint64_t tracked_count;
	uint64_t all_version; /* of the last commit that changed no known table */
	int64_t all_changed_ns; /* its time */
	uint32_t sizes_epoch; /* counts changes of what is known of their sizes */
	struct watcher *watchers; /* owned; who has files "changes" open */
	uint32_t watching; /* atomic: files "changes" that are open */
	uint32_t recording; /* atomic: connections that hold rows for them */

	struct port_spin watch_lock; /* protects the list; held over its calls */
	struct ksql_watch *watches; /* their hosts' */

	struct port_spin lock; /* protects all below */
	struct ksql_options options;
	struct conn *idle; /* the pool */
	uint32_t idle_count;
	struct outcome *outcomes; /* one for each uid */

	struct port_mutex *log_lock; /* protects the next two */
	struct log_user *log; /* owned */
	uint64_t logged; /* so many failures ever */

	struct port_mutex *sessions_lock; /* protects the next two */
	struct session_dir *sessions; /* a count of each */
	uint64_t sessions_made; /* so many ever */

	struct port_mutex
		*catalog_lock; /* protects what follows; may sleep under it */
	struct catalog *catalog; /* owned; NULL until first asked for */
	uint64_t schemas; /* so many were seen, each other than the one before */
};

/** db_options() - a copy of the limits in force. */
struct ksql_options db_options(struct ksql_db *db);

/** db_timeout_ns() - the time limit of a statement. */
static inline int64_t db_timeout_ns(struct ksql_db *db)
{
	return (int64_t)__atomic_load_n(&db->options.timeout_ms,
					__ATOMIC_RELAXED) *
	       1000000;
}

/** db_size_pages() - what the database may grow to. */
static inline uint32_t db_size_pages(struct ksql_db *db)
{
	uint64_t pages = __atomic_load_n(&db->options.size, __ATOMIC_RELAXED) /
			 KSQL_PAGE_SIZE;

	return pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
}

/** db_max_sql() - bytes of one statement, its parameters included. */
static inline uint32_t db_max_sql(struct ksql_db *db)
{
	return __atomic_load_n(&db->options.max_sql, __ATOMIC_RELAXED);
}

/** db_zero() - is what is deleted overwritten? */
static inline bool db_zero(struct ksql_db *db)
{
	return __atomic_load_n(&db->options.zero, __ATOMIC_RELAXED) != 0;
}

/** db_statements() - how many a connection may keep. */
static inline uint32_t db_statements(struct ksql_db *db)
{
	return __atomic_load_n(&db->options.statements, __ATOMIC_RELAXED);
}

/** engine_host() - the name that the host gave itself. */
const char *engine_host(void);

#endif /* KSQL_DB_H */
