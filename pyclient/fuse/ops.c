// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * ops.c - FUSE requests as calls of the engine.
 *
 * Requests arrive on any of the host's threads.  Each answers its request once.
 * What may run SQL is done between begin() and end(), during which an INTERRUPT
 * of the kernel's raises the thread's cancel flag.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ioctl.h"

/**
 * struct open_file - an open file; what fi->fh points to
 * @file: the engine's, owned; used by who has it locked
 * @opener: the process that opened it; never changes
 * @readable: opened for reading; never changes
 * @append: with O_APPEND; never changes
 * @batch: opened write-only: closing it means something; never changes
 * @mutex: of the next two, and of worker.waits of those who wait here
 * @locked: a thread uses @file
 * @unlocked: signalled when that ends, or a waiting thread is to give up
 * @written: something came since the last finish; atomic
 * @broken: its text is not what the writer meant, and must not run; atomic
 * @untold: an errno of which the kernel does not tell the writer, or 0; used by
 *	who has it locked
 * @poll: NULL, or whom to wake at the next commit; owned; under the host's lock
 * @next_polled: under the host's lock
 */
struct open_file {
	struct ksql_file *file;
	pid_t opener;
	bool readable;
	bool append;
	bool batch;
	pthread_mutex_t mutex;
	bool locked;
	pthread_cond_t unlocked;
	bool written;
	bool broken;
	int untold;
	struct fuse_pollhandle *poll;
	struct open_file *next_polled;
};

/**
 * struct open_dir - an open directory; what fi->fh points to
 * @listing: the engine's, owned
 * @used: something of it was read
 */
struct open_dir {
	struct ksql_dir *listing;
	bool used;
};

/* --- requests ------------------------------------------------------------- */

static struct host *host_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &host_of(req)->root :
				     (struct node *)(uintptr_t)ino;
}

static fuse_ino_t id_of(const struct node *node)
{
	return (fuse_ino_t)(uintptr_t)node;
}

/*
 * End what a worker does.  To be called while something keeps it from being
 * through with its request: then a file that it waits for stays.
 */
void ops_cancel(struct worker *worker)
{
	struct open_file *of;

	__atomic_store_n(&worker->cancel, 1, __ATOMIC_SEQ_CST);
	of = __atomic_load_n(&worker->waits, __ATOMIC_SEQ_CST);
	if (!of)
		return;
	pthread_mutex_lock(&of->mutex);
	pthread_cond_broadcast(&of->unlocked);
	pthread_mutex_unlock(&of->mutex);
}

/*
 * The kernel says that the client got a signal: once, and of whichever.  Runs on
 * another thread, and keeps the worker from end() meanwhile.
 */
static void interrupted(fuse_req_t req, void *data)
{
	const pid_t thread = fuse_req_ctx(req)->pid;
	struct worker *worker = data;

	if (client_is_signalled(thread)) {
		ops_cancel(worker);
		return;
	}
	__atomic_store_n(&worker->suspect, thread, __ATOMIC_RELEASE);
	host_suspect(host_of(req));
}

static struct ksql_caller begin(fuse_req_t req)
{
	struct worker *self = worker_self;
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	const struct ksql_caller caller = { .uid = ctx->uid,
					    .gid = ctx->gid,
					    .pid = ctx->pid,
					    .cancel = &self->cancel };

