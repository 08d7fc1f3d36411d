// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * insert.c - the statement that puts a row into its table, and the row's values.
 */
#include "load.h"

#include "port/cstd.h"
#include "mem.h"
#include "param.h"

/* What a field of CSV may be beside text, by its column's declared type. */
enum {
	TAKES_TEXT,
	TAKES_BLOB, /* \x and digits */
	TAKES_REAL, /* Inf */
};

static int no_memory(struct fault *f)
{
	return fault_set(f, -ENOMEM, -1, "out of memory");
}

/* --- statements ----------------------------------------------------------- */

static void put_name(struct buf *sql, const char *name)
{
	buf_putc(sql, '"');
	for (; *name; name++) {
		if (*name == '"')
			buf_putc(sql, '"');
		buf_putc(sql, *name);
	}
	buf_putc(sql, '"');
}

void load_put(struct buf *sql, const char *text, const char *name)
{
	for (; *text; text++) {
		if (*text == '@')
			put_name(sql, name);
		else
			buf_putc(sql, *text);
	}
}

int load_exec(struct load *l, const char *sql, struct fault *f)
{
	int rc = sqlite3_exec(l->conn->lite, sql, NULL, NULL, NULL);

	return rc ? conn_fault(l->conn, rc, f) : 0;
}

static bool contains(const char *type, const char *part)
{
	int n = (int)strlen(part);

	for (; *type; type++)
		if (sqlite3_strnicmp(type, part, n) == 0)
			return true;
	return false;
}

/* The order is that of SQLite's rules for a column's affinity. */
static unsigned char takes(const char *type)
{
	if (!type || !*type)
		return TAKES_BLOB;
	if (contains(type, "INT") || contains(type, "CHAR") ||
	    contains(type, "CLOB") || contains(type, "TEXT"))
		return TAKES_TEXT;
	if (contains(type, "BLOB"))
		return TAKES_BLOB;
	return contains(type, "REAL") || contains(type, "FLOA") ||
			       contains(type, "DOUB") ?
		       TAKES_REAL :
		       TAKES_TEXT;
}

static int look_at_types(struct load *l, struct fault *f)
{
	const char *name = l->names.data, *type;
	int i;

	ksql_free(l->takes);
	l->takes = ksql_alloc((size_t)l->columns);
	if (!l->takes)
		return no_memory(f);
	for (i = 0; i < l->columns; i++, name += strlen(name) + 1) {
		type = NULL;
		if (sqlite3_table_column_metadata(l->conn->lite, "main",
						  l->table, name, &type, NULL,
						  NULL, NULL, NULL))
			type = "TEXT"; /* no column that text could not go into */
		l->takes[i] = takes(type);
	}
	return 0;
}

int insert_check_names(struct load *l, struct fault *f)
{
	const char *one = l->names.data, *end = one + l->names.len, *other;

	for (; one < end; one += strlen(one) + 1) {
		for (other = one + strlen(one) + 1; other < end;
		     other += strlen(other) + 1)
			if (sqlite3_stricmp(one, other) == 0)
				return fault_set(f, -EINVAL, -1,
						 "two columns are named %s",
						 other);
		if (conn_poll(l->conn))
			return conn_fault(l->conn, SQLITE_INTERRUPT, f);
	}
	return 0;
}

static void put_insert(struct load *l, struct buf *sql)
{
	const char *name = l->names.data;
	int i;

	/* Not "main.": nobody has had this connection, and messages are plainer. */
	load_put(sql, "INSERT INTO @", l->table);
	if (!l->columns) {
		buf_puts(sql, " DEFAULT VALUES");
		return;
	}
	for (i = 0; i < l->columns; i++, name += strlen(name) + 1)
		load_put(sql, i ? ",@" : "(@", name);
	buf_puts(sql, ") VALUES(?");
	for (i = 1; i < l->columns; i++)
		buf_puts(sql, ",?");
	buf_putc(sql, ')');
}

/* The statement for the columns that are named now. */
static int prepare(struct load *l, struct fault *f)
{
	struct buf sql = { 0 };
	int rc;

	put_insert(l, &sql);
	if (sql.failed) {
		buf_free(&sql);
		return no_memory(f);
	}
	rc = sqlite3_prepare_v3(l->conn->lite, sql.data, (int)sql.len,
				SQLITE_PREPARE_PERSISTENT, &l->insert, NULL);
	buf_free(&sql);
	if (rc)
		return conn_fault(l->conn, rc, f);
	return l->json || l->making ? 0 : look_at_types(l, f);
}

