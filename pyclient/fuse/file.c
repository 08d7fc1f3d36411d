// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * file.c - FUSE requests about open files, and the rule that says when a file is
 * closed.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/*
 * So many may wait for commits at once: each has a thread of the host, which has
 * WORKERS_MAX for all.
 */
#define READERS_MAX (WORKERS_MAX / 2)

/* --- the lock of an open file ----------------------------------------------- */

/**
 * file_cancel() - end what a worker of the host does
 *
 * To be called while something keeps it from being
 * through with its request: then a file that it waits for stays.
 */
void file_cancel(struct host *host, struct worker *worker)
{
	struct open_file *of;

	__atomic_store_n(&worker->cancel, 1, __ATOMIC_SEQ_CST);
	ksql_cancelled(&worker->cancel);
	file_wake_readers(host);
	of = __atomic_load_n(&worker->waits, __ATOMIC_SEQ_CST);
	if (!of)
		return;
	pthread_mutex_lock(&of->mutex);
	pthread_cond_broadcast(&of->unlocked);
	pthread_mutex_unlock(&of->mutex);
}

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

/**
 * file_end() - where an open file ends, to seek from there
 *
 * Return: 0 or -errno.
 */
int file_end(const struct fuse_file_info *fi, const struct ksql_caller *caller,
	     off_t *end)
{
	struct open_file *of = file_of(fi);
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

bool file_is_readable(const struct fuse_file_info *fi)
{
	return file_of(fi)->readable;
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

/* 0 or -errno; @of then to be ended by open_undo() or file_release(). */
static int open_node(fuse_req_t req, struct node *node, int how,
		     const struct ksql_caller *caller, struct open_file **out)
{
	struct open_file *of = calloc(1, sizeof(*of));
	struct ksql_caller who = *caller;
	unsigned int flags = open_flags(how);
	int err;

	if (!of)
		return -ENOMEM;
	if (flags & KSQL_OPEN_WRITE) /* for the log, and for file_flush() */
		who.pid = client_process(caller->pid);
	pthread_mutex_init(&of->mutex, NULL);
	pthread_cond_init(&of->unlocked, NULL);
	err = ksql_open(host_of(req)->db, node->node, &who, flags, &of->file);
	if (err) {
		file_free(of);
		return err;
	}
	of->readable = flags & KSQL_OPEN_READ;
	of->append = how & O_APPEND;
	of->batch = flags == KSQL_OPEN_WRITE;
	/* Of an image nothing at all is something bad. */
	of->written = of->batch && !ksql_node_is_stream(node->node);
	of->opener = who.pid;
	__atomic_fetch_add(&node->openings, 1, __ATOMIC_RELAXED);
	nodes_open(node);
	*out = of;
	return 0;
}

/* The client is gone before it knew of the file. */
static void open_undo(struct node *node, struct open_file *of)
{
	__atomic_fetch_sub(&node->openings, 1, __ATOMIC_RELAXED);
	ksql_release(of->file, NULL, true);
	file_free(of);
}

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct ksql_caller caller = request_begin(req);
	struct node *node = node_of(req, ino);
	unsigned int flags = open_flags(fi->flags), want = 0;
	struct open_file *of;
	int err = -EACCES;

	if (flags & KSQL_OPEN_READ)
		want |= R_OK;
	if ((flags & KSQL_OPEN_WRITE) || (fi->flags & O_TRUNC))
		want |= W_OK;
	if (request_may(req, node->node, want))
		err = open_node(req, node, fi->flags, &caller, &of);
	if (err) {
		request_reply(req, err);
		return;
	}
	request_end(req);
	if (reply_open(req, of, ksql_node_is_stream(node->node)))
		open_undo(node, of);
}

static int make_and_open(fuse_req_t req, struct ksql_node *dir,
			 const char *name, int how, struct node **node,
			 struct open_file **of)
{
	const struct ksql_caller caller = request_begin(req);
	struct ksql_node *made;
	int err = -EACCES;

	if (request_may(req, dir, W_OK | X_OK))
		err = ksql_make(host_of(req)->db, dir, name, strlen(name),
				&caller, false, &made);
	if (err)
		return err;
	*node = nodes_enter(made, FUSE_ROOT_ID, name, 0);
	if (!*node)
		return -ENOMEM;
	err = open_node(req, *node, how, &caller, of);
	if (err)
		nodes_forget(*node, 1);
	return err;
}

/* open(O_CREAT) of what is not there.  Who makes it may open it, whatever its mode. */
void file_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param entry;
	struct open_file *of;
	struct node *node;
	int err;

	(void)mode; /* the engine's to say */
	err = make_and_open(req, node_of(req, parent)->node, name, fi->flags,
			    &node, &of);
	if (err) {
		request_reply(req, err);
		return;
	}
	request_end(req);
	entry = ops_entry(host_of(req), node);
	fi->fh = (uintptr_t)of;
	fi->direct_io = 1;
	fi->noflush = !of->batch;
	fi->nonseekable = ksql_node_is_stream(node->node);
	if (fuse_reply_create(req, &entry, fi)) {
		open_undo(node, of);
		nodes_forget(node, 1);
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
/* Those that wait for a commit look again. */
void file_wake_readers(struct host *host)
{
	pthread_mutex_lock(&host->commit_lock);
	pthread_cond_broadcast(&host->commit);
	pthread_mutex_unlock(&host->commit_lock);
}

/* Until a commit brings something to read: 0, or -errno. */
static int wait_for_commit(struct host *host, const struct open_file *of)
{
	struct worker *self = worker_self;
	int err = 0;

	pthread_mutex_lock(&host->commit_lock);
	if (host->readers == READERS_MAX) {
		pthread_mutex_unlock(&host->commit_lock);
		return -EUSERS;
	}
	host->readers++;
	while (!(ksql_poll(of->file) & KSQL_POLL_READ) && !err) {
		if (__atomic_load_n(&self->cancel, __ATOMIC_SEQ_CST))
			err = -EINTR;
		else
			pthread_cond_wait(&host->commit, &host->commit_lock);
	}
	host->readers--;
	pthread_mutex_unlock(&host->commit_lock);
	return err;
}

static long read_now(struct open_file *of, const struct ksql_caller *caller,
		     char *buf, size_t size, off_t off)
{
	long n;

	if (!file_lock(of))
		return -EINTR;
	of->untold = 0;
	n = is_broken(of) ?
		    -ECANCELED :
		    ksql_read(of->file, caller, buf, size, (uint64_t)off);
	file_unlock(of);
	return n;
}

/* The engine says EAGAIN where the next bytes come with somebody's commit. */
static long read_or_wait(struct host *host, struct open_file *of,
			 const struct ksql_caller *caller, char *buf,
			 size_t size, const struct fuse_file_info *fi,
			 off_t off)
{
	long n;

	for (;;) {
		n = read_now(of, caller, buf, size, off);
		if (n != -EAGAIN || (fi->flags & O_NONBLOCK))
			return n;
		n = wait_for_commit(host, of);
		if (n)
			return n;
	}
}

void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	       struct fuse_file_info *fi)
{
	const struct ksql_caller caller = request_begin(req);
	struct open_file *of = file_of(fi);
	char *buf = buffer(size);
	long n = -ENOMEM;

	if (!fi->lock_owner && ksql_node_is_stream(node_of(req, ino)->node))
		n = -EINVAL;
	else if (buf)
		n = read_or_wait(host_of(req), of, &caller, buf, size, fi, off);
	nodes_refresh(host_of(req));
	request_end(req);
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

void file_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		off_t off, struct fuse_file_info *fi)
{
	const struct ksql_caller caller = request_begin(req);
	struct open_file *of = file_of(fi);
	long n = -EINTR;

	(void)ino;
	if (file_lock(of)) {
		__atomic_store_n(&of->written, true, __ATOMIC_RELEASE);
		n = is_broken(of) ? -ECANCELED :
				    write_part(of, &caller, buf, size, off);
		file_unlock(of);
	}
	nodes_refresh(host_of(req));
	request_end(req);
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
 * child's close ends nothing.  What is not ended here file_release() ends.
 */
void file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct ksql_caller caller = request_begin(req);
	const pid_t thread = fuse_req_ctx(req)->pid;
	struct open_file *of = file_of(fi);
	int err = 0;

	if (!of->batch || !__atomic_load_n(&of->written, __ATOMIC_ACQUIRE) ||
	    !client_is_process(thread, of->opener) ||
	    is_open_elsewhere(of, node_of(req, ino))) {
		request_reply(req, 0);
		return;
	}
	if (client_was_killed(thread, fuse_req_ctx(req)->uid) ||
	    !file_lock(of)) {
		/* A child may go on with the file; the text stays half of one. */
		__atomic_store_n(&of->broken, true, __ATOMIC_RELEASE);
		request_reply(req, -EINTR);
		return;
	}
	__atomic_store_n(&of->written, false, __ATOMIC_RELEASE);
	if (!is_broken(of))
		err = ksql_finish(of->file, &caller);
	file_unlock(of);
	nodes_refresh(host_of(req));
	request_reply(req, err);
}

/* The last descriptor is gone: nobody else has @of.  No client waits for this. */
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct ksql_caller caller = request_begin(req);
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
	nodes_refresh(host);
	file_free(of);
	request_reply(req, 0);
}

/* --- waiting for changes -------------------------------------------------- */

/*
 * First be among those that are woken, then look: a commit in between wakes for
 * nothing, and none is missed.
 */
void file_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
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

/** file_wake_pollers() - a commit has come: who waits for one shall look again */
void file_wake_pollers(struct host *host)
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
	file_wake_readers(host);
}
