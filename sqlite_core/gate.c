// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * gate.c - the way from a host into the engine: ksql_core.h's calls.
 *
 * Compiled as the host's own files are (in the kernel: without FPU).  Each call
 * packs its arguments and enters the engine with them; what needs no engine is
 * answered here, above all reads of what has been rendered already.
 */
#include "gate.h"

#include "port/cstd.h"
#include "port/port.h"

/* The arguments and the answer of whichever call. */
struct call {
	const void *in[2];
	void *out;
	struct ksql_rom **rom;
	struct ksql_db *db;
	struct ksql_node *node;
	struct ksql_file *file;
	size_t len;
	uint64_t pos;
	const struct ksql_caller *caller;
	unsigned int flags;
	int64_t ret;
};

static int64_t enter(void (*fn)(void *), struct call *c,
		     const struct ksql_caller *caller)
{
	port_enter(fn, c, caller ? caller->cancel : NULL);
	return c->ret;
}

/* --- the whole ----------------------------------------------------------- */

static void call_init(void *arg)
{
	struct call *c = arg;

	c->ret = engine_init(c->in[0]);
}

int ksql_core_init(const struct ksql_core_config *config)
{
	struct call c = { .in = { config } };
	int err = port_init(config->measure);

	if (err)
		return err;
	err = (int)enter(call_init, &c, NULL);
	if (err)
		port_exit();
	return err;
}

static void call_exit(void *arg)
{
	struct call *c = arg;

	c->ret = (int64_t)engine_exit();
}

uint64_t ksql_core_exit(void)
{
	struct call c = { .ret = 0 };
	int64_t live = enter(call_exit, &c, NULL);

	port_exit();
	return (uint64_t)live;
}

/* --- databases ----------------------------------------------------------- */

static void call_db_get(void *arg)
{
	struct call *c = arg;

	c->ret = engine_db_get(c->in[0], c->in[1], c->rom, c->out);
}

int ksql_db_get(const char *source, const struct ksql_options *options,
		struct ksql_rom *rom, struct ksql_db **db)
{
	struct ksql_rom *left = rom;
	struct call c = { .in = { source, options }, .rom = &left, .out = db };
	int err = (int)enter(call_db_get, &c, NULL);

	if (left)
		left->release(left);
	return err;
}

static void call_db_put(void *arg)
{
	struct call *c = arg;

	engine_db_put(c->db, c->rom);
}

/* What the host releases may sleep: after the engine is left. */
void ksql_db_put(struct ksql_db *db)
{
	struct ksql_rom *left = NULL;
	struct call c = { .db = db, .rom = &left };

	enter(call_db_put, &c, NULL);
	if (left)
		left->release(left);
}

static void call_db_rom(void *arg)
{
	struct call *c = arg;

	*c->rom = engine_db_rom(c->db);
}

const struct ksql_rom *ksql_db_rom(struct ksql_db *db)
{
	struct ksql_rom *rom = NULL;
	struct call c = { .db = db, .rom = &rom };

	enter(call_db_rom, &c, NULL);
	return rom;
}

static void call_rom_check(void *arg)
{
	struct call *c = arg;

	c->ret = engine_rom_check(c->in[0], c->out, c->len);
}

int ksql_rom_check(const struct ksql_rom *rom, char *why, size_t size)
{
	struct call c = { .in = { rom }, .out = why, .len = size };

	return (int)enter(call_rom_check, &c, NULL);
}

static void call_db_configure(void *arg)
{
	struct call *c = arg;

	c->ret = engine_db_configure(c->db, c->in[0]);
}

int ksql_db_configure(struct ksql_db *db, const struct ksql_options *options)
{
	struct call c = { .db = db, .in = { options } };

	return (int)enter(call_db_configure, &c, NULL);
}

void ksql_options_default(struct ksql_options *o)
{
	o->size = port_ram() / 2 / KSQL_PAGE_SIZE * KSQL_PAGE_SIZE;
	o->max_result = 64u << 20;
	o->timeout_ms = 30000;
	o->busy_ms = 5000;
	o->max_sql = 16u << 20;
	o->exact = 16u << 20;
	o->sessions = 64;
	o->statements = 8;
	o->zero = 0;
}

static void call_db_options(void *arg)
{
	struct call *c = arg;

	engine_db_options(c->db, c->out);
}

void ksql_db_options(struct ksql_db *db, struct ksql_options *options)
{
	struct call c = { .db = db, .out = options };

	enter(call_db_options, &c, NULL);
}

static void call_db_usage(void *arg)
{
	struct call *c = arg;

	engine_db_usage(c->db, c->out, (uint64_t *)c->out + 1);
}

