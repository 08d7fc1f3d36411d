// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * open.c - open files, by kind.
 *
 * content	made when opened, whole
 * events	likewise, and anew when it is read from its beginning
 * outcome	what the caller's last batch left, pinned
 * data		a table's rows, rendered as they are read, of one snapshot
 * query	SQL in, its answer out
 * image	the whole database (image.c)
 * insert	rows for a table (load.c)
 * import	rows that make one (load.c, import.c)
 */
#include "open.h"

#include "port/cstd.h"
#include "db.h"
#include "events.h"
#include "image.h"
#include "load.h"
#include "log.h"
#include "mem.h"
#include "node.h"
#include "outcome.h"
#include "session.h"
#include "session_dir.h"
#include "tracked.h"

void file_show(struct ksql_file *f, const struct buf *b, uint64_t pos,
	       bool last)
{
	f->window = b->data;
	f->window_len = b->len;
	f->window_pos = pos;
	f->last = last;
	f->ready = true;
}

/* --- content ------------------------------------------------------------- */

struct content_file {
	struct ksql_file base;
	struct buf text;
};

static void content_release(struct ksql_file *f, bool abandon)
{
	struct content_file *c = (struct content_file *)f;

	(void)abandon;
	buf_free(&c->text);
	ksql_free(c);
}

static const struct file_ops content_ops = { .release = content_release };

static int events_fill(struct ksql_file *f, uint64_t pos)
{
	struct content_file *c = (struct content_file *)f;
	uint64_t version;
	int err;

	(void)pos;
	buf_clear(&c->text);
	err = events_text(f->db, &version, &c->text);
	if (err)
		return err;
	file_show(f, &c->text, 0, true);
	__atomic_store_n(&f->seen, version, __ATOMIC_RELAXED);
	return 0;
}

static const struct file_ops events_ops = { .fill = events_fill,
					    .release = content_release };

/* It is made, if @err is 0, and given to who opens it; else freed. */
static int content_give(struct content_file *c, int err, struct ksql_file **out)
{
	if (err) {
		content_release(&c->base, false);
		return err;
	}
	file_show(&c->base, &c->text, 0, true);
	*out = &c->base;
	return 0;
}

static int events_open(struct ksql_db *db, struct ksql_file **out)
{
	struct content_file *c = ksql_zalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->base.ops = &events_ops;
	c->base.db = db;
	c->base.count = &db->commits;
	return content_give(c, events_fill(&c->base, 0), out);
}

/*
 * Who cannot open what runs a view shall find in "error" why, if there is memory
 * to say it.  @f is cleared.
 */
static int run_failed(struct ksql_db *db, const struct ksql_caller *caller,
		      int err, struct fault *f)
{
	const struct report none = { 0 };

	if (err != -EINTR) {
		f->err = err;
		outcome_tell(db, outcome_new(caller->uid), caller, f, &none);
	}
	fault_clear(f);
	return err;
}

static int content_run(struct ksql_db *db, struct ksql_node *node,
		       const struct ksql_caller *caller, struct buf *out)
{
	struct fault f = { .offset = -1 };
	int err = node->entry->run(db, node, out, &f);

	return err ? run_failed(db, caller, err, &f) : 0;
}

static int content_open(struct ksql_db *db, struct ksql_node *node,
			const struct ksql_caller *caller,
			struct ksql_file **out)
{
	struct content_file *c = ksql_zalloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->base.ops = &content_ops;
	err = node->entry->run ? content_run(db, node, caller, &c->text) :
				 node->entry->content(db, node, &c->text);
	return content_give(c, err, out);
}

static int log_open(struct ksql_db *db, uint32_t uid, struct ksql_file **out)
{
	struct content_file *c = ksql_zalloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->base.ops = &content_ops;
	return content_give(c, log_text(db, uid, &c->text), out);
}

/* --- outcomes ------------------------------------------------------------ */

struct outcome_file {
	struct ksql_file base;
	struct outcome *outcome; /* counted: its texts are the window */
};

/* What a user sees who has run nothing yet. */
static int nothing_yet(const struct entry *entry, const struct buf **text)
{
	static const char status[] =
		"state none\nerrno 0\nsqlite 0\nrows 0\nchanges 0\n"
		"last_insert_rowid 0\nusec 0\ntruncated 0\n";
	static const struct buf empty,
		json = { .data = (char *)"[]\n", .len = 3 },
		ok = { .data = (char *)"ok\n", .len = 3 },
		none = { .data = (char *)status, .len = sizeof(status) - 1 };

	if (entry->kind == KIND_STATUS)
		*text = &none;
	else if (entry->kind == KIND_ERROR)
		*text = &ok;
	else
		*text = entry->kind == KIND_RESULT &&
					entry->arg == FORMAT_JSON ?
				&json :
				&empty;
	return 0;
}

