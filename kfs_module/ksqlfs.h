/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ksqlfs.h - what the files of the kernel module share.
 *
 * The module knows names, modes and bytes; what they mean is behind
 * ksql_core.h.  A superblock holds one count of its database, an inode one of
 * its node, an open file its struct ksql_file; each gives it back when it goes.
 */
#ifndef KSQLFS_H
#define KSQLFS_H

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "ksql_core.h"

/* "ksql", as statfs() shows it. */
#define KSQLFS_MAGIC 0x6b73716c

/**
 * struct ksqlfs_sb - a mounted database; what s_fs_info points to
 * @sb: the superblock itself
 * @db: the superblock's own count, from before its root until after its last inode
 * @uid: owner of every file
 * @gid: group of every file
 * @mode: permission bits of directories; files' follow from them
 * @metrics_mode: those of the files in metrics/; %KSQL_MODE_UNSET: as of any
 * @watch: of @db, while the superblock lives
 * @commits: who waits for one
 * @notify: tells inotify of them
 * @notified: data_version of the last one that it need not be told of any more;
 *	@notify's, but while nothing is watched @watch's
 *
 * All else does not change while the superblock lives, so there is no lock; the
 * list of @commits has its own.
 */
struct ksqlfs_sb {
	struct super_block *sb;
	struct ksql_db *db;
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
	u32 metrics_mode;
	struct ksql_watch watch;
	wait_queue_head_t commits;
	struct work_struct notify;
	u64 notified;
};

static inline struct ksqlfs_sb *ksqlfs_sb(struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct ksql_db *ksqlfs_db(struct inode *inode)
{
	return ksqlfs_sb(inode->i_sb)->db;
}

static inline struct ksql_node *ksqlfs_node(struct inode *inode)
{
	return inode->i_private;
}

/* The current task, as the engine wants to know it: a signal is its cancel flag. */
static inline struct ksql_caller ksqlfs_caller(void)
{
	return (struct ksql_caller){
		.uid = from_kuid(&init_user_ns, current_fsuid()),
		.gid = from_kgid(&init_user_ns, current_fsgid()),
		.pid = task_tgid_nr(current),
	};
}

struct fs_context;

extern struct file_system_type ksqlfs_type;
extern const struct dentry_operations ksqlfs_dentry_ops;
extern const struct file_operations ksqlfs_file_ops;

struct inode *ksqlfs_inode_new(struct super_block *sb, struct ksql_node *node);
void ksqlfs_inode_evict(struct inode *inode);
void ksqlfs_notify(struct work_struct *work);
int ksqlfs_rom_get(struct fs_context *fc, const char *name,
		   struct ksql_rom **out);

#endif /* KSQLFS_H */
