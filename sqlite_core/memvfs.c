// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * memvfs.c - SQLite's VFS: databases in memory, with a write-ahead log.
 *
 * The locks are those of SQLite's own unix VFS (locks.h).
 *
 * The log's index is shared memory of the connections as mmap'd files are
 * elsewhere; SQLite orders its accesses with xShmBarrier.
 *
 * A checkpoint reads a frame's content from the log into a buffer and writes that
 * buffer to the database.  Here the database gets the log's page itself, lent
 * until the log is cut or begins anew, and the page it had is freed: a large
 * transaction does not hold its pages twice.  Why nobody reads what is freed:
 *
 * - SQLite writes over a page of the database only when nobody may look at it:
 *   who ignores the log keeps the checkpoint out (read lock 0), and who does not
 *   either has a snapshot that is too old for the frame, and it is not
 *   checkpointed (the read marks), or finds the page in the log.  All that
 *   makes writing over it right makes freeing it right; their locks, kept under
 *   a spin, order the last look before it.  The first page is the
 *   exception: a connection that opens reads it with no lock on the log.  It is
 *   copied (memlog_lend()).
 * - Who reads a frame while it is lent reads the same page: it does not change,
 *   as frames that are committed do not, and the database takes another one
 *   for the next content.
 * - That next content is of a later frame, which is checkpointed only when no
 *   snapshot sees the earlier one as the last.  The log has the earlier one
 *   still, and frees it when it is cut.
 * - The log is cut to nothing, or written from its beginning, only with all
 *   read locks but 0 held, all of it having been checkpointed: nobody reads it
 *   then, nor will before the next commit.  Until that commit no checkpoint
 *   finds anything to do, so nobody lends meanwhile.  What a writer cuts off
 *   (wal_trim()) is behind the last commit, and never lent.
 * - A checkpoint that waits for readers has the checkpoint lock and the write
 *   lock in its hand from before it lends until it has cut, and takes the read
 *   locks after it has waited for them.
 *
 * What is lent of the log is known by comparing: a frame's header says which
 * page it is of, and the database either has that very page or it does not.
 */
#include "memvfs.h"

#include "port/cstd.h"
#include "conn.h"
#include "ksql_core.h"
#include "locks.h"
#include "mem.h"
#include "memfile.h"
#include "memlog.h"
#include "port/port.h"
#include "sqlite3.h"

#define SHM_REGION     32768 /* SQLite's WALINDEX_PGSZ */
#define SHM_FANOUT     512u /* regions in a page of pointers */
#define SHM_PAGES      32u /* such pages: an index of 64 Mi frames */
#define STORE_NAME_MAX 32

struct store {
	struct store *next; /* in stores.first; under stores.lock */
	char name[STORE_NAME_MAX]; /* constant */
	struct memfile db; /* written under SQLite's checkpoint lock */
	struct memlog wal; /* written under SQLite's write lock */
	const char *rom; /* in place of both; not ours; constant; NULL: none */
	uint64_t rom_size; /* constant */
	struct locks locks;

	struct port_spin lock; /* protects the index */
	void **shm[SHM_PAGES]; /* pages of pointers to regions */
};

/* What SQLite calls a file: one connection's hold of one. */
struct handle {
	sqlite3_file base;
	struct store *store; /* NULL for a log, a temporary file, or */
	const struct store *rom; /* one that is only read; NULL for all others */
	struct memlog *log; /* the store's, when this is its log */
	struct handle *main; /* and its database, of the same connection */
	struct memfile *file; /* else the store's, or own below */
	struct memfile own; /* a temporary file */
	bool checkpoints; /* reads the log to write to the database */
	const void *copied; /* has the content of a frame; NULL: none has */
	uint64_t frame; /* that one */
	struct hold hold; /* with a store, and not its log */
};

static struct {
	struct port_spin lock; /* protects the list and the counter */
	struct store *first;
	uint64_t made;
	struct port_event *never; /* constant; signalled never */
} stores;

/* --- stores -------------------------------------------------------------- */

struct store *store_new(void)
{
	struct store *s = ksql_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	if (locks_init(&s->locks)) {
		ksql_free(s);
		return NULL;
	}
	s->wal.db = &s->db;
	port_spin_lock(&stores.lock);
	stores.made++;
	sqlite3_snprintf(sizeof(s->name), s->name, "store-%llu",
			 (unsigned long long)stores.made);
	s->next = stores.first;
	stores.first = s;
	port_spin_unlock(&stores.lock);
	return s;
}