	__atomic_store_n(&self->cancel,
			 __atomic_load_n(&host_of(req)->stopping,
					 __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	fuse_req_interrupt_func(req, interrupted, self);
	return caller;
}

/* To be called before the answer: it frees the request. */
static void end(fuse_req_t req)
{
	struct host *host = host_of(req);
	struct worker *self = worker_self;

	fuse_req_interrupt_func(req, NULL, NULL);
	if (!__atomic_load_n(&self->suspect, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&host->lock);
	self->suspect = 0;
	pthread_mutex_unlock(&host->lock);
}

static void reply(fuse_req_t req, int err)
{
	end(req);
	fuse_reply_err(req, -err);
}

/* --- the lock of an open file ----------------------------------------------- */

static struct open_file *file_of(const struct fuse_file_info *fi)
{
	return (struct open_file *)(uintptr_t)fi->fh;
}

/* False when the client was interrupted while it waited. */
static bool file_lock(struct open_file *of)
{
	struct worker *self = worker_self;
	bool mine;

	pthread_mutex_lock(&of->mutex);
	__atomic_store_n(&self->waits, of, __ATOMIC_SEQ_CST);
	while (of->locked && !__atomic_load_n(&self->cancel, __ATOMIC_SEQ_CST))
		pthread_cond_wait(&of->unlocked, &of->mutex);
	__atomic_store_n(&self->waits, NULL, __ATOMIC_SEQ_CST);
	mine = !of->locked;
	of->locked = true;
	pthread_mutex_unlock(&of->mutex);
	return mine;
}

static void file_unlock(struct open_file *of)
{
	pthread_mutex_lock(&of->mutex);
	of->locked = false;
	pthread_cond_signal(&of->unlocked);
	pthread_mutex_unlock(&of->mutex);
}

static int file_end(struct open_file *of, const struct ksql_caller *caller,
		    off_t *end)
{
	int64_t n;

	if (!file_lock(of))
		return -EINTR;
	n = ksql_end(of->file, caller);
	file_unlock(of);
	if (n < 0)
		return (int)n;
	*end = n;
	return 0;
}

/* --- names ---------------------------------------------------------------- */

static void fill_stat(struct host *host, const struct ksql_node *node,
		      const struct ksql_attr *attr, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = ksql_node_mode(node, host->mode) |
		      (ksql_node_is_dir(node) ? S_IFDIR : S_IFREG);
	st->st_nlink = 1;
	st->st_uid = host->uid;
	st->st_gid = host->gid;
	st->st_ino = attr->ino;
	st->st_size = (off_t)attr->size;
	st->st_blksize = KSQL_PAGE_SIZE;
	st->st_blocks = (blkcnt_t)((attr->size + 511) / 512);
	st->st_mtim.tv_sec = attr->mtime_ns / 1000000000;
	st->st_mtim.tv_nsec = attr->mtime_ns % 1000000000;
	st->st_atim = st->st_mtim;
	st->st_ctim = st->st_mtim;
}

/*
 * May this client?  The kernel does not check for us (default_permissions): it
 * would ask for the attributes, and so for the exact size, before each use.
 * Root may, as by CAP_DAC_OVERRIDE, all that files and directories here allow.
 */
static bool may(fuse_req_t req, const struct ksql_node *node, unsigned int want)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	const struct host *host = host_of(req);
	const uint32_t mode = ksql_node_mode(node, host->mode);

	if (ctx->uid == 0)
		return !(want & X_OK) || (mode & 0111);
	if (ctx->uid == host->uid)
		return !(want & ~(mode >> 6));
	if (((mode >> 3) & 7) != (mode & 7) &&
	    client_in_group(req, ctx->gid, host->gid))
		return !(want & ~(mode >> 3));
	return !(want & ~mode);
}

/*
 * Neither names nor attributes are kept by the kernel: timeouts of 0.  So this
 * size is not what stat() shows.  But sendfile() and mmap() believe it until
 * somebody asks for the attributes: large, it makes them ask us for bytes, where
 * the answer says where the end is.  A stream refuses then; its size is one that
 * programs without O_LARGEFILE may open, and that O_APPEND begins at.
 */
static uint64_t size_unasked(const struct ksql_node *node)
{
	if (ksql_node_is_dir(node))
		return 0;
	return ksql_node_is_stream(node) ? INT32_MAX : 1ull << 40;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct host *host = host_of(req);
	struct ksql_node *dir = node_of(req, parent)->node, *found;
	struct fuse_entry_param entry = { 0 };
	struct ksql_attr attr = { 0 };
	struct node *node;
	int err = -EACCES;

	if (may(req, dir, X_OK))
		err = ksql_lookup(host->db, dir, name, strlen(name), &found);
	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	attr.ino = ksql_node_ino(found);
	attr.size = size_unasked(found);
	node = nodes_enter(found);
	if (!node) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	entry.ino = id_of(node);
	entry.generation = node->generation;
	fill_stat(host, node->node, &attr, &entry.attr);
	if (fuse_reply_entry(req, &entry))
		nodes_forget(node, 1);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	if (ino != FUSE_ROOT_ID)
		nodes_forget(node_of(req, ino), lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (forgets[i].ino != FUSE_ROOT_ID)
			nodes_forget(node_of(req, forgets[i].ino),
				     forgets[i].nlookup);
	fuse_reply_none(req);
}

static int get_stat(fuse_req_t req, struct node *node,
		    const struct ksql_caller *caller, struct stat *st)
{
	struct ksql_attr attr;
	int err = ksql_getattr(host_of(req)->db, node->node, caller, &attr);

	if (!err)
		fill_stat(host_of(req), node->node, &attr, st);
	return err;
}

static void reply_attr(fuse_req_t req, int err, const struct stat *st)
{
	end(req);
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_attr(req, st, 0);
}

/*
 * stat() of an open file tells what opening it now would give, or 0 where that
 * is not known: sendfile() and mmap() would take it for the end of what was
 * opened.  So tell the kernel that the file has grown meanwhile, a byte further
 * each time: then it shows the attributes that we answer with, and keeps its own.
 */
static void keep_size(struct host *host, const struct node *node)
{
	static uint64_t grown;
	struct fuse_bufvec nothing = FUSE_BUFVEC_INIT(0);

	fuse_lowlevel_notify_store(
		host->session, id_of(node),
		(off_t)(size_unasked(node->node) +
			__atomic_add_fetch(&grown, 1, __ATOMIC_RELAXED)),
		&nothing, 0);
}

/* With an open file the kernel asks for its end, to seek from there. */
static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	struct node *node = node_of(req, ino);
	struct stat st;
	int err = get_stat(req, node, &caller, &st);

	if (!err && fi && S_ISREG(st.st_mode) && file_of(fi)->readable &&
	    !ksql_node_is_stream(node->node))
		err = file_end(file_of(fi), &caller, &st.st_size);
	else if (!err && !fi &&
		 __atomic_load_n(&node->openings, __ATOMIC_RELAXED))
		keep_size(host_of(req), node);
	reply_attr(req, err, &st);
}

/*
 * O_TRUNC, truncate() and touch, which shells and editors do before or after
 * they write, succeed and change nothing; owner and mode are the mount's.
 */
static int may_setattr(fuse_req_t req, struct node *node, int set)
{
	const uid_t uid = fuse_req_ctx(req)->uid;
	const bool now = (set & FUSE_SET_ATTR_ATIME_NOW) &&
			 (set & FUSE_SET_ATTR_MTIME_NOW);

	if (set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		return -EPERM;
	if (uid == 0 ||
	    (uid == host_of(req)->uid && !(set & FUSE_SET_ATTR_SIZE)))
		return 0;
	if ((set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) && !now)
		return -EPERM;
	return may(req, node->node, W_OK) ? 0 : -EACCES;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int set,
		       struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	struct node *node = node_of(req, ino);
	struct stat st;
	int err = fi ? 0 : may_setattr(req, node, set);

	(void)to;
	if (!err)
		err = get_stat(req, node, &caller, &st);
	reply_attr(req, err, &st);
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int want)
{
	fuse_reply_err(req,
		       may(req, node_of(req, ino)->node, want) ? 0 : EACCES);
}

/* Names come and go by SQL alone. */
static void refuse(fuse_req_t req, fuse_ino_t dir)
{
	fuse_reply_err(req, may(req, node_of(req, dir)->node, W_OK | X_OK) ?
				    EPERM :
				    EACCES);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode, dev_t rdev)
{
	(void)name;
	(void)mode;
	(void)rdev;
	refuse(req, parent);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		      mode_t mode, struct fuse_file_info *fi)
{
	(void)name;
	(void)mode;
	(void)fi;
	refuse(req, parent);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	(void)name;
	(void)mode;
	refuse(req, parent);
}

static void op_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)name;
	refuse(req, parent);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		       const char *name)
{
	(void)target;
	(void)name;
	refuse(req, parent);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		      fuse_ino_t to_parent, const char *to_name,
		      unsigned int flags)
{
	(void)name;
	(void)to_parent;
	(void)to_name;
	(void)flags;
	refuse(req, parent);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		    const char *name)
{
	(void)ino;
	(void)name;
	refuse(req, parent);
}

/* --- directories ---------------------------------------------------------- */

static struct open_dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct open_dir *)(uintptr_t)fi->fh;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	struct open_dir *od = calloc(1, sizeof(*od));
	struct ksql_node *node = node_of(req, ino)->node;
	int err = -ENOMEM;

	if (!may(req, node, R_OK))
		err = -EACCES;
	else if (od)
		err = ksql_opendir(host_of(req)->db, node, &caller,
				   &od->listing);
	if (err) {
		free(od);
		reply(req, err);
		return;
	}
	fi->fh = (uintptr_t)od;
	end(req);
	if (fuse_reply_open(req, fi)) {
		ksql_closedir(od->listing);
		free(od);
	}
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	(void)ino;
	ksql_closedir(dir_of(fi)->listing);
	free(dir_of(fi));
	fuse_reply_err(req, 0);
}

