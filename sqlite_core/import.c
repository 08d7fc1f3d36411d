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
#include "db.h"
#include "mem.h"
#include "node.h"

enum type {
	TYPE_NONE, /* no value yet */
	TYPE_INTEGER,
	TYPE_REAL,
	TYPE_BLOB,
	TYPE_TEXT,
	TYPE_MIXED, /* NDJSON: each value is what it is */
};

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

	/* Our own statements may be longer; nobody else has this connection. */
	l->conn->tainted = true;
	sqlite3_limit(l->conn->lite, SQLITE_LIMIT_SQL_LENGTH, 1 << 26);
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

/* --- what a text says it is ----------------------------------------------- */

/*
 * Integers beyond this are stored in a REAL column as reals (SQLite's
 * OP_MakeRecord); what is smaller is stored as an integer in either.
 */
#define SMALL ((sqlite3_int64)1 << 47)

/* A real of so many digits comes out of SQLite as it went in. */
#define EXACT_DIGITS 15

/* What a field says it is. */
struct reading {
	enum type type;
	bool exact; /* @value, turned back into text, is the field */
	struct value value;
};

/* A number as JSON writes it, taken apart. */
struct number {
	bool negative;
	const char *digits; /* of the integer, and of the fraction */
	const char *fraction; /* behind the point; NULL: there is none */
	size_t whole, decimals; /* how many */
	bool exponent;
};

static size_t count_digits(const char *p, const char *end)
{
	const char *begin = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - begin);
}

static bool split_number(const char *p, const char *end, struct number *n)
{
	memset(n, 0, sizeof(*n));
	n->negative = *p == '-';
	p += n->negative;
	n->digits = p;
	n->whole = count_digits(p, end);
	if (!n->whole || (n->whole > 1 && *p == '0'))
		return false;
	p += n->whole;
	if (p < end && *p == '.') {
		n->fraction = ++p;
		n->decimals = count_digits(p, end);
		if (!n->decimals)
			return false;
		p += n->decimals;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		n->exponent = true;
		p++;
		p += p < end && (*p == '+' || *p == '-');
		if (p == end)
			return false;
		p += count_digits(p, end);
	}
	return p == end && (end[-1] >= '0' && end[-1] <= '9');
}

static uint64_t read_digits(uint64_t v, const char *p, size_t n)
{
	for (; n; n--)
		v = v * 10 + (uint64_t)(*p++ - '0');
	return v;
}

/* An integer of 64 bits; what has more digits is an identifier, and stays text. */
static void read_integer(const struct number *n, struct reading *r)
{
	uint64_t limit = (1ull << 63) - !n->negative, v;

	r->type = TYPE_TEXT;
	if (n->whole > 19)
		return;
	v = read_digits(0, n->digits, n->whole); /* 19 digits fit */
	if (v > limit)
		return;
	if (n->negative && !v) { /* "-0" */
		r->type = TYPE_REAL;
		return;
	}
	r->type = TYPE_INTEGER;
	r->exact = true;
	r->value.type = SQLITE_INTEGER;
	r->value.integer = (sqlite3_int64)(n->negative ? 0 - v : v);
}

/*
 * Is it what SQLite prints?  By its characters alone: few enough digits, none to
 * spare, no exponent there or here.  Then the digits and the power of ten are
 * exact as doubles, and so is their quotient, rounded once.
 */
static void read_real(const struct number *n, struct reading *r)
{
	static const double powers[] = {
		1e0, 1e1, 1e2,	1e3,  1e4,  1e5,  1e6,	1e7,
		1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
	};
	uint64_t v;
	double real;

	r->type = TYPE_REAL;
	if (n->exponent || n->whole + n->decimals > EXACT_DIGITS)
		return;
	if (n->decimals > 1 && n->fraction[n->decimals - 1] == '0')
		return;
	v = read_digits(0, n->digits, n->whole);
	v = read_digits(v, n->fraction, n->decimals);
	real = (double)v / powers[n->decimals];
	if (n->negative ? real < 1e-4 : real < 1e-4 && v)
		return;
	r->exact = true;
	r->value.type = SQLITE_FLOAT;
	r->value.real = n->negative ? -real : real;
}

static bool is_lower_hex(const char *p, size_t n)
{
	for (; n; n--, p++)
		if (*p >= 'A' && *p <= 'F')
			return false;
	return true;
}

static bool is_infinity(const struct csv_field *field)
{
	return (field->len == 3 && memcmp(field->p, "Inf", 3) == 0) ||
	       (field->len == 4 && memcmp(field->p, "-Inf", 4) == 0);
}

