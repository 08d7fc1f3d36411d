// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * metrics.c - views, and the engine's own figures, for Prometheus: its text
 * exposition format, version 0.0.4.
 */
#include "metrics.h"

#include "port/cstd.h"
#include "db.h"
#include "exec.h"
#include "mem.h"
#include "memvfs.h"
#include "node.h"
#include "session_dir.h"

/* --- names and texts ----------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [a-zA-Z_:][a-zA-Z0-9_:]*, but for what the engine's own figures are called. */
static bool is_metric_name(const char *name)
{
	size_t i;

	if (strncmp(name, "ksqlfs", 6) == 0 && (!name[6] || name[6] == '_'))
		return false;
	for (i = 0; name[i]; i++)
		if (!is_letter(name[i]) && name[i] != ':' &&
		    !(i && is_digit(name[i])))
			return false;
	return i > 0;
}

/* A column's name as a label's: [a-zA-Z_][a-zA-Z0-9_]*. */
static char *label_name(const char *column)
{
	bool first = !is_letter(column[0]);
	char *name = sqlite3_mprintf("%s%s", first ? "_" : "", column);
	size_t i;

	for (i = 0; name && name[i]; i++)
		if (!is_letter(name[i]) && !is_digit(name[i]))
			name[i] = '_';
	return name;
}

/* With \ and line feed escaped, and @quote too if there is one. */
static void put_escaped(struct buf *out, const char *p, size_t n, bool quoted)
{
	size_t from = 0, i;

	for (i = 0; i < n; i++) {
		if (p[i] != '\\' && p[i] != '\n' && !(quoted && p[i] == '"'))
			continue;
		buf_add(out, p + from, i - from);
		buf_putc(out, '\\');
		buf_putc(out, p[i] == '\n' ? 'n' : p[i]);
		from = i + 1;
	}
	buf_add(out, p + from, n - from);
}

static void put_value_escaped(struct buf *out, const struct value *v,
			      bool quoted)
{
	struct buf bare = { 0 };

	render_bare(&bare, v);
	put_escaped(out, bare.data, bare.len, quoted);
	out->failed |= bare.failed;
	buf_free(&bare);
}

static void put_head(struct buf *out, const char *name, const char *help,
		     const char *type)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* --- views --------------------------------------------------------------- */

/* What a column is to a sample. */
enum role {
	LABEL,
	VALUE,
	HELP,
	TYPE,
	TIMESTAMP
};

static enum role role_of(const char *column)
{
	static const char *const names[] = { [VALUE] = "value",
					     [HELP] = "help",
					     [TYPE] = "type",
					     [TIMESTAMP] = "timestamp" };
	int role;

	for (role = VALUE; role <= TIMESTAMP; role++)
		if (sqlite3_stricmp(column, names[role]) == 0)
			return role;
	return LABEL;
}

static char *select_all(const char *view)
{
	return sqlite3_mprintf("SELECT * FROM main.\"%w\"", view);
}

int metric_is(struct conn *c, const char *view)
{
	struct fault f = { .offset = -1 };
	char *sql = is_metric_name(view) ? select_all(view) : NULL;
	struct query q = { 0 };
	size_t used;
	int i, n, err;

	if (!is_metric_name(view))
		return 0;
	if (!sql)
		return -ENOMEM;
	conn_run_begin(c, db_timeout_ns(c->db));
	err = conn_prepare(c, sql, strlen(sql), &q, &used, &f);
	conn_run_end(c);
	n = err ? 0 : sqlite3_column_count(q.stmt);
	for (i = 0; i < n; i++)
		if (role_of(sqlite3_column_name(q.stmt, i)) == VALUE)
			break;
	conn_discard(&q);
	fault_clear(&f);
	sqlite3_free(sql);
	if (err == -ENOMEM || err == -ENOSPC || err == -EINTR)
		return err;
	return i < n;
}

struct metric {
	const char *name;
	int columns;
	enum role *role; /* owned: of each column */
	char **label; /* owned, with what it points to: each column's */
	struct buf help, samples;
	char type[16];
	uint64_t row; /* number of the one that is looked at, from 1 */
	struct fault *fault; /* says what is wrong */
};

static void metric_free(struct metric *m)
{
	int i;

	for (i = 0; m->label && i < m->columns; i++)
		sqlite3_free(m->label[i]);
	ksql_free(m->label);
	ksql_free(m->role);
	buf_free(&m->help);
	buf_free(&m->samples);
}