/* rewinddir() shows the names as they are by then. */
static int list_again(fuse_req_t req, struct node *node, struct open_dir *od)
{
	const struct ksql_caller caller = begin(req);
	struct ksql_dir *listing;
	int err = ksql_opendir(host_of(req)->db, node->node, &caller, &listing);

	end(req);
	if (err)
		return err;
	ksql_closedir(od->listing);
	od->listing = listing;
	return 0;
}

static bool entry_at(struct open_dir *od, const struct node *node,
		     uint64_t index, struct ksql_dirent *entry)
{
	static const char *const dots[] = { ".", ".." };

	if (index >= 2)
		return ksql_readdir(od->listing, index - 2, entry);
	entry->name = dots[index];
	entry->is_dir = true;
	entry->ino = ksql_node_ino(node->node);
	return true;
}

/* One call at a time: the kernel holds the lock of the directory's position. */
static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	struct node *node = node_of(req, ino);
	struct open_dir *od = dir_of(fi);
	struct ksql_dirent entry;
	uint64_t index = (uint64_t)off;
	size_t used = 0, need;
	struct stat st = { 0 };
	int err = 0;
	char *buf;

	if (index == 0 && od->used)
		err = list_again(req, node, od);
	od->used = true;
	buf = err ? NULL : malloc(size);
	if (!buf) {
		fuse_reply_err(req, err ? -err : ENOMEM);
		return;
	}
	while (entry_at(od, node, index, &entry)) {
		index++;
		st.st_ino = entry.ino;
		st.st_mode = entry.is_dir ? S_IFDIR : S_IFREG;
		need = fuse_add_direntry(req, buf + used, size - used,
					 entry.name, &st, (off_t)index);
		if (need > size - used)
			break;
		used += need;
	}
	fuse_reply_buf(req, buf, used);
	free(buf);
}

