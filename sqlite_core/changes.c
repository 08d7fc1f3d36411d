// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * changes.c - which tables a connection's transaction changes, and which rows.
 */
#include "sqlite/config.h"
#include "changes.h"

#include "port/cstd.h"
#include "conn.h"
#include "db.h"
#include "mem.h"
#include "tracked.h"

/* Beyond, a transaction's tables are not told apart. */
#define TABLES_MAX 4096u
/* A table's reader could not be told of more at once. */
#define ROWS_MAX (4u * TRACKED_RING)

struct row_change {
	struct tracked *table; /* has readers, or had some */
	int64_t rowid; /* once pushed: its place among the table's changes */
	enum change_op op;
};

/* Rows beyond ROWS_MAX. */
struct excess {
	struct tracked *table;
	int64_t count;
};

struct savepoint {
	size_t rows; /* recorded when it was made */
	char *name; /* owned */
};

static bool is_savepoint(char how)
{
	return how == TOUCH_SAVEPOINT || how == TOUCH_RELEASE ||
	       how == TOUCH_ROLLBACK;
}

/* --- what a statement may do --------------------------------------------- */

/* @one, with the NUL at its end, unless it is there. */
static void add_once(struct buf *to, const char *one)
{
	const char *p = to->data, *end = p + to->len;

	for (; p < end; p += strlen(p) + 1)
		if (strcmp(p, one) == 0)
			return;
	buf_add(to, one, strlen(one) + 1);
}

void changes_target(struct conn *c, enum touch how, const char *name)
{
	struct buf one = { 0 };

	if (!is_savepoint((char)how) && name &&
	    sqlite3_strnicmp(name, "sqlite_", 7) == 0)
		how = TOUCH_NOTHING;
	buf_putc(&one, (char)how);
	if (name && how != TOUCH_NOTHING && how != TOUCH_ALL)
		buf_puts(&one, name);
	buf_putc(&one, '\0');
	if (one.failed)
		c->changes.targets.failed = true;
	else
		add_once(&c->changes.targets, one.data);
	buf_free(&one);
}

/* A list of them, ended by an empty one, joins those of the transaction. */
static void add_tables(struct conn *c, const char *list)
{
	struct buf *to = &c->changes.tables;

	for (; *list; list += strlen(list) + 1)
		if (!is_savepoint(*list))
			add_once(to, list);
	if (to->len > TABLES_MAX)
		to->failed = true;
}

static void forget_list(struct buf *b)
{
	b->failed = false;
	buf_empty(b);
}

/* What SQLite prepared by itself while something ran: VACUUM's, FTS5's own. */
static void add_inner(struct conn *c)
{
	struct buf *targets = &c->changes.targets;

	if (targets->len) {
		buf_putc(targets, '\0');
		if (!targets->failed)
			add_tables(c, targets->data);
	}
	if (targets->failed)
		c->changes.tables.failed = true;
	forget_list(targets);
}

int changes_prepared(struct conn *c, struct query *q)
{
	struct buf *targets = &c->changes.targets;
	int err = targets->failed ? -ENOMEM : 0;

	if (targets->len && !err && q->stmt) {
		q->targets = ksql_alloc(targets->len + 1);
		if (q->targets) {
			memcpy(q->targets, targets->data, targets->len);
			q->targets[targets->len] = '\0';
		} else {
			err = -ENOMEM;
		}
	}
	forget_list(targets);
	return err;
}

/* --- rows ---------------------------------------------------------------- */

static void begin_recording(struct conn *c)
{
	if (!c->changes.recording)
		__atomic_add_fetch(&c->db->recording, 1, __ATOMIC_SEQ_CST);
	c->changes.recording = true;
}

static void forget_rows(struct conn *c)
{
	if (c->changes.recording)
		__atomic_sub_fetch(&c->db->recording, 1, __ATOMIC_SEQ_CST);
	c->changes.recording = false;
	forget_list(&c->changes.rows);
	forget_list(&c->changes.excess);
}

static void cut_rows(struct conn *c, size_t len)
{
	if (len)
		c->changes.rows.len = len;
	else
		forget_rows(c);
}

static void count_excess(struct conn *c, struct tracked *t)
{
	struct buf *b = &c->changes.excess;
	struct excess *e = (struct excess *)b->data;
	struct excess one = { .table = t, .count = 1 };
	size_t i;

	for (i = 0; i < b->len / sizeof(*e); i++) {
		if (e[i].table == t) {
			e[i].count++;
			return;
		}
	}
	buf_add(b, &one, sizeof(one));
}

