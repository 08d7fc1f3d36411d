// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * notify.c - inotify: commits seen as writes to the files that they change.
 *
 * The VFS tells of what goes through it; a commit changes tables/NAME/data.csv
 * without that.  So a work item, which each commit queues while somebody watches
 * anything, looks for watched inodes whose node has another version.
 */
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/sched.h>

#include "compat.h"
#include "ksqlfs.h"

/* Under s_inode_list_lock: while it is on the list, an inode has its node. */
static bool ksqlfs_is_watched(const struct inode *inode)
{
	const struct ksql_node *node = READ_ONCE(inode->i_private);

	return ksqlfs_has_marks(inode) && node && ksql_node_has_version(node);
}

/*
 * Who watches a folder is told the names in it.  fsnotify() wants to know the
 * inode behind the name, and would tell who watches that as well: those have
 * their own turn, so it is given one that nobody watches.
 */
static void ksqlfs_notify_names(struct inode *dir)
{
	const struct ksql_caller caller = { .uid = 0 };
	struct ksql_dirent entry;
	struct inode *unwatched;
	struct ksql_dir *names;
	u64 i;

	unwatched = new_inode(dir->i_sb);
	if (!unwatched)
		return;
	unwatched->i_private = ksql_node_get(ksqlfs_node(dir));
	unwatched->i_mode = S_IFREG;
	if (ksql_opendir(ksqlfs_db(dir), ksqlfs_node(dir), &caller, &names))
		goto put_inode;
	for (i = 0; ksql_readdir(names, i, &entry); i++) {
		const struct qstr name = QSTR_INIT(entry.name, entry.name_len);

		if (entry.has_version)
			fsnotify(FS_MODIFY | FS_EVENT_ON_CHILD, unwatched,
				 FSNOTIFY_EVENT_INODE, dir, &name, unwatched,
				 0);
	}
	ksql_closedir(names);
put_inode:
	iput(unwatched);
}

static void ksqlfs_notify_inode(struct inode *inode)
{
	if (S_ISDIR(inode->i_mode))
		ksqlfs_notify_names(inode);
	else
		fsnotify(FS_MODIFY, inode, FSNOTIFY_EVENT_INODE, NULL, NULL,
			 inode, 0);
}

/**
 * ksqlfs_notify() - tell who watches a file of the commits since the last time
 * @work: the superblock's; never runs twice at once
 *
 * A commit that comes meanwhile queues it again: what it changed is left to then.
 */
void ksqlfs_notify(struct work_struct *work)
{
	struct ksqlfs_sb *fs = container_of(work, struct ksqlfs_sb, notify);
	struct super_block *sb = fs->sb;
	struct inode *root = d_inode(sb->s_root), *inode, *last = NULL;
	u64 now = ksql_node_version(fs->db, ksqlfs_node(root)), version;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if (!ksqlfs_is_watched(inode) || !igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		iput(last); /* held until here: it kept our place in the list */
		last = inode;
		version = ksql_node_version(fs->db, ksqlfs_node(inode));
		if (version > READ_ONCE(fs->notified) && version <= now)
			ksqlfs_notify_inode(inode);
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(last);
	WRITE_ONCE(fs->notified, now);
}