/* --- open files ----------------------------------------------------------- */

static bool is_broken(struct open_file *of)
{
	return __atomic_load_n(&of->broken, __ATOMIC_ACQUIRE);
}

static unsigned int open_flags(int flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return KSQL_OPEN_READ;
	case O_WRONLY:
		return KSQL_OPEN_WRITE;
	default:
		return KSQL_OPEN_READ | KSQL_OPEN_WRITE;
	}
}

static void file_free(struct open_file *of)
{
	pthread_cond_destroy(&of->unlocked);
	pthread_mutex_destroy(&of->mutex);
	free(of);
}

/*
 * As fuse_reply_open(), which does not know all flags.  A stream has no position,
 * and takes parallel writes: so no lock of the kernel's is held over a statement,
 * and who waits for another's on the same open file can be interrupted.
 */
static int reply_open(fuse_req_t req, struct open_file *of, bool stream)
{
	struct fuse_open_out out = { .fh = (uintptr_t)of,
				     .open_flags = FOPEN_DIRECT_IO };

	if (!of->batch)
		out.open_flags |= FOPEN_NOFLUSH;
	if (stream)
		out.open_flags |= FOPEN_STREAM | FOPEN_PARALLEL_DIRECT_WRITES;
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	struct ksql_node *node = node_of(req, ino)->node;
	struct open_file *of = calloc(1, sizeof(*of));
	unsigned int flags = open_flags(fi->flags);
	int err;

	if (!of) {
		reply(req, -ENOMEM);
		return;
	}
	pthread_mutex_init(&of->mutex, NULL);
	pthread_cond_init(&of->unlocked, NULL);
	err = -EACCES;
	if (may(req, node,
		((flags & KSQL_OPEN_READ) ? R_OK : 0) |
			((flags & KSQL_OPEN_WRITE) || (fi->flags & O_TRUNC) ?
				 W_OK :
				 0)))
		err = ksql_open(host_of(req)->db, node, &caller, flags,
				&of->file);
	if (err) {
		file_free(of);
		reply(req, err);
		return;
	}
	of->readable = flags & KSQL_OPEN_READ;
	of->append = fi->flags & O_APPEND;
	of->batch = flags == KSQL_OPEN_WRITE;
	/* Of an image nothing at all is something bad. */
	of->written = of->batch && !ksql_node_is_stream(node);
	if (of->batch)
		of->opener = client_process(fuse_req_ctx(req)->pid);
	__atomic_fetch_add(&node_of(req, ino)->openings, 1, __ATOMIC_RELAXED);
	end(req);
	if (reply_open(req, of, ksql_node_is_stream(node))) {
		/* the client is gone */
		__atomic_fetch_sub(&node_of(req, ino)->openings, 1,
				   __ATOMIC_RELAXED);
		ksql_release(of->file, NULL, true);
		file_free(of);
	}
}

