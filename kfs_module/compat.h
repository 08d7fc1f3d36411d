/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * compat.h - every difference between the kernels that ksqlfs builds for
 * (6.1 to 7.3), so that no other file asks for a version.
 */
#ifndef KSQLFS_COMPAT_H
#define KSQLFS_COMPAT_H

#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/version.h>

#define KSQLFS_SINCE(major, minor) \
	(KERNEL_VERSION(major, minor, 0) <= LINUX_VERSION_CODE)

/* 6.3: inode operations are told the mount's id mapping, no namespace. */
#if KSQLFS_SINCE(6, 3)
#define ksqlfs_idmap mnt_idmap
#else
#define ksqlfs_idmap user_namespace
#endif

/* 6.6: generic_fillattr() is told what is asked for. */
static inline void ksqlfs_fillattr(struct ksqlfs_idmap *idmap, u32 request_mask,
				   struct inode *inode, struct kstat *stat)
{
#if KSQLFS_SINCE(6, 6)
	generic_fillattr(idmap, request_mask, inode, stat);
#else
	generic_fillattr(idmap, inode, stat);
#endif
}

/* 6.6 and 6.7: an inode's times are set through functions. */
static inline void ksqlfs_init_times(struct inode *inode)
{
#if KSQLFS_SINCE(6, 7)
	simple_inode_init_ts(inode);
#elif KSQLFS_SINCE(6, 6)
	inode->i_atime = inode_set_ctime_current(inode);
	inode->i_mtime = inode->i_atime;
#else
	inode->i_atime = current_time(inode);
	inode->i_mtime = inode->i_atime;
	inode->i_ctime = inode->i_atime;
#endif
}

/* 6.5: splicing from a file that has no page cache. */
#if KSQLFS_SINCE(6, 5)
#define ksqlfs_splice_read copy_splice_read
#else
#define ksqlfs_splice_read generic_file_splice_read
#endif

/* 6.10: what of a superblock is watched is counted elsewhere, once anything was. */
static inline bool ksqlfs_sb_is_watched(struct super_block *sb)
{
#ifndef CONFIG_FSNOTIFY
	return false;
#elif KSQLFS_SINCE(6, 10)
	return READ_ONCE(sb->s_fsnotify_info);
#else
	return atomic_long_read(&sb->s_fsnotify_connectors) != 0;
#endif
}

static inline bool ksqlfs_has_marks(const struct inode *inode)
{
#ifdef CONFIG_FSNOTIFY
	return READ_ONCE(inode->i_fsnotify_marks);
#else
	return false;
#endif
}

/* 6.18: another name. */
#if KSQLFS_SINCE(6, 18)
#define ksqlfs_drop_inode inode_just_drop
#else
#define ksqlfs_drop_inode generic_delete_inode
#endif

/* 6.19: an inode's state is read by a function. */
static inline bool ksqlfs_inode_is_new(struct inode *inode)
{
#if KSQLFS_SINCE(6, 19)
	return inode_state_read_once(inode) & I_NEW;
#else
	return inode->i_state & I_NEW;
#endif
}

/* 6.14: d_revalidate() is told the parent and the name as well. */
#if KSQLFS_SINCE(6, 14)
#define KSQLFS_REVALIDATE_PARENT struct inode *parent, const struct qstr *name,
#else
#define KSQLFS_REVALIDATE_PARENT
#endif

/* 7.3: create() is not told of O_EXCL any more. */
#if KSQLFS_SINCE(7, 3)
#define KSQLFS_CREATE_HOW umode_t mode
#else
#define KSQLFS_CREATE_HOW umode_t mode, bool excl
#endif

/* 6.15: mkdir() gives a dentry: NULL for the one that it was given. */
#if KSQLFS_SINCE(6, 15)
#define KSQLFS_MKDIR	       struct dentry *
#define KSQLFS_MKDIR_DONE(err) ERR_PTR(err)
#else
#define KSQLFS_MKDIR	       int
#define KSQLFS_MKDIR_DONE(err) (err)
#endif

/* 6.17: a superblock's dentry operations are set by a function. */
static inline void ksqlfs_set_dentry_ops(struct super_block *sb,
					 const struct dentry_operations *ops)
{
#if KSQLFS_SINCE(6, 17)
	set_default_d_op(sb, ops);
#else
	sb->s_d_op = ops;
#endif
}

/* 6.16: a hash's state has another name. */
#if KSQLFS_SINCE(6, 16)
#define ksqlfs_sha256 struct sha256_ctx
#else
#define ksqlfs_sha256 struct sha256_state
#endif

/* 6.3: hexadecimal has a header of its own. */
#if KSQLFS_SINCE(6, 3)
#include <linux/hex.h>
#else
#include <linux/kernel.h>
#endif

#endif /* KSQLFS_COMPAT_H */
