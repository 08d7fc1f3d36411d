// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * table.c - what the files of tables/NAME/, views/NAME/ and indexes/NAME/ hold,
 * but for rows (open.c).
 */
#include "node.h"

#include "port/cstd.h"
#include "db.h"
#include "exec.h"

/*
 * The answer of one of our own statements: as CSV, or its first value alone,
 * and @end, if there is one.
 */
static int answer_or_why(struct ksql_db *db, char *sql, const char *end,
			 struct buf *out, struct fault *f)
{
	struct rows rows = { 0 };
	struct conn *c = NULL;
	struct value value;
	struct query q;
	size_t used;
	int err = sql ? conn_get(db, &c) : -ENOMEM;

	if (err)
		goto free_sql;
	err = conn_prepare(c, sql, strlen(sql), &q, &used, f);
	if (err)
		goto put_conn;
	err = rows_collect(&rows, c, &q, db_options(db).max_result, f);
	if (err)
		goto put_conn;
	if (!end) {
		err = rows_render(&rows, FORMAT_CSV, out);
	} else if (rows_first_value(&rows, &value)) {
		render_bare(out, &value);
		buf_puts(out, end);
		err = out->failed ? -ENOMEM : 0;
	}
	rows_free(&rows);
put_conn:
	conn_put(c);
free_sql:
	sqlite3_free(sql);
	return err;
}

static int answer(struct ksql_db *db, char *sql, const char *end,
		  struct buf *out)
{
	struct fault f = { .offset = -1 };
	int err = answer_or_why(db, sql, end, out, &f);

	fault_clear(&f);
	return err;
}

/* The table (or view) first, then its indexes and triggers as they were made. */
int table_schema(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out)
{
	int err = answer(
		db,
		sqlite3_mprintf(
			"SELECT group_concat(sql || char(59, 10), '' ORDER BY "
			"type NOT IN ('table', 'view'), rowid) FROM main.sqlite_schema "
			"WHERE tbl_name = %Q AND sql IS NOT NULL",
			node->object),
		"", out);

	return !err && !out->len ? -ENOENT : err;
}

int table_columns(struct ksql_db *db, const struct ksql_node *node,
		  struct buf *out)
{
	return answer(db,
		      sqlite3_mprintf("PRAGMA main.table_xinfo(%Q)",
				      node->object),
		      NULL, out);
}

static char *select_count(const struct ksql_node *node)
{
	return sqlite3_mprintf("SELECT count(*) FROM main.\"%w\"",
			       node->object);
}

int table_count(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out)
{
	return answer(db, select_count(node), "\n", out);
}

int view_count(struct ksql_db *db, const struct ksql_node *node,
	       struct buf *out, struct fault *f)
{
	return answer_or_why(db, select_count(node), "\n", out, f);
}

int view_value(struct ksql_db *db, const struct ksql_node *node,
	       struct buf *out, struct fault *f)
{
	return answer_or_why(
		db,
		sqlite3_mprintf("SELECT * FROM main.\"%w\" LIMIT 1",
				node->object),
		"\n", out, f);
}

int index_schema(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out)
{
	return answer(db,
		      sqlite3_mprintf("SELECT sql FROM main.sqlite_schema "
				      "WHERE type = 'index' AND name = %Q",
				      node->object),
		      ";\n", out);
}

int index_table(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out)
{
	return answer(db,
		      sqlite3_mprintf("SELECT tbl_name FROM main.sqlite_schema "
				      "WHERE type = 'index' AND name = %Q",
				      node->object),
		      "\n", out);
}

int index_columns(struct ksql_db *db, const struct ksql_node *node,
		  struct buf *out)
{
	return answer(db,
		      sqlite3_mprintf("PRAGMA main.index_xinfo(%Q)",
				      node->object),
		      NULL, out);
}
