// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * image.c - the whole database as one file in SQLite's format.
 *
 * Read, it is a snapshot: pages are copied as they are asked for, the newest
 * version of each that the snapshot sees, while writers go on.
 *
 * Written, the bytes go into a store of their own.  When the file is closed they
 * are checked there, and then copied over the database in one transaction, which
 * other connections see as any other commit.
 */
#include "image.h"

#include "port/cstd.h"
#include "catalog.h"
#include "check.h"
#include "db.h"
#include "exec.h"
#include "mem.h"
#include "memvfs.h"
#include "open.h"
#include "outcome.h"
#include "sqlite/unit.h"

static const char journal_versions[2] = { 1, 1 };

static void put_number(char *p, uint32_t n)
{
	p[0] = (char)(n >> 24);
	p[1] = (char)(n >> 16);
	p[2] = (char)(n >> 8);
	p[3] = (char)n;
}

/* --- reading ------------------------------------------------------------- */

/* So many pages are copied at a time. */
#define WINDOW_PAGES 16u

struct snapshot {
	struct ksql_file base;
	struct conn *
		conn; /* owned; holds the snapshot.  NULL: the window is all there is */
	uint32_t pages;
	struct buf window;
};

static void snapshot_release(struct ksql_file *file, bool abandon)
{
	struct snapshot *s = (struct snapshot *)file;

	(void)abandon;
	conn_put(s->conn);
	buf_free(&s->window);
	ksql_free(s);
}

/*
 * The first page says what this file is.  It has no log beside it: with the
 * versions that ask for one, nobody could open a copy that he may only read.
 * SQLite here counts neither pages nor changes in it at each commit, but others
 * rely on both, the second to know that what they have cached is old.
 */
static void fix_header(const struct snapshot *s, char *page)
{
	uint32_t counter = header_number((unsigned char *)page + AT_COUNTER) +
			   ksql_commit_number(s->conn->lite);

	memcpy(page + AT_VERSIONS, journal_versions, sizeof(journal_versions));
	put_number(page + AT_COUNTER, counter);
	put_number(page + AT_PAGES, s->pages);
	put_number(page + AT_COUNTER_PAGES, counter);
}

/* Pages from @first (counted from 0) on. */
static int snapshot_pages(struct snapshot *s, uint32_t first, uint32_t n,
			  char *to)
{
	struct conn *c = s->conn;
	struct fault f = { .offset = -1 };
	uint32_t i;
	int rc, err = 0;

	for (i = 0; i < n && !err; i++) {
		rc = ksql_page_read(c->lite, first + i + 1,
				    to + (size_t)i * KSQL_PAGE_SIZE);
		if (rc)
			err = conn_fault(c, rc, &f);
		else if (i % WINDOW_PAGES == WINDOW_PAGES - 1)
			err = conn_poll(c);
	}
	fault_clear(&f);
	if (!first && !err)
		fix_header(s, to);
	return err;
}

static int snapshot_fill(struct ksql_file *file, uint64_t pos)
{
	struct snapshot *s = (struct snapshot *)file;
	uint64_t page = pos / KSQL_PAGE_SIZE;
	uint32_t first = page < s->pages ? (uint32_t)page : s->pages;
	uint32_t n = s->pages - first;
	char *to;
	int err;

	if (n > WINDOW_PAGES)
		n = WINDOW_PAGES;
	file->ready = false;
	buf_clear(&s->window);
	to = buf_grow(&s->window, (size_t)n * KSQL_PAGE_SIZE);
	if (!to)
		return -ENOMEM;
	conn_run_begin(s->conn, db_timeout_ns(s->conn->db));
	err = snapshot_pages(s, first, n, to);
	conn_run_end(s->conn);
	if (err)
		return err;
	s->window.len = (size_t)n * KSQL_PAGE_SIZE;
	file_show(file, &s->window, (uint64_t)first * KSQL_PAGE_SIZE,
		  first + n == s->pages);
	return 0;
}

/* Whole pages go to the reader without the way by the window. */
static long snapshot_copy(struct ksql_file *file, char *to, size_t n,
			  uint64_t pos)
{
	struct snapshot *s = (struct snapshot *)file;
	uint64_t first = pos / KSQL_PAGE_SIZE, pages = n / KSQL_PAGE_SIZE;
	int err;

	if (pos % KSQL_PAGE_SIZE || first >= s->pages)
		return 0;
	if (pages > s->pages - first)
		pages = s->pages - first;
	conn_run_begin(s->conn, db_timeout_ns(s->conn->db));
	err = snapshot_pages(s, (uint32_t)first, (uint32_t)pages, to);
	conn_run_end(s->conn);
	return err ? err : (long)(pages * KSQL_PAGE_SIZE);
}

static const struct file_ops snapshot_ops = { .fill = snapshot_fill,
					      .copy = snapshot_copy,
					      .release = snapshot_release };

