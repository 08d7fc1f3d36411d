// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * load.c - rows written as CSV or NDJSON, on their way into a table.
 *
 * The transaction begins with the first row and takes the write lock then: it
 * could not be had later without losing what was done.  What fails rolls all
 * back at once, so that nobody waits for a writer that has failed.
 */
#include "load.h"

#include "port/cstd.h"
#include "db.h"
#include "mem.h"
#include "node.h"
#include "outcome.h"

static int no_memory(struct fault *f)
{
	return fault_set(f, -ENOMEM, -1, "out of memory");
}

/* --- lines ---------------------------------------------------------------- */

/* More than SQLite lets a table have: the INSERT would say so, but later. */
#define COLUMNS_MAX 2000

static bool is_blank(const struct csv_field *field)
{
	size_t i;

	for (i = 0; i < field->len; i++)
		if (field->p[i] != ' ' && field->p[i] != '\t')
			return false;
	return true;
}

static int take_header(struct load *l, struct fault *f)
{
	int i;

	if (l->csv.count > COLUMNS_MAX)
		return fault_set(f, -EINVAL, -1, "more than %d columns",
				 COLUMNS_MAX);
	for (i = 0; i < l->csv.count; i++) {
		const struct csv_field *field = &l->csv.fields[i];

		if (is_blank(field))
			return fault_set(f, -EINVAL, -1,
					 "column %d has no name", i + 1);
		buf_add(&l->names, field->p, field->len);
		buf_putc(&l->names, '\0');
	}
	if (l->names.failed)
		return no_memory(f);
	l->columns = l->csv.count;
	l->csv.most = l->columns;
	l->headed = true;
	/* A table is not made before there is a row, or the end. */
	return l->making ? insert_check_names(l, f) : insert_columns(l, f);
}

static int take_fields(struct load *l, size_t len, struct fault *f)
{
	int err = 0;

	if (!l->headed)
		return take_header(l, f);
	if (l->csv.count != l->columns) {
		if (csv_is_blank(&l->csv))
			return 0;
		return fault_set(f, -EINVAL, -1, "%d field%s instead of %d",
				 l->csv.count, l->csv.count == 1 ? "" : "s",
				 l->columns);
	}
	if (!l->insert)
		err = insert_columns(l, f);
	if (!err)
		err = insert_begin(l, f);
	return err ? err : insert_fields(l, len, f);
}

/* The names change places with the last ones, which they may be once more. */
static bool same_names(struct load *l)
{
	struct buf names = l->ndjson.names;

	if (l->insert && names.len == l->names.len &&
	    (!names.len || memcmp(names.data, l->names.data, names.len) == 0))
		return true;
	l->ndjson.names = l->names;
	l->names = names;
	l->columns = l->ndjson.count;
	return false;
}

static int take_members(struct load *l, struct fault *f)
{
	int err = 0;

	if (!same_names(l))
		err = insert_columns(l, f);
	if (!err)
		err = insert_begin(l, f);
	return err ? err : insert_members(l, f);
}

static int take_line(struct load *l, const char *p, size_t n, struct fault *f)
{
	int err;

	if (l->json) {
		err = ndjson_read(&l->ndjson, l->conn, p, n, f);
		return err <= 0 ? err : take_members(l, f);
	}
	err = csv_split(&l->csv, p, n, &l->lines.line, f);
	return err ? err : take_fields(l, n, f);
}

/* A fault of the line that was taken last says which that was. */
static int name_line(struct load *l, struct fault *f)
{
	char *message = sqlite3_mprintf(
		"line %llu: %s", (unsigned long long)l->lines.line,
		f->message ? f->message : "out of memory");

	if (message) {
		sqlite3_free(f->message);
		f->message = message;
	}
	return f->err;
}

static int take_lines(struct load *l, struct fault *f)
{
	const char *p;
	size_t n;
	int ret;

	while ((ret = lines_next(&l->lines, &p, &n, f)) > 0) {
		if (conn_poll(l->conn))
			ret = conn_fault(l->conn, SQLITE_INTERRUPT, f);
		else
			ret = take_line(l, p, n, f);
		if (ret)
			break;
	}
	return ret ? name_line(l, f) : 0;
}

/* --- the file ------------------------------------------------------------- */

