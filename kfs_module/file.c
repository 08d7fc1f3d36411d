// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * file.c - open files: bytes between user space and the engine, and the rule
 * that says when a file is closed.
 *
 * The engine never sees user memory: bytes go through a buffer that belongs to
 * the open file, and are copied to and from it outside the engine.
 */
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "compat.h"
#include "ksqlfs.h"

/* The most that one call carries into or out of the engine. */
#define KSQLFS_BUFFER_MAX (64u * 1024u)

#define KSQLFS_GFP (GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/**
 * struct ksqlfs_file - an open file; what private_data points to
 * @lock: one call at a time; held while SQL runs, so taken interruptibly
 * @file: the engine's, owned; used under @lock
 * @opener: the process that opened it; counted; never changes
 * @stream: no positions; never changes
 * @broken: its text is not what the writer meant, and must not run; only ever
 *	set, mostly under @lock
 * @buf: NULL until the first read or write; owned; under @lock
 * @size: bytes at @buf
 * @head: first byte at @buf that a stream has produced and nobody has read
 * @tail: where those end
 * @error: for the next read of a stream, as this one had bytes before it
 *
 * Two of them that two processors use lie in no cache line together.
 */
struct ksqlfs_file {
	struct mutex lock; /* see above */
	struct ksql_file *file;
	struct pid *opener;
	bool stream;
	bool broken;
	u8 *buf;
	size_t size;
	size_t head;
	size_t tail;
	int error;
} ____cacheline_aligned_in_smp;

/*
 * Is the current task being killed?  Either it has not noticed yet, or it is
 * past exit_signals() with the signal's number in its exit code.
 */
static bool ksqlfs_killed(void)
{
	if (fatal_signal_pending(current))
		return true;
	return (current->flags & PF_EXITING) && (current->exit_code & 0x7f);
}

/*
 * Have a buffer that suits @want bytes.  Reused and only ever grown, so that a
 * program that sends one small request after another allocates nothing.  The
 * caller holds @lock; what is in the buffer is lost.
 */
static int ksqlfs_buffer(struct ksqlfs_file *of, size_t want)
{
	size_t size = clamp_t(size_t, want, PAGE_SIZE, KSQLFS_BUFFER_MAX);
	u8 *buf;

	of->head = 0;
	of->tail = 0;
	size = roundup_pow_of_two(size);
	if (size <= of->size)
		return 0;
	buf = kvmalloc(size, KSQLFS_GFP);
	if (!buf) /* a smaller one does, in more steps */
		return of->buf ? 0 : -ENOMEM;
	kvfree(of->buf);
	of->buf = buf;
	of->size = size;
	return 0;
}

/*
 * A connection may be left open for long, and there may be thousands: between
 * two requests it keeps a page at most.
 */
static void ksqlfs_buffer_trim(struct ksqlfs_file *of)
{
	if (!of->stream || of->size <= PAGE_SIZE || of->head != of->tail)
		return;
	kvfree(of->buf);
	of->buf = NULL;
	of->size = 0;
}

static int ksqlfs_open(struct inode *inode, struct file *file)
{
	const struct ksql_caller caller = ksqlfs_caller();
	struct ksql_node *node = ksqlfs_node(inode);
	unsigned int flags = 0;
	struct ksqlfs_file *of;
	int err;

	if (file->f_mode & FMODE_READ)
		flags |= KSQL_OPEN_READ;
	if (file->f_mode & FMODE_WRITE)
		flags |= KSQL_OPEN_WRITE;
	of = kzalloc(sizeof(*of), KSQLFS_GFP);
	if (!of)
		return -ENOMEM;
	err = ksql_open(ksqlfs_db(inode), node, &caller, flags, &of->file);
	if (err)
		goto free_of;
	mutex_init(&of->lock);
	of->opener = get_pid(task_tgid(current));
	of->stream = ksql_node_is_stream(node);
	if (of->stream)
		stream_open(inode, file);
	file->private_data = of;
	return 0;

free_of:
	kfree(of);
	return err;
}

/* --- reading -------------------------------------------------------------- */

/* What a fault keeps from the reader stays. */
static ssize_t ksqlfs_read_some(struct ksqlfs_file *of, struct iov_iter *to,
				size_t room)
{
	const struct ksql_caller caller = ksqlfs_caller();
	ssize_t n;

	if (of->head == of->tail) {
		n = ksqlfs_buffer(of, room);
		if (n)
			return n;
		n = ksql_read(of->file, &caller, of->buf, of->size, 0);
		if (n <= 0)
			return n;
		of->tail = n;
	}
	n = copy_to_iter(of->buf + of->head, of->tail - of->head, to);
	of->head += n;
	return n ? n : -EFAULT;
}