static int snapshot_open(struct ksql_db *db, struct ksql_file **out)
{
	struct snapshot *s = ksql_zalloc(sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->base.ops = &snapshot_ops;
	err = conn_get(db, &s->conn);
	if (!err)
		err = conn_exec(
			s->conn,
			"BEGIN; SELECT 1 FROM main.sqlite_schema LIMIT 1");
	if (!err) {
		s->pages = ksql_page_count(s->conn->lite);
		err = snapshot_fill(&s->base, 0);
	}
	if (err) {
		snapshot_release(&s->base, false);
		return err;
	}
	if (s->base.last) {
		conn_put(s->conn);
		s->conn = NULL;
	}
	*out = &s->base;
	return 0;
}

int image_size(struct ksql_db *db, uint64_t *size)
{
	uint64_t pages = 0;
	int err = catalog_all_pages(db, &pages);

	*size = pages * KSQL_PAGE_SIZE;
	return err;
}

/* --- writing ------------------------------------------------------------- */

/* Pages copied between two looks at who else wants the processor. */
#define STEP_PAGES 32
/* And what copying needs beside what it copies: caches. */
#define ROOM_PAGES 64

struct upload {
	struct ksql_file base;
	struct ksql_db *db;
	struct ksql_caller who; /* opened it; its cancel flag is not to be used */
	struct store *store; /* owned; what has come; NULL: nothing yet */
	uint64_t bytes;
	unsigned char header[HEADER]; /* the first of them */
	bool finished; /* and nothing was written since */
	struct fault fault; /* why it is refused already */
	int64_t ns; /* spent so far */
	int64_t budget_ns; /* of running time left; 0: no bound */
	struct mem_stats before; /* what follows is told from */
};

/* Everything but the file that it belongs to. */
static void upload_reset(struct upload *u)
{
	store_free(u->store);
	u->store = NULL;
	u->bytes = 0;
	u->ns = 0;
	u->finished = true;
	fault_clear(&u->fault);
}

static int take(struct upload *u, const char *p, size_t n)
{
	uint64_t max = db_options(u->db).size;
	size_t part = HEADER - (size_t)u->bytes;
	int err;

	mem_stats(&u->before);
	if (!u->store)
		u->store = store_new();
	if (!u->store)
		return check_no_memory(&u->before, &u->fault);
	err = store_append(u->store, p, n, max);
	if (err == -ENOSPC)
		return fault_set(&u->fault, err, -1,
				 "the file is larger than size= (%llu bytes)",
				 (unsigned long long)max);
	if (err)
		return check_no_memory(&u->before, &u->fault);
	if (u->bytes >= HEADER) {
		u->bytes += n;
		return 0;
	}
	memcpy(u->header + u->bytes, p, n < part ? n : part);
	u->bytes += n;
	return u->bytes < HEADER ? 0 : check_header(u->header, &u->fault);
}

static int upload_write(struct ksql_file *file, const char *p, size_t n)
{
	struct upload *u = (struct upload *)file;
	int64_t started = port_monotonic_ns();
	int err;

	u->finished = false;
	/* Told again: who has sent several pieces at once asks only now. */
	if (u->fault.err)
		return u->fault.err;
	err = take(u, p, n);
	if (err) { /* its memory is not needed any more */
		store_free(u->store);
		u->store = NULL;
	}
	u->ns += port_monotonic_ns() - started;
	return err;
}

/* One time limit for all that closing the file does. */
static void watch(struct upload *u, struct conn *c)
{
	conn_run_begin(c, u->budget_ns);
}

static void unwatch(struct upload *u, struct conn *c)
{
	int64_t left = conn_run_end(c);

	if (u->budget_ns)
		u->budget_ns = left;
}

/*
 * The pages of a log's database cannot change their size: write the same into
 * another store, with ours.
 */
static int convert(struct upload *u, struct conn **c, struct fault *f)
{
	uint64_t size = db_options(u->db).size;
	struct store *to = store_new();
	char sql[64];
	int rc;

	if (!to)
		return check_no_memory(&u->before, f);
	store_bound(to, size / KSQL_PAGE_SIZE);
	sqlite3_snprintf(sizeof(sql), sql,
			 "PRAGMA page_size = %u; VACUUM INTO '%s'",
			 KSQL_PAGE_SIZE, store_name(to));
	watch(u, *c);
	rc = sqlite3_exec((*c)->lite, sql, NULL, NULL, NULL);
	if (rc)
		check_refuse(*c, rc, &u->before, f);
	unwatch(u, *c);
	if (rc) {
		store_free(to);
		return f->err;
	}
	conn_close(*c);
	store_free(u->store);
	u->store = to;
	*c = NULL;
	rc = conn_open_scratch(u->db, to, c);
	return rc ? fault_set(f, rc, -1,
			      "no connection to the file could be had") :
		    0;
}

static int copy_all(struct upload *u, struct conn *from, struct conn *to,
		    struct fault *f)
{
	sqlite3_backup *copy;
	uint64_t done = 0;
	int rc, stopped = 0;

	copy = sqlite3_backup_init(to->lite, "main", from->lite, "main");
	if (!copy)
		return conn_fault(to, sqlite3_extended_errcode(to->lite), f);
	do {
		rc = sqlite3_backup_step(copy, STEP_PAGES);
		done += STEP_PAGES;
		/* Read for the last time, all but the first page. */
		store_drop(u->store, done - STEP_PAGES + (done == STEP_PAGES),
			   done);
		if (rc == SQLITE_OK)
			stopped = conn_poll(to);
	} while (rc == SQLITE_OK && !stopped);
	rc = sqlite3_backup_finish(copy); /* rolls back what is not done */
	if (stopped)
		rc = SQLITE_INTERRUPT;
	if (rc)
		return conn_fault(to, rc, f);
	ksql_tell_commit(to->lite);
	conn_checkpoint(to,
			0); /* also of a small one: the old one's pages go */
	return 0;
}

/*
 * While it is copied the log takes what the file's store gives back, and then
 * the database has the pages of the log.  Beside them there are the tables by
 * which pages are found, and the headers of frames: less than a hundredth.  If
 * there is no memory for these, the log could not be copied back, and nothing
 * else would find any.
 */
static bool has_room(struct upload *u)
{
	uint64_t pages, log;
	struct mem_stats stats;

	store_pages(u->store, &pages, &log);
	mem_stats(&stats);
	return stats.held <= stats.limit &&
	       pages / 100 + ROOM_PAGES <=
		       (stats.limit - stats.held) / KSQL_PAGE_SIZE;
}

/* In one transaction, which waits for its lock as any other. */
static int replace(struct upload *u, struct conn *from, struct fault *f)
{
	struct conn *to;
	int err;

	if (!has_room(u))
		return fault_set(f, -ENOSPC, -1, "the memory limit is reached");
	err = conn_get(u->db, &to);
	if (err)
		return fault_set(f, err, -1,
				 "no connection to the database could be had");
	watch(u, to);
	err = conn_exec(from,
			"BEGIN; SELECT 1 FROM main.sqlite_schema LIMIT 1");
	if (err)
		fault_set(f, err, -1, "the file cannot be read");
	else
		copy_all(u, from, to, f);
	unwatch(u, to);
	conn_put(to);
	return f->err;
}

static int check_and_replace(struct upload *u)
{
	struct fault *f = &u->fault;
	struct conn *c = NULL;
	int err;

	u->budget_ns = db_timeout_ns(u->db);
	mem_stats(&u->before);
	store_patch(u->store, journal_versions, sizeof(journal_versions),
		    AT_VERSIONS);
	err = conn_open_scratch(u->db, u->store, &c);
	if (err)
		return fault_set(f, err, -1,
				 "no connection to the file could be had");
	watch(u, c);
	err = check_content(c, &u->before, f);
	unwatch(u, c);
	if (!err && header_page_size(u->header) != KSQL_PAGE_SIZE)
		err = convert(u, &c, f);
	if (!err)
		err = replace(u, c, f);
	if (c)
		conn_close(c);
	return err;
}

/*
 * 0, or the errno of what is found now.  A file without a byte is not a
 * database: who copies one here must learn that it did nothing.
 */
static int upload_finish(struct ksql_file *file)
{
	struct upload *u = (struct upload *)file;
	int64_t started = port_monotonic_ns();
	struct report counts = { 0 };
	int err = 0, told;

	if (u->finished)
		return 0;
	if (!u->fault.err) {
		if (u->bytes < HEADER)
			err = fault_set(&u->fault, -EUCLEAN, -1,
					"not a database file: %llu bytes",
					(unsigned long long)u->bytes);
		else
			err = check_length(u->header, u->bytes, &u->fault);
		if (!err)
			err = check_and_replace(u);
	}
	counts.ns = u->ns + port_monotonic_ns() - started;
	told = outcome_tell(u->db, outcome_new(u->who.uid), &u->who, &u->fault,
			    &counts);
	upload_reset(u);
	return err ? err : told;
}

static void upload_release(struct ksql_file *file, bool abandon)
{
	struct upload *u = (struct upload *)file;

	if (!abandon && (u->bytes || u->fault.err))
		upload_finish(file);
	upload_reset(u);
	ksql_free(u);
}

static const struct file_ops upload_ops = { .write = upload_write,
					    .finish = upload_finish,
					    .release = upload_release };

static int upload_open(struct ksql_db *db, const struct ksql_caller *caller,
		       struct ksql_file **out)
{
	struct upload *u = ksql_zalloc(sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->base.ops = &upload_ops;
	u->db = db;
	u->who = *caller;
	u->fault.offset = -1;
	*out = &u->base;
	return 0;
}

int image_open(struct ksql_db *db, const struct ksql_caller *caller,
	       unsigned int flags, struct ksql_file **out)
{
	switch (flags) {
	case KSQL_OPEN_READ:
		return snapshot_open(db, out);
	case KSQL_OPEN_WRITE:
		return upload_open(db, caller, out);
	default: /* it is one or the other */
		return -EPERM;
	}
}