static void read_field(struct load *l, const struct csv_field *field,
		       struct reading *r)
{
	struct number n;
	char first = field->len ? field->p[0] : 0;

	r->type = TYPE_TEXT;
	r->exact = false;
	if (first == '\\') {
		if (load_blob(l, field, &r->value)) {
			r->type = TYPE_BLOB;
			r->exact = is_lower_hex(field->p + 2, field->len - 2);
		}
	} else if (is_infinity(field)) {
		r->type = TYPE_REAL;
	} else if ((first == '-' || (first >= '0' && first <= '9')) &&
		   split_number(field->p, field->p + field->len, &n)) {
		if (n.fraction || n.exponent)
			read_real(&n, r);
		else
			read_integer(&n, r);
	}
}

/* --- types from values ---------------------------------------------------- */

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
	read_field(l, field, &r);
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
	if (rowid)
		buf_printf(&set, " AND %s BETWEEN %llu AND %llu", rowid,
			   (unsigned long long)first, (unsigned long long)last);
	if (n)
		return run_buf(l, &set, f) ? f->err : 1;
	buf_free(&set);
	return 0;
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

/* --- the name ------------------------------------------------------------- */

static const struct {
	const char *end;
	struct entry entry;
} formats[] = {
	{ ".csv", { .name = ".csv", .kind = KIND_IMPORT, .arg = FORMAT_CSV } },
	{ ".ndjson",
	  { .name = ".ndjson", .kind = KIND_IMPORT, .arg = FORMAT_NDJSON } },
};

/* The format by the end of a file's name, which is cut off; NULL if it is none. */
static const struct entry *format_of(const char *name, size_t *len)
{
	size_t i, n;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		n = strlen(formats[i].end);
		if (*len > n &&
		    memcmp(name + *len - n, formats[i].end, n) == 0) {
			*len -= n;
			return &formats[i].entry;
		}
	}
	return NULL;
}

/* May a table have this name?  Whoever makes one meanwhile is met later. */
static int check_name(struct ksql_db *db, const char *table)
{
	sqlite3_stmt *stmt = NULL;
	struct fault f = { .offset = -1 };
	struct conn *c;
	int rc, err;

	if (sqlite3_strnicmp(table, "sqlite_", 7) == 0)
		return -EPERM;
	err = conn_get(db, &c);
	if (err)
		return err;
	conn_run_begin(c, db_timeout_ns(db));
	rc = sqlite3_prepare_v2(
		c->lite,
		"SELECT 1 FROM main.sqlite_schema WHERE type <> 'trigger' "
		"AND name = ?1 COLLATE NOCASE",
		-1, &stmt, NULL);
	if (!rc)
		rc = sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	if (!rc)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		err = -EEXIST;
	else if (rc != SQLITE_DONE)
		err = conn_fault(c, rc, &f);
	sqlite3_finalize(stmt);
	conn_run_end(c);
	conn_put(c);
	fault_clear(&f);
	return err;
}

int import_make(struct ksql_db *db, struct ksql_node *dir, const char *name,
		size_t len, const struct ksql_caller *caller, bool is_dir,
		struct ksql_node **node)
{
	const struct entry *entry = format_of(name, &len);
	char *table;
	int err;

	(void)dir;
	(void)caller;
	if (is_dir)
		return -EPERM;
	if (!entry)
		return -EINVAL;
	table = name_unescape(name, len, &err);
	if (!table)
		return err == -ENOENT ? -EINVAL : err;
	err = check_name(db, table);
	if (err) {
		ksql_free(table);
		return err;
	}
	*node = node_new(entry, table);
	if (!*node)
		return -ENOMEM;
	(*node)->life = NODE_UNOPENED;
	return 0;
}

int import_open(struct ksql_db *db, struct ksql_node *node,
		const struct ksql_caller *caller, unsigned int flags,
		struct ksql_file **out)
{
	int err = flags & KSQL_OPEN_READ ? -EPERM :
					   load_open(db, node, caller, out);

	if (!err)
		__atomic_fetch_add(&node->life, NODE_OPEN, __ATOMIC_RELAXED);
	__atomic_fetch_and(&node->life, ~NODE_UNOPENED, __ATOMIC_RELAXED);
	return err;
}

void import_closed(struct ksql_node *node)
{
	__atomic_fetch_sub(&node->life, NODE_OPEN, __ATOMIC_RELAXED);
}