static int need_conn(struct load *l)
{
	int err = 0;

	if (!l->outcome)
		l->outcome = outcome_new(l->who.uid);
	if (!l->outcome)
		return no_memory(&l->fault);
	if (!l->conn) {
		err = conn_get(l->db, &l->conn);
		if (!err) /* before anything is prepared */
			changes_prepare(l->conn);
	}
	return err ? fault_set(&l->fault, err, -1,
			       "no connection to the database could be had") :
		     0;
}

/* All that belongs to the connection, and that; what it has not committed is undone. */
static void give_back(struct load *l)
{
	sqlite3_finalize(l->insert);
	l->insert = NULL;
	ndjson_free(&l->ndjson);
	import_free(l->import);
	l->import = NULL;
	conn_put(l->conn);
	l->conn = NULL;
	l->begun = false;
	lines_free(&l->lines);
	csv_free(&l->csv);
	buf_free(&l->names);
	buf_free(&l->bytes);
	ksql_free(l->takes);
	l->takes = NULL;
}

/* What comes next is the first byte of a file. */
static void start(struct load *l)
{
	lines_init(&l->lines, !l->json, db_max_sql(l->db));
	l->csv.most = COLUMNS_MAX;
	l->headed = false;
	l->columns = 0;
	l->rows = 0;
	l->ns = 0;
	l->touched = false;
}

static int load_write(struct ksql_file *file, const char *p, size_t n)
{
	struct load *l = (struct load *)file;
	int64_t started = port_monotonic_ns();
	int err;

	if (l->fault.err)
		return -ECANCELED;
	l->touched |= n != 0;
	err = need_conn(l);
	if (!err) {
		lines_put(&l->lines, p, n);
		conn_run_begin(l->conn, db_timeout_ns(l->db));
		err = take_lines(l, &l->fault);
		conn_run_end(l->conn);
	}
	if (err)
		give_back(l);
	l->ns += port_monotonic_ns() - started;
	return err;
}

/* The last line, if no newline ended it, and the end of the transaction. */
static int end_rows(struct load *l)
{
	struct fault *f = &l->fault;
	int err;

	lines_end(&l->lines);
	err = take_lines(l, f);
	if (!err && l->making && !l->insert)
		err = l->headed ? insert_columns(l, f) :
				  fault_set(f, -EINVAL, -1,
					    "no line names a column");
	if (!err && l->making)
		err = import_end(l, f);
	if (!err && l->begun)
		err = load_exec(l, "COMMIT", f);
	return err;
}

static int load_finish(struct ksql_file *file)
{
	struct load *l = (struct load *)file;
	int64_t started = port_monotonic_ns();
	struct report counts = { 0 };
	int err = 0;

	if (!l->touched)
		return 0;
	if (!l->fault.err) {
		err = need_conn(l);
		if (!err) {
			conn_run_begin(l->conn, db_timeout_ns(l->db));
			err = end_rows(l);
			conn_run_end(l->conn);
		}
	}
	if (!l->fault.err) {
		sqlite3 *lite = l->conn->lite;

		counts.changes = (uint64_t)sqlite3_total_changes64(lite);
		if (l->making) /* it may have changed them once more */
			counts.changes = l->rows;
		counts.rows = l->rows;
		counts.rowid = sqlite3_last_insert_rowid(lite);
	}
	counts.ns = l->ns + port_monotonic_ns() - started;
	give_back(l);
	/* What was committed is so, whether there is memory to tell of it or not. */
	outcome_tell(l->db, l->outcome, &l->who, &l->fault, &counts);
	l->outcome = NULL;
	fault_clear(&l->fault);
	start(l);
	return err;
}

static void load_release(struct ksql_file *file, bool abandon)
{
	struct load *l = (struct load *)file;

	if (!abandon)
		load_finish(file);
	if (l->making)
		import_closed(file->node);
	give_back(l);
	outcome_put(l->outcome);
	fault_clear(&l->fault);
	ksql_free(l);
}

static const struct file_ops load_ops = { .write = load_write,
					  .finish = load_finish,
					  .release = load_release };

int load_open(struct ksql_db *db, struct ksql_node *node,
	      const struct ksql_caller *caller, struct ksql_file **out)
{
	struct load *l = ksql_zalloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->base.ops = &load_ops;
	l->db = db;
	l->who = *caller;
	l->table = node->object;
	l->json = node->entry->arg == FORMAT_NDJSON;
	l->making = node->entry->kind == KIND_IMPORT;
	l->fault.offset = -1;
	start(l);
	l->touched = l->making; /* an empty file is an error then */
	*out = &l->base;
	return 0;
}
