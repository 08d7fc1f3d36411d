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
/* A table of so many is written out in all formats at once. */
#define SMALL_PAGES 8u

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

static int count_bytes(struct conn *c, const char *sql, enum format format,
		       uint64_t *size, struct fault *f)
{
	struct buf text = { 0 };
	struct stream s;
	struct query q;
	size_t used;
	int err = conn_prepare(c, sql, strlen(sql), &q, &used, f);

	if (err)
		return err;
	err = stream_begin(&s, c, &q, format, &text, CHUNK, f);
	*size = text.len;
	while (!err && s.live) {
		buf_clear(&text);
		err = stream_fill(&s, &text, CHUNK, f);
		*size += text.len;
	}
	buf_free(&text);
	return err;
}

/*
 * Who asks for one file of a small table will ask for the others: `ls -l`.
 * -EOVERFLOW: it has more in overflow pages than is to be kept for that.
 */
static int count_all(struct conn *c, const char *sql, struct data_sizes *sizes,
		     struct fault *f)
{
	struct rows rows = { 0 };
	struct query q;
	size_t used;
	int format, err = conn_prepare(c, sql, strlen(sql), &q, &used, f);

	if (!err)
		err = rows_collect(&rows, c, &q, CHUNK, f);
	for (format = 0; !err && format < DATA_FORMATS; format++) {
		err = rows_size(&rows, format, &sizes->size[format]);
		sizes->known[format] = !err;
	}
	rows_free(&rows);
	return err;
}

/* How many pages has it?  None, if it is a virtual table. */
static int count_pages(struct conn *c, const char *table, uint64_t *pages,
		       struct fault *f)
{
	struct buf page = { 0 };
	sqlite3_int64 root;
	int err = ask_number(
		c,
		sqlite3_mprintf("SELECT rootpage FROM main.sqlite_schema"
				" WHERE type = 'table' AND name = %Q",
				table),
		&root, f);

	*pages = 0;
	if (err || root <= 0 || root > UINT32_MAX)
		return err;
	if (!buf_grow(&page, KSQL_PAGE_SIZE))
		return fault_set(f, -ENOMEM, -1, "out of memory");
	err = pages_below(c, (unsigned int)root, page.data, pages, f);
	buf_free(&page);
	return err;
}

static int find_sizes(struct conn *c, const char *table, enum format format,
		      struct data_sizes *sizes, struct fault *f)
{
	uint64_t pages;
	char *sql;
	int err = count_pages(c, table, &pages, f);

	if (err || !pages || pages > db_options(c->db).exact / KSQL_PAGE_SIZE)
		return err;
	sql = sqlite3_mprintf("SELECT * FROM main.\"%w\"", table);
	if (!sql)
		return fault_set(f, -ENOMEM, -1, "out of memory");
	err = pages <= SMALL_PAGES ? count_all(c, sql, sizes, f) : -EOVERFLOW;
	if (err == -EOVERFLOW) {
		fault_clear(f);
		err = count_bytes(c, sql, format, &sizes->size[format], f);
	}
	sqlite3_free(sql);
	return err;
}

int size_of_data(struct ksql_db *db, const char *table, enum format format,
		 struct data_sizes *sizes)
{
	struct fault f = { .offset = -1 };
	struct conn *c;
	int err;

	memset(sizes, 0, sizeof(*sizes));
	sizes->known[format] = true;
	if (!db_options(db).exact)
		return 0;
	err = conn_get(db, &c);
	if (err)
		return err;
	err = conn_exec(c, "BEGIN");
	if (!err)
		err = find_sizes(c, table, format, sizes, &f);
	conn_put(c);
	fault_clear(&f);
	if (!err || err == -EINTR || err == -ENOMEM || err == -ENOSPC)
		return err;
	sizes->size[format] = 0; /* it is opening the file that will fail */
	return 0;
}
