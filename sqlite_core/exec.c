// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * exec.c - one statement running, and its rows on their way out.
 */
#include "exec.h"

#include "port/cstd.h"
#include "db.h"
#include "mem.h"

/* --- running ------------------------------------------------------------- */

void run_begin(struct run *r, struct conn *c, struct query *q)
{
	memset(r, 0, sizeof(*r));
	r->conn = c;
	r->query = *q;
	r->budget_ns = db_timeout_ns(c->db);
	*q = (struct query){ 0 };
	changes_run(c, r->query.targets, &r->changes);
}

void run_resume(struct run *r)
{
	int64_t since = r->query.began_ns;

	r->query.began_ns = 0;
	if (since) /* its compilation is part of its time */
		conn_run_go_on(r->conn, r->budget_ns, since);
	else
		conn_run_begin(r->conn, r->budget_ns);
}

void run_pause(struct run *r)
{
	int64_t left = conn_run_end(r->conn);

	r->query.ns += r->conn->ran_ns;
	if (r->budget_ns)
		r->budget_ns = left;
}

void shape_free(struct shape *s)
{
	if (!s)
		return;
	if (s->rendered)
		render_fini(&s->render);
	ksql_free(s);
}

/* A schema change can alter the columns of a statement until its first step. */
static int fit_shape(struct run *r)
{
	int reprepared = sqlite3_stmt_status(r->query.stmt,
					     SQLITE_STMTSTATUS_REPREPARE, 0);
	struct shape *s = r->query.shape;
	int columns;

	if (s && s->reprepared == reprepared)
		return 0;
	shape_free(s);
	columns = sqlite3_column_count(r->query.stmt);
	s = ksql_alloc(sizeof(*s) + (size_t)columns * sizeof(s->values[0]));
	r->query.shape = s;
	if (!s)
		return -ENOMEM;
	s->reprepared = reprepared;
	s->columns = columns;
	s->rendered = false;
	return 0;
}

static int load_row(struct run *r)
{
	struct shape *s = r->query.shape;
	int i, err = 0;

	for (i = 0; i < s->columns && !err; i++)
		err = value_of_column(&s->values[i], r->query.stmt, i);
	return err;
}

int run_step(struct run *r, struct fault *f)
{
	int rc = sqlite3_step(r->query.stmt);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		r->changes.failed = true;
		return conn_fault(r->conn, rc, f);
	}
	if (fit_shape(r) || (rc == SQLITE_ROW && load_row(r)))
		return fault_set(f, -ENOMEM, -1, "out of memory");
	r->rows += rc == SQLITE_ROW;
	return rc == SQLITE_ROW;
}

void run_end(struct run *r)
{
	struct figures *figures;

	if (!r->query.stmt)
		return;
	if (r->conn->users) {
		figures = &r->conn->db->figures;
		figures_run(figures, r->query.ns, r->rows);
		if (!r->failed) /* else who ends the request counts it */
			figures_outcome(figures, 0);
	}
	changes_ran(r->conn, r->query.targets, &r->changes);
	conn_retire(r->conn, &r->query);
}

int ask_number(struct conn *c, char *sql, sqlite3_int64 *number,
	       struct fault *f)
{
	struct query q;
	size_t used;
	struct run r;
	int step;

	*number = -1;
	if (!sql)
		return fault_set(f, -ENOMEM, -1, "out of memory");
	step = conn_prepare(c, sql, strlen(sql), &q, &used, f);
	if (!step) {
		run_begin(&r, c, &q);
		run_resume(&r);
		step = run_step(&r, f);
		if (step > 0)
			*number = r.query.shape->values[0].integer;
		run_pause(&r);
		run_end(&r);
	}
	sqlite3_free(sql);
	return step < 0 ? step : 0;
}

/* --- rows to text -------------------------------------------------------- */

const char **stmt_names(sqlite3_stmt *stmt, int columns)
{
	const char **names =
		ksql_alloc((size_t)(columns ? columns : 1) * sizeof(*names));
	int i;

	for (i = 0; names && i < columns; i++) {
		names[i] = sqlite3_column_name(stmt, i);
		if (!names[i]) {
			ksql_free(names);
			return NULL;
		}
	}
	return names;
}