void ksql_db_usage(struct ksql_db *db, uint64_t *pages, uint64_t *wal_pages)
{
	uint64_t both[2] = { 0, 0 };
	struct call c = { .db = db, .out = both };

	enter(call_db_usage, &c, NULL);
	*pages = both[0];
	*wal_pages = both[1];
}

static void call_db_schema(void *arg)
{
	struct call *c = arg;

	c->ret = engine_db_schema(c->db, c->out);
}

int ksql_db_schema(struct ksql_db *db, uint64_t *version)
{
	struct call c = { .db = db, .out = version };

	return (int)enter(call_db_schema, &c, NULL);
}

static void call_db_watch(void *arg)
{
	struct call *c = arg;

	engine_db_watch(c->db, c->out);
}

void ksql_db_watch(struct ksql_db *db, struct ksql_watch *watch)
{
	struct call c = { .db = db, .out = watch };

	enter(call_db_watch, &c, NULL);
}

static void call_db_unwatch(void *arg)
{
	struct call *c = arg;

	engine_db_unwatch(c->db, c->out);
}

void ksql_db_unwatch(struct ksql_db *db, struct ksql_watch *watch)
{
	struct call c = { .db = db, .out = watch };

	enter(call_db_unwatch, &c, NULL);
}

/* --- nodes --------------------------------------------------------------- */

static struct node_head *head(const struct ksql_node *node)
{
	return (struct node_head *)node;
}

static void call_root(void *arg)
{
	struct call *c = arg;

	*(struct ksql_node **)c->out = engine_root(c->db);
	c->ret = 0;
}

struct ksql_node *ksql_root(struct ksql_db *db)
{
	struct ksql_node *node = NULL;
	struct call c = { .db = db, .out = &node };

	enter(call_root, &c, NULL);
	return node;
}

static void call_lookup(void *arg)
{
	struct call *c = arg;

	c->ret = engine_lookup(c->db, c->node, c->in[0], c->len, c->out);
}

int ksql_lookup(struct ksql_db *db, struct ksql_node *dir, const char *name,
		size_t len, struct ksql_node **node)
{
	struct call c = { .db = db,
			  .node = dir,
			  .in = { name },
			  .len = len,
			  .out = node };

	return (int)enter(call_lookup, &c, NULL);
}

static void call_make(void *arg)
{
	struct call *c = arg;

	c->ret = engine_make(c->db, c->node, c->in[0], c->len, c->caller,
			     c->flags, c->out);
}

int ksql_make(struct ksql_db *db, struct ksql_node *dir, const char *name,
	      size_t len, const struct ksql_caller *caller, bool is_dir,
	      struct ksql_node **node)
{
	struct call c = { .db = db,
			  .node = dir,
			  .in = { name },
			  .len = len,
			  .caller = caller,
			  .flags = is_dir,
			  .out = node };

	return (int)enter(call_make, &c, caller);
}

static void call_remove(void *arg)
{
	struct call *c = arg;

	c->ret = engine_remove(c->db, c->node, c->caller);
}

int ksql_remove(struct ksql_db *db, struct ksql_node *node,
		const struct ksql_caller *caller)
{
	struct call c = { .db = db, .node = node, .caller = caller };

	return (int)enter(call_remove, &c, caller);
}

static void call_node_exists(void *arg)
{
	struct call *c = arg;

	c->ret = engine_node_exists(c->db, c->node);
}

int ksql_node_exists(struct ksql_db *db, struct ksql_node *node)
{
	struct call c = { .db = db, .node = node };

	return (int)enter(call_node_exists, &c, NULL);
}

bool ksql_node_has_version(const struct ksql_node *node)
{
	return head(node)->has_version;
}

static void call_node_version(void *arg)
{
	struct call *c = arg;

	c->ret = (int64_t)engine_node_version(c->db, c->node);
}

uint64_t ksql_node_version(struct ksql_db *db, struct ksql_node *node)
{
	struct call c = { .db = db, .node = node };

	return (uint64_t)enter(call_node_version, &c, NULL);
}

bool ksql_node_same(const struct ksql_node *a, const struct ksql_node *b)
{
	const char *x = head(a)->object, *y = head(b)->object;

	return head(a)->kind == head(b)->kind &&
	       (x && y ? strcmp(x, y) == 0 : x == y);
}

struct ksql_node *ksql_node_get(struct ksql_node *node)
{
	__atomic_fetch_add(&head(node)->users, 1, __ATOMIC_RELAXED);
	return node;
}

