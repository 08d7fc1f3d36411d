/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * unit.h - what sqlite3_unit.c offers beside SQLite's own interface.
 */
#ifndef KSQL_UNIT_H
#define KSQL_UNIT_H

#include "sqlite3.h"

/**
 * ksql_text_to_real() - SQLite's own reading of a number
 * @text: NUL-terminated
 * @real: out
 *
 * Return: above 0 when all of @text is a number (SQLite's sqlite3AtoF()).
 */
int ksql_text_to_real(const char *text, double *real);

/**
 * ksql_mark_like() - let a replaced like() or glob() use indexes as SQLite's does
 * @db: connection on which the function was just made
 * @name: "like" or "glob"
 * @nargs: of the function
 * @case_sensitive: true for glob
 *
 * The function's user data must begin with the four bytes of SQLite's struct
 * compareInfo: match-all, match-one, match-set, no-case.
 * Return: SQLITE_OK or SQLITE_ERROR.
 */
int ksql_mark_like(sqlite3 *db, const char *name, int nargs,
		   int case_sensitive);

/**
 * ksql_forget_counts() - last_insert_rowid(), changes(), total_changes() are 0 again
 * @db: between two statements; its next user shall not see the last one's
 */
void ksql_forget_counts(sqlite3 *db);

/**
 * ksql_tell_commit() - run the hook of sqlite3_wal_hook() if it is still to run
 * @db: a statement has ended
 *
 * SQLite runs it when a statement has been stepped to its end.  One that is reset
 * before (INSERT ... RETURNING, whose rows nobody read) or that fails and keeps
 * what it did (INSERT OR FAIL) commits too.
 */
void ksql_tell_commit(sqlite3 *db);

/**
 * ksql_bound_pages() - PRAGMA max_page_count, in a few instructions
 * @db: between two statements, also in a transaction
 * @pages: 1 or more; fewer than there are: there will be no more
 */
void ksql_bound_pages(sqlite3 *db, unsigned int pages);

/**
 * ksql_secure_delete() - PRAGMA secure_delete = ON, in a few instructions
 * @db: between two statements, also in a transaction
 */
void ksql_secure_delete(sqlite3 *db);

/**
 * ksql_page_count() - pages of the database as the open transaction sees it
 * @db: in a transaction that has read
 */
unsigned int ksql_page_count(sqlite3 *db);

/** ksql_cached_pages() - pages that the connection holds copies of. */
int ksql_cached_pages(sqlite3 *db);

/**
 * ksql_commit_number() - of the last commit that the open transaction sees
 * @db: likewise, with a log
 *
 * Each commit has the next number, as long as the log's index lives.
 */
unsigned int ksql_commit_number(sqlite3 *db);

/**
 * ksql_page_read() - a page as the open transaction sees it
 * @db: likewise
 * @number: from 1
 * @out: room for a page
 *
 * Return: an SQLite code.
 */
int ksql_page_read(sqlite3 *db, unsigned int number, void *out);

#endif /* KSQL_UNIT_H */
