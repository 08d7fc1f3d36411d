// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * mutex.c - SQLite's mutexes over the port's.
 *
 * With SQLITE_THREADSAFE=2 and no connection opened FULLMUTEX, SQLite uses its
 * static ones only, for moments; contention is rare and may sleep.
 */
#include "mutex.h"

#include "port/cstd.h"
#include "mem.h"
#include "port/port.h"
#include "sqlite3.h"

struct sqlite3_mutex {
	struct port_mutex *lock;
	int kind;
};

#define STATIC_MUTEXES (SQLITE_MUTEX_STATIC_VFS3 + 1)

static struct sqlite3_mutex statics[STATIC_MUTEXES];

/*
 * The one recursive mutex that SQLite asks for guards sqlite3_initialize(),
 * which core.c calls once, alone: it needs no lock.
 */
static struct sqlite3_mutex init_mutex = { .kind = SQLITE_MUTEX_RECURSIVE };

static void statics_free(void)
{
	int i;

	for (i = 0; i < STATIC_MUTEXES; i++) {
		port_mutex_free(statics[i].lock);
		statics[i].lock = NULL;
	}
}

static int lite_mutex_init(void)
{
	int i;

	for (i = SQLITE_MUTEX_STATIC_MAIN; i < STATIC_MUTEXES; i++) {
		statics[i].kind = i;
		statics[i].lock = port_mutex_new();
		if (!statics[i].lock) {
			statics_free();
			return SQLITE_NOMEM;
		}
	}
	return SQLITE_OK;
}

static int lite_mutex_end(void)
{
	statics_free();
	return SQLITE_OK;
}

static sqlite3_mutex *lite_mutex_alloc(int kind)
{
	struct sqlite3_mutex *m;

	if (kind >= SQLITE_MUTEX_STATIC_MAIN)
		return kind < STATIC_MUTEXES ? &statics[kind] : NULL;
	if (kind == SQLITE_MUTEX_RECURSIVE)
		return &init_mutex;
	m = ksql_alloc(sizeof(*m));
	if (!m)
		return NULL;
	m->kind = kind;
	m->lock = port_mutex_new();
	if (!m->lock) {
		ksql_free(m);
		return NULL;
	}
	return m;
}

static void lite_mutex_free(sqlite3_mutex *m)
{
	if (m == &init_mutex)
		return;
	port_mutex_free(m->lock);
	ksql_free(m);
}

static void lite_mutex_enter(sqlite3_mutex *m)
{
	if (m->lock)
		port_mutex_lock(m->lock);
}

static int lite_mutex_try(sqlite3_mutex *m)
{
	return !m->lock || port_mutex_trylock(m->lock) ? SQLITE_OK :
							 SQLITE_BUSY;
}

static void lite_mutex_leave(sqlite3_mutex *m)
{
	if (m->lock)
		port_mutex_unlock(m->lock);
}

int mutex_init(void)
{
	static const sqlite3_mutex_methods methods = {
		.xMutexInit = lite_mutex_init,
		.xMutexEnd = lite_mutex_end,
		.xMutexAlloc = lite_mutex_alloc,
		.xMutexFree = lite_mutex_free,
		.xMutexEnter = lite_mutex_enter,
		.xMutexTry = lite_mutex_try,
		.xMutexLeave = lite_mutex_leave,
	};

	return sqlite3_config(SQLITE_CONFIG_MUTEX, &methods) ? -EINVAL : 0;
}
