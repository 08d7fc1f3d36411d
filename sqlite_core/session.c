// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * session.c - SQL as it arrives.
 */
#include "session.h"

#include "port/cstd.h"
#include "db.h"
#include "log.h"
#include "mem.h"
#include "outcome.h"
#include "param.h"
#include "port/port.h"
#include "session_dir.h"

/* How much of an answer is rendered ahead of its reader. */
#define ANSWER_CHUNK (64u * 1024u)

struct session *session_new(struct ksql_db *db, struct session_dir *dir,
			    const struct ksql_caller *caller, bool batch,
			    enum format format)
{
	struct session *s = ksql_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->db = db;
	s->who = *caller;
	s->batch = batch;
	s->format = format;
	split_reset(&s->split);
	if (batch) {
		s->outcome = outcome_new(caller->uid);
		if (!s->outcome) {
			ksql_free(s);
			return NULL;
		}
	}
	if (dir)
		s->dir = session_dir_get(dir);
	return s;
}

static void forget_text(struct session *s)
{
	buf_empty(&s->text);
	buf_empty(&s->params);
	s->in_params = false;
	s->held = false;
	split_reset(&s->split);
}

/* A directory knows whose answers use its connection. */
static void list(struct session *s)
{
	struct session **at = &s->dir->streams;

	if (s->listed == s->stream.live)
		return;
	s->listed = s->stream.live;
	if (s->listed) {
		s->next = *at;
		*at = s;
		return;
	}
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

void session_drop_answer(struct session *s)
{
	stream_end(&s->stream);
	if (s->dir)
		list(s);
}

void session_free_taken(struct session *s)
{
	session_drop_answer(s);
	session_dir_put(s->dir);
	outcome_put(s->outcome);
	rows_free(&s->rows);
	buf_free(&s->text);
	buf_free(&s->params);
	buf_free(&s->error);
	buf_free(&s->answer);
	ksql_free(s);
}

void session_free(struct session *s)
{
	struct session_dir *dir;

	if (!s)
		return;
	if (!s->dir) {
		stream_end(&s->stream);
		conn_put(s->conn);
		session_free_taken(s);
		return;
	}
	dir = session_dir_get(s->dir);
	if (session_dir_leave_to(dir, s)) {
		session_free_taken(s);
		session_dir_give(dir);
	}
	session_dir_put(dir);
}

/* --- outcomes ------------------------------------------------------------ */

/*
 * What error and status say from now on, and, of a batch, result*.  A program's
 * failure leaves result* showing what it showed.
 */
static struct outcome *last_outcome(struct session *s)
{
	return s->dir ? session_dir_outcome(s->dir) :
			outcome_get(s->db, s->who.uid);
}

static int publish(struct session *s)
{
	struct outcome *o = s->outcome ? s->outcome : outcome_new(s->who.uid);
	struct report r = { .err = s->failed,
			    .sqlite = s->sqlite,
			    .error = &s->error,
			    .changes = s->changes,
			    .ns = s->ns };
	int err;

	s->outcome = NULL;
	if (!o)
		return -ENOMEM;
	if (s->batch) {
		o->err = s->failed;
		o->rows = s->rows;
		memset(&s->rows, 0, sizeof(s->rows));
	} else {
		outcome_keep_result(o, last_outcome(s));
	}
	r.rows = o->rows.count;
	r.rowid = s->conn ? sqlite3_last_insert_rowid(s->conn->lite) : s->rowid;
	err = outcome_describe(o, &r);
	if (err && !o->err)
		o->err = err;
	if (s->dir)
		session_dir_publish(s->dir, o);
	else
		outcome_publish(s->db, o);
	return err;
}

/* --- the last line of an answer (FORMAT_ROWS) ---------------------------- */

static void put_transaction(struct session *s, struct buf *out)
{
	bool open = s->conn && !sqlite3_get_autocommit(s->conn->lite);

	buf_puts(out, "\"in_transaction\":");
	buf_puts(out, open ? "true}\n" : "false}\n");
}

/*
 * An answer that went well ends in this line.  It is there as soon as it can be
 * known, so that who reads it need not enter the engine, and taken away if more
 * of the request comes.  changes() is the last such statement's of the
 * connection: of this request only if the total has moved, and else 0 in any case.
 */
static void put_last_line(struct session *s)
{
	sqlite3 *lite = s->conn ? s->conn->lite : NULL;
	size_t from = s->answer.len;
	bool changed = lite && sqlite3_total_changes64(lite) != s->changed;

	buf_puts(&s->answer, "{\"changes\":");
	render_integer(&s->answer, changed ? sqlite3_changes64(lite) : 0);
	buf_puts(&s->answer, ",\"last_insert_rowid\":");
	render_integer(&s->answer, lite ? sqlite3_last_insert_rowid(lite) : 0);
	buf_putc(&s->answer, ',');
	put_transaction(s, &s->answer);
	s->last_line = s->answer.len - from;
}

static void drop_last_line(struct session *s)
{
	s->answer.len -= s->last_line;
	s->last_line = 0;
}

static void put_failure(struct session *s, const struct fault *f,
			const char *sql, size_t len)
{
	buf_clear(&s->answer);
	buf_putc(&s->answer, '{');
	fault_as_json(f, sql, len, &s->answer);
	buf_putc(&s->answer, ',');
	put_transaction(s, &s->answer);
}

/* The failure as the answer, for who comes to read it. */
static void answer_failure(struct session *s, const struct fault *f,
			   const char *sql, size_t len)
{
	put_failure(s, f, sql, len);
	if (s->answer.failed) /* without the statement it needs less memory */
		put_failure(s, f, NULL, 0);
	if (s->answer.failed)
		buf_clear(&s->answer);
	s->last_line = s->answer.len;
}

/* The next bytes begin a request. */
static void begin_request(struct session *s)
{
	s->asked = false;
	s->changed = s->conn ? sqlite3_total_changes64(s->conn->lite) : 0;
}

static void note(struct session *s, const struct fault *f, const char *sql,
		 size_t len)
{
	log_add(s->db, s->dir ? s->dir->uid : s->who.uid, &s->who, f, sql, len);
}

/* A statement failed: keep what the file "error" shall say. */
static int fail(struct session *s, struct fault *f, const char *sql, size_t len)
{
	int err = f->err;

	figures_outcome(&s->db->figures, err);
	note(s, f, sql, len);
	s->written = true;
	s->failed = err;
	s->sqlite = f->sqlite;
	buf_clear(&s->error);
	fault_describe(f, sql, len, &s->error);
	stream_end(&s->stream);
	if (!s->batch) { /* an error ends a program's request, not its session */
		publish(s); /* no memory for it: the errno is told all the same */
		s->failed = 0;
		s->sqlite = 0;
		buf_clear(&s->answer);
		if (s->format == FORMAT_ROWS)
			answer_failure(s, f, sql, len);
		begin_request(s);
	}
	fault_clear(f);
	forget_text(s);
	rows_free(&s->rows);
	return err;
}

/* What came has run, and went well: end the answer, if it is all there now. */
static int end_answer(struct session *s)
{
	struct fault f = { .offset = -1 };

	if (s->format != FORMAT_ROWS || s->batch || !s->asked ||
	    s->stream.live || session_pending(s))
		return 0;
	put_last_line(s);
	if (!s->answer.failed)
		return 0;
	fault_set(&f, -ENOMEM, -1, "out of memory");
	return fail(s, &f, NULL, 0);
}

/* --- turns in a directory ------------------------------------------------- */

static void lose_turn(struct session *s, int err)
{
	struct fault f = { .offset = -1 };

	fault_set(&f, err, -1,
		  err == -EBUSY ?
			  "another call uses the session" :
		  err == -ECANCELED ?
			  "the session was removed" :
			  "interrupted while another call used the session");
	if (s->batch && !s->failed) {
		fail(s, &f, NULL, 0);
		return;
	}
	figures_outcome(&s->db->figures, err);
	note(s, &f, NULL, 0);
	fault_clear(&f);
	forget_text(s);
	buf_clear(&s->answer);
	s->last_line = 0;
}

int session_enter(struct session *s)
{
	int err = s->dir ? session_dir_take(s->dir) : 0;

	if (err) {
		lose_turn(s, err);
	} else if (s->dir) {
		s->conn = s->dir->conn;
		s->dir->conn = NULL;
	}
	return err;
}

void session_leave(struct session *s)
{
	if (!s->dir)
		return;
	if (s->conn)
		s->rowid = sqlite3_last_insert_rowid(s->conn->lite);
	s->dir->conn = s->conn;
	s->conn = NULL;
	list(s);
	session_dir_give(s->dir);
}

/* --- statements ---------------------------------------------------------- */

static int need_conn(struct session *s, struct fault *f)
{
	int err = s->conn ? 0 : conn_get(s->db, &s->conn);

	if (!err && s->dir)
		s->conn->removed = &s->dir->removed;
	if (!err)
		s->conn->users = true;
	return err ? fault_set(f, err, -1,
			       "no connection to the database could be had") :
		     0;
}

/* Keep a whole statement that has parameters until it is known whether they come. */
static int hold(struct session *s, const char *sql, size_t len, struct fault *f)
{
	char *to;

	if (sql < s->text.data || sql >= s->text.data + s->text.room)
		buf_clear(
			&s->text); /* else it lies there already, perhaps further on */
	to = buf_grow(&s->text, s->text.len ? 0 : len);
	if (!to)
		return fault_set(f, -ENOMEM, -1, "out of memory");
	memmove(s->text.data, sql, len);
	s->text.len = len;
	s->held = true;
	return 0;
}

static int run_in_batch(struct session *s, struct query *q, struct fault *f)
{
	struct rows none = { 0 };
	struct rows *rows = sqlite3_column_count(q->stmt) ? &s->rows : &none;
	sqlite3_int64 before = sqlite3_total_changes64(s->conn->lite);
	int err =
		rows_collect(rows, s->conn, q, db_options(s->db).max_result, f);

	s->ns += s->conn->ran_ns;
	s->changes +=
		(uint64_t)(sqlite3_total_changes64(s->conn->lite) - before);
	rows_free(&none);
	return err;
}

/*
 * The answer is that of the request's last statement that returns columns.  If
 * one streams already, it gives way to the next that has columns; before one
 * that has none (a COMMIT, say) its rest is rendered now, as far as a result
 * may be large.
 */
static int settle_answer(struct session *s, bool columns, struct fault *f)
{
	uint64_t max;
	int err;

	if (columns) {
		stream_end(&s->stream);
		buf_clear(&s->answer);
		return 0;
	}
	if (!s->stream.live)
		return 0;
	max = db_options(s->db).max_result;
	err = stream_fill(&s->stream, &s->answer, max, f);
	if (!err && s->stream.live)
		err = fault_set(
			f, -EOVERFLOW, -1,
			"more than max_result= (%llu bytes) of rows before another statement",
			(unsigned long long)max);
	return err;
}

static int run_in_session(struct session *s, struct query *q, struct fault *f)
{
	bool columns = sqlite3_column_count(q->stmt) != 0;
	struct stream quiet;
	struct buf none = { 0 };
	int err;

	if (s->stream.live) /* the other's time is not its own */
		q->began_ns = 0;
	err = settle_answer(s, columns, f);
	if (err) {
		conn_retire(s->conn, q);
		return err;
	}
	if (columns)
		return stream_begin(&s->stream, s->conn, q, s->format,
				    &s->answer, ANSWER_CHUNK, f);
	err = stream_begin(&quiet, s->conn, q, FORMAT_CSV, &none, SIZE_MAX, f);
	buf_free(&none);
	return err;
}

static int check_text(const char *sql, size_t len, struct fault *f)
{
	size_t valid = utf8_valid(sql, len);

	if (valid == len)
		return 0;
	return fault_set(f, -EINVAL, (int)valid,
			 "byte %llu of the statement is not UTF-8",
			 (unsigned long long)valid + 1);
}

/* Run a prepared statement with its parameters; @q is taken over. */
static int run_query(struct session *s, struct query *q,
		     const struct buf *params, struct fault *f)
{
	int err = param_bind(q->stmt, params->data, params->len, f);

	if (err) {
		conn_retire(s->conn, q);
		return err;
	}
	return s->batch ? run_in_batch(s, q, f) : run_in_session(s, q, f);
}

/*
 * Run a text that the splitter says is one statement (SQLite, which knows
 * better, may find several).  With @at_semicolon a statement with parameters is
 * held instead: they may follow.
 */
static int run_text(struct session *s, const char *sql, size_t len,
		    bool at_semicolon)
{
	static const struct buf none;
	const struct buf *params = s->in_params ? &s->params : &none;
	bool bound = !params->len;
	struct fault f = { .offset = -1 };
	size_t at = 0, used;
	struct query q;
	int err;

	err = check_text(sql, len, &f);
	if (!err)
		err = need_conn(s, &f);
	for (; !err && at < len; at += used) {
		at += split_leading(sql + at, len - at);
		conn_run_begin(s->conn, db_timeout_ns(s->db));
		err = conn_prepare(s->conn, sql + at, len - at, &q, &used, &f);
		if (err || !q.stmt) {
			conn_run_end(s->conn);
			if (s->batch)
				s->ns += s->conn->ran_ns;
			break;
		}
		conn_run_stop(s->conn);
		q.began_ns = s->conn->began_ns;
		s->written = true;
		if (at_semicolon && sqlite3_bind_parameter_count(q.stmt)) {
			conn_retire(s->conn, &q);
			err = hold(s, sql + at, len - at, &f);
			return err ? fail(s, &f, NULL, 0) : 0;
		}
		err = run_query(s, &q, params, &f);
		if (err)
			break;
		bound = true;
	}
	if (!err && !bound)
		err = fault_set(&f, -EINVAL, -1,
				"parameters without a statement");
	if (!err)
		return 0;
	fault_locate(&f, sql + at, len - at);
	return fail(s, &f, sql + at, len - at);
}

static int too_long(struct session *s)
{
	struct fault f = { .offset = -1 };

	fault_set(&f, -EFBIG, -1,
		  "a statement may have max_sql= (%u) bytes at most",
		  db_max_sql(s->db));
	return fail(s, &f, NULL, 0);
}

static int keep(struct session *s, struct buf *b, const char *p, size_t n)
{
	struct fault f = { .offset = -1 };

	if (s->text.len + s->params.len + n > db_max_sql(s->db))
		return too_long(s);
	buf_add(b, p, n);
	if (!b->failed)
		return 0;
	fault_set(&f, -ENOMEM, -1, "out of memory");
	return fail(s, &f, NULL, 0);
}

/* --- bytes --------------------------------------------------------------- */

/* Run what is there: a whole statement, in @s->text or, if that is empty, at @p. */
static int complete(struct session *s, const char *p, size_t n)
{
	int err;

	if (s->text.len) {
		err = keep(s, &s->text, p, n);
		if (!err)
			err = run_text(s, s->text.data, s->text.len, true);
	} else {
		err = n > db_max_sql(s->db) ? too_long(s) :
					      run_text(s, p, n, true);
	}
	if (!err && !s->held)
		buf_clear(&s->text);
	split_reset(&s->split);
	return err;
}

/* Something follows a statement whose parameters never came. */
static int run_held(struct session *s)
{
	int err;

	s->held = false;
	err = run_text(s, s->text.data, s->text.len, false);
	buf_clear(&s->text);
	return err;
}

static int take(struct session *s, const char *p, size_t n, size_t *taken)
{
	enum split_end end;
	int err;

	if (s->in_params) {
		*taken = n;
		return keep(s, &s->params, p, n);
	}
	end = split_scan(&s->split, p, n, taken);
	if (s->held) {
		if (end != SPLIT_COMPLETE && split_may_be_empty(&s->split)) {
			s->in_params = end == SPLIT_NUL;
			*taken += s->in_params;
			return 0;
		}
		err = run_held(s);
		if (err)
			return err;
	}
	if (end == SPLIT_COMPLETE)
		return complete(s, p, *taken);
	err = 0;
	if (s->text.len ||
	    !split_is_blank(&s->split)) /* spaces before it are not kept */
		err = keep(s, &s->text, p, *taken);
	if (end == SPLIT_NUL) {
		s->in_params = true;
		++*taken;
	}
	return err;
}

/*
 * A program asks the same again: all that was written is the text of a statement
 * that is kept, which says that it is one, whole, and UTF-8.
 */
static bool run_again(struct session *s, const char *p, size_t n, int *err)
{
	static const struct buf none;
	struct fault f = { .offset = -1 };
	struct query q;

	if (!s->conn || s->batch || !n || p[n - 1] != ';' ||
	    n > db_max_sql(s->db) || session_pending(s) ||
	    !split_is_blank(&s->split) || !conn_take(s->conn, p, n, &q))
		return false;
	if (sqlite3_bind_parameter_count(q.stmt)) {
		conn_retire(s->conn, &q);
		return false;
	}
	*err = run_query(s, &q, &none, &f);
	if (*err)
		*err = fail(s, &f, p, n);
	return true;
}

/* Bytes come to a batch: 0 if they may run. */
static int batch_goes_on(struct session *s)
{
	if (s->failed)
		return -ECANCELED;
	if (s->outcome)
		return 0;
	s->outcome = outcome_new(s->who.uid); /* it was finished, and goes on */
	if (!s->outcome)
		s->failed = -ENOMEM;
	return s->failed;
}

/* One frame for all that is written: SQLite's stack is below it. */
int session_write(struct session *s, const char *p, size_t n)
{
	size_t i = 0, taken;
	int err = s->batch ? batch_goes_on(s) : 0;

	if (!err && s->batch)
		err = session_enter(s);
	if (err)
		return err;
	drop_last_line(s);
	s->asked |= n != 0;
	if (run_again(s, p, n, &err))
		return err ? err : end_answer(s);
	while (!err && i < n) {
		err = take(s, p + i, n - i, &taken);
		i += taken;
		port_pause(); /* there may be millions of empty ones */
	}
	if (s->batch)
		session_leave(s);
	return err ? err : end_answer(s);
}

/* --- the end of a request ------------------------------------------------ */

static int run_rest(struct session *s)
{
	int err = 0;

	if (session_pending(s)) {
		/* Where it lies must not change while it runs. */
		struct buf text = s->text;

		memset(&s->text, 0, sizeof(s->text));
		err = run_text(s, text.data ? text.data : "", text.len, false);
		buf_free(&text);
	}
	forget_text(s);
	return err;
}

static int left_open(struct session *s)
{
	struct fault f = { .offset = -1 };

	fault_set(
		&f, -EINVAL, -1,
		"a transaction was left open at the batch's end: rolled back");
	return fail(s, &f, NULL, 0);
}

static void forget_batch(struct session *s)
{
	if (!s->dir) {
		conn_put(s->conn);
		s->conn = NULL;
	}
	forget_text(s);
	buf_free(&s->text);
	buf_free(&s->params);
	buf_free(&s->error);
	rows_free(&s->rows);
	s->written = false;
	s->failed = 0;
	s->sqlite = 0;
	s->changes = 0;
	s->ns = 0;
}

int session_finish(struct session *s)
{
	/* Nobody's turn is waited for if nothing is to run. */
	bool turn = session_pending(s) && !s->failed;
	int err = turn ? session_enter(s) : 0;

	turn = turn && !err;
	if (!s->failed) {
		err = run_rest(s);
		if (!err && s->conn && !s->dir &&
		    !sqlite3_get_autocommit(s->conn->lite))
			err = left_open(s);
	}
	if (s->written) { /* something more than spaces and comments */
		int told = publish(s);

		err = err ? err : told;
	}
	forget_batch(s);
	if (turn)
		session_leave(s);
	return err;
}

void session_next_request(struct session *s)
{
	stream_end(&s->stream);
	forget_text(s);
	buf_empty(&s->answer);
	s->last_line = 0;
	begin_request(s);
}

bool session_pending(const struct session *s)
{
	return s->in_params || s->held || s->text.len || s->split.any;
}

int session_answer(struct session *s)
{
	struct fault f = { .offset = -1 };
	int err;

	if (session_pending(s)) {
		err = run_rest(s);
	} else {
		buf_clear(&s->answer);
		err = stream_fill(&s->stream, &s->answer, ANSWER_CHUNK, &f);
		if (err)
			err = fail(s, &f, NULL, 0);
	}
	return err ? err : end_answer(s);
}