/* The renderer that belongs to the statement, made anew if it is of another format. */
static int fit_render(struct shape *s, sqlite3_stmt *stmt, enum format format)
{
	const char **names;
	int err;

	if (s->rendered && s->render.format == format)
		return 0;
	if (s->rendered)
		render_fini(&s->render);
	s->rendered = false;
	names = stmt_names(stmt, s->columns);
	if (!names)
		return -ENOMEM;
	err = render_init(&s->render, format, names, s->columns);
	s->rendered = true; /* also half made: it is to be freed */
	if (err)
		s->render.format = FORMATS;
	ksql_free(names);
	return err;
}

static int stream_head(struct stream *s, enum format format, struct buf *out,
		       struct fault *f)
{
	if (fit_render(s->run.query.shape, s->run.query.stmt, format))
		return fault_set(f, -ENOMEM, -1, "out of memory");
	render_restart(&s->run.query.shape->render);
	render_begin(&s->run.query.shape->render, out);
	return 0;
}

/* Render the row it stands on (@step is 1) and those after it. */
static int stream_rows(struct stream *s, int step, struct buf *out, size_t want,
		       struct fault *f)
{
	struct shape *shape = s->run.query.shape;

	for (; step > 0; step = run_step(&s->run, f)) {
		render_row(&shape->render, out, shape->values);
		if (out->failed)
			return fault_set(f, -ENOMEM, -1, "out of memory");
		if (out->len >= want)
			return 0;
	}
	if (step < 0)
		return step;
	render_end(&shape->render, out);
	s->live = false;
	return out->failed ? fault_set(f, -ENOMEM, -1, "out of memory") : 0;
}

int stream_begin(struct stream *s, struct conn *c, struct query *q,
		 enum format format, struct buf *out, size_t want,
		 struct fault *f)
{
	int step, err;

	run_begin(&s->run, c, q);
	s->live = true;
	run_resume(&s->run);
	step = run_step(&s->run, f);
	err = step < 0 ? step : stream_head(s, format, out, f);
	if (!err)
		err = stream_rows(s, step, out, want, f);
	run_pause(&s->run);
	s->run.failed = err != 0;
	if (err || !s->live)
		stream_end(s);
	return err;
}

int stream_fill(struct stream *s, struct buf *out, size_t want, struct fault *f)
{
	int step, err;

	if (!s->live)
		return 0;
	run_resume(&s->run);
	step = run_step(&s->run, f);
	err = step < 0 ? step : stream_rows(s, step, out, want, f);
	run_pause(&s->run);
	s->run.failed = err != 0;
	if (err || !s->live)
		stream_end(s);
	return err;
}

void stream_end(struct stream *s)
{
	run_end(&s->run);
	s->live = false;
}

/* --- rows kept ----------------------------------------------------------- */

/* One value: its type, then eight bytes of number, or eight of length and the bytes. */
static void put_value(struct buf *data, const struct value *v)
{
	uint64_t word = 0;

	buf_putc(data, (char)v->type);
	if (v->type == SQLITE_NULL)
		return;
	if (v->type == SQLITE_TEXT || v->type == SQLITE_BLOB)
		word = v->bytes.len;
	else
		memcpy(&word, &v->integer, sizeof(word));
	buf_add(data, &word, sizeof(word));
	if (v->type == SQLITE_TEXT || v->type == SQLITE_BLOB)
		buf_add(data, v->bytes.data, v->bytes.len);
}

static const char *get_value(const char *p, struct value *v)
{
	uint64_t word;

	v->type = *p++;
	if (v->type == SQLITE_NULL)
		return p;
	memcpy(&word, p, sizeof(word));
	p += sizeof(word);
	if (v->type != SQLITE_TEXT && v->type != SQLITE_BLOB) {
		memcpy(&v->integer, &word, sizeof(word));
		return p;
	}
	v->bytes.data = p;
	v->bytes.len = (size_t)word;
	return p + word;
}