/*
 * One chunk at most, as from a pipe.  Most answers fit into a page, however much
 * the reader has room for: a larger buffer is had only for those that do not, and
 * for as long as they last.
 */
static ssize_t ksqlfs_read_stream(struct ksqlfs_file *of, struct iov_iter *to)
{
	bool first = of->size <= PAGE_SIZE;
	size_t room = iov_iter_count(to);
	ssize_t n = of->error, more;

	of->error = 0;
	if (n)
		return n;
	n = ksqlfs_read_some(of, to, first ? PAGE_SIZE : room);
	if (n > 0 && first && of->tail == of->size && iov_iter_count(to)) {
		more = ksqlfs_read_some(of, to, iov_iter_count(to));
		if (more > 0)
			n += more;
		else if (more != -EAGAIN && more != -EFAULT)
			of->error = more;
	}
	if (of->tail < of->size)
		ksqlfs_buffer_trim(of);
	return n;
}

static ssize_t ksqlfs_read_at(struct ksqlfs_file *of, struct iov_iter *to,
			      loff_t *pos)
{
	const struct ksql_caller caller = ksqlfs_caller();
	size_t want, copied, done = 0;
	ssize_t n;

	n = ksqlfs_buffer(of, iov_iter_count(to));
	if (n)
		return n;
	do {
		want = min(iov_iter_count(to), of->size);
		n = ksql_read(of->file, &caller, of->buf, want, *pos);
		if (n <= 0)
			break;
		copied = copy_to_iter(of->buf, n, to);
		done += copied;
		*pos += copied;
		if (copied < n) {
			n = -EFAULT;
			break;
		}
		if (n < want || signal_pending(current))
			break;
		cond_resched();
	} while (iov_iter_count(to));
	return done ? done : n;
}

static ssize_t ksqlfs_read_now(struct kiocb *iocb, struct iov_iter *to)
{
	struct ksqlfs_file *of = iocb->ki_filp->private_data;
	ssize_t n;

	if (mutex_lock_interruptible(&of->lock))
		return -ERESTARTSYS;
	if (READ_ONCE(of->broken))
		n = -ECANCELED;
	else if (of->stream)
		n = ksqlfs_read_stream(of, to);
	else
		n = ksqlfs_read_at(of, to, &iocb->ki_pos);
	mutex_unlock(&of->lock);
	return n;
}

/*
 * The engine says EAGAIN where the next bytes come with somebody's commit.
 * Waited for without @lock, so that who is killed or told to stop can go.
 */
static ssize_t ksqlfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct ksqlfs_file *of = file->private_data;
	struct ksqlfs_sb *fs = ksqlfs_sb(file_inode(file)->i_sb);
	ssize_t n;

	if (!iov_iter_count(to))
		return 0;
	for (;;) {
		n = ksqlfs_read_now(iocb, to);
		if (n != -EAGAIN || (file->f_flags & O_NONBLOCK) ||
		    (iocb->ki_flags & IOCB_NOWAIT))
			return n;
		n = wait_event_interruptible(
			fs->commits, ksql_poll(of->file) & KSQL_POLL_READ);
		if (n)
			return n;
	}
}

static loff_t ksqlfs_end(struct ksqlfs_file *of)
{
	const struct ksql_caller caller = ksqlfs_caller();
	loff_t end;

	if (mutex_lock_interruptible(&of->lock))
		return -ERESTARTSYS;
	end = ksql_end(of->file, &caller);
	mutex_unlock(&of->lock);
	return end;
}

static loff_t ksqlfs_llseek(struct file *file, loff_t offset, int whence)
{
	loff_t end = 0;

	if (whence != SEEK_SET && whence != SEEK_CUR) {
		if (!(file->f_mode & FMODE_READ))
			return -EINVAL;
		end = ksqlfs_end(file->private_data);
		if (end < 0)
			return end;
	}
	return generic_file_llseek_size(file, offset, whence, MAX_LFS_FILESIZE,
					end);
}

/* --- waiting for commits --------------------------------------------------- */

/*
 * First be among those that a commit wakes, then look: one in between wakes for
 * nothing, and none is missed.  Without @lock, which is held while SQL runs.
 */