static void call_node_free(void *arg)
{
	struct call *c = arg;

	engine_node_free(c->node);
}

void ksql_node_put(struct ksql_node *node)
{
	struct call c = { .node = node };

	if (!__atomic_sub_fetch(&head(node)->users, 1, __ATOMIC_ACQ_REL))
		enter(call_node_free, &c, NULL);
}

bool ksql_node_is_dir(const struct ksql_node *node)
{
	return head(node)->is_dir;
}

uint64_t ksql_node_ino(const struct ksql_node *node)
{
	return head(node)->ino;
}

bool ksql_node_is_stream(const struct ksql_node *node)
{
	return head(node)->is_stream;
}

/* What metrics_mode= alters. */
static uint32_t with_metrics(const struct node_head *h, uint32_t mode,
			     uint32_t metrics_mode)
{
	uint32_t readers = metrics_mode & 0444u;

	if (metrics_mode == KSQL_MODE_UNSET)
		return mode;
	if (h->is_metrics)
		mode = h->is_dir ? mode | readers : readers;
	if (h->leads_to_metrics)
		mode |= readers >> 2;
	return mode;
}

uint32_t ksql_node_mode(const struct ksql_node *node, uint32_t mount_mode,
			uint32_t metrics_mode)
{
	const struct node_head *h = head(node);
	uint32_t mode, writers;

	if (h->has_owner)
		mount_mode = 0700;
	mode = mount_mode & (h->is_dir ? 0777u : 0444u);
	writers = (mount_mode & 0440u) >> 1 | (mount_mode & 0002u);
	if (h->is_written || h->is_made_in)
		mode |= writers;
	if (h->is_sticky)
		mode |= 01000u;
	return with_metrics(h, mode, metrics_mode);
}

bool ksql_node_owner(const struct ksql_node *node, uint32_t *uid, uint32_t *gid)
{
	const struct node_head *h = head(node);

	if (!h->has_owner)
		return false;
	*uid = h->uid;
	*gid = h->gid;
	return true;
}

static void call_getattr(void *arg)
{
	struct call *c = arg;

	c->ret = engine_getattr(c->db, c->node, c->caller, c->out);
}

int ksql_getattr(struct ksql_db *db, struct ksql_node *node,
		 const struct ksql_caller *caller, struct ksql_attr *attr)
{
	struct call c = { .db = db,
			  .node = node,
			  .caller = caller,
			  .out = attr };

	return (int)enter(call_getattr, &c, caller);
}

/* --- directories --------------------------------------------------------- */

static void call_opendir(void *arg)
{
	struct call *c = arg;

	c->ret = engine_opendir(c->db, c->node, c->caller, c->out);
}

int ksql_opendir(struct ksql_db *db, struct ksql_node *node,
		 const struct ksql_caller *caller, struct ksql_dir **dir)
{
	struct call c = { .db = db, .node = node, .caller = caller, .out = dir };

	return (int)enter(call_opendir, &c, caller);
}

int ksql_readdir(struct ksql_dir *dir, uint64_t index,
		 struct ksql_dirent *entry)
{
	if (index >= dir->count)
		return 0;
	*entry = dir->entries[index];
	return 1;
}

static void call_closedir(void *arg)
{
	struct call *c = arg;

	engine_closedir(c->out);
}

void ksql_closedir(struct ksql_dir *dir)
{
	struct call c = { .out = dir };

	if (dir)
		enter(call_closedir, &c, NULL);
}

/* --- files --------------------------------------------------------------- */

static void call_open(void *arg)
{
	struct call *c = arg;

	c->ret = engine_open(c->db, c->node, c->caller, c->flags, c->out);
}

int ksql_open(struct ksql_db *db, struct ksql_node *node,
	      const struct ksql_caller *caller, unsigned int flags,
	      struct ksql_file **file)
{
	struct call c = { .db = db,
			  .node = node,
			  .caller = caller,
			  .flags = flags,
			  .out = file };

	return (int)enter(call_open, &c, caller);
}

/* What the window holds of @len bytes at @pos. */
static size_t from_window(const struct ksql_file *f, void *buf, size_t len,
			  uint64_t pos)
{
	uint64_t at = pos - f->window_pos;

	if (!f->ready || pos < f->window_pos || at >= f->window_len)
		return 0;
	if (len > f->window_len - at)
		len = f->window_len - (size_t)at;
	memcpy(buf, f->window + at, len);
	return len;
}

static bool at_end(const struct ksql_file *f, uint64_t pos)
{
	return f->ready && f->last && pos >= f->window_pos + f->window_len;
}

