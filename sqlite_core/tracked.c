// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * tracked.c - what is known of each table, and the file "changes".
 */
#include "tracked.h"

#include "port/cstd.h"
#include "buf.h"
#include "catalog.h"
#include "exec.h"
#include "db.h"
#include "mem.h"
#include "node.h"
#include "open.h"
#include "render.h"

struct change {
	int64_t rowid;
	uint64_t version;
	uint64_t before; /* rows that all changes before it changed */
	enum change_op op;
	bool seen; /* it can be: committed, or never */
};

/* --- tables by name ------------------------------------------------------ */

/* FNV-1a, 32 bits, by Fowler, Noll and Vo. */
static struct tracked **bucket(struct ksql_db *db, const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return &db->tracked[h % TRACKED_BUCKETS];
}

static struct tracked *find(struct ksql_db *db, const char *name)
{
	struct tracked *t = *bucket(db, name);

	while (t && strcmp(t->name, name) != 0)
		t = t->next;
	return t;
}

/*
 * With tracked_lock held, which is let go meanwhile if there is none yet.  What
 * is new has changed when the database last did, for all that is known.
 */
static struct tracked *find_or_make(struct ksql_db *db, const char *name)
{
	size_t len = strlen(name) + 1;
	struct tracked *t = find(db, name), *other;

	if (t)
		return t;
	port_spin_unlock(&db->tracked_lock);
	t = ksql_zalloc(sizeof(*t) + len);
	port_spin_lock(&db->tracked_lock);
	other = find(db, name);
	if (other || !t) {
		port_spin_unlock(&db->tracked_lock);
		ksql_free(t);
		port_spin_lock(&db->tracked_lock);
		return find(db, name);
	}
	memcpy(t->name, name, len);
	t->changed_ns = __atomic_load_n(&db->changed_ns, __ATOMIC_RELAXED);
	t->next = *bucket(db, name);
	*bucket(db, name) = t;
	db->tracked_count++;
	return t;
}

static uint64_t version_of(const struct ksql_db *db, const struct tracked *t)
{
	return t->version > db->all_version ? t->version : db->all_version;
}

static bool is_sized(const struct ksql_db *db, const struct tracked *t,
		     uint64_t version)
{
	return t->sized == version && t->sized_epoch == db->sizes_epoch;
}

void tracked_forget_sizes(struct ksql_db *db)
{
	port_spin_lock(&db->tracked_lock);
	db->sizes_epoch++;
	port_spin_unlock(&db->tracked_lock);
}

int tracked_facts(struct ksql_db *db, const char *table,
		  struct table_facts *facts)
{
	struct tracked *t;
	uint64_t version;

	memset(facts, 0, sizeof(*facts));
	port_spin_lock(&db->tracked_lock);
	t = find_or_make(db, table);
	if (t) {
		version = version_of(db, t);
		facts->version = version;
		facts->changed_ns = t->changed_ns > db->all_changed_ns ?
					    t->changed_ns :
					    db->all_changed_ns;
		if (is_sized(db, t, version)) {
			memcpy(facts->have_size, t->have_size,
			       sizeof(t->have_size));
			memcpy(facts->size, t->size, sizeof(t->size));
		}
	}
	port_spin_unlock(&db->tracked_lock);
	return t ? 0 : -ENOMEM;
}

void tracked_set_size(struct ksql_db *db, const char *table, uint64_t version,
		      unsigned int file, uint64_t size)
{
	struct tracked *t;

	port_spin_lock(&db->tracked_lock);
	t = find(db, table);
	if (t && version_of(db, t) == version) {
		if (!is_sized(db, t, version))
			memset(t->have_size, 0, sizeof(t->have_size));
		t->sized = version;
		t->sized_epoch = db->sizes_epoch;
		t->have_size[file] = true;
		t->size[file] = size;
	}
	port_spin_unlock(&db->tracked_lock);
}

/* --- changes ------------------------------------------------------------- */

static struct change *change_at(const struct tracked *t, uint64_t position)
{
	return &t->ring[position % TRACKED_RING];
}

/* Everything up to the first that is still on its way can be seen. */
static void advance(struct tracked *t)
{
	uint64_t ready = t->ready;

	if (t->head > TRACKED_RING && ready < t->head - TRACKED_RING)
		ready = t->head - TRACKED_RING;
	while (ready < t->head && change_at(t, ready)->seen)
		ready++;
	__atomic_store_n(&t->ready, ready, __ATOMIC_SEQ_CST);
}