/* The thread's own buffer; NULL if there is no memory. */
static char *buffer(size_t size)
{
	struct worker *self = worker_self;
	char *buf;

	if (self->buf_size >= size)
		return self->buf;
	buf = realloc(self->buf, size);
	if (!buf)
		return NULL;
	self->buf = buf;
	self->buf_size = size;
	return buf;
}

/*
 * Reads for the kernel's page cache (sendfile(), mmap()) have no lock owner.  A
 * stream has no pages: who asked so is to try read().
 */
static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	struct open_file *of = file_of(fi);
	char *buf = buffer(size);
	long n = -ENOMEM;

	if (!fi->lock_owner && ksql_node_is_stream(node_of(req, ino)->node)) {
		n = -EINVAL;
	} else if (buf && !file_lock(of)) {
		n = -EINTR;
	} else if (buf) {
		of->untold = 0;
		n = is_broken(of) ? -ECANCELED :
				    ksql_read(of->file, &caller, buf, size,
					      (uint64_t)off);
		file_unlock(of);
	}
	end(req);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

/*
 * The kernel cuts a write() into requests, and when one fails after others went
 * well it tells the writer how many bytes went, not the errno.  Who then writes
 * the rest must not begin another request with it: he is told now.  Not EINTR,
 * after which programs write the same again.
 *
 * Streams have no positions, so what does not begin at 0 goes on.  But for
 * O_APPEND: there a batch that has failed takes nothing more anyway.
 */