static void call_fill(void *arg)
{
	struct call *c = arg;

	c->ret = c->file->ops->fill(c->file, c->pos);
}

static void call_copy(void *arg)
{
	struct call *c = arg;

	c->ret = c->file->ops->copy(c->file, c->out, c->len, c->pos);
}

/* What the window does not hold: bytes that went past it, 0 if it does now. */
static long read_more(struct ksql_file *f, const struct ksql_caller *caller,
		      char *buf, size_t len, uint64_t pos)
{
	struct call c = { .file = f, .out = buf, .len = len, .pos = pos };
	long n = 0;

	if (f->ops->copy && len >= KSQL_PAGE_SIZE)
		n = (long)enter(call_copy, &c, caller);
	return n ? n : (long)enter(call_fill, &c, caller);
}

/* But for EINTR: every program takes that for "try again", and would for ever. */
static int told_again(int err)
{
	return err == -EINTR ? -ECANCELED : err;
}

long ksql_read(struct ksql_file *f, const struct ksql_caller *caller, void *buf,
	       size_t len, uint64_t pos)
{
	size_t done = 0, part;
	int err = f->error;
	long n;

	f->error = f->error_stays ? told_again(err) : 0;
	f->reading = true;
	if (f->stream)
		pos = f->cursor;
	else if (f->count && !pos)
		f->ready = false;
	while (!err && done < len) {
		part = from_window(f, (char *)buf + done, len - done,
				   pos + done);
		done += part;
		if (part)
			continue;
		if (at_end(f, pos + done) || (f->waits && done))
			break;
		n = read_more(f, caller, (char *)buf + done, len - done,
			      pos + done);
		if (n < 0)
			err = (int)n;
		else
			done += (size_t)n;
	}
	if (f->stream)
		f->cursor = pos + done;
	if (f->waits)
		__atomic_store_n(&f->unread,
				 f->cursor < f->window_pos + f->window_len,
				 __ATOMIC_RELAXED);
	if (err == -EAGAIN && done)
		err = 0;
	if (err &&
	    done) { /* what was read counts; the error is the next read's */
		f->error = err;
		err = 0;
	}
	if (err && f->error_stays)
		f->error = told_again(err);
	return err ? err : (long)done;
}

int64_t ksql_end(struct ksql_file *f, const struct ksql_caller *caller)
{
	struct call c = { .file = f };
	int err;

	if (f->stream)
		return -ESPIPE;
	for (;;) {
		c.pos = f->ready ? f->window_pos + f->window_len : 0;
		if (at_end(f, c.pos))
			return (int64_t)c.pos;
		err = (int)enter(call_fill, &c, caller);
		if (err)
			return err;
	}
}

unsigned int ksql_poll(const struct ksql_file *f)
{
	unsigned int ready = KSQL_POLL_READ | KSQL_POLL_WRITE;
	bool more = f->count &&
		    __atomic_load_n(f->count, __ATOMIC_SEQ_CST) !=
			    __atomic_load_n(&f->seen, __ATOMIC_SEQ_CST);

	if (f->waits) {
		more |= __atomic_load_n(&f->unread, __ATOMIC_RELAXED);
		return more ? KSQL_POLL_READ : 0;
	}
	return more ? ready | KSQL_POLL_CHANGED : ready;
}

static void call_write(void *arg)
{
	struct call *c = arg;

	c->ret = c->file->ops->write(c->file, c->in[0], c->len);
}

long ksql_write(struct ksql_file *f, const struct ksql_caller *caller,
		const void *buf, size_t len)
{
	struct call c = { .file = f, .in = { buf }, .len = len };
	int err = f->ops->write ? (int)enter(call_write, &c, caller) : -EBADF;

	return err ? err : (long)len;
}

static void call_finish(void *arg)
{
	struct call *c = arg;

	c->ret = c->file->ops->finish(c->file);
}

int ksql_finish(struct ksql_file *f, const struct ksql_caller *caller)
{
	struct call c = { .file = f };

	return f->ops->finish ? (int)enter(call_finish, &c, caller) : 0;
}

static void call_release(void *arg)
{
	struct call *c = arg;
	struct ksql_node *node = c->file->node;

	c->file->ops->release(c->file, c->flags);
	if (!__atomic_sub_fetch(&head(node)->users, 1, __ATOMIC_ACQ_REL))
		engine_node_free(node);
}

void ksql_release(struct ksql_file *f, const struct ksql_caller *caller,
		  bool abandon)
{
	struct call c = { .file = f, .flags = abandon };

	enter(call_release, &c, caller);
}

void ksql_cancelled(const int *cancel)
{
	port_wake(cancel);
}