static int no_memory_to_say(const struct entry *entry, const struct buf **text)
{
	static const char error_text[] = "out of memory\nerrno ENOMEM (12)\n",
			  status_text[] =
				  "state error\nerrno ENOMEM\nsqlite 0\nrows 0\n"
				  "changes 0\nlast_insert_rowid 0\nusec 0\n"
				  "truncated 0\n";
	static const struct buf error = { .data = (char *)error_text,
					  .len = sizeof(error_text) - 1 },
				status = { .data = (char *)status_text,
					   .len = sizeof(status_text) - 1 };

	*text = entry->kind == KIND_ERROR ? &error : &status;
	return 0;
}

/*
 * The errno of the batch whose result is asked for.  But for EINTR: every
 * program takes that from open() for "try again", and would do so for ever.
 */
static int outcome_error(const struct outcome *o)
{
	return o->err == -EINTR ? -ECANCELED : o->err;
}

static int outcome_show(struct outcome *o, const struct entry *entry,
			const struct buf **text)
{
	struct outcome *rows;

	if (!o)
		return nothing_yet(entry, text);
	rows = outcome_rows(o);
	switch (entry->kind) {
	case KIND_ERROR:
	case KIND_STATUS:
		if (o->error.failed || o->status.failed)
			return no_memory_to_say(entry, text);
		*text = entry->kind == KIND_ERROR ? &o->error : &o->status;
		return 0;
	case KIND_VALUE:
		return rows->err ? outcome_error(rows) :
				   outcome_value(rows, text);
	default:
		return rows->err ? outcome_error(rows) :
				   outcome_text(rows, entry->arg, text);
	}
}

static void outcome_release(struct ksql_file *f, bool abandon)
{
	struct outcome_file *r = (struct outcome_file *)f;

	(void)abandon;
	outcome_put(r->outcome);
	ksql_free(r);
}

static const struct file_ops outcome_ops = { .release = outcome_release };

/* Whose result the files of a node tell of: a session's, or the user's; counted. */
static struct outcome *outcome_of(struct ksql_db *db,
				  const struct ksql_node *node, uint32_t uid)
{
	return node->session ? session_dir_outcome(node->session) :
			       outcome_get(db, uid);
}

static int outcome_open(struct ksql_db *db, struct ksql_node *node,
			uint32_t uid, struct ksql_file **out)
{
	struct outcome_file *r = ksql_zalloc(sizeof(*r));
	const struct buf *text;
	int err;

	if (!r)
		return -ENOMEM;
	r->base.ops = &outcome_ops;
	r->outcome = outcome_of(db, node, uid);
	err = outcome_show(r->outcome, node->entry, &text);
	if (err) {
		outcome_release(&r->base, false);
		return err;
	}
	file_show(&r->base, text, 0, true);
	*out = &r->base;
	return 0;
}

/* --- a table's rows ------------------------------------------------------ */

/* So much is rendered at a time. */
#define DATA_CHUNK (64u * 1024u)

struct data_file {
	struct ksql_file base;
	struct conn *
		conn; /* owned; holds the snapshot.  NULL: the window is all there is */
	char *sql; /* owned, by sqlite3_free() */
	struct stream stream;
	struct buf text;
};

static void data_release(struct ksql_file *f, bool abandon)
{
	struct data_file *d = (struct data_file *)f;

	(void)abandon;
	stream_end(&d->stream);
	conn_put(d->conn);
	sqlite3_free(d->sql);
	buf_free(&d->text);
	ksql_free(d);
}

/* From the first row. */
static int data_start(struct data_file *d, enum format format, struct fault *f)
{
	struct query q;
	size_t used;
	int err;

	stream_end(&d->stream);
	buf_clear(&d->text);
	err = conn_prepare(d->conn, d->sql, strlen(d->sql), &q, &used, f);
	if (err)
		return err;
	return stream_begin(&d->stream, d->conn, &q, format, &d->text,
			    DATA_CHUNK, f);
}