static __poll_t ksqlfs_poll(struct file *file, struct poll_table_struct *wait)
{
	struct ksqlfs_file *of = file->private_data;
	unsigned int ready;
	__poll_t events = 0;

	poll_wait(file, &ksqlfs_sb(file_inode(file)->i_sb)->commits, wait);
	ready = ksql_poll(of->file);
	if (ready & KSQL_POLL_READ ||
	    READ_ONCE(of->head) != READ_ONCE(of->tail))
		events |= EPOLLIN | EPOLLRDNORM;
	if (ready & KSQL_POLL_WRITE)
		events |= EPOLLOUT | EPOLLWRNORM;
	if (ready & KSQL_POLL_CHANGED)
		events |= EPOLLPRI;
	return events;
}

/* --- writing -------------------------------------------------------------- */

/*
 * All of it or an error.  If the rest of a write cannot be had, what has gone
 * before it may read as a statement of its own ("DELETE FROM t" of "DELETE FROM
 * t WHERE ..."): it must never run, so the file takes and gives nothing more.
 */
static ssize_t ksqlfs_write_locked(struct ksqlfs_file *of,
				   struct iov_iter *from)
{
	const struct ksql_caller caller = ksqlfs_caller();
	size_t count = iov_iter_count(from), n;
	ssize_t ret;

	of->error = 0;
	ret = ksqlfs_buffer(of, count);
	if (ret)
		return ret;
	while (iov_iter_count(from)) {
		n = min(iov_iter_count(from), of->size);
		if (!copy_from_iter_full(of->buf, n, from)) {
			ret = -EFAULT;
			goto cut_short;
		}
		ret = ksql_write(of->file, &caller, of->buf, n);
		if (ret < 0)
			goto trim;
		if (iov_iter_count(from) && fatal_signal_pending(current)) {
			ret = -EINTR;
			goto cut_short;
		}
		cond_resched();
	}
	ret = count;
	goto trim;

cut_short:
	if (iov_iter_count(from) < count)
		WRITE_ONCE(of->broken, true);
trim:
	ksqlfs_buffer_trim(of);
	return ret;
}

static ssize_t ksqlfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct ksqlfs_file *of = iocb->ki_filp->private_data;
	ssize_t n;

	if (!iov_iter_count(from))
		return 0;
	if (mutex_lock_interruptible(&of->lock))
		return -ERESTARTSYS;
	n = READ_ONCE(of->broken) ? -ECANCELED : ksqlfs_write_locked(of, from);
	mutex_unlock(&of->lock);
	if (n > 0 && !of->stream)
		iocb->ki_pos += n;
	return n;
}

/* --- closing -------------------------------------------------------------- */

static int ksqlfs_is_same(const void *wanted, struct file *file,
			  unsigned int fd)
{
	return file == wanted;
}

/*
 * Called at each close() of each process, also at those of dup2() and exit().
 *
 * The end of a batch is the close by the process that opened it, once it has no
 * other descriptor for it: a shell opens, dup2()s and closes the first one.  By
 * now the descriptor being closed is out of the table.  A child's close ends
 * nothing.  What is not ended here the last release ends.
 */
static int ksqlfs_flush(struct file *file, fl_owner_t id)
{
	const struct ksql_caller caller = ksqlfs_caller();
	struct ksqlfs_file *of = file->private_data;
	int err = 0;

	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != FMODE_WRITE)
		return 0;
	if (task_tgid(current) != of->opener)
		return 0;
	if (id && iterate_fd(id, 0, ksqlfs_is_same, file))
		return 0;
	if (ksqlfs_killed() || mutex_lock_killable(&of->lock)) {
		/* A child may go on with the file; the text stays half of one. */
		WRITE_ONCE(of->broken, true);
		return -EINTR;
	}
	if (!READ_ONCE(of->broken))
		err = ksql_finish(of->file, &caller);
	mutex_unlock(&of->lock);
	return err;
}

/* The last descriptor is gone: nobody else has @of, so @lock is not needed. */
static int ksqlfs_release(struct inode *inode, struct file *file)
{
	const struct ksql_caller caller = ksqlfs_caller();
	struct ksqlfs_file *of = file->private_data;

	ksql_release(of->file, &caller, of->broken || ksqlfs_killed());
	put_pid(of->opener);
	mutex_destroy(&of->lock);
	kvfree(of->buf);
	kfree(of);
	return 0;
}

const struct file_operations ksqlfs_file_ops = {
	.owner = THIS_MODULE,
	.open = ksqlfs_open,
	.read_iter = ksqlfs_read_iter,
	.write_iter = ksqlfs_write_iter,
	.llseek = ksqlfs_llseek,
	.poll = ksqlfs_poll,
	.splice_read = ksqlfs_splice_read,
	.splice_write = iter_file_splice_write,
	.fsync = noop_fsync,
	.flush = ksqlfs_flush,
	.release = ksqlfs_release,
};