static void record(struct conn *c, struct tracked *t, enum change_op op,
		   int64_t rowid)
{
	struct row_change one = { .table = t, .op = op, .rowid = rowid };
	struct buf *rows = &c->changes.rows;

	if (!rows->failed && rows->len < ROWS_MAX * sizeof(one))
		buf_add(rows, &one, sizeof(one));
	else
		count_excess(c, t);
}

static void row_changed(void *arg, sqlite3 *lite, int op, const char *schema,
			const char *table, sqlite3_int64 old, sqlite3_int64 new)
{
	struct conn *c = arg;
	struct tracked *t;

	(void)lite;
	if (strcmp(schema, "main") != 0)
		return;
	begin_recording(c); /* first: it keeps what is found */
	t = tracked_read(c->db, table);
	if (!t)
		return;
	if (op == SQLITE_INSERT) {
		record(c, t, CHANGE_INSERT, new);
	} else if (op == SQLITE_DELETE) {
		record(c, t, CHANGE_DELETE, old);
	} else if (old == new) {
		record(c, t, CHANGE_UPDATE, new);
	} else {
		record(c, t, CHANGE_DELETE, old);
		record(c, t, CHANGE_INSERT, new);
	}
}

/*
 * The write lock is held: what is pushed now stands in the order of commits.
 * The commit may fail yet, so that nobody may see it.
 */
static int before_commit(void *arg)
{
	struct conn_changes *ch = &((struct conn *)arg)->changes;
	struct row_change *r = (struct row_change *)ch->rows.data;
	struct excess *e = (struct excess *)ch->excess.data;
	struct ksql_db *db = ((struct conn *)arg)->db;
	size_t i;

	if (ch->pushed)
		return 0;
	for (i = 0; i < ch->rows.len / sizeof(*r); i++)
		r[i].rowid = (int64_t)tracked_push(db, r[i].table, r[i].op,
						   r[i].rowid);
	for (i = 0; i < ch->excess.len / sizeof(*e); i++)
		e[i].count = (int64_t)tracked_push(db, e[i].table, CHANGE_LOST,
						   e[i].count);
	ch->pushed = true;
	return 0;
}

/* What was pushed is to be seen, or never. */
static void show_rows(struct conn *c, uint64_t version, bool never)
{
	struct conn_changes *ch = &c->changes;
	struct row_change *r = (struct row_change *)ch->rows.data;
	struct excess *e = (struct excess *)ch->excess.data;
	size_t i;

	if (!ch->pushed)
		return;
	for (i = 0; i < ch->rows.len / sizeof(*r); i++)
		tracked_show(c->db, r[i].table, (uint64_t)r[i].rowid, version,
			     never);
	for (i = 0; i < ch->excess.len / sizeof(*e); i++)
		tracked_show(c->db, e[i].table, (uint64_t)e[i].count, version,
			     never);
	ch->pushed = false;
}

/* --- savepoints ---------------------------------------------------------- */

static struct savepoint *find_savepoint(struct conn *c, const char *name)
{
	struct buf *b = &c->changes.savepoints;
	size_t i = b->len / sizeof(struct savepoint);

