// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * size.c - how long a table's files are, for stat().
 *
 * What was found out is kept until a commit changes the table (tracked.h).  A
 * virtual table may show what lies in others: nothing is kept of it.
 */
#include "size.h"

#include "port/cstd.h"
#include "conn.h"
#include "db.h"
#include "exec.h"
#include "sqlite/unit.h"

#define CHUNK (64u * 1024u)

/* SQLite's file format: a b-tree page's header and its first cell. */
#define TYPE_INTERIOR_INDEX 2
#define TYPE_INTERIOR_TABLE 5
#define TYPE_LEAF_INDEX	    10
#define TYPE_LEAF_TABLE	    13
#define AT_CELLS	    3
#define AT_FIRST_CELL	    12
#define LEVELS_MAX	    20

static unsigned int get_number(const unsigned char *p, int bytes)
{
	unsigned int n = 0;

	while (bytes--)
		n = n << 8 | *p++;
	return n;
}

/*
 * About so many pages does a b-tree have: as many cells as are on the leftmost
 * page of each level, on each page of it.  What lies in overflow pages is not
 * counted.
 */
static int pages_below(struct conn *c, unsigned int number, char *page,
		       uint64_t *pages, struct fault *f)
{
	const unsigned char *p = (const unsigned char *)page;
	unsigned int cells, cell;
	int level, rc;

	*pages = 1;
	for (level = 0; level < LEVELS_MAX; level++) {
		rc = ksql_page_read(c->lite, number, page);
		if (rc)
			return conn_fault(c, rc, f);
		if (p[0] == TYPE_LEAF_TABLE || p[0] == TYPE_LEAF_INDEX)
			return 0;
		if (p[0] != TYPE_INTERIOR_TABLE && p[0] != TYPE_INTERIOR_INDEX)
			break;
		cells = get_number(p + AT_CELLS, 2);
		cell = get_number(p + AT_FIRST_CELL, 2);
		if (cell > KSQL_PAGE_SIZE - 4 || *pages > UINT32_MAX)
			break;
		*pages *= cells + 1;
		number = get_number(p + cell, 4);
	}
	*pages = UINT64_MAX;
	return 0;
}

static int count_bytes(struct conn *c, const char *table, enum format format,
		       uint64_t *size, struct fault *f)
{
	char *sql = sqlite3_mprintf("SELECT * FROM main.\"%w\"", table);
	struct buf text = { 0 };
	struct stream s;
	struct query q;
	size_t used;
	int err;

	if (!sql)
		return fault_set(f, -ENOMEM, -1, "out of memory");
	err = conn_prepare(c, sql, strlen(sql), &q, &used, f);
	if (!err)
		err = stream_begin(&s, c, &q, format, &text, CHUNK, f);
	*size = text.len;
	while (!err && s.live) {
		buf_clear(&text);
		err = stream_fill(&s, &text, CHUNK, f);
		*size += text.len;
	}
	buf_free(&text);
	sqlite3_free(sql);
	return err;
}

/* Is it small enough for its rows to be counted out, and no virtual table? */
static int is_worth(struct conn *c, const char *table, bool *worth,
		    struct fault *f)
{
	uint64_t exact = db_options(c->db).exact / KSQL_PAGE_SIZE;
	struct buf page = { 0 };
	sqlite3_int64 root;
	uint64_t pages;
	int err = ask_number(
		c,
		sqlite3_mprintf("SELECT rootpage FROM main.sqlite_schema"
				" WHERE type = 'table' AND name = %Q",
				table),
		&root, f);

	*worth = false;
	if (err || root <= 0 || root > UINT32_MAX)
		return err;
	if (!buf_grow(&page, KSQL_PAGE_SIZE))
		return fault_set(f, -ENOMEM, -1, "out of memory");
	err = pages_below(c, (unsigned int)root, page.data, &pages, f);
	*worth = !err && pages <= exact;
	buf_free(&page);
	return err;
}

int size_of_data(struct ksql_db *db, const char *table, enum format format,
		 uint64_t *size)
{
	struct fault f = { .offset = -1 };
	struct conn *c;
	bool worth;
	int err;

	*size = 0;
	if (!db_options(db).exact)
		return 0;
	err = conn_get(db, &c);
	if (err)
		return err;
	err = conn_exec(c, "BEGIN");
	if (!err)
		err = is_worth(c, table, &worth, &f);
	if (!err && worth)
		err = count_bytes(c, table, format, size, &f);
	conn_put(c);
	fault_clear(&f);
	if (!err || err == -EINTR || err == -ENOMEM || err == -ENOSPC)
		return err;
	*size = 0; /* it is opening the file that will fail */
	return 0;
}
