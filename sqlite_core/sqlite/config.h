/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * config.h - SQLite's compile-time options, the same on every host, each with
 * its reason.  Limits that follow from the size of the engine's stack are
 * measured; the measurement is in docs/stack.md.
 */
#ifndef KSQL_SQLITE_CONFIG_H
#define KSQL_SQLITE_CONFIG_H

/* --- what SQLite stands on: all of it is ours --------------------------- */

#define SQLITE_OS_OTHER		   1 /* no VFS but memvfs.c */
#define SQLITE_ZERO_MALLOC	   1 /* no allocator but mem.c */
#define SQLITE_MUTEX_APPDEF	   1 /* no mutexes but mutex.c */
#define SQLITE_THREADSAFE	   2 /* many connections at once, one thread in each */
#define SQLITE_MAX_WORKER_THREADS  0 /* SQLite starts no threads */
#define SQLITE_DEFAULT_MEMSTATUS   0 /* mem.c counts, without a global mutex */
#define SQLITE_OMIT_AUTOINIT	   1 /* core.c initialises */
#define SQLITE_OMIT_LOAD_EXTENSION 1 /* there is no dlopen() in a kernel */
#define SQLITE_OMIT_DEPRECATED	   1
#define SQLITE_OMIT_SHARED_CACHE   1 /* sharing is the VFS's, with WAL */
#define SQLITE_OMIT_DESERIALIZE	   1 /* its memdb VFS would be a second one */
#define SQLITE_UNTESTABLE	   1 /* no sqlite3_test_control() hooks */

/*
 * 'localtime' and 'utc': the kernel knows only UTC, and an answer must not
 * depend on the host, so the local zone is UTC everywhere (sqlite3_unit.c).
 */
#define HAVE_LOCALTIME_R 1

/* --- storage ------------------------------------------------------------ */

#define SQLITE_TEMP_STORE \
	1 /* temporary files, which are memvfs.c's: a large sort
					* then works in runs, with pauses between them */
#define SQLITE_DEFAULT_PAGE_SIZE     4096 /* one page of the machine's */
#define SQLITE_MAX_DEFAULT_PAGE_SIZE 4096
#define SQLITE_DEFAULT_CACHE_SIZE \
	-512 /* KiB; pages are read in place, not cached */
#define SQLITE_MAX_MMAP_SIZE		  0x10000000000LL /* xFetch(): pages read in place */
#define SQLITE_DEFAULT_MMAP_SIZE	  SQLITE_MAX_MMAP_SIZE
#define SQLITE_DEFAULT_SYNCHRONOUS	  0 /* memory needs no fsync */
#define SQLITE_DEFAULT_WAL_SYNCHRONOUS	  0
#define SQLITE_DEFAULT_WAL_AUTOCHECKPOINT 0 /* conn.c checkpoints */
#define SQLITE_DEFAULT_LOOKASIDE \
	800, 20 /* small blocks of a connection, lockless: 16 KiB of the host's */
#define SQLITE_DEFAULT_PCACHE_INITSZ \
	0 /* no bulk allocation for each connection */

/* --- what is in ---------------------------------------------------------- */

#define SQLITE_ENABLE_MATH_FUNCTIONS 1
#define SQLITE_ENABLE_FTS5	     1
#define SQLITE_ENABLE_RTREE	     1
#define SQLITE_ENABLE_GEOPOLY	     1
#define SQLITE_ENABLE_DBSTAT_VTAB    1
#define SQLITE_ENABLE_SESSION	     1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#define SQLITE_ENABLE_PERCENTILE     1
#define SQLITE_ENABLE_STAT4	     1

/* --- defaults of the language ------------------------------------------- */

#define SQLITE_DQS 0 /* "x" is a name, never a string */
#define SQLITE_DEFAULT_FOREIGN_KEYS \
	1 /* a batch's connection lives for the batch:
					* a PRAGMA in it could not switch them on */
#define SQLITE_LIKE_DOESNT_MATCH_BLOBS 1
#define SQLITE_STRICT_SUBTYPE	       1
#define SQLITE_TRUSTED_SCHEMA	       0

/* --- hard limits; policy.c sets what is in force ------------------------- */

#define SQLITE_MAX_LENGTH	       67108864 /* one value: 64 MiB */
#define SQLITE_MAX_SQL_LENGTH	       67108864
#define SQLITE_MAX_EXPR_DEPTH	       200
#define SQLITE_MAX_PARSER_DEPTH	       250
#define SQLITE_MAX_COMPOUND_SELECT     100
#define SQLITE_MAX_TRIGGER_DEPTH       30
#define KSQL_MAX_EXPANSIONS	       2000 /* views, CTEs, as often as they are named */
#define SQLITE_MAX_FUNCTION_ARG	       127
#define SQLITE_MAX_ATTACHED	       3 /* rom, and two, one of them for VACUUM */
#define SQLITE_JSON_MAX_DEPTH	       200
#define SQLITE_MAX_LIKE_PATTERN_LENGTH 50000

/* What SQLite calls when an allocation would be larger than this. */
#define SQLITE_MAX_ALLOCATION_SIZE 1073741824

#endif /* KSQL_SQLITE_CONFIG_H */