static uint64_t push(struct tracked *t, enum change_op op, int64_t rowid)
{
	struct change *c = change_at(t, t->head);

	*c = (struct change){ .rowid = rowid, .before = t->total, .op = op };
	if (op == CHANGE_LOST)
		t->total += (uint64_t)rowid;
	else if (op != CHANGE_RESET)
		t->total++;
	return t->head++;
}

static void show(struct tracked *t, uint64_t position, uint64_t version,
		 bool never)
{
	struct change *c = change_at(t, position);

	if (t->ring && t->head - position <= TRACKED_RING) {
		c->version = version;
		c->seen = true;
		if (never)
			c->op = CHANGE_NEVER;
	}
}

struct tracked *tracked_read(struct ksql_db *db, const char *table)
{
	struct tracked *t;

	port_spin_lock(&db->tracked_lock);
	t = find(db, table);
	if (t && !t->readers)
		t = NULL;
	port_spin_unlock(&db->tracked_lock);
	return t;
}

uint64_t tracked_push(struct ksql_db *db, struct tracked *t, enum change_op op,
		      int64_t rowid)
{
	uint64_t position = 0;

	port_spin_lock(&db->tracked_lock);
	if (t->ring)
		position = push(t, op, rowid);
	port_spin_unlock(&db->tracked_lock);
	return position;
}

void tracked_show(struct ksql_db *db, struct tracked *t, uint64_t position,
		  uint64_t version, bool never)
{
	port_spin_lock(&db->tracked_lock);
	if (t->ring) {
		show(t, position, version, never);
		advance(t);
	}
	port_spin_unlock(&db->tracked_lock);
}

static void touch(struct ksql_db *db, struct tracked *t, uint64_t version,
		  enum reset reset)
{
	if (t->version < version)
		t->version = version;
	t->changed_ns = __atomic_load_n(&db->changed_ns, __ATOMIC_RELAXED);
	if (t->ring && (reset == RESET || (reset && t->opaque))) {
		show(t, push(t, CHANGE_RESET, 0), version, false);
		advance(t);
	}
}

void tracked_touch(struct ksql_db *db, const char *table, uint64_t version,
		   enum reset reset)
{
	struct tracked *t;

	port_spin_lock(&db->tracked_lock);
	t = find_or_make(db, table);
	if (t)
		touch(db, t, version, reset);
	port_spin_unlock(&db->tracked_lock);
	if (!t) /* whichever it is */
		tracked_touch_all(db, version, false);
}

static void reset_bucket(struct ksql_db *db, unsigned int i, uint64_t version)
{
	struct tracked *t;

	port_spin_lock(&db->tracked_lock);
	for (t = db->tracked[i]; t; t = t->next)
		if (t->ring)
			touch(db, t, version, RESET);
	port_spin_unlock(&db->tracked_lock);
	port_pause(); /* whoever stops it: the commit is done */
}

void tracked_touch_all(struct ksql_db *db, uint64_t version, bool reset)
{
	unsigned int i;

	port_spin_lock(&db->tracked_lock);
	if (db->all_version < version)
		db->all_version = version;
	db->all_changed_ns = __atomic_load_n(&db->changed_ns, __ATOMIC_RELAXED);
	reset &= db->watching != 0;
	port_spin_unlock(&db->tracked_lock);
	for (i = 0; reset && i < TRACKED_BUCKETS; i++)
		reset_bucket(db, i, version);
}

/* --- their end ----------------------------------------------------------- */

