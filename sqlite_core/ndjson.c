// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * ndjson.c - a line of NDJSON as names and values, read by SQLite's own JSON.
 */
#include "ndjson.h"

#include "port/cstd.h"
#include "mem.h"

/* json_each() takes JSON5, too: json_valid() with flag 1 does not. */
static const char check_sql[] =
	"SELECT CASE WHEN json_valid(?1, 1) THEN json_type(?1) END";
static const char each_sql[] = "SELECT key, value, type FROM json_each(?1)";

void ndjson_free(struct ndjson *j)
{
	sqlite3_finalize(j->check);
	sqlite3_finalize(j->each);
	buf_free(&j->names);
	buf_free(&j->text);
	ksql_free(j->values);
	memset(j, 0, sizeof(*j));
}

static int no_memory(struct fault *f)
{
	return fault_set(f, -ENOMEM, -1, "out of memory");
}

static int wrong(struct fault *f, const char *what)
{
	return fault_set(f, -EINVAL, -1, "%s", what);
}

static bool is_blank(const char *p, size_t n)
{
	while (n && (*p == ' ' || *p == '\t' || *p == '\r')) {
		p++;
		n--;
	}
	return !n;
}

/* --- {"$base64":"..."} ---------------------------------------------------- */

static const char blob_begin[] = "{\"$base64\":\"";
static const char blob_end[] = "\"}";

/* The digits between, NULL if this object is no blob. */
static const char *blob_digits(const char *p, size_t n, size_t *len)
{
	const size_t head = sizeof(blob_begin) - 1, tail = sizeof(blob_end) - 1;

	if (n < head + tail || memcmp(p, blob_begin, head) != 0 ||
	    memcmp(p + n - tail, blob_end, tail) != 0 ||
	    memchr(p + head, '"', n - head - tail))
		return NULL;
	*len = n - head - tail;
	return p + head;
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/*
 * Add the bytes behind base64's digits, of which there are whole fours, to @out.
 * JSON may write the slash with a backslash before it.  False if they are none.
 */
static bool read_base64(const char *p, size_t n, struct buf *out)
{
	const char *end = p + n;
	uint32_t bits = 0;
	int have = 0, pad = 0;

	for (; p < end; p++) {
		if (*p == '\\' && end - p > 1 && p[1] == '/')
			p++;
		if (*p == '=') {
			pad++;
			continue;
		}
		if (pad || digit_of(*p) < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit_of(*p);
		if (++have % 4 == 0) {
			buf_putc(out, (char)(bits >> 16));
			buf_putc(out, (char)(bits >> 8));
			buf_putc(out, (char)bits);
		}
	}
	if (have % 4 == 1 || (have % 4 ? 4 - have % 4 : 0) != pad)
		return false;
	if (have % 4 == 2)
		buf_putc(out, (char)(bits >> 4));
	if (have % 4 == 3) {
		buf_putc(out, (char)(bits >> 10));
		buf_putc(out, (char)(bits >> 2));
	}
	return true;
}

/* --- reading -------------------------------------------------------------- */

/* The check of a line, or the walk over its members, with the line bound. */
static int bind(struct conn *c, sqlite3_stmt **stmt, const char *sql,
		const char *line, size_t n, struct fault *f)
{
	int rc = 0;

	if (!*stmt)
		rc = sqlite3_prepare_v3(c->lite, sql, -1,
					SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	if (!rc)
		rc = sqlite3_bind_text64(*stmt, 1, line, n, SQLITE_STATIC,
					 SQLITE_UTF8);
	return rc ? conn_fault(c, rc, f) : 0;
}

/* @rc as sqlite3_step() gave it; the line is not looked at any more. */
static int unbind(struct conn *c, sqlite3_stmt *stmt, int rc, struct fault *f)
{
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		conn_fault(c, rc, f);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return f->err;
}

static int check(struct ndjson *j, struct conn *c, const char *line, size_t n,
		 struct fault *f)
{
	const char *type = NULL;
	int rc;

	if (utf8_valid(line, n) != n)
		return wrong(f, "text that is not UTF-8");
	if (memchr(line, 0, n)) /* SQLite would end there */
		return wrong(f, "a NUL byte");
	if (bind(c, &j->check, check_sql, line, n, f))
		return f->err;
	rc = sqlite3_step(j->check);
	if (rc == SQLITE_ROW) {
		type = (const char *)sqlite3_column_text(j->check, 0);
		if (!type && sqlite3_errcode(c->lite) == SQLITE_NOMEM)
			no_memory(f);
		else if (!type)
			wrong(f, "not JSON");
		else if (strcmp(type, "object") != 0)
			wrong(f, "not a JSON object");
	}
	return unbind(c, j->check, rc, f);
}

static int add_bytes(struct ndjson *j, struct value *v, bool object,
		     struct fault *f)
{
	size_t from = j->text.len, len;
	const char *digits = NULL;

	if (object)
		digits = blob_digits(v->bytes.data, v->bytes.len, &len);
	if (!digits)
		buf_add(&j->text, v->bytes.data, v->bytes.len);
	else if (read_base64(digits, len, &j->text))
		v->type = SQLITE_BLOB;
	else
		return wrong(f, "a \"$base64\" that is none");
	v->bytes.data = NULL; /* found when @text does not move any more */
	v->bytes.len = j->text.len - from;
	return 0;
}

static int add_name(struct ndjson *j, const struct value *name, struct fault *f)
{
	if (!name->bytes.len)
		return wrong(f, "a key is empty");
	if (memchr(name->bytes.data, 0, name->bytes.len))
		return wrong(f, "a NUL in a key");
	buf_add(&j->names, name->bytes.data, name->bytes.len);
	buf_putc(&j->names, '\0');
	return 0;
}

/* The member that @each stands on. */
static int add_member(struct ndjson *j, struct fault *f)
{
	struct value name, value, type;
	struct value *more;
	int room;

	if (value_of_column(&name, j->each, 0) ||
	    value_of_column(&value, j->each, 1) ||
	    value_of_column(&type, j->each, 2))
		return no_memory(f);
	if (j->count == j->room) {
		room = j->room ? 2 * j->room : 32;
		more = ksql_realloc(j->values, (size_t)room * sizeof(*more));
		if (!more)
			return no_memory(f);
		j->values = more;
		j->room = room;
	}
	if (add_name(j, &name, f))
		return f->err;
	if (value.type == SQLITE_TEXT &&
	    add_bytes(j, &value, type.bytes.data[0] == 'o', f))
		return f->err;
	j->values[j->count++] = value;
	return j->names.failed || j->text.failed ? no_memory(f) : 0;
}

static void place_values(struct ndjson *j)
{
	const char *p = j->text.data ? j->text.data : "";
	int i;

	for (i = 0; i < j->count; i++) {
		struct value *v = &j->values[i];

		if (v->type != SQLITE_TEXT && v->type != SQLITE_BLOB)
			continue;
		v->bytes.data = p;
		p += v->bytes.len;
	}
}

int ndjson_read(struct ndjson *j, struct conn *c, const char *line, size_t n,
		struct fault *f)
{
	int rc = SQLITE_DONE, err = 0;

	j->count = 0;
	buf_empty(&j->names);
	buf_empty(&j->text);
	if (is_blank(line, n))
		return 0;
	if (check(j, c, line, n, f) || bind(c, &j->each, each_sql, line, n, f))
		return f->err;
	while (!err && (rc = sqlite3_step(j->each)) == SQLITE_ROW)
		err = add_member(j, f);
	err = unbind(c, j->each, rc, f);
	if (err)
		return err;
	place_values(j);
	return 1;
}
