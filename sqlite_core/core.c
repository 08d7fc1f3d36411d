// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * core.c - the engine's beginning and end, and its databases by name.
 */
#include "port/cstd.h"
#include "catalog.h"
#include "conn.h"
#include "db.h"
#include "gate.h"
#include "log.h"
#include "mem.h"
#include "memvfs.h"
#include "mutex.h"
#include "outcome.h"
#include "session_dir.h"
#include "tracked.h"

#define SOURCE_MAX	    255u
#define MIN_SIZE	    (16u * KSQL_PAGE_SIZE)
#define STATEMENTS_MAX	    64u /* they are searched one by one */
#define HOST_NAME_MAX_BYTES 32

static struct {
	struct port_mutex *lock; /* protects the list and each database's users */
	struct ksql_db *first;
	char host[HOST_NAME_MAX_BYTES];
} engine;

const char *engine_host(void)
{
	return engine.host;
}

int engine_init(const struct ksql_core_config *config)
{
	int err;

	err = mem_init(config->mem_limit ? config->mem_limit : port_ram() / 2);
	if (err)
		return err;
	err = mutex_init();
	if (err)
		return err;
	memset(&engine, 0, sizeof(engine));
	sqlite3_snprintf(sizeof(engine.host), engine.host, "%s", config->host);
	engine.lock = port_mutex_new();
	if (!engine.lock)
		return -ENOMEM;
	if (sqlite3_initialize()) {
		err = -ENOMEM;
		goto free_lock;
	}
	err = memvfs_init();
	if (err)
		goto shutdown;
	return 0;

shutdown:
	sqlite3_shutdown();
free_lock:
	port_mutex_free(engine.lock);
	return err;
}

uint64_t engine_exit(void)
{
	uint64_t live;

	memvfs_exit();
	sqlite3_shutdown();
	port_mutex_free(engine.lock);
	live = mem_exit();
	if (live) {
		char line[64];

		sqlite3_snprintf(sizeof(line), line,
				 "%llu bytes are still live",
				 (unsigned long long)live);
		port_log(PORT_LOG_ERROR, line);
	}
	return live;
}

/* --- options ------------------------------------------------------------- */

static int check_options(const struct ksql_options *o)
{
	if (o->size < MIN_SIZE || o->max_sql < 1024 || o->max_sql > 64u << 20 ||
	    o->statements > STATEMENTS_MAX || o->zero > 1)
		return -EINVAL;
	return 0;
}

struct ksql_options db_options(struct ksql_db *db)
{
	struct ksql_options o;

	port_spin_lock(&db->lock);
	o = db->options;
	port_spin_unlock(&db->lock);
	return o;
}

struct ksql_rom *engine_db_rom(struct ksql_db *db)
{
	return db->rom;
}

void engine_db_options(struct ksql_db *db, struct ksql_options *options)
{
	*options = db_options(db);
}

void engine_db_usage(struct ksql_db *db, uint64_t *pages, uint64_t *wal_pages)
{
	uint64_t checkpointed;

	store_pages(db->store, &checkpointed, wal_pages);
	if (catalog_used_pages(db, pages))
		*pages = checkpointed; /* at least */
}

int engine_db_configure(struct ksql_db *db, const struct ksql_options *options)
{
	int err = check_options(options);

	if (err)
		return err;
	port_spin_lock(&db->lock);
	mem_zero_freed((int)options->zero - (int)db->options.zero);
	__atomic_store_n(&db->options.zero, options->zero, __ATOMIC_RELAXED);
	db->options.max_result = options->max_result;
	db->options.busy_ms = options->busy_ms;
	db->options.exact = options->exact;
	db->options.sessions = options->sessions;
	/* Those that each statement asks for are read without the lock. */
	__atomic_store_n(&db->options.timeout_ms, options->timeout_ms,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&db->options.size, options->size, __ATOMIC_RELAXED);
	__atomic_store_n(&db->options.max_sql, options->max_sql,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&db->options.statements, options->statements,
			 __ATOMIC_RELAXED);
	port_spin_unlock(&db->lock);
	store_set_size(db->store, options->size);
	tracked_forget_sizes(db);
	return 0;
}

/* --- databases ----------------------------------------------------------- */

/* Undoes db_new(), as far as that came; but for what is the host's. */
static void db_free(struct ksql_db *db)
{
	session_dir_forget(db);
	outcome_forget(db);
	log_forget(db);
	catalog_free(db->catalog);
	tracked_free(db);
	while (db->idle) {
		struct conn *c = db->idle;

		db->idle = c->next;
		conn_close(c);
	}
	if (db->anchor)
		conn_close(db->anchor);
	store_free(db->store);
	store_free(db->rom_store);
	port_mutex_free(db->catalog_lock);
	port_mutex_free(db->sessions_lock);
	port_mutex_free(db->log_lock);
	ksql_free(db->source);
	mem_zero_freed(-(int)db->options.zero);
	ksql_free(db);
}

static int db_new(const char *source, const struct ksql_options *options,
		  struct ksql_rom *rom, struct ksql_db **out)
{
	struct ksql_db *db = ksql_zalloc(sizeof(*db));
	int err = -ENOMEM;

	if (!db)
		return -ENOMEM;
	db->users = 1;
	db->options = *options;
	mem_zero_freed((int)options->zero);
	db->changed_ns = port_realtime_ns();
	db->source = ksql_strndup(source, strlen(source));
	db->catalog_lock = port_mutex_new();
	db->sessions_lock = port_mutex_new();
	db->log_lock = port_mutex_new();
	db->store = store_new();
	if (!db->source || !db->catalog_lock || !db->sessions_lock ||
	    !db->log_lock || !db->store)
		goto free;
	db->rom = rom;
	if (rom) {
		db->rom_store = store_new_rom(rom->data, rom->size);
		if (!db->rom_store)
			goto free;
	}
	store_set_size(db->store, options->size);
	err = conn_get(db, &db->anchor);
	if (err)
		goto free;
	*out = db;
	return 0;

free:
	db_free(db);
	return err;
}

int engine_db_get(const char *source, const struct ksql_options *options,
		  struct ksql_rom **rom, struct ksql_db **out)
{
	struct ksql_db *db;
	int err = check_options(options);

	if (err || !source[0] || strlen(source) > SOURCE_MAX)
		return -EINVAL;
	port_mutex_lock(engine.lock);
	for (db = engine.first; db; db = db->next)
		if (strcmp(db->source, source) == 0)
			break;
	if (db) {
		db->users++;
	} else {
		err = db_new(source, options, *rom, &db);
		if (!err) {
			*rom = NULL;
			db->next = engine.first;
			engine.first = db;
		}
	}
	port_mutex_unlock(engine.lock);
	if (!err)
		*out = db;
	return err;
}

void engine_db_put(struct ksql_db *db, struct ksql_rom **rom)
{
	struct ksql_db **at;
	bool last;

	port_mutex_lock(engine.lock);
	last = --db->users == 0;
	if (last) {
		for (at = &engine.first; *at != db; at = &(*at)->next)
			;
		*at = db->next;
	}
	port_mutex_unlock(engine.lock);
	if (!last)
		return;
	*rom = db->rom;
	db_free(db);
}
