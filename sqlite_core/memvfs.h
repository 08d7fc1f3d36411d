/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * memvfs.h - SQLite's VFS: databases in memory, with a write-ahead log.
 *
 * SQLite's own in-memory databases have no log, and their connections block
 * each other.  A struct store holds what three files hold elsewhere: the
 * database, its log (-wal) and the log's index (-shm), and the locks on them.
 * Any number of connections open it by its name, "store-N".  Engine side.
 */
#ifndef KSQL_MEMVFS_H
#define KSQL_MEMVFS_H

#include "port/types.h"
#include "sqlite3.h"

struct hold;
struct store;

/** memvfs_init() - register the VFS with SQLite as its default.  0 or -errno. */
int memvfs_init(void);
void memvfs_exit(void);

/** store_new() - an empty database; NULL if no memory. */
struct store *store_new(void);
/**
 * store_new_rom() - one that is only read, in place
 * @data: aligned to 8 bytes; must stay, and stay the same, as long as the store
 *
 * It has no log; all else about stores is for others.  NULL if no memory.
 */
struct store *store_new_rom(const void *data, uint64_t size);
/** store_free() - with no connection open; NULL is allowed. */
void store_free(struct store *s);
/** store_name() - what sqlite3_open_v2() opens it by; lives as long as the store. */
const char *store_name(const struct store *s);
/** store_set_size() - bytes that the database, and its log, may grow to each. */
void store_set_size(struct store *s, uint64_t bytes);
/** store_wal_limit() - bytes that the log may grow to. */
uint64_t store_wal_limit(const struct store *s);
/**
 * store_append() - bytes behind the last one of a database that nobody has open
 * @max: bytes that it may come to
 *
 * Return: 0, -ENOSPC beyond @max, -ENOMEM.
 */
int store_append(struct store *s, const void *p, size_t n, uint64_t max);
/** store_patch() - other bytes in place of @n that are there, likewise. */
void store_patch(struct store *s, const void *p, size_t n, uint64_t off);
/** store_bound() - pages that the database itself may have. */
void store_bound(struct store *s, uint64_t pages);
/**
 * store_drop() - give back what a database holds from page @from up to @to
 *
 * Counted from 0, in units of memory.  For one that is read once, from its
 * first page to its last.
 */
void store_drop(struct store *s, uint64_t from, uint64_t to);
/** store_pages() - pages that the database and its log hold. */
void store_pages(const struct store *s, uint64_t *db, uint64_t *wal);

/** store_hold() - what a connection holds of its store's locks, until it is closed. */
struct hold *store_hold(sqlite3 *lite);

/** store_wake() - all who wait for its locks look whether they still want to. */
void store_wake(struct store *s);

struct store_waiting {
	uint64_t waiters; /* connections in the queue for the write lock */
	uint64_t waits; /* that ever joined it */
	uint64_t held_ns; /* since when the write lock is held; 0: it is free */
};

void store_waiting(const struct store *s, struct store_waiting *out);

#endif /* KSQL_MEMVFS_H */
