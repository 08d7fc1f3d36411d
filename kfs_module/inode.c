// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * inode.c - names: lookup, listing, stat(), and all that is not allowed.
 *
 * Nothing is remembered between two uses of a name: a dentry goes when its last
 * user does, and is asked again whether it still names something each time it
 * is walked over.  Where names can be made, and by whom they are taken away, the
 * engine knows.  unlink(), rename() and the like have no operation here, which
 * the VFS takes for EPERM.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/namei.h>
#include <linux/stat.h>
#include <linux/time64.h>

#include "compat.h"
#include "ksqlfs.h"

/*
 * Called by path walks, which may hold the parent's lock; no SQL runs but after
 * a commit.
 */
static int ksqlfs_revalidate(KSQLFS_REVALIDATE_PARENT struct dentry *dentry,
			     unsigned int flags)
{
	struct inode *inode;

	if (flags & LOOKUP_RCU)
		return -ECHILD;
	inode = d_inode(dentry);
	return inode ? ksql_node_exists(ksqlfs_db(inode), ksqlfs_node(inode)) :
		       0;
}

/* Not to be kept once nobody uses it. */
static int ksqlfs_delete_dentry(const struct dentry *dentry)
{
	return 1;
}

const struct dentry_operations ksqlfs_dentry_ops = {
	.d_revalidate = ksqlfs_revalidate,
	.d_delete = ksqlfs_delete_dentry,
};

static struct dentry *ksqlfs_lookup(struct inode *dir, struct dentry *dentry,
				    unsigned int flags)
{
	const struct qstr *name = &dentry->d_name;
	struct ksql_node *node;
	struct inode *inode;
	int err;

	if (name->len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	err = ksql_lookup(ksqlfs_db(dir), ksqlfs_node(dir), name->name,
			  name->len, &node);
	if (err == -ENOENT)
		return NULL; /* a negative dentry that is not hashed: seen by this walk alone */
	if (err)
		return ERR_PTR(err);
	inode = ksqlfs_inode_new(dir->i_sb, node);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	return d_splice_alias(inode, dentry);
}

/*
 * The VFS holds @dir's lock and has found no such name: @dentry is ours, negative
 * and not hashed.  Its mode is the engine's to say.
 */
static int ksqlfs_make(struct inode *dir, struct dentry *dentry, bool is_dir)
{
	const struct ksql_caller caller = ksqlfs_caller();
	const struct qstr *name = &dentry->d_name;
	struct ksql_node *node;
	struct inode *inode;
	int err;

	err = ksql_make(ksqlfs_db(dir), ksqlfs_node(dir), name->name, name->len,
			&caller, is_dir, &node);
	if (err)
		return err;
	ksql_node_get(node);
	inode = ksqlfs_inode_new(dir->i_sb, node);
	if (inode) {
		d_add(dentry, inode);
	} else {
		ksql_remove(ksqlfs_db(dir), node, &caller);
		err = -ENOMEM;
	}
	ksql_node_put(node);
	return err;
}

/* open(O_CREAT) of what is not there; without this operation it were EACCES. */
static int ksqlfs_create(struct ksqlfs_idmap *idmap, struct inode *dir,
			 struct dentry *dentry, KSQLFS_CREATE_HOW)
{
	return ksqlfs_make(dir, dentry, false);
}

static KSQLFS_MKDIR ksqlfs_mkdir(struct ksqlfs_idmap *idmap, struct inode *dir,
				 struct dentry *dentry, umode_t mode)
{
	return KSQLFS_MKDIR_DONE(ksqlfs_make(dir, dentry, true));
}

static int ksqlfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	const struct ksql_caller caller = ksqlfs_caller();
	struct inode *inode = d_inode(dentry);

	return ksql_remove(ksqlfs_db(inode), ksqlfs_node(inode), &caller);
}

static int ksqlfs_getattr(struct ksqlfs_idmap *idmap, const struct path *path,
			  struct kstat *stat, u32 request_mask,
			  unsigned int query_flags)
{
	const struct ksql_caller caller = ksqlfs_caller();
	struct inode *inode = d_inode(path->dentry);
	struct ksql_attr attr;
	int err;

	err = ksql_getattr(ksqlfs_db(inode), ksqlfs_node(inode), &caller,
			   &attr);
	if (err)
		return err;
	ksqlfs_fillattr(idmap, request_mask, inode, stat);
	stat->ino = attr.ino;
	stat->size = attr.size;
	stat->blocks = DIV_ROUND_UP_ULL(attr.size, 512);
	stat->mtime = ns_to_timespec64(attr.mtime_ns);
	stat->ctime = stat->mtime;
	stat->atime = stat->mtime;
	return 0;
}

/*
 * O_TRUNC, truncate() and touch, which shells and editors do before or after
 * they write, succeed and change nothing; owner and mode are the mount's.
 */
static int ksqlfs_setattr(struct ksqlfs_idmap *idmap, struct dentry *dentry,
			  struct iattr *attr)
{
	if (attr->ia_valid & (ATTR_UID | ATTR_GID | ATTR_MODE))
		return -EPERM;
	return setattr_prepare(idmap, dentry, attr);
}

static const struct inode_operations ksqlfs_dir_inode_ops = {
	.lookup = ksqlfs_lookup,
	.create = ksqlfs_create,
	.mkdir = ksqlfs_mkdir,
	.rmdir = ksqlfs_rmdir,
	.getattr = ksqlfs_getattr,
	.setattr = ksqlfs_setattr,
};