	while (i-- > 0) {
		struct savepoint *s = (struct savepoint *)b->data + i;

		if (sqlite3_stricmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static void drop_savepoints(struct conn *c, size_t from)
{
	struct buf *b = &c->changes.savepoints;

	while (b->len > from) {
		b->len -= sizeof(struct savepoint);
		ksql_free(((struct savepoint *)(b->data + b->len))->name);
	}
	if (!from)
		forget_list(b);
}

static void add_savepoint(struct conn *c, const char *name)
{
	struct savepoint s = { .rows = c->changes.rows.len,
			       .name = ksql_strndup(name, strlen(name)) };

	if (s.name)
		buf_add(&c->changes.savepoints, &s, sizeof(s));
	if (!s.name || c->changes.savepoints.failed) {
		ksql_free(s.name);
		c->changes.rows.failed = true; /* not what was changed */
	}
}

/* A statement about one went well. */
static void follow_savepoint(struct conn *c, char how, const char *name)
{
	struct savepoint *s;
	size_t at;

	if (how == TOUCH_SAVEPOINT) {
		add_savepoint(c, name);
		return;
	}
	s = find_savepoint(c, name);
	if (!s)
		return;
	at = (size_t)((char *)s - c->changes.savepoints.data);
	if (how == TOUCH_RELEASE) {
		drop_savepoints(c, at);
		return;
	}
	if (s->rows < c->changes.rows.len)
		cut_rows(c, s->rows);
	drop_savepoints(c, at + sizeof(*s));
}

/* --- transactions -------------------------------------------------------- */

static void forget_changes(struct conn *c)
{
	show_rows(c, 0, true);
	forget_rows(c);
	forget_list(&c->changes.tables);
}

/* As a whole; what ROLLBACK TO undoes SQLite does not tell. */
static void rolled_back(void *arg)
{
	forget_changes(arg);
	drop_savepoints(arg, 0);
}

void changes_begin(struct conn *c)
{
	sqlite3_rollback_hook(c->lite, rolled_back, c);
}

/*
 * Whether SQLite tells of rows must be settled before a statement is prepared:
 * its program depends on it.
 */
void changes_prepare(struct conn *c)
{
	bool wanted = __atomic_load_n(&c->db->watching, __ATOMIC_SEQ_CST) != 0;

	add_inner(c);
	if (c->changes.hooked == wanted ||
	    sqlite3_txn_state(c->lite, "main") != SQLITE_TXN_NONE)
		return;
	conn_forget_kept(c);
	sqlite3_preupdate_hook(c->lite, wanted ? row_changed : NULL, c);
	sqlite3_commit_hook(c->lite, wanted ? before_commit : NULL, c);
	c->changes.hooked = wanted;
}

void changes_run(struct conn *c, const char *targets, struct run_changes *r)
{
	struct conn_changes *ch = &c->changes;

	r->failed = false;
	if (ch->savepoints.len && sqlite3_get_autocommit(c->lite))
		drop_savepoints(c, 0); /* of one that had nothing to commit */
	if (!targets)
		return;
	if (sqlite3_txn_state(c->lite, "main") == SQLITE_TXN_NONE)
		forget_changes(c); /* the last one had nothing to commit */
	r->rows = ch->rows.len;
	r->total = sqlite3_total_changes64(c->lite);
	r->tables_from = ch->tables.len;
	add_tables(c, targets);
	r->tables_to = ch->tables.len;
}

void changes_ran(struct conn *c, const char *targets,
		 const struct run_changes *r)
{
	struct conn_changes *ch = &c->changes;
	bool open = !sqlite3_get_autocommit(c->lite);

	if (!targets)
		return;
	if (is_savepoint(*targets)) {
		if (!r->failed)
			follow_savepoint(c, *targets, targets + 1);
		return;
	}
	/* What it did is undone, but for what ON CONFLICT FAIL leaves. */
	if (r->failed && open && !sqlite3_changes64(c->lite) &&
	    ch->rows.len > r->rows) {
		cut_rows(c, r->rows);
		/* FAIL also leaves what triggers did, which that does not count. */
		if (sqlite3_total_changes64(c->lite) != r->total)
			ch->rows.failed = true;
	}
	if (open && *targets == TOUCH_ROWS &&
	    sqlite3_total_changes64(c->lite) == r->total &&
	    ch->tables.len == r->tables_to)
		ch->tables.len = r->tables_from;
}

/* A table of the transaction: do its readers know what became of it? */
static void publish(struct conn *c, char how, const char *name,
		    uint64_t version)
{
	switch (how) {
	case TOUCH_ROWS:
		tracked_touch(c->db, name, version,
			      c->changes.hooked ? RESET_IF_OPAQUE : RESET);
		break;
	case TOUCH_SCHEMA:
		tracked_touch(c->db, name, version, RESET_NOT);
		break;
	case TOUCH_WHOLE:
		tracked_touch(c->db, name, version, RESET);
		break;
	case TOUCH_ALL:
		tracked_touch_all(c->db, version, true);
		break;
	}
}

void changes_committed(struct conn *c, uint64_t version)
{
	struct conn_changes *ch = &c->changes;
	const char *p, *end;

	add_inner(c);
	if (ch->tables.failed || !ch->tables.len)
		tracked_touch_all(c->db, version,
				  !ch->tables.len || !ch->hooked);
	p = ch->tables.data;
	for (end = p + ch->tables.len; p < end; p += strlen(p) + 1)
		publish(c, *p, p + 1, version);
	if (ch->rows.failed || ch->excess.failed)
		tracked_touch_all(c->db, version, true);
	show_rows(c, version, false);
	forget_changes(c);
	drop_savepoints(c, 0);
}

void changes_free(struct conn *c)
{
	rolled_back(c);
	buf_free(&c->changes.targets);
	buf_free(&c->changes.tables);
	buf_free(&c->changes.rows);
	buf_free(&c->changes.excess);
	buf_free(&c->changes.savepoints);
}