static int collect_names(struct rows *rows, sqlite3_stmt *stmt)
{
	const char **names = stmt_names(stmt, rows->columns);
	int i;

	if (!names)
		return -ENOMEM;
	for (i = 0; i < rows->columns; i++)
		buf_add(&rows->names, names[i], strlen(names[i]) + 1);
	ksql_free(names);
	return rows->names.failed ? -ENOMEM : 0;
}

static int collect(struct rows *rows, struct run *r, uint64_t max,
		   struct fault *f)
{
	int step, i;

	while ((step = run_step(r, f)) > 0) {
		for (i = 0; i < r->query.shape->columns; i++)
			put_value(&rows->data, &r->query.shape->values[i]);
		rows->count++;
		if (rows->data.failed)
			return fault_set(f, -ENOMEM, -1, "out of memory");
		if (rows->data.len > max)
			return fault_set(
				f, -EOVERFLOW, -1,
				"the result is larger than max_result= (%llu bytes)",
				(unsigned long long)max);
	}
	return step;
}

int rows_collect(struct rows *rows, struct conn *c, struct query *q,
		 uint64_t max, struct fault *f)
{
	struct run r;
	int err;

	rows_free(rows);
	run_begin(&r, c, q);
	run_resume(&r);
	err = collect(rows, &r, max, f);
	if (!err)
		rows->columns = r.query.shape->columns;
	if (!err && collect_names(rows, r.query.stmt))
		err = fault_set(f, -ENOMEM, -1, "out of memory");
	run_pause(&r);
	r.failed = err != 0;
	run_end(&r);
	if (err)
		rows_free(rows);
	return err;
}

/* With @size, only counts: @out holds no more than a row at a time. */
static int render_all(const struct rows *rows, struct render *r,
		      struct value *values, struct buf *out, uint64_t *size)
{
	const char *p = rows->data.data;
	uint64_t row;
	int i, err = 0;

	render_begin(r, out);
	for (row = 0; row < rows->count && !err; row++) {
		for (i = 0; i < rows->columns; i++)
			p = get_value(p, &values[i]);
		render_row(r, out, values);
		if (size && !out->failed) {
			*size += out->len;
			buf_clear(out);
		}
		if (row % 64 == 0)
			err = port_pause();
	}
	render_end(r, out);
	if (size)
		*size += out->len;
	return out->failed ? -ENOMEM : err;
}

static int render_or_count(const struct rows *rows, enum format format,
			   struct buf *out, uint64_t *size)
{
	size_t columns = (size_t)(rows->columns ? rows->columns : 1);
	const char **names = ksql_alloc(columns * sizeof(*names));
	struct value *values = ksql_alloc(columns * sizeof(*values));
	const char *p = rows->names.data;
	struct render render = { 0 };
	int i, err = -ENOMEM;

	if (!names || !values)
		goto free;
	for (i = 0; i < rows->columns; i++) {
		names[i] = p;
		p += strlen(p) + 1;
	}
	err = render_init(&render, format, names, rows->columns);
	if (!err)
		err = render_all(rows, &render, values, out, size);
free:
	render_fini(&render);
	ksql_free(values);
	ksql_free(names);
	return err;
}

int rows_render(const struct rows *rows, enum format format, struct buf *out)
{
	return render_or_count(rows, format, out, NULL);
}

int rows_size(const struct rows *rows, enum format format, uint64_t *size)
{
	struct buf row = { 0 };
	int err;

	*size = 0;
	err = render_or_count(rows, format, &row, size);
	buf_free(&row);
	return err;
}

bool rows_first_value(const struct rows *rows, struct value *value)
{
	if (!rows->count || !rows->columns)
		return false;
	get_value(rows->data.data, value);
	return true;
}

void rows_free(struct rows *rows)
{
	buf_free(&rows->names);
	buf_free(&rows->data);
	memset(rows, 0, sizeof(*rows));
}