static const struct inode_operations ksqlfs_file_inode_ops = {
	.getattr = ksqlfs_getattr,
	.setattr = ksqlfs_setattr,
};

/* --- directories ---------------------------------------------------------- */

/*
 * private_data is the listing, owned by the open directory.  The VFS serialises
 * the calls that use it by the file position's lock.
 */
static int ksqlfs_dir_list(struct inode *inode, struct file *file)
{
	const struct ksql_caller caller = ksqlfs_caller();
	struct ksql_dir *listing;
	int err;

	err = ksql_opendir(ksqlfs_db(inode), ksqlfs_node(inode), &caller,
			   &listing);
	if (err)
		return err;
	ksql_closedir(file->private_data);
	file->private_data = listing;
	return 0;
}

static int ksqlfs_dir_release(struct inode *inode, struct file *file)
{
	ksql_closedir(file->private_data);
	return 0;
}

static int ksqlfs_dir_iterate(struct file *file, struct dir_context *ctx)
{
	struct ksql_dir *listing = file->private_data;
	struct ksql_dirent entry;

	if (!dir_emit_dots(file, ctx))
		return 0;
	while (ksql_readdir(listing, ctx->pos - 2, &entry)) {
		if (!dir_emit(ctx, entry.name, entry.name_len, entry.ino,
			      entry.is_dir ? DT_DIR : DT_REG))
			return 0;
		ctx->pos++;
	}
	return 0;
}

/* rewinddir() shows the names as they are by then. */
static loff_t ksqlfs_dir_llseek(struct file *file, loff_t offset, int whence)
{
	int err;

	if (whence == SEEK_CUR)
		offset += file->f_pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	if (offset == 0 && file->f_pos != 0) {
		err = ksqlfs_dir_list(file_inode(file), file);
		if (err)
			return err;
	}
	file->f_pos = offset;
	return offset;
}

static const struct file_operations ksqlfs_dir_ops = {
	.owner = THIS_MODULE,
	.open = ksqlfs_dir_list,
	.release = ksqlfs_dir_release,
	.iterate_shared = ksqlfs_dir_iterate,
	.llseek = ksqlfs_dir_llseek,
	.read = generic_read_dir,
	.fsync = noop_fsync,
};

/* --- inodes --------------------------------------------------------------- */

static int ksqlfs_inode_test(struct inode *inode, void *node)
{
	return ksql_node_same(ksqlfs_node(inode), node);
}

static int ksqlfs_inode_set(struct inode *inode, void *node)
{
	inode->i_private = node;
	inode->i_ino = ksql_node_ino(node);
	return 0;
}

/* What the VFS shall know of it; i_private and i_ino are set. */
static void ksqlfs_inode_fill(struct inode *inode)
{
	const struct ksqlfs_sb *fs = ksqlfs_sb(inode->i_sb);
	struct ksql_node *node = ksqlfs_node(inode);
	u32 uid, gid;

	inode->i_uid = fs->uid;
	inode->i_gid = fs->gid;
	if (ksql_node_owner(node, &uid, &gid)) {
		inode->i_uid = make_kuid(&init_user_ns, uid);
		inode->i_gid = make_kgid(&init_user_ns, gid);
	}
	inode->i_mode = ksql_node_mode(node, fs->mode, fs->metrics_mode) &
			(S_ISVTX | 0777);
	ksqlfs_init_times(inode);
	if (ksql_node_is_dir(node)) {
		/* One link, not two: who counts links to find subdirectories must not. */
		inode->i_mode |= S_IFDIR;
		inode->i_op = &ksqlfs_dir_inode_ops;
		inode->i_fop = &ksqlfs_dir_ops;
	} else {
		inode->i_mode |= S_IFREG;
		inode->i_op = &ksqlfs_file_inode_ops;
		inode->i_fop = &ksqlfs_file_ops;
	}
}

/**
 * ksqlfs_inode_new() - an inode for a node
 * @sb: where
 * @node: the caller's count of it goes to the inode, or back
 *
 * What commits change has one inode as long as somebody uses it, so that who
 * watches it (notify.c) and who looks it up again mean the same.
 * Return: the inode, or NULL when there is no memory.
 */
struct inode *ksqlfs_inode_new(struct super_block *sb, struct ksql_node *node)
{
	bool shared = ksql_node_has_version(node);
	struct inode *inode;

	if (shared)
		inode = iget5_locked(sb, ksql_node_ino(node), ksqlfs_inode_test,
				     ksqlfs_inode_set, node);
	else
		inode = new_inode(sb);
	if (!inode || (shared && !ksqlfs_inode_is_new(inode))) {
		ksql_node_put(node);
		return inode;
	}
	if (!shared)
		ksqlfs_inode_set(inode, node);
	ksqlfs_inode_fill(inode);
	if (shared)
		unlock_new_inode(inode);
	return inode;
}

/**
 * ksqlfs_inode_evict() - the inode goes, and its count of the node
 * @inode: of ksqlfs_inode_new()
 *
 * Never from memory reclaim: an inode that nobody uses is not kept
 * (ksqlfs_drop_inode), so the shrinker finds none.
 */
void ksqlfs_inode_evict(struct inode *inode)
{
	clear_inode(inode);
	/* Who looks for a node's inode compares with the nodes of all that are found. */
	remove_inode_hash(inode);
	ksql_node_put(ksqlfs_node(inode));
}
