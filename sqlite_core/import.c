// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * import.c - a table made from a file of rows, its columns' types found from all
 * the data.
 *
 * The file is not kept, and a column's type is known only when its last value
 * has come.  So the table is made of columns without a type, in which a value
 * stays as it is bound.  A field is bound as what it says it is, an integer, a
 * real or a blob, if that can be turned back into the very text; else as text.
 * At the end the values that do not fit their column's type are converted (none
 * of most files), and the types are written into the schema: there is no ALTER
 * TABLE for that, and to copy the table would need its size in memory once more.
 *
 * What is stored then is what SQLite would have stored in a column of that type:
 * in a REAL column it keeps small integers as such, too.
 */
#include "load.h"

#include "port/cstd.h"
#include "mem.h"
#include "reading.h"

static const char *const type_names[] = {
	[TYPE_NONE] = " TEXT", [TYPE_INTEGER] = " INTEGER",
	[TYPE_REAL] = " REAL", [TYPE_BLOB] = " BLOB",
	[TYPE_TEXT] = " TEXT", [TYPE_MIXED] = "",
};

struct column {
	char *name; /* owned */
	enum type type; /* of all that has come */
	/* Rows, from 1, among which are those whose value is not stored as the
	 * type wants it; 0: there are none.
	 */
	uint64_t odd_first, odd_last;
};

struct import {
	struct column *columns; /* owned */
	int count;
	int room;
	int *at; /* owned: where in @columns those of the INSERT are */
};

void import_free(struct import *i)
{
	int c;

	if (!i)
		return;
	for (c = 0; c < i->count; c++)
		ksql_free(i->columns[c].name);
	ksql_free(i->columns);
	ksql_free(i->at);
	ksql_free(i);
}

static int no_memory(struct fault *f)
{
	return fault_set(f, -ENOMEM, -1, "out of memory");
}

/* Run what @sql holds, which is then empty. */
static int run_buf(struct load *l, struct buf *sql, struct fault *f)
{
	int err;

	buf_putc(sql, '\0');
	err = sql->failed ? no_memory(f) : load_exec(l, sql->data, f);
	buf_free(sql);
	return err;
}

/* --- columns -------------------------------------------------------------- */

static int find(const struct import *i, const char *name, int near)
{
	int c;

	if (near < i->count &&
	    sqlite3_stricmp(i->columns[near].name, name) == 0)
		return near;
	for (c = 0; c < i->count; c++)
		if (sqlite3_stricmp(i->columns[c].name, name) == 0)
			return c;
	return -1;
}