static int data_fill(struct ksql_file *file, uint64_t pos)
{
	struct data_file *d = (struct data_file *)file;
	struct fault f = { .offset = -1 };
	uint64_t at = file->window_pos;
	int err = 0;

	if (pos < at || !file->ready) { /* the second: after a failed read */
		at = 0;
		err = data_start(d, file->node->entry->arg, &f);
		if (!err)
			file_show(file, &d->text, at, !d->stream.live);
	}
	while (!err && pos >= at + d->text.len && d->stream.live) {
		at += d->text.len;
		buf_clear(&d->text);
		err = stream_fill(&d->stream, &d->text, DATA_CHUNK, &f);
		if (!err)
			file_show(file, &d->text, at, !d->stream.live);
	}
	if (err)
		file->ready = false;
	fault_clear(&f);
	return err;
}

static const struct file_ops data_ops = { .fill = data_fill,
					  .release = data_release };

static int data_open(struct ksql_db *db, struct ksql_node *node,
		     const struct ksql_caller *caller, struct ksql_file **out)
{
	struct data_file *d = ksql_zalloc(sizeof(*d));
	struct fault f = { .offset = -1 };
	int err = -ENOMEM;

	if (!d)
		return -ENOMEM;
	d->base.ops = &data_ops;
	d->sql = sqlite3_mprintf("SELECT * FROM main.\"%w\"", node->object);
	if (d->sql)
		err = conn_get(db, &d->conn);
	if (!err)
		err = conn_exec(
			d->conn,
			"BEGIN"); /* the first row read takes the snapshot */
	if (!err)
		err = data_start(d, node->entry->arg, &f);
	if (err) {
		data_release(&d->base, false);
		if (node->object_kind == OBJECT_VIEW)
			return run_failed(db, caller, err, &f);
		fault_clear(&f);
		return err;
	}
	if (!d->stream.live) {
		conn_put(d->conn);
		d->conn = NULL;
	}
	file_show(&d->base, &d->text, 0, !d->stream.live);
	*out = &d->base;
	return 0;
}

/* --- query --------------------------------------------------------------- */

struct query_file {
	struct ksql_file base;
	struct session *session; /* owned; NULL when opened only to read */
};

static void query_release(struct ksql_file *f, bool abandon)
{
	struct query_file *q = (struct query_file *)f;

	if (q->session && q->session->batch && !abandon)
		session_finish(q->session);
	session_free(q->session);
	ksql_free(q);
}

static int batch_write(struct ksql_file *f, const char *p, size_t n)
{
	return session_write(((struct query_file *)f)->session, p, n);
}

static int batch_finish(struct ksql_file *f)
{
	return session_finish(((struct query_file *)f)->session);
}

static const struct file_ops batch_ops = {
	.write = batch_write,
	.finish = batch_finish,
	.release = query_release,
};

static void show_answer(struct ksql_file *f, uint64_t pos)
{
	struct session *s = ((struct query_file *)f)->session;

	file_show(f, &s->answer, pos, !s->stream.live);
	f->ready = !session_pending(s);
}

static int program_write(struct ksql_file *f, const char *p, size_t n)
{
	struct session *s = ((struct query_file *)f)->session;
	int err = session_enter(s);

	f->cursor = 0;
	f->error = 0;
	if (err) {
		f->reading = true; /* so that the next write begins a request */
		file_show(f, &s->answer, 0, true);
		return err;
	}
	if (f->reading)
		session_next_request(s);
	f->reading = false;
	err = session_write(s, p, n);
	show_answer(f, 0);
	session_leave(s);
	return err;
}

static int program_fill(struct ksql_file *f, uint64_t pos)
{
	struct session *s = ((struct query_file *)f)->session;
	int err = session_enter(s);

	if (err) {
		file_show(f, &s->answer, pos, true);
		return err;
	}
	err = session_answer(s);
	show_answer(f, pos);
	session_leave(s);
	return err;
}

static const struct file_ops program_ops = {
	.write = program_write,
	.fill = program_fill,
	.release = query_release,
};

static const struct file_ops idle_ops = { .release = query_release };

static int query_open(struct ksql_db *db, struct ksql_node *node,
		      const struct ksql_caller *caller, unsigned int flags,
		      struct ksql_file **out)
{
	struct query_file *q = ksql_zalloc(sizeof(*q));
	static const struct buf empty;