struct store *store_new_rom(const void *data, uint64_t size)
{
	struct store *s = store_new();

	if (s) {
		s->rom = data;
		s->rom_size = size;
	}
	return s;
}

static void shm_free(struct store *s)
{
	uint32_t i, k;

	for (i = 0; i < SHM_PAGES && s->shm[i]; i++) {
		for (k = 0; k < SHM_FANOUT; k++)
			ksql_free(s->shm[i][k]);
		mem_page_put(s->shm[i]);
	}
}

void store_free(struct store *s)
{
	struct store **at;

	if (!s)
		return;
	port_spin_lock(&stores.lock);
	for (at = &stores.first; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	port_spin_unlock(&stores.lock);
	memlog_truncate(&s->wal, 0);
	memfile_truncate(&s->db, 0);
	shm_free(s);
	locks_exit(&s->locks);
	ksql_free(s);
}

const char *store_name(const struct store *s)
{
	return s->name;
}

/*
 * The bound on the database is SQLite's max_page_count (conn.c): a transaction
 * learns of it while it can still be rolled back.  The log may hold as much
 * again, and a little, so that deleting works in a full database.
 */
void store_set_size(struct store *s, uint64_t bytes)
{
	__atomic_store_n(&s->wal.frames.max_pages,
			 bytes / KSQL_PAGE_SIZE * 5 / 4 + 1024,
			 __ATOMIC_RELAXED);
}

uint64_t store_wal_limit(const struct store *s)
{
	return __atomic_load_n(&s->wal.frames.max_pages, __ATOMIC_RELAXED) *
	       KSQL_PAGE_SIZE;
}

int store_append(struct store *s, const void *p, size_t n, uint64_t max)
{
	uint64_t size = memfile_size(&s->db);

	if (size > max || n > max - size)
		return -ENOSPC;
	return memfile_write(&s->db, p, n, size);
}

void store_patch(struct store *s, const void *p, size_t n, uint64_t off)
{
	memfile_write(&s->db, p, n, off);
}

void store_bound(struct store *s, uint64_t pages)
{
	s->db.max_pages = pages;
}

void store_drop(struct store *s, uint64_t from, uint64_t to)
{
	memfile_drop(&s->db, from, to);
}

void store_pages(const struct store *s, uint64_t *db, uint64_t *wal)
{
	*db = __atomic_load_n(&s->db.pages, __ATOMIC_RELAXED);
	*wal = memlog_pages(&s->wal);
}

struct hold *store_hold(sqlite3 *lite)
{
	sqlite3_file *file = NULL;
	struct handle *h;

	sqlite3_file_control(lite, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	h = (struct handle *)file;
	h->hold.lite = lite;
	return &h->hold;
}

void store_wake(struct store *s)
{
	locks_wake(&s->locks);
}

void store_waiting(const struct store *s, struct store_waiting *out)
{
	int64_t since = __atomic_load_n(&s->locks.written_ns, __ATOMIC_RELAXED);
	int64_t held = since ? port_coarse_ns() - since : 0;

	out->waiters = __atomic_load_n(&s->locks.waiters, __ATOMIC_RELAXED);
	out->waits = __atomic_load_n(&s->locks.waits, __ATOMIC_RELAXED);
	out->held_ns = held > 0 ? (uint64_t)held : 0;
}

/* --- files --------------------------------------------------------------- */

/*
 * Some opcodes (counting, checking, merging a sort) run long without SQLite's
 * progress handler, but not without reading.
 */
static void pause_now_and_then(void)
{
	struct conn *c = port_local();

	if (c)
		conn_poll_io(c);
}

static struct handle *handle_of(sqlite3_file *file)
{
	return (struct handle *)file;
}

static int file_close(sqlite3_file *file)
{
	struct handle *h = handle_of(file);

	memfile_truncate(&h->own, 0);
	if (h->store || h->rom)
		hold_exit(&h->hold);
	return SQLITE_OK;
}

static size_t log_read(struct handle *h, void *buf, size_t n, uint64_t off)
{
	struct handle *db = h->main;
	size_t got = memlog_read(h->log, buf, n, off);

	if (db->checkpoints)
		db->copied = got == n && memlog_is_frame(n, off, &db->frame) ?
				     buf :
				     NULL;
	return got;
}

static size_t rom_read(const struct store *s, void *buf, size_t n, uint64_t off)
{
	if (off >= s->rom_size)
		return 0;
	if (n > s->rom_size - off)
		n = (size_t)(s->rom_size - off);
	memcpy(buf, s->rom + off, n);
	return n;
}

static int file_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 off)
{
	struct handle *h = handle_of(file);
	size_t got;

	pause_now_and_then();
	if (h->rom)
		got = rom_read(h->rom, buf, (size_t)n, (uint64_t)off);
	else if (h->log)
		got = log_read(h, buf, (size_t)n, (uint64_t)off);
	else
		got = memfile_read(h->file, buf, (size_t)n, (uint64_t)off);
	if (got == (size_t)n)
		return SQLITE_OK;
	memset((char *)buf + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int write_any(struct handle *h, const void *buf, size_t n, uint64_t off)
{
	int ret;

	if (h->log)
		return memlog_write(h->log, buf, n, off);
	if (h->checkpoints && buf == h->copied && n == KSQL_PAGE_SIZE) {
		ret = memlog_lend(&h->store->wal, h->frame, buf, off);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	return memfile_write(h->file, buf, n, off);
}

static int file_write(sqlite3_file *file, const void *buf, int n,
		      sqlite3_int64 off)
{
	if (handle_of(file)->rom)
		return SQLITE_READONLY;
	switch (write_any(handle_of(file), buf, (size_t)n, (uint64_t)off)) {
	case 0:
		return SQLITE_OK;
	case -ENOSPC:
		return SQLITE_FULL;
	default:
		return SQLITE_IOERR_NOMEM;
	}
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct handle *h = handle_of(file);

	if (h->rom)
		return SQLITE_READONLY;
	if (h->log)
		memlog_truncate(h->log, (uint64_t)size);
	else
		memfile_truncate(h->file, (uint64_t)size);
	return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
	(void)file;
	(void)flags;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	const struct handle *h = handle_of(file);

	if (h->rom)
		*size = (sqlite3_int64)h->rom->rom_size;
	else
		*size = (sqlite3_int64)(h->log ? memlog_size(h->log) :
						 memfile_size(h->file));
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level)
{
	struct handle *h = handle_of(file);

	return h->store ? hold_lock(&h->hold, level) : SQLITE_OK;
}

static int file_unlock(sqlite3_file *file, int level)
{
	struct handle *h = handle_of(file);

	if (h->store)
		hold_unlock(&h->hold, level);
	return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *file, int *reserved)
{
	struct store *s = handle_of(file)->store;

	*reserved = s && locks_reserved(&s->locks);
	return SQLITE_OK;
}

/*
 * SQLite says when a checkpoint begins and ends to copy.  What it wrote must be
 * seen by whoever sees that it is done, which it says next.
 */
static int file_control(sqlite3_file *file, int op, void *arg)
{
	struct handle *h = handle_of(file);

	(void)arg;
	switch (op) {
	case SQLITE_FCNTL_CKPT_START:
	case SQLITE_FCNTL_CKPT_DONE:
		h->checkpoints = h->store && op == SQLITE_FCNTL_CKPT_START;
		h->copied = NULL;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		return SQLITE_OK;
	default:
		return SQLITE_NOTFOUND;
	}
}

static int file_sector_size(sqlite3_file *file)
{
	(void)file;
	return KSQL_PAGE_SIZE;
}

/* Of what is immutable SQLite asks for no lock, and no log. */
static int file_characteristics(sqlite3_file *file)
{
	return SQLITE_IOCAP_ATOMIC | SQLITE_IOCAP_SAFE_APPEND |
	       SQLITE_IOCAP_SEQUENTIAL | SQLITE_IOCAP_POWERSAFE_OVERWRITE |
	       (handle_of(file)->rom ? SQLITE_IOCAP_IMMUTABLE : 0);
}

/* --- the log's index ----------------------------------------------------- */

static void **shm_slot(struct store *s, uint32_t region)
{
	void **page = s->shm[region / SHM_FANOUT];

	return page ? &page[region % SHM_FANOUT] : NULL;
}

static int file_shm_map(sqlite3_file *file, int region, int size, int extend,
			void volatile **out)
{
	struct store *s = handle_of(file)->store;
	void *fresh = NULL, *fresh_page = NULL;
	void **slot;

	*out = NULL;
	if (!s || size != SHM_REGION || region < 0 ||
	    (uint32_t)region >= SHM_PAGES * SHM_FANOUT)
		return SQLITE_IOERR_SHMMAP;
	for (;;) {
		port_spin_lock(&s->lock);
		if (fresh_page && !s->shm[region / SHM_FANOUT]) {
			s->shm[region / SHM_FANOUT] = fresh_page;
			fresh_page = NULL;
		}
		slot = shm_slot(s, (uint32_t)region);
		if (slot && !*slot && fresh) {
			*slot = fresh;
			fresh = NULL;
		}
		if (slot)
			*out = *slot;
		port_spin_unlock(&s->lock);
		if (*out || !extend)
			break;
		/* What allocates may sleep: do it unlocked and look again. */
		if (!slot)
			fresh_page = mem_page_get();
		fresh = ksql_zalloc(SHM_REGION);
		if (!fresh || (!slot && !fresh_page))
			break;
	}
	ksql_free(fresh);
	if (fresh_page)
		mem_page_put(fresh_page);
	return *out || !extend ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

/* Of SQLite's wal.c: where in the log's index things are. */
#define WAL_IS_INIT   12
#define WAL_MAX_FRAME 16
#define WAL_SLACK     (64u * KSQL_PAGE_SIZE)

/*
 * What a large transaction wrote into the log and then rolled back is nobody's:
 * give its memory back.  By the writer, before it gives the write lock up: no
 * reader looks beyond the last frame that was committed.
 */
static void wal_trim(struct store *s)
{
	const char *index = s->shm[0] ? s->shm[0][0] : NULL;
	uint32_t frames;
	uint64_t end;

	if (!index || !index[WAL_IS_INIT])
		return;
	memcpy(&frames, index + WAL_MAX_FRAME, sizeof(frames));
	end = MEMLOG_HEADER + (uint64_t)frames * MEMLOG_FRAME;
	if (memlog_size(&s->wal) > end + WAL_SLACK)
		memlog_truncate(&s->wal, end);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	struct handle *h = handle_of(file);

	if (!h->store)
		return SQLITE_IOERR_SHMLOCK;
	if (flags & SQLITE_SHM_LOCK)
		return hold_shm_lock(&h->hold, offset, n,
				     flags & SQLITE_SHM_EXCLUSIVE);
	if (offset == 0 && hold_writes(&h->hold))
		wal_trim(h->store);
	hold_shm_unlock(&h->hold, offset, n);
	return SQLITE_OK;
}

static void file_shm_barrier(sqlite3_file *file)
{
	(void)file;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The index stays for the next connection; store_free() frees it. */
static int file_shm_unmap(sqlite3_file *file, int delete_it)
{
	struct handle *h = handle_of(file);

	(void)delete_it;
	if (h->store)
		hold_shm_unlock(&h->hold, 0, SQLITE_SHM_NLOCK);
	return SQLITE_OK;
}

/*
 * SQLite may look so many bytes beyond the end of a damaged page, and nobody
 * knows what lies behind an image: its last page is copied, as SQLite's own VFS
 * for files does it.
 */
#define ROM_BEYOND 256u

static void *rom_fetch(const struct store *s, uint64_t off, size_t n)
{
	if (off > s->rom_size || n + ROM_BEYOND > s->rom_size - off)
		return NULL;
	return (void *)(s->rom + off);
}

/*
 * Pages read in place.  A page of the database changes only in a checkpoint,
 * which SQLite's read locks keep away from what a reader may look at; the log
 * is never fetched.
 */
static int file_fetch(sqlite3_file *file, sqlite3_int64 off, int n, void **out)
{
	struct handle *h = handle_of(file);

	pause_now_and_then();
	if (h->rom)
		*out = rom_fetch(h->rom, (uint64_t)off, (size_t)n);
	else
		*out = h->store ? memfile_fetch(h->file, (uint64_t)off,
						(size_t)n) :
				  NULL;
	return SQLITE_OK;
}

static int file_unfetch(sqlite3_file *file, sqlite3_int64 off, void *page)
{
	(void)file;
	(void)off;
	(void)page;
	return SQLITE_OK;
}

static const sqlite3_io_methods io_methods = {
	.iVersion = 3,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
	.xFetch = file_fetch,
	.xUnfetch = file_unfetch,
};

/* --- the VFS ------------------------------------------------------------- */

/* The store that a name, with one of SQLite's suffixes, belongs to. */
static struct store *store_find(const char *name, const char *suffix)
{
	size_t tail = strlen(suffix), len = strlen(name);
	struct store *s;

	if (len < tail || strcmp(name + len - tail, suffix) != 0)
		return NULL;
	len -= tail;
	port_spin_lock(&stores.lock);
	for (s = stores.first; s; s = s->next)
		if (strlen(s->name) == len && memcmp(s->name, name, len) == 0)
			break;
	port_spin_unlock(&stores.lock);
	return s;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file,
		    int flags, int *out_flags)
{
	struct handle *h = handle_of(file);

	(void)vfs;
	memset(h, 0, sizeof(*h));
	if (flags & SQLITE_OPEN_MAIN_DB) {
		h->store = name ? store_find(name, "") : NULL;
		if (!h->store)
			return SQLITE_CANTOPEN;
		if (hold_init(&h->hold, &h->store->locks))
			return SQLITE_NOMEM;
		h->file = &h->store->db;
		if (h->store->rom) {
			h->rom = h->store;
			h->store = NULL;
			flags = (flags & ~SQLITE_OPEN_READWRITE) |
				SQLITE_OPEN_READONLY;
		}
	} else if (flags & SQLITE_OPEN_WAL) {
		struct store *s = name ? store_find(name, "-wal") : NULL;

		if (!s)
			return SQLITE_CANTOPEN;
		h->log = &s->wal; /* locked through the database's handle */
		h->main = handle_of(sqlite3_database_file_object(name));
	} else {
		h->file = &h->own; /* journals of what is temporary */
	}
	if (out_flags)
		*out_flags = flags;
	file->pMethods = &io_methods;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	struct store *s = store_find(name, "-wal");

	(void)vfs;
	(void)sync_dir;
	if (s) /* a journal went with its handle */
		memlog_truncate(&s->wal, 0);
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	struct store *s = store_find(name, "-wal");

	(void)vfs;
	(void)flags;
	*out = (s && memlog_size(&s->wal)) || store_find(name, "");
	return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int n,
			     char *out)
{
	(void)vfs;
	sqlite3_snprintf(n, out, "%s", name);
	return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	port_random(out, (size_t)n);
	return n;
}

/* Only SQLite's own waits for the log's recovery come here: microseconds. */
static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	port_event_wait(stores.never, port_event_count(stores.never),
			(uint64_t)microseconds * 1000u);
	return microseconds;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	(void)n;
	(void)out;
	return 0;
}

/* Milliseconds since noon, 24 November 4714 BC (julian day 0). */
static int vfs_current_time(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
	(void)vfs;
	*now = port_realtime_ns() / 1000000 + 210866760000000LL;
	return SQLITE_OK;
}

static sqlite3_vfs memvfs = {
	.iVersion = 2,
	.szOsFile = sizeof(struct handle),
	.mxPathname = STORE_NAME_MAX + 16,
	.zName = "ksqlfs",
	.xOpen = vfs_open,
	.xDelete = vfs_delete,
	.xAccess = vfs_access,
	.xFullPathname = vfs_full_pathname,
	.xRandomness = vfs_randomness,
	.xSleep = vfs_sleep,
	.xGetLastError = vfs_last_error,
	.xCurrentTimeInt64 = vfs_current_time,
};

int memvfs_init(void)
{
	memset(&stores, 0, sizeof(stores));
	stores.never = port_event_new();
	if (!stores.never)
		return -ENOMEM;
	return sqlite3_vfs_register(&memvfs, 1) ? -ENOMEM : 0;
}

void memvfs_exit(void)
{
	sqlite3_vfs_unregister(&memvfs);
	port_event_free(stores.never);
}

/* SQLite calls these for a host of its own; core.c registers instead. */
int sqlite3_os_init(void)
{
	return SQLITE_OK;
}

int sqlite3_os_end(void)
{
	return SQLITE_OK;
}