static long write_part(struct open_file *of, const struct ksql_caller *caller,
		       const char *buf, size_t size, off_t off)
{
	bool goes_on = off > 0 && !of->append;
	int untold = of->untold;
	long n;

	of->untold = 0;
	if (untold && !goes_on)
		return untold;
	n = ksql_write(of->file, caller, buf, size);
	if (n < 0 && goes_on)
		of->untold = n == -EINTR ? -ECANCELED : (int)n;
	return n;
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	struct open_file *of = file_of(fi);
	long n = -EINTR;

	(void)ino;
	if (file_lock(of)) {
		__atomic_store_n(&of->written, true, __ATOMIC_RELEASE);
		n = is_broken(of) ? -ECANCELED :
				    write_part(of, &caller, buf, size, off);
		file_unlock(of);
	}
	end(req);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

/* --- closing -------------------------------------------------------------- */

/*
 * Has the opener another descriptor for it?  Told by the node, which is that of
 * one opening, but for /dev/fd/N and the like: they open a node again, and then
 * nothing can be told.
 */
static bool is_open_elsewhere(const struct open_file *of,
			      const struct node *node)
{
	return __atomic_load_n(&node->openings, __ATOMIC_RELAXED) == 1 &&
	       client_has_open(of->opener, id_of(node), node->generation);
}

/*
 * Sent at each close() of each process, also at those of dup2() and exit().
 *
 * The end of a batch is the close by the process that opened it, once it has no
 * other descriptor for it: a shell opens, dup2()s and closes the first one.  A
 * child's close ends nothing.  What is not ended here op_release() ends.
 */
static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	const pid_t thread = fuse_req_ctx(req)->pid;
	struct open_file *of = file_of(fi);
	int err = 0;

	if (!of->batch || !__atomic_load_n(&of->written, __ATOMIC_ACQUIRE) ||
	    !client_is_process(thread, of->opener) ||
	    is_open_elsewhere(of, node_of(req, ino))) {
		reply(req, 0);
		return;
	}
	if (client_was_killed(thread, fuse_req_ctx(req)->uid) ||
	    !file_lock(of)) {
		/* A child may go on with the file; the text stays half of one. */
		__atomic_store_n(&of->broken, true, __ATOMIC_RELEASE);
		reply(req, -EINTR);
		return;
	}
	__atomic_store_n(&of->written, false, __ATOMIC_RELEASE);
	if (!is_broken(of))
		err = ksql_finish(of->file, &caller);
	file_unlock(of);
	reply(req, err);
}

/* The last descriptor is gone: nobody else has @of.  No client waits for this. */
static void op_release(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	const struct ksql_caller caller = begin(req);
	struct host *host = host_of(req);
	struct open_file *of = file_of(fi), **at;

	__atomic_fetch_sub(&node_of(req, ino)->openings, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&host->lock);
	if (of->poll) {
		for (at = &host->polled; *at != of; at = &(*at)->next_polled)
			;
		*at = of->next_polled;
		fuse_pollhandle_destroy(of->poll);
	}
	pthread_mutex_unlock(&host->lock);
	ksql_release(of->file, &caller, is_broken(of));
	file_free(of);
	reply(req, 0);
}

/* --- waiting for changes -------------------------------------------------- */

/*
 * First be among those that are woken, then look: a commit in between wakes for
 * nothing, and none is missed.
 */
static void op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		    struct fuse_pollhandle *ph)
{
	struct host *host = host_of(req);
	struct open_file *of = file_of(fi);
	unsigned int ready, events = 0;

	(void)ino;
	if (ph) {
		pthread_mutex_lock(&host->lock);
		if (of->poll) {
			fuse_pollhandle_destroy(of->poll);
		} else {
			of->next_polled = host->polled;
			host->polled = of;
		}
		of->poll = ph;
		pthread_mutex_unlock(&host->lock);
	}
	ready = ksql_poll(of->file);
	if (ready & KSQL_POLL_READ)
		events |= POLLIN | POLLRDNORM;
	if (ready & KSQL_POLL_WRITE)
		events |= POLLOUT | POLLWRNORM;
	if (ready & KSQL_POLL_CHANGED)
		events |= POLLPRI;
	fuse_reply_poll(req, events);
}