static int check_label(const struct metric *m, int i)
{
	int k;

	if (strncmp(m->label[i], "__", 2) == 0)
		return fault_set(m->fault, -EINVAL, -1,
				 "view %s: a label must not begin with __: %s",
				 m->name, m->label[i]);
	for (k = 0; k < i; k++)
		if (m->role[k] == LABEL &&
		    strcmp(m->label[k], m->label[i]) == 0)
			return fault_set(
				m->fault, -EINVAL, -1,
				"view %s: two columns are the label %s",
				m->name, m->label[i]);
	return 0;
}

/* What the columns are, known once the first step is made. */
static int metric_columns(struct metric *m, sqlite3_stmt *stmt)
{
	size_t n = (size_t)sqlite3_column_count(stmt);
	int i, err = 0;

	m->role = ksql_zalloc(n * sizeof(*m->role));
	m->label = ksql_zalloc(n * sizeof(*m->label));
	if (!m->role || !m->label)
		return -ENOMEM;
	m->columns = (int)n;
	for (i = 0; i < m->columns && !err; i++) {
		const char *column = sqlite3_column_name(stmt, i);

		m->label[i] = column ? label_name(column) : NULL;
		if (!m->label[i])
			return -ENOMEM;
		m->role[i] = role_of(column);
		if (m->role[i] == LABEL)
			err = check_label(m, i);
	}
	return err;
}

static bool is_number(const struct value *v)
{
	return v->type == SQLITE_INTEGER || v->type == SQLITE_FLOAT;
}

static void put_number(struct buf *out, const struct value *v)
{
	if (v->type == SQLITE_FLOAT && v->real > DBL_MAX)
		buf_puts(out, "+Inf"); /* not every reader takes Inf */
	else
		render_bare(out, v);
}

static int bad_row(const struct metric *m, const char *why)
{
	return fault_set(m->fault, -EINVAL, -1, "view %s, row %llu: %s",
			 m->name, (unsigned long long)m->row, why);
}

/* HELP and TYPE stand once: the first that is not NULL counts. */
static int metric_about(struct metric *m, const struct value *values)
{
	static const char *const types[] = { "counter", "gauge", "untyped" };
	int i;
	size_t k;

	for (i = 0; i < m->columns; i++) {
		const struct value *v = &values[i];

		if (v->type == SQLITE_NULL)
			continue;
		if (m->role[i] == HELP && !m->help.len)
			put_value_escaped(&m->help, v, false);
		if (m->role[i] != TYPE || m->type[0])
			continue;
		for (k = 0; v->type == SQLITE_TEXT && k < 3; k++)
			if (strlen(types[k]) == v->bytes.len &&
			    memcmp(types[k], v->bytes.data, v->bytes.len) == 0)
				sqlite3_snprintf(sizeof(m->type), m->type, "%s",
						 types[k]);
		if (!m->type[0]) /* the others need more than one sample */
			return bad_row(
				m, "type is none of counter, gauge, untyped");
	}
	return 0;
}

static void put_labels(struct metric *m, const struct value *values)
{
	char before = '{';
	int i;

	for (i = 0; i < m->columns; i++) {
		/* No label is the same as an empty one. */
		if (m->role[i] != LABEL || values[i].type == SQLITE_NULL)
			continue;
		buf_putc(&m->samples, before);
		buf_puts(&m->samples, m->label[i]);
		buf_puts(&m->samples, "=\"");
		put_value_escaped(&m->samples, &values[i], true);
		buf_putc(&m->samples, '"');
		before = ',';
	}
	if (before == ',')
		buf_putc(&m->samples, '}');
}

static const struct value *find_role(const struct metric *m, enum role role,
				     const struct value *values)
{
	int i;

	for (i = 0; i < m->columns; i++)
		if (m->role[i] == role && values[i].type != SQLITE_NULL)
			return &values[i];
	return NULL;
}

static int metric_row(struct metric *m, const struct value *values)
{
	const struct value *value = find_role(m, VALUE, values);
	const struct value *time = find_role(m, TIMESTAMP, values);
	int err;

	m->row++;
	err = metric_about(m, values);
	if (err || !value) /* NULL: there is no sample */
		return err;
	if (!is_number(value))
		return bad_row(m, value->type == SQLITE_TEXT ?
					  "value is text, not a number" :
					  "value is a blob, not a number");
	if (time && time->type != SQLITE_INTEGER)
		return bad_row(m, "timestamp is not an integer");
	buf_puts(&m->samples, m->name);
	put_labels(m, values);
	buf_putc(&m->samples, ' ');
	put_number(&m->samples, value);
	if (time) {
		buf_putc(&m->samples, ' ');
		put_number(&m->samples, time);
	}
	buf_putc(&m->samples, '\n');
	return 0;
}

