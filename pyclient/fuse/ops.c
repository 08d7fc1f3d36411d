// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * ops.c - FUSE requests about names, directories and the mount.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ioctl.h"

/**
 * struct open_dir - an open directory; what fi->fh points to
 * @listing: the engine's, owned
 * @used: something of it was read
 */
struct open_dir {
	struct ksql_dir *listing;
	bool used;
};

/* --- names ---------------------------------------------------------------- */

static void fill_stat(struct host *host, const struct ksql_node *node,
		      const struct ksql_attr *attr, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = ksql_node_mode(node, host->mode, host->metrics_mode) |
		      (ksql_node_is_dir(node) ? S_IFDIR : S_IFREG);
	st->st_nlink = 1;
	st->st_uid = host->uid;
	st->st_gid = host->gid;
	ksql_node_owner(node, &st->st_uid, &st->st_gid);
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

/** ops_entry() - what the kernel is told of a node when it learns of it */
struct fuse_entry_param ops_entry(struct host *host, const struct node *node)
{
	const struct ksql_attr attr = { .ino = ksql_node_ino(node->node),
					.size = size_unasked(node->node) };
	struct fuse_entry_param entry = { .ino = id_of(node),
					  .generation = node->generation };

	entry.entry_timeout = nodes_timeout(node);
	fill_stat(host, node->node, &attr, &entry.attr);
	return entry;
}

/* The answer: a name's node, of which the caller's count is taken over. */
static void reply_entry(fuse_req_t req, struct ksql_node *found,
			fuse_ino_t parent, const char *name)
{
	struct node *node =
		nodes_enter(found, parent, name, fuse_req_ctx(req)->pid);
	struct fuse_entry_param entry;

	if (!node) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	entry = ops_entry(host_of(req), node);
	/* Dropped before nodes_refresh() could find it among the others? */
	if (entry.entry_timeout > 0 &&
	    ksql_node_exists(host_of(req)->db, node->node) <= 0)
		entry.entry_timeout = 0;
	if (fuse_reply_entry(req, &entry))
		nodes_forget(node, 1);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ksql_node *dir = node_of(req, parent)->node, *found;
	int err = -EACCES;

	if (request_may(req, dir, X_OK))
		err = ksql_lookup(host_of(req)->db, dir, name, strlen(name),
				  &found);
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_entry(req, found, parent, name);
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
	request_end(req);
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

/*
 * Directories' names are the kernel's to keep, which does not ask then whether
 * this client may search those above.  Of these the modes are alike, but for the
 * root's, which may let more through (metrics_mode=): so one within another
 * answers for that, which may be forgotten by now.
 */
static bool may_see(fuse_req_t req, const struct node *node)
{
	const struct node *root = &host_of(req)->root;
	uid_t uid;
	gid_t gid;

	if (node == root || !ksql_node_is_dir(node->node))
		return true;
	return request_may(req, root->node, X_OK) &&
	       (node->parent == FUSE_ROOT_ID ||
		ksql_node_owner(node->node, &uid, &gid) ||
		request_may(req, node->node, X_OK));
}

/* With an open file the kernel asks for its end, to seek from there. */
static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	const struct ksql_caller caller = request_begin(req);
	struct node *node = node_of(req, ino);
	struct stat st;
	int err = may_see(req, node) ? get_stat(req, node, &caller, &st) :
				       -EACCES;

	if (!err && fi && S_ISREG(st.st_mode) && file_is_readable(fi) &&
	    !ksql_node_is_stream(node->node))
		err = file_end(fi, &caller, &st.st_size);
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
	uid_t owner = host_of(req)->uid;
	gid_t group;

	if (set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		return -EPERM;
	ksql_node_owner(node->node, &owner, &group);
	if (uid == 0 || (uid == owner && !(set & FUSE_SET_ATTR_SIZE)))
		return 0;
	if ((set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)) && !now)
		return -EPERM;
	return request_may(req, node->node, W_OK) ? 0 : -EACCES;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int set,
		       struct fuse_file_info *fi)
{
	const struct ksql_caller caller = request_begin(req);
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
	fuse_reply_err(req, request_may(req, node_of(req, ino)->node, want) ?
				    0 :
				    EACCES);
}

/* What nobody may do here. */
static void refuse(fuse_req_t req, fuse_ino_t dir)
{
	fuse_reply_err(req,
		       request_may(req, node_of(req, dir)->node, W_OK | X_OK) ?
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

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	struct ksql_node *dir = node_of(req, parent)->node, *made;
	const struct ksql_caller caller = request_begin(req);
	int err = -EACCES;

	(void)mode; /* the engine's to say */
	if (request_may(req, dir, W_OK | X_OK))
		err = ksql_make(host_of(req)->db, dir, name, strlen(name),
				&caller, true, &made);
	request_end(req);
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_entry(req, made, parent, name);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ksql_node *dir = node_of(req, parent)->node, *found;
	const struct ksql_caller caller = request_begin(req);
	struct ksql_db *db = host_of(req)->db;
	int err = -EACCES;

	if (request_may(req, dir, W_OK | X_OK))
		err = ksql_lookup(db, dir, name, strlen(name), &found);
	if (!err) {
		err = ksql_remove(db, found, &caller);
		ksql_node_put(found);
	}
	request_reply(req, err);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
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
	const struct ksql_caller caller = request_begin(req);
	struct open_dir *od = calloc(1, sizeof(*od));
	struct ksql_node *node = node_of(req, ino)->node;
	int err = -ENOMEM;

	if (!request_may(req, node, R_OK))
		err = -EACCES;
	else if (od)
		err = ksql_opendir(host_of(req)->db, node, &caller,
				   &od->listing);
	if (err) {
		free(od);
		request_reply(req, err);
		return;
	}
	fi->fh = (uintptr_t)od;
	request_end(req);
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
	const struct ksql_caller caller = request_begin(req);
	struct ksql_dir *listing;
	int err = ksql_opendir(host_of(req)->db, node->node, &caller, &listing);

	request_end(req);
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
	.create = file_create,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.open = file_open,
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.release = file_release,
	.poll = file_poll,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
};
