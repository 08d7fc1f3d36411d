// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * sqlite3_unit.c - SQLite, compiled with our configuration, and the few things
 * that can only be done from inside it.
 */
#include "port/cstd.h"
#include "config.h"
#include "mem.h" /* for the repairs of fetch.py */
#include "work.h" /* likewise */
#include <time.h>

/*
 * The civil date of a day number, by Howard Hinnant's "days from civil"
 * algorithms (public domain).  This is what SQLite takes for the local time:
 * UTC, on every host.
 */
static struct tm *unit_localtime_r(const time_t *t, struct tm *out)
{
	int64_t secs = (int64_t)*t;
	int64_t days = secs / 86400 - (secs % 86400 < 0);
	int64_t rest = secs - days * 86400;
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;

	memset(out, 0, sizeof(*out));
	out->tm_mday = (int)(doy - (153 * mp + 2) / 5 + 1);
	out->tm_mon = (int)(month - 1);
	out->tm_year = (int)(yoe + era * 400 + (month <= 2) - 1900);
	out->tm_hour = (int)(rest / 3600);
	out->tm_min = (int)(rest / 60 % 60);
	out->tm_sec = (int)(rest % 60);
	return out;
}

#define localtime_r(t, out) unit_localtime_r(t, out)

/* In a loop that counts one by one: a pause now and then; false to stop. */
#define WORK_EACH(i) (((i)&0x3fff) != 0x3fff || work_on(0x4000))

/* Values are up to 64 MiB. */
#define memcpy	work_copy
#define memmove work_move
#define memset	work_set
#define memcmp	work_compare
#define strlen	work_length
#define strchr	work_find

#include "sqlite3.c"

#include "unit.h"

int ksql_text_to_real(const char *text, double *real)
{
	return sqlite3AtoF(text, real);
}

/*
 * The LIKE optimisation looks at the function's flags and at the four bytes
 * that its user data begins with; sqlite3_create_function() cannot set them.
 */
int ksql_mark_like(sqlite3 *db, const char *name, int nargs, int case_sensitive)
{
	FuncDef *def = sqlite3FindFunction(db, name, nargs, SQLITE_UTF8, 0);

	if (!def)
		return SQLITE_ERROR;
	def->funcFlags |= SQLITE_FUNC_LIKE |
			  (case_sensitive ? SQLITE_FUNC_CASE : 0);
	return SQLITE_OK;
}

void ksql_forget_counts(sqlite3 *db)
{
	db->lastRowid = 0;
	db->nChange = 0;
	db->nTotalChange = 0;
}

void ksql_tell_commit(sqlite3 *db)
{
	if (db->autoCommit)
		doWalCallbacks(db);
}

void ksql_bound_pages(sqlite3 *db, unsigned int pages)
{
	sqlite3PagerMaxPageCount(sqlite3BtreePager(db->aDb[0].pBt), pages);
}

void ksql_secure_delete(sqlite3 *db)
{
	int i;

	for (i = 0; i < db->nDb; i++)
		if (db->aDb[i].pBt)
			sqlite3BtreeSecureDelete(db->aDb[i].pBt, 1);
}

unsigned int ksql_page_count(sqlite3 *db)
{
	return sqlite3BtreeLastPage(db->aDb[0].pBt);
}

int ksql_cached_pages(sqlite3 *db)
{
	return sqlite3PcachePagecount(
		sqlite3BtreePager(db->aDb[0].pBt)->pPCache);
}

unsigned int ksql_commit_number(sqlite3 *db)
{
	return sqlite3BtreePager(db->aDb[0].pBt)->pWal->hdr.iChange;
}

int ksql_page_read(sqlite3 *db, unsigned int number, void *out)
{
	Btree *btree = db->aDb[0].pBt;
	int size = sqlite3BtreeGetPageSize(btree);
	DbPage *page;
	int rc;

	if (number == PENDING_BYTE_PAGE(btree->pBt)) { /* holds nothing, ever */
		memset(out, 0, size);
		return SQLITE_OK;
	}
	rc = sqlite3PagerGet(sqlite3BtreePager(btree), number, &page,
			     PAGER_GET_READONLY);
	if (rc)
		return rc;
	memcpy(out, sqlite3PagerGetData(page), size);
	sqlite3PagerUnref(page);
	return SQLITE_OK;
}