static int add(struct import *i, const char *name)
{
	struct column *more;
	int room;

	if (i->count == i->room) {
		room = i->room ? 2 * i->room : 32;
		more = ksql_realloc(i->columns, (size_t)room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		i->columns = more;
		i->room = room;
	}
	more = &i->columns[i->count];
	memset(more, 0, sizeof(*more));
	more->name = ksql_strndup(name, strlen(name));
	if (!more->name)
		return -ENOMEM;
	i->count++;
	return 0;
}

static void put_columns(struct load *l, struct buf *sql, bool types)
{
	const struct import *i = l->import;
	int c;

	for (c = 0; c < i->count; c++) {
		load_put(sql, c ? ", @" : "(@", i->columns[c].name);
		buf_puts(sql, types ? type_names[i->columns[c].type] : "");
	}
	buf_putc(sql, ')');
}

static int create(struct load *l, struct fault *f)
{
	struct buf sql = { 0 };

	l->conn->tainted = true; /* declare() says why */
	load_put(&sql, "CREATE TABLE main.@", l->table);
	put_columns(l, &sql, false);
	return run_buf(l, &sql, f);
}

static int alter(struct load *l, int from, struct fault *f)
{
	struct buf sql = { 0 };
	int c, err = 0;

	for (c = from; c < l->import->count && !err; c++) {
		load_put(&sql, "ALTER TABLE main.@", l->table);
		load_put(&sql, " ADD COLUMN @", l->import->columns[c].name);
		err = run_buf(l, &sql, f);
	}
	return err;
}

static int find_columns(struct load *l, struct fault *f)
{
	const char *name = l->names.data;
	struct import *i = l->import;
	int c;

	ksql_free(i->at);
	i->at = ksql_alloc(((size_t)l->columns + 1) * sizeof(*i->at));
	if (!i->at)
		return no_memory(f);
	for (c = 0; c < l->columns; c++, name += strlen(name) + 1) {
		i->at[c] = find(i, name, c);
		if (i->at[c] < 0) {
			i->at[c] = i->count;
			if (add(i, name))
				return no_memory(f);
		}
		if (conn_poll(l->conn))
			return conn_fault(l->conn, SQLITE_INTERRUPT, f);
	}
	return 0;
}

int import_columns(struct load *l, struct fault *f)
{
	int before;

	if (!l->import)
		l->import = ksql_zalloc(sizeof(*l->import));
	if (!l->import)
		return no_memory(f);
	before = l->import->count;
	if (find_columns(l, f))
		return f->err;
	if (!l->import->count)
		return fault_set(f, -EINVAL, -1, "no key names a column");
	return before ? alter(l, before, f) : create(l, f);
}

/* --- types from values ---------------------------------------------------- */

/*
 * Integers beyond this are stored in a REAL column as reals (SQLite's
 * OP_MakeRecord); what is smaller is stored as an integer in either.
 */
#define SMALL ((sqlite3_int64)1 << 47)

static void note_odd(struct column *c, uint64_t row)
{
	if (!c->odd_first)
		c->odd_first = row;
	c->odd_last = row;
}

static bool is_number(enum type t)
{
	return t == TYPE_INTEGER || t == TYPE_REAL;
}

/* @otherwise: of a column that has values of several types */
static enum type join(enum type a, enum type b, enum type otherwise)
{
	if (a == b || a == TYPE_NONE)
		return b;
	return is_number(a) && is_number(b) ? TYPE_REAL : otherwise;
}

static bool is_large(const struct value *v)
{
	return v->type == SQLITE_INTEGER &&
	       (v->integer >= SMALL || v->integer <= -SMALL);
}

void import_field(struct load *l, int column, const struct csv_field *field,
		  struct value *out)
{
	struct column *c = &l->import->columns[l->import->at[column]];
	uint64_t row = l->rows + 1;
	struct reading r;
	enum type type;

	out->type = SQLITE_TEXT;
	out->bytes.data = field->p;
	out->bytes.len = field->len;
	if (c->type == TYPE_TEXT)
		return;
	reading_of(l, field, &r);
	type = join(c->type, r.type, TYPE_TEXT);
	if (type == TYPE_TEXT) {
		/* All before may be what it was taken for. */
		c->odd_first = c->type != TYPE_NONE;
		c->odd_last = c->type == TYPE_NONE ? 0 : row - 1;
	} else if (!r.exact || is_large(&r.value)) {
		note_odd(c, row);
	}
	c->type = type;
	if (type != TYPE_TEXT && r.exact)
		*out = r.value;
}

void import_value(struct load *l, int column, const struct value *value)
{
	static const enum type types[] = {
		[SQLITE_INTEGER] = TYPE_INTEGER,
		[SQLITE_FLOAT] = TYPE_REAL,
		[SQLITE_TEXT] = TYPE_TEXT,
		[SQLITE_BLOB] = TYPE_BLOB,
	};
	struct column *c = &l->import->columns[l->import->at[column]];

	if (value->type == SQLITE_NULL)
		return;
	c->type = join(c->type, types[value->type], TYPE_MIXED);
	if (is_large(value))
		note_odd(c, l->rows + 1);
}

/* --- the end -------------------------------------------------------------- */

/* How a value that is not as the type wants it becomes so, and which are such. */
static const struct {
	const char *set, *where;
} conversions[] = {
	[TYPE_REAL] = {
		"@ = CASE typeof(@) WHEN 'text' THEN "
		"CASE @ WHEN 'Inf' THEN 9e999 WHEN '-Inf' THEN -9e999 "
		"ELSE CAST(@ AS REAL) END "
		"WHEN 'integer' THEN CAST(@ AS REAL) ELSE @ END",
		/* SMALL, without an overflow */
		"typeof(@) = 'text' OR (typeof(@) = 'integer' "
		"AND abs(@ / 2) >= 70368744177664)",
	},
	[TYPE_BLOB] = {
		"@ = CASE typeof(@) WHEN 'text' THEN unhex(substr(@, 3)) "
		"ELSE @ END",
		"typeof(@) = 'text'",
	},
	[TYPE_TEXT] = {
		"@ = CASE typeof(@) WHEN 'blob' THEN '\\x' || lower(hex(@)) "
		"ELSE CAST(@ AS TEXT) END",
		"typeof(@) NOT IN ('text', 'null')",
	},
	[TYPE_MIXED] = { NULL, NULL },
};

static bool must_convert(const struct column *c)
{
	return c->odd_first && conversions[c->type].set;
}

/* The name of the row's number that is no column's; NULL if all of them are. */
static const char *rowid_name(const struct import *i)
{
	static const char *const names[] = { "rowid", "oid", "_rowid_" };
	size_t n;

	for (n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		if (find(i, names[n], 0) < 0)
			return names[n];
	return NULL;
}

/* So many columns in one pass over the table: their conditions nest. */
#define AT_ONCE 32

/*
 * And so many rows in one statement: until it has ended SQLite keeps all pages
 * that it changes as they were, in case it fails, which would be the table once
 * more.
 */
#define ROWS_AT_ONCE 1024

/* Run what @sql holds, which is then empty, for rows from @first to @last. */
static int run_rows(struct load *l, struct buf *sql, uint64_t first,
		    uint64_t last, struct fault *f)
{
	sqlite3 *lite = l->conn->lite;
	sqlite3_stmt *stmt = NULL;
	int rc = SQLITE_OK, err = 0;

	buf_putc(sql, '\0');
	if (sql->failed)
		err = no_memory(f);
	else
		rc = sqlite3_prepare_v2(lite, sql->data, -1, &stmt, NULL);
	buf_free(sql);
	while (!rc && !err && first <= last) {
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)first);
		first += ROWS_AT_ONCE;
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)first - 1);
		sqlite3_step(stmt);
		rc = sqlite3_reset(stmt);
	}
	if (rc)
		err = conn_fault(l->conn, rc, f);
	sqlite3_finalize(stmt);
	return err;
}