/* Take those of a bucket out, unless somebody may have one in his hands. */
static struct tracked *purge_bucket(struct ksql_db *db, unsigned int i,
				    bool (*exists)(const void *arg,
						   const char *table),
				    const void *arg)
{
	struct tracked **at = &db->tracked[i], *t, *gone = NULL;

	port_spin_lock(&db->tracked_lock);
	while (*at && !db->watching && !db->recording) {
		t = *at;
		if (exists(arg, t->name)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->next = gone;
		gone = t;
		db->tracked_count--;
	}
	port_spin_unlock(&db->tracked_lock);
	return gone;
}

void tracked_purge(struct ksql_db *db, uint64_t expected,
		   bool (*exists)(const void *arg, const char *table),
		   const void *arg)
{
	struct tracked *t, *gone;
	unsigned int i;
	uint64_t count;

	port_spin_lock(&db->tracked_lock);
	count = db->tracked_count;
	port_spin_unlock(&db->tracked_lock);
	if (count <= 2 * expected + TRACKED_BUCKETS)
		return;
	for (i = 0; i < TRACKED_BUCKETS; i++) {
		gone = purge_bucket(db, i, exists, arg);
		while (gone) {
			t = gone;
			gone = t->next;
			ksql_free(t);
		}
		port_pause(); /* to let others run; there is nothing to stop */
	}
}

void tracked_free(struct ksql_db *db)
{
	unsigned int i;

	for (i = 0; i < TRACKED_BUCKETS; i++) {
		while (db->tracked[i]) {
			struct tracked *t = db->tracked[i];

			db->tracked[i] = t->next;
			ksql_free(t);
		}
	}
}

/* --- the file ------------------------------------------------------------ */

/* So many are taken from the ring at a time, and so much text is made of them. */
#define TAKE	  64u
#define TEXT_ROOM (16u * 1024u)

/* A user who has some open: their tables' rings are memory that he takes. */
struct watcher {
	struct watcher *next; /* in the database's list; owned by that */
	uint32_t uid;
	uint32_t files; /* 1 or more */
};

struct changes_file {
	struct ksql_file base;
	struct ksql_db *db;
	uint32_t uid;
	struct tracked *table; /* kept by our count among its readers */
	uint64_t total; /* rows that what was read changed */
	struct buf text;
};

/* What a table is, as far as it matters to its changes. */
struct nature {
	bool numbered, opaque;
};

/* Changes from @f->base.seen on; 0 if there are none to be seen yet. */
static unsigned int take(struct changes_file *f, struct change *out,
			 bool *numbered)
{
	struct ksql_db *db = f->db;
	struct tracked *t = f->table;
	uint64_t at, first;
	unsigned int n = 0;

	port_spin_lock(&db->tracked_lock);
	advance(t);
	*numbered = t->numbered;
	at = f->base.seen;
	first = t->head > TRACKED_RING ? t->head - TRACKED_RING : 0;
	if (at < first) {
		out[n++] = (struct change){
			.op = CHANGE_LOST,
			.rowid = (int64_t)(change_at(t, first)->before -
					   f->total),
		};
		at = first;
		f->total = change_at(t, first)->before;
	}
	for (; at < t->ready && n < TAKE; at++) {
		out[n++] = *change_at(t, at);
		f->total = at + 1 < t->head ? change_at(t, at + 1)->before :
					      t->total;
	}
	__atomic_store_n(&f->base.seen, at, __ATOMIC_SEQ_CST);
	port_spin_unlock(&db->tracked_lock);
	return n;
}

static void put_change(struct buf *out, const struct change *c, bool numbered)
{
	static const char *const names[] = {
		[CHANGE_INSERT] = "insert",
		[CHANGE_UPDATE] = "update",
		[CHANGE_DELETE] = "delete",
		[CHANGE_RESET] = "reset",
	};

	if (c->op == CHANGE_NEVER)
		return;
	if (c->op == CHANGE_LOST) {
		if (c->rowid)
			buf_printf(out, "{\"lost\":%lld}\n",
				   (long long)c->rowid);
		return;
	}
	buf_printf(out, "{\"op\":\"%s\",\"rowid\":", names[c->op]);
	if (numbered && c->op != CHANGE_RESET)
		render_integer(out, c->rowid);
	else
		buf_puts(out, "null");
	buf_printf(out, ",\"version\":%llu}\n", (unsigned long long)c->version);
}

/* What can be seen now; -EAGAIN if that is nothing. */
static int changes_fill(struct ksql_file *file, uint64_t pos)
{
	struct changes_file *f = (struct changes_file *)file;
	struct change some[TAKE];
	unsigned int n, i;
	bool numbered;

	buf_clear(&f->text);
	do {
		n = take(f, some, &numbered);
		for (i = 0; i < n; i++)
			put_change(&f->text, &some[i], numbered);
	} while (n && f->text.len < TEXT_ROOM);
	if (f->text.failed) { /* what it said is lost to this reader */
		buf_free(&f->text);
		return -ENOMEM;
	}
	file_show(file, &f->text, pos, false);
	return f->text.len ? 0 : -EAGAIN;
}

/* Under tracked_lock.  Where @uid stands in the list, or its end. */
static struct watcher **find_watcher(struct ksql_db *db, uint32_t uid)
{
	struct watcher **at = &db->watchers;

	while (*at && (*at)->uid != uid)
		at = &(*at)->next;
	return at;
}

/* One more of @uid's files: 0, -EDQUOT, -ENOMEM. */
static int watch_more(struct ksql_db *db, uint32_t uid)
{
	struct watcher *spare = ksql_zalloc(sizeof(*spare)), **at;
	int err = 0;

	if (!spare)
		return -ENOMEM;
	spare->uid = uid;
	port_spin_lock(&db->tracked_lock);
	at = find_watcher(db, uid);
	if (!*at) {
		*at = spare;
		spare = NULL;
	}
	if ((*at)->files < CHANGES_FILES)
		(*at)->files++;
	else
		err = -EDQUOT;
	port_spin_unlock(&db->tracked_lock);
	ksql_free(spare);
	return err;
}

static void watch_less(struct ksql_db *db, uint32_t uid)
{
	struct watcher **at, *gone = NULL;

	port_spin_lock(&db->tracked_lock);
	at = find_watcher(db, uid);
	if (!--(*at)->files) {
		gone = *at;
		*at = gone->next;
	}
	port_spin_unlock(&db->tracked_lock);
	ksql_free(gone);
}

/* The last reader takes the ring with him. */
static void changes_release(struct ksql_file *file, bool abandon)
{
	struct changes_file *f = (struct changes_file *)file;
	struct change *ring = NULL;

	(void)abandon;
	port_spin_lock(&f->db->tracked_lock);
	if (!--f->table->readers) {
		ring = f->table->ring;
		f->table->ring = NULL;
	}
	__atomic_sub_fetch(&f->db->watching, 1, __ATOMIC_SEQ_CST);
	port_spin_unlock(&f->db->tracked_lock);
	watch_less(f->db, f->uid);
	ksql_free(ring);
	buf_free(&f->text);
	ksql_free(f);
}

static const struct file_ops changes_ops = { .fill = changes_fill,
					     .release = changes_release };

/* With a ring to spare, in case it has none. */
static int begin_reading(struct changes_file *f, const char *table,
			 const struct nature *nature, struct change **ring)
{
	struct ksql_db *db = f->db;
	struct tracked *t;

	port_spin_lock(&db->tracked_lock);
	t = find_or_make(db, table);
	if (t) {
		if (!t->ring) {
			t->ring = *ring;
			*ring = NULL;
			t->ready = t->head;
		}
		advance(t);
		t->numbered = nature->numbered;
		t->opaque = nature->opaque;
		t->readers++;
		__atomic_add_fetch(&db->watching, 1, __ATOMIC_SEQ_CST);
		f->table = t;
		f->base.count = &t->ready;
		f->base.seen = t->ready;
		f->total = t->ready < t->head ? change_at(t, t->ready)->before :
						t->total;
	}
	port_spin_unlock(&db->tracked_lock);
	return t ? 0 : -ENOMEM;
}

static int look_at(struct ksql_db *db, const char *table, struct nature *nature)
{
	char *sql = sqlite3_mprintf("SELECT 1 FROM pragma_table_list(%Q)"
				    " WHERE schema = 'main' AND NOT wr",
				    table);
	struct fault fault = { .offset = -1 };
	sqlite3_int64 numbered;
	struct conn *c;
	int err;

	err = conn_get(db, &c);
	if (err) {
		sqlite3_free(sql);
		return err;
	}
	err = ask_number(c, sql, &numbered, &fault);
	conn_put(c);
	fault_clear(&fault);
	if (err)
		return err;
	nature->numbered = numbered == 1;
	err = catalog_has(db, OBJECT_VIRTUAL, table);
	nature->opaque = err > 0;
	return err < 0 ? err : 0;
}

int changes_open(struct ksql_db *db, struct ksql_node *node, uint32_t uid,
		 struct ksql_file **out)
{
	struct change *ring = NULL;
	struct changes_file *f;
	struct nature nature;
	int err = look_at(db, node->object, &nature);

	if (!err)
		err = watch_more(db, uid);
	if (err)
		return err;
	err = -ENOMEM;
	f = ksql_zalloc(sizeof(*f));
	if (!f)
		goto watch_less;
	ring = ksql_alloc(TRACKED_RING * sizeof(*ring));
	if (!ring)
		goto free_file;
	f->base.ops = &changes_ops;
	f->base.stream = true;
	f->base.waits = true;
	f->db = db;
	f->uid = uid;
	err = begin_reading(f, node->object, &nature, &ring);
	ksql_free(ring);
	if (err)
		goto free_file;
	*out = &f->base;
	return 0;

free_file:
	ksql_free(f);
watch_less:
	watch_less(db, uid);
	return err;
}