/** ops_wake_pollers() - a commit has come: the kernel shall ask them again */
void ops_wake_pollers(struct host *host)
{
	struct open_file *of;

	pthread_mutex_lock(&host->lock);
	for (of = host->polled; of; of = of->next_polled) {
		fuse_lowlevel_notify_poll(of->poll);
		fuse_pollhandle_destroy(of->poll);
		of->poll = NULL;
	}
	host->polled = NULL;
	pthread_mutex_unlock(&host->lock);
}

/* --- the mount ------------------------------------------------------------ */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	/*
	 * Without splice: requests are small, and a pipe costs more than the
	 * copy.  Listing with attributes would work out sizes nobody asked for.
	 * Reads and writes one after another: out of order the parts of a
	 * statement make another, and a table is begun again.  No export: the
	 * kernel would look up "." in ids that it has forgotten.
	 */
	conn->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
			FUSE_CAP_SPLICE_MOVE | FUSE_CAP_READDIRPLUS |
			FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_READ |
			FUSE_CAP_ASYNC_DIO | FUSE_CAP_EXPORT_SUPPORT);
	/* ">" is an open(); a remount is an ioctl() on the top directory. */
	conn->want |= conn->capable &
		      (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_IOCTL_DIR);
	if (conn->max_write > HOST_IO_MAX)
		conn->max_write = HOST_IO_MAX;
	host_ready(userdata);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct host *host = host_of(req);
	struct ksql_options limits;
	uint64_t pages, wal_pages, most;
	struct statvfs st = { 0 };

	(void)ino;
	ksql_db_options(host->db, &limits);
	ksql_db_usage(host->db, &pages, &wal_pages);
	most = limits.size / KSQL_PAGE_SIZE;
	st.f_bsize = KSQL_PAGE_SIZE;
	st.f_frsize = KSQL_PAGE_SIZE;
	st.f_blocks = most > pages ? most : pages;
	st.f_bfree = st.f_blocks - pages;
	st.f_bavail = st.f_bfree;
	st.f_namemax = 255;
	fuse_reply_statfs(req, &st);
}

static int change_limits(struct host *host, const void *data)
{
	struct ksqlfs_limits limits;
	struct ksql_options options;
	int err;

	memcpy(&limits, data, sizeof(limits));
	limits.text[sizeof(limits.text) - 1] = '\0';
	ksql_db_options(host->db, &options);
	err = host_limits(&options, limits.text, NULL, 0);
	return err ? err : ksql_db_configure(host->db, &options);
}

/* Only a remount, of the top directory. */
static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd,
		     void *arg, struct fuse_file_info *fi, unsigned int flags,
		     const void *data, size_t size, size_t room)
{
	const uid_t uid = fuse_req_ctx(req)->uid;
	int err = -ENOTTY;

	(void)arg;
	(void)fi;
	(void)flags;
	(void)room;
	if (ino == FUSE_ROOT_ID && cmd == KSQLFS_IOC_LIMITS &&
	    size == sizeof(struct ksqlfs_limits))
		err = uid == 0 || uid == geteuid() ?
			      change_limits(host_of(req), data) :
			      -EPERM;
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

/* fsync() and the like, which are not here, succeed: the kernel sees to it. */
const struct fuse_lowlevel_ops host_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.access = op_access,
	.mknod = op_mknod,
	.create = op_create,
	.mkdir = op_mkdir,
	.unlink = op_remove,
	.rmdir = op_remove,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.poll = op_poll,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
};