/* --- rows ----------------------------------------------------------------- */

int insert_begin(struct load *l, struct fault *f)
{
	int err = l->begun ? 0 : load_exec(l, "BEGIN IMMEDIATE", f);

	l->begun |= !err;
	return err;
}

int insert_columns(struct load *l, struct fault *f)
{
	int err;

	sqlite3_finalize(l->insert);
	l->insert = NULL;
	err = insert_check_names(l, f);
	if (!err && l->making) {
		err = insert_begin(l, f);
		if (!err)
			err = import_columns(l, f);
	}
	return err ? err : prepare(l, f);
}

/* For the blobs of a row of @n bytes, which are not to move. */
static int make_room(struct load *l, size_t n, struct fault *f)
{
	buf_empty(&l->bytes);
	return buf_grow(&l->bytes, n / 2 + 1) ? 0 : no_memory(f);
}

bool load_blob(struct load *l, const struct csv_field *field, struct value *out)
{
	char *to = l->bytes.data + l->bytes.len;

	if (field->len < 2 || field->p[0] != '\\' || field->p[1] != 'x' ||
	    !hex_read(field->p + 2, field->len - 2, to))
		return false;
	out->type = SQLITE_BLOB;
	out->bytes.data = to;
	out->bytes.len = field->len / 2 - 1;
	l->bytes.len += out->bytes.len;
	return true;
}

static bool is_infinity(const struct csv_field *field, struct value *out)
{
	bool negative = field->len == 4 && field->p[0] == '-';

	if (field->len != 3u + negative ||
	    memcmp(field->p + negative, "Inf", 3) != 0)
		return false;
	out->type = SQLITE_FLOAT;
	out->real = negative ? -__builtin_inf() : __builtin_inf();
	return true;
}

static void field_value(struct load *l, int i, const struct csv_field *field,
			struct value *out)
{
	if (l->takes[i] == TAKES_BLOB && load_blob(l, field, out))
		return;
	if (l->takes[i] == TAKES_REAL && is_infinity(field, out))
		return;
	out->type = SQLITE_TEXT;
	out->bytes.data = field->p;
	out->bytes.len = field->len;
}

/* Text and blobs stay where they are until the row is in. */
static int bind(sqlite3_stmt *stmt, int i, const struct value *v)
{
	switch (v->type) {
	case SQLITE_INTEGER:
		return sqlite3_bind_int64(stmt, i, v->integer);
	case SQLITE_FLOAT:
		return sqlite3_bind_double(stmt, i, v->real);
	case SQLITE_TEXT:
		return sqlite3_bind_text64(stmt, i, v->bytes.data, v->bytes.len,
					   SQLITE_STATIC, SQLITE_UTF8);
	case SQLITE_BLOB:
		return sqlite3_bind_blob64(stmt, i,
					   v->bytes.data ? v->bytes.data : "",
					   v->bytes.len, SQLITE_STATIC);
	default:
		return sqlite3_bind_null(stmt, i);
	}
}

static int insert_row(struct load *l, struct fault *f)
{
	int rc = sqlite3_step(l->insert);

	if (rc != SQLITE_DONE)
		conn_fault(l->conn, rc, f);
	sqlite3_reset(l->insert);
	l->rows += !f->err;
	return f->err;
}

int insert_fields(struct load *l, size_t len, struct fault *f)
{
	struct value value;
	int i, rc = 0;

	if (make_room(l, len, f))
		return f->err;
	for (i = 0; i < l->columns && !rc; i++) {
		const struct csv_field *field = &l->csv.fields[i];

		if (!field->len && !field->quoted)
			value.type = SQLITE_NULL;
		else if (l->making)
			import_field(l, i, field, &value);
		else
			field_value(l, i, field, &value);
		rc = bind(l->insert, i + 1, &value);
	}
	return rc ? conn_fault(l->conn, rc, f) : insert_row(l, f);
}

int insert_members(struct load *l, struct fault *f)
{
	int i, rc = 0;

	for (i = 0; i < l->columns && !rc; i++) {
		const struct value *value = &l->ndjson.values[i];

		if (l->making)
			import_value(l, i, value);
		rc = bind(l->insert, i + 1, value);
	}
	return rc ? conn_fault(l->conn, rc, f) : insert_row(l, f);
}