static int metric_run(struct metric *m, struct conn *c, struct query *q,
		      uint64_t max)
{
	struct run r;
	int step, err;

	run_begin(&r, c, q);
	run_resume(&r);
	step = run_step(&r, m->fault);
	err = step < 0 ? step : metric_columns(m, r.query.stmt);
	while (!err && step > 0) {
		err = metric_row(m, r.query.shape->values);
		if (!err && m->samples.len > max)
			err = fault_set(
				m->fault, -EOVERFLOW, -1,
				"view %s: more than max_result= (%llu bytes)",
				m->name, (unsigned long long)max);
		if (!err && (m->samples.failed || m->help.failed))
			err = -ENOMEM;
		step = err ? 0 : run_step(&r, m->fault);
	}
	run_pause(&r);
	run_end(&r);
	return err ? err : step;
}

int metrics_view(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out, struct fault *f)
{
	struct metric m = { .name = node->object, .fault = f };
	char *sql = select_all(node->object);
	struct conn *c = NULL;
	struct query q;
	size_t used;
	int err = sql ? conn_get(db, &c) : -ENOMEM;

	if (!err)
		err = conn_prepare(c, sql, strlen(sql), &q, &used, f);
	if (!err)
		err = metric_run(&m, c, &q, db_options(db).max_result);
	if (!err && !m.help.len)
		buf_printf(&m.help, "The view %s.", m.name);
	if (!err) {
		buf_putc(&m.help, '\0');
		put_head(out, m.name, m.help.data,
			 m.type[0] ? m.type : "untyped");
		buf_add(out, m.samples.data, m.samples.len);
		err = out->failed || m.help.failed ? -ENOMEM : 0;
	}
	metric_free(&m);
	conn_put(c);
	sqlite3_free(sql);
	return err;
}

/* --- the engine's own ---------------------------------------------------- */

static void put_figure(struct buf *out, const char *name, const char *type,
		       const char *help, uint64_t n)
{
	put_head(out, name, help, type);
	buf_printf(out, "%s %llu\n", name, (unsigned long long)n);
}

static void put_info(struct buf *out)
{
	put_head(out, "ksqlfs_info", "What runs; the value is always 1.",
		 "gauge");
	buf_printf(
		out,
		"ksqlfs_info{version=\"%s\",sqlite_version=\"%s\",host=\"%s\"} 1\n",
		KSQL_VERSION, sqlite3_libversion(), engine_host());
}

/* All of them from the beginning, so that the first failure is an increase. */
static void put_outcomes(struct buf *out, const struct figures_part *f)
{
	static const char name[] = "ksqlfs_statements_total";
	unsigned int i;

	put_head(out, name,
		 "Statements of users by how they ended: ok, or the errno.",
		 "counter");
	for (i = 0; i < ERRNOS; i++)
		buf_printf(out, "%s{outcome=\"%s\"} %llu\n", name,
			   i ? errno_at(i) : "ok",
			   (unsigned long long)f->outcomes[i]);
}

static void put_durations(struct buf *out, const struct figures_part *f)
{
	static const char name[] = "ksqlfs_statement_duration_seconds";
	uint64_t ns = f->took_ns, sum = 0;
	unsigned int i;

	put_head(
		out, name,
		"Time that users' statements took, with waiting for locks, without waiting for who reads the answer.",
		"histogram");
	for (i = 0; i < FIGURES_BUCKETS; i++) {
		sum += f->took[i];
		buf_printf(out, "%s_bucket{le=\"%s\"} %llu\n", name,
			   figures_bounds[i].seconds, (unsigned long long)sum);
	}
	buf_printf(out, "%s_sum %llu.%09llu\n%s_count %llu\n", name,
		   (unsigned long long)(ns / 1000000000u),
		   (unsigned long long)(ns % 1000000000u), name,
		   (unsigned long long)sum);
}

static void put_statements(struct buf *out, const struct figures_part *f)
{
	put_outcomes(out, f);
	put_durations(out, f);
	put_figure(out, "ksqlfs_rows_total", "counter",
		   "Rows that users' statements gave.", f->rows);
	put_figure(out, "ksqlfs_statements_prepared_total", "counter",
		   "Statements of users that were compiled, none being kept.",
		   f->prepared);
	put_figure(out, "ksqlfs_page_cache_hits_total", "counter",
		   "Pages that closed connections had in their caches.",
		   f->cache_hits);
	put_figure(out, "ksqlfs_page_cache_misses_total", "counter",
		   "Pages that they had not.", f->cache_misses);
}