	if (!q)
		return -ENOMEM;
	q->base.stream = true;
	/* A reader that asks twice, as busybox's cat does after sendfile(), must
	 * not take a failure for an empty answer; query.rows tells of it in rows.
	 */
	q->base.error_stays = node->entry->arg != FORMAT_ROWS;
	file_show(&q->base, &empty, 0, true);
	q->base.ops = &idle_ops;
	if (flags & KSQL_OPEN_WRITE) {
		bool batch = !(flags & KSQL_OPEN_READ);

		q->base.ops = batch ? &batch_ops : &program_ops;
		q->session = session_new(db, node->session, caller, batch,
					 node->entry->arg);
		if (!q->session) {
			ksql_free(q);
			return -ENOMEM;
		}
	}
	*out = &q->base;
	return 0;
}

/* --- rows written ---------------------------------------------------------- */

/* Read, it is empty, so that who copies a folder meets no error in it. */
static int insert_open(struct ksql_db *db, struct ksql_node *node,
		       const struct ksql_caller *caller, unsigned int flags,
		       struct ksql_file **out)
{
	struct content_file *c;

	if (flags == KSQL_OPEN_WRITE)
		return load_open(db, node, caller, out);
	if (flags != KSQL_OPEN_READ)
		return -EPERM;
	c = ksql_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->base.ops = &content_ops;
	return content_give(c, 0, out);
}

/* --- by kind ------------------------------------------------------------- */

static int open_kind(struct ksql_db *db, struct ksql_node *node,
		     const struct ksql_caller *caller, unsigned int flags,
		     struct ksql_file **file)
{
	switch (node->entry->kind) {
	case KIND_DIR:
	case KIND_OBJECTS:
	case KIND_SESSIONS:
		return -EISDIR;
	case KIND_QUERY:
		return query_open(db, node, caller, flags, file);
	case KIND_CONTENT:
	case KIND_RUN:
		return content_open(db, node, caller, file);
	case KIND_EVENTS:
		return events_open(db, file);
	case KIND_LOG:
		return log_open(db, caller->uid, file);
	case KIND_DATA:
		return data_open(db, node, caller, file);
	case KIND_CHANGES:
		return changes_open(db, node, caller->uid, file);
	case KIND_IMAGE:
		return image_open(db, caller, flags, file);
	case KIND_INSERT:
		return insert_open(db, node, caller, flags, file);
	case KIND_IMPORT:
		return import_open(db, node, caller, flags, file);
	default:
		return outcome_open(db, node, caller->uid, file);
	}
}

int engine_open(struct ksql_db *db, struct ksql_node *node,
		const struct ksql_caller *caller, unsigned int flags,
		struct ksql_file **file)
{
	int err, exists;

	if ((flags & KSQL_OPEN_WRITE) && !node->head.is_written)
		return -EPERM;
	exists = engine_node_exists(db, node);
	if (exists <= 0)
		return exists ? exists : -ENOENT;
	err = open_kind(db, node, caller, flags, file);
	if (err)
		return err;
	(*file)->db = db;
	(*file)->node = node;
	__atomic_fetch_add(&node->head.users, 1, __ATOMIC_RELAXED);
	return 0;
}

static int outcome_bytes(struct outcome *o, const struct entry *entry,
			 uint64_t *size)
{
	const struct buf *text;
	int err;

	if (o && entry->kind == KIND_RESULT && !outcome_rows(o)->err)
		return outcome_size(outcome_rows(o), entry->arg, size);
	err = outcome_show(o, entry, &text);
	*size = err ? 0 : text->len; /* what cannot be opened is empty */
	return 0;
}

int open_size(struct ksql_db *db, struct ksql_node *node, uint32_t uid,
	      uint64_t *size)
{
	struct buf made = { 0 };
	struct outcome *o;
	uint64_t version;
	int err;

	switch (node->entry->kind) {
	case KIND_IMAGE:
		return image_size(db, size);
	case KIND_CONTENT:
		err = node->entry->content(db, node, &made);
		*size = err ? 0 : made.len;
		buf_free(&made);
		return err;
	case KIND_EVENTS:
		err = events_text(db, &version, &made);
		*size = err ? 0 : made.len;
		buf_free(&made);
		return err;
	case KIND_LOG:
		err = log_text(db, uid, &made);
		*size = err ? 0 : made.len;
		buf_free(&made);
		return err;
	case KIND_RESULT:
	case KIND_VALUE:
	case KIND_ERROR:
	case KIND_STATUS:
		o = outcome_of(db, node, uid);
		err = outcome_bytes(o, node->entry, size);
		outcome_put(o);
		return err;
	default:
		*size = 0;
		return 0;
	}
}