/* Convert some columns, from *@next on; 0 if there are none left. */
static int convert_some(struct load *l, int *next, struct fault *f)
{
	const struct import *i = l->import;
	const char *rowid = rowid_name(i);
	struct buf set = { 0 }, where = { 0 };
	uint64_t first = 0, last = 0;
	int n = 0;

	load_put(&set, "UPDATE main.@ SET ", l->table);
	for (; *next < i->count && n < AT_ONCE; ++*next) {
		const struct column *c = &i->columns[*next];

		if (!must_convert(c))
			continue;
		first = n && first < c->odd_first ? first : c->odd_first;
		last = last > c->odd_last ? last : c->odd_last;
		buf_puts(&set, n ? ", " : "");
		load_put(&set, conversions[c->type].set, c->name);
		buf_puts(&where, n ? " OR " : "");
		load_put(&where, conversions[c->type].where, c->name);
		n++;
	}
	buf_puts(&set, " WHERE (");
	buf_add(&set, where.data, where.len);
	buf_putc(&set, ')');
	set.failed |= where.failed;
	buf_free(&where);
	if (!n) {
		buf_free(&set);
		return 0;
	}
	if (!rowid)
		return run_buf(l, &set, f) ? f->err : 1;
	buf_printf(&set, " AND %s BETWEEN ?1 AND ?2", rowid);
	return run_rows(l, &set, first, last, f) ? f->err : 1;
}

/*
 * The types in the schema.  The connection reads it no more and is closed when
 * it is given back; all others read it anew, as the table's making has changed
 * the schema's number.
 */
static int declare(struct load *l, struct fault *f)
{
	sqlite3 *lite = l->conn->lite;
	struct buf create = { 0 };
	char *sql = NULL;
	int err;

	load_put(&create, "CREATE TABLE @", l->table);
	put_columns(l, &create, true);
	buf_putc(&create, '\0');
	if (!create.failed)
		sql = sqlite3_mprintf("UPDATE main.sqlite_schema SET sql = %Q "
				      "WHERE type = 'table' AND name = %Q",
				      create.data, l->table);
	buf_free(&create);
	if (!sql)
		return no_memory(f);
	sqlite3_db_config(lite, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	sqlite3_db_config(lite, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	err = load_exec(l, sql, f);
	sqlite3_db_config(lite, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	sqlite3_db_config(lite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_free(sql);
	return err;
}

int import_end(struct load *l, struct fault *f)
{
	int next = 0, ret;

	while ((ret = convert_some(l, &next, f)) > 0)
		;
	return ret ? ret : declare(l, f);
}