static void put_checkpoints(struct buf *out, const struct figures_part *f)
{
	static const char name[] = "ksqlfs_checkpoints_total";
	static const char *const outcomes[CHECKPOINTS] = { "done", "partial",
							   "failed" };
	unsigned int i;

	put_head(
		out, name,
		"Tries to empty the log: all done, in part as readers need it, or not at all.",
		"counter");
	for (i = 0; i < CHECKPOINTS; i++)
		buf_printf(out, "%s{outcome=\"%s\"} %llu\n", name, outcomes[i],
			   (unsigned long long)f->checkpoints[i]);
	put_figure(out, "ksqlfs_checkpoint_waits_total", "counter",
		   "Of them waited for readers, as the log was long.",
		   f->checkpoint_waits);
	put_figure(out, "ksqlfs_checkpoint_waits_in_vain_total", "counter",
		   "Of these gave up, and the log grows on.",
		   f->checkpoint_waits_in_vain);
}

static void put_seconds(struct buf *out, const char *name, uint64_t ns)
{
	buf_printf(out, "%s %llu.%09llu\n", name,
		   (unsigned long long)(ns / 1000000000u),
		   (unsigned long long)(ns % 1000000000u));
}

static void put_waiting(struct buf *out, struct ksql_db *db)
{
	static const char held[] = "ksqlfs_write_lock_held_seconds";
	struct store_waiting w;

	store_waiting(db->store, &w);
	put_figure(out, "ksqlfs_write_lock_waiters", "gauge",
		   "Writers that wait for their turn.", w.waiters);
	put_figure(out, "ksqlfs_write_lock_waits_total", "counter",
		   "Writers that had to wait for it.", w.waits);
	put_head(out, held,
		 "How long the writer of now has been at it; 0: nobody is.",
		 "gauge");
	put_seconds(out, held, w.held_ns);
}

static void put_database(struct buf *out, struct ksql_db *db,
			 const struct figures_part *f)
{
	uint64_t pages, wal;

	store_pages(db->store, &pages, &wal);
	put_figure(out, "ksqlfs_commits_total", "counter",
		   "Transactions that changed the database.",
		   __atomic_load_n(&db->commits, __ATOMIC_RELAXED));
	put_figure(out, "ksqlfs_database_pages", "gauge",
		   "Pages of the database, without its log.", pages);
	put_figure(out, "ksqlfs_database_bytes", "gauge",
		   "Memory that they take.", pages * KSQL_PAGE_SIZE);
	put_figure(out, "ksqlfs_database_limit_bytes", "gauge",
		   "What the database may grow to: size=.",
		   db_options(db).size);
	put_figure(out, "ksqlfs_wal_bytes", "gauge",
		   "Memory of the database's log.", wal * KSQL_PAGE_SIZE);
	put_figure(out, "ksqlfs_wal_limit_bytes", "gauge",
		   "What it may grow to; then writers fail.",
		   store_wal_limit(db->store));
	put_checkpoints(out, f);
	put_waiting(out, db);
}

static void count_session(void *arg, const struct session_dir *d)
{
	(void)d;
	++*(uint64_t *)arg;
}

static void put_sessions(struct buf *out, struct ksql_db *db)
{
	uint64_t n = 0;

	session_dir_each(db, 0, count_session, &n);
	put_figure(out, "ksqlfs_sessions", "gauge", "Directories in sessions/.",
		   n);
}

static void put_memory(struct buf *out)
{
	struct mem_stats mem;

	mem_stats(&mem);
	put_figure(out, "ksqlfs_memory_held_bytes", "gauge",
		   "Memory of the engine, of all databases together.",
		   mem.held);
	put_figure(out, "ksqlfs_memory_peak_bytes", "gauge",
		   "The most that it was so far.", mem.peak);
	put_figure(out, "ksqlfs_memory_limit_bytes", "gauge", "What it may be.",
		   mem.limit);
	put_figure(out, "ksqlfs_memory_denied_total", "counter",
		   "Allocations that this limit has refused.", mem.denied);
}

/* In a kernel alone somebody waits for it; elsewhere it is measured if asked for. */
static void put_longest(struct buf *out)
{
	static const char name[] = "ksqlfs_longest_section_seconds";
	struct port_latency latency;
	uint64_t ns;

	port_latency(&latency);
	ns = latency.longest_ns;
	if (!ns)
		return;
	put_head(
		out, name,
		"Longest time so far that the engine kept a processor without a chance for others.",
		"gauge");
	put_seconds(out, name, ns);
}

int metrics_engine(struct ksql_db *db, const struct ksql_node *node,
		   struct buf *out, struct fault *f)
{
	struct figures_part sum;

	(void)node;
	(void)f;
	put_info(out);
	figures_sum(&db->figures, &sum);
	put_statements(out, &sum);
	put_database(out, db, &sum);
	put_sessions(out, db);
	put_memory(out);
	put_longest(out);
	return out->failed ? -ENOMEM : 0;
}
