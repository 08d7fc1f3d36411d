// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * super.c - mounting: options, one superblock for each database, statfs().
 *
 * The mount's source names the database.  Mounts of one source share database
 * and superblock; the superblock is found by the database it holds.
 */
#define pr_fmt(fmt) "ksqlfs: " fmt

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/user_namespace.h>

#include "compat.h"
#include "ksqlfs.h"

#define KSQLFS_DEFAULT_SOURCE "ksqlfs"
#define KSQLFS_DEFAULT_MODE   0750

enum ksqlfs_option {
	OPT_UID,
	OPT_GID,
	OPT_MODE,
	OPT_METRICS_MODE,
	OPT_ROM,
	OPT_LIMITS, /* the first of the engine's, in its order */
};

/* The module's own; the limits are the engine's to read. */
static const struct fs_parameter_spec ksqlfs_parameters[] = {
	fsparam_u32("uid", OPT_UID),
	fsparam_u32("gid", OPT_GID),
	fsparam_u32oct("mode", OPT_MODE),
	fsparam_u32oct("metrics_mode", OPT_METRICS_MODE),
	fsparam_string("rom", OPT_ROM),
	{}
};

/*
 * struct ksqlfs_mount - a mount or remount on its way; what fs_private points to
 * @limits: as they shall be
 * @uid, @gid, @mode, @metrics_mode: likewise
 * @rom: the name of an image; owned; NULL: none
 * @given: bit 1 << OPT_*, or 1 << OPT_LIMITS + its index, for each that was named
 */
struct ksqlfs_mount {
	struct ksql_options limits;
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
	u32 metrics_mode;
	char *rom;
	unsigned int given;
};

static int ksqlfs_parse_limit(struct fs_context *fc,
			      const struct fs_parameter *param)
{
	struct ksqlfs_mount *mount = fc->fs_private;
	const char *value = "", *key;
	unsigned int i;
	u64 n;

	if (param->type == fs_value_is_string)
		value = param->string;
	switch (ksql_option_set(&mount->limits, param->key, value)) {
	case 0:
		break;
	case -ENOENT:
		return -ENOPARAM;
	default:
		return invalf(fc, "ksqlfs: %s=%s is not a number, or too large",
			      param->key, value);
	}
	for (i = 0; (key = ksql_option_get(&mount->limits, i, &n)); i++)
		if (strcmp(key, param->key) == 0)
			mount->given |= 1u << (OPT_LIMITS + i);
	return 0;
}

static int ksqlfs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct ksqlfs_mount *mount = fc->fs_private;
	struct fs_parse_result result;
	int option;

	option = fs_parse(fc, ksqlfs_parameters, param, &result);
	if (option == -ENOPARAM)
		return ksqlfs_parse_limit(fc, param);
	if (option < 0)
		return option;

	switch ((enum ksqlfs_option)option) {
	case OPT_UID:
		mount->uid = make_kuid(fc->user_ns, result.uint_32);
		if (!uid_valid(mount->uid))
			return invalf(fc, "ksqlfs: uid=%u is no user",
				      result.uint_32);
		break;
	case OPT_GID:
		mount->gid = make_kgid(fc->user_ns, result.uint_32);
		if (!gid_valid(mount->gid))
			return invalf(fc, "ksqlfs: gid=%u is no group",
				      result.uint_32);
		break;
	case OPT_MODE:
		if (result.uint_32 & ~0777)
			return invalf(fc, "ksqlfs: mode=%o is more than 0777",
				      result.uint_32);
		mount->mode = result.uint_32;
		break;
	case OPT_METRICS_MODE:
		if (result.uint_32 & ~0444)
			return invalf(
				fc,
				"ksqlfs: metrics_mode=%o: metrics can only be read (0444)",
				result.uint_32);
		mount->metrics_mode = result.uint_32;
		break;
	case OPT_ROM:
		kfree(mount->rom);
		mount->rom = param->string;
		param->string = NULL; /* taken over */
		break;
	case OPT_LIMITS: /* not in the table */
		break;
	}
	mount->given |= 1u << option;
	return 0;
}

static int ksqlfs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct super_block *sb = dentry->d_sb;
	struct ksql_options limits;
	u64 pages, wal_pages;

	ksql_db_options(ksqlfs_sb(sb)->db, &limits);
	ksql_db_usage(ksqlfs_sb(sb)->db, &pages, &wal_pages);
	buf->f_type = KSQLFS_MAGIC;
	buf->f_bsize = KSQL_PAGE_SIZE;
	buf->f_blocks = max_t(u64, div_u64(limits.size, KSQL_PAGE_SIZE), pages);
	buf->f_bfree = buf->f_blocks - pages;
	buf->f_bavail = buf->f_bfree;
	buf->f_namelen = NAME_MAX;
	buf->f_fsid = u64_to_fsid(huge_encode_dev(sb->s_dev));
	return 0;
}

/* The name of the image that a database has; "" without one. */
static const char *ksqlfs_rom_name(struct ksql_db *db)
{
	const struct ksql_rom *rom = ksql_db_rom(db);

	return rom ? rom->name : "";
}

/* What differs from the default, in a form that mounts the same again. */
static int ksqlfs_show_options(struct seq_file *seq, struct dentry *root)
{
	struct ksqlfs_sb *fs = ksqlfs_sb(root->d_sb);
	struct ksql_options now, normal;
	u64 value, usual;
	const char *key;
	unsigned int i;

	ksql_db_options(fs->db, &now);
	ksql_options_default(&normal);
	if (!uid_eq(fs->uid, GLOBAL_ROOT_UID))
		seq_printf(seq, ",uid=%u",
			   from_kuid_munged(&init_user_ns, fs->uid));
	if (!gid_eq(fs->gid, GLOBAL_ROOT_GID))
		seq_printf(seq, ",gid=%u",
			   from_kgid_munged(&init_user_ns, fs->gid));
	if (fs->mode != KSQLFS_DEFAULT_MODE)
		seq_printf(seq, ",mode=%03o", fs->mode);
	if (fs->metrics_mode != KSQL_MODE_UNSET)
		seq_printf(seq, ",metrics_mode=%03o", fs->metrics_mode);
	if (*ksqlfs_rom_name(fs->db))
		seq_show_option(seq, "rom", ksqlfs_rom_name(fs->db));
	for (i = 0; (key = ksql_option_get(&now, i, &value)); i++) {
		ksql_option_get(&normal, i, &usual);
		if (value != usual)
			seq_printf(seq, ",%s=%llu", key, value);
	}
	return 0;
}

static const struct super_operations ksqlfs_super_ops = {
	.statfs = ksqlfs_statfs,
	.show_options = ksqlfs_show_options,
	.drop_inode = ksqlfs_drop_inode,
	.evict_inode = ksqlfs_inode_evict,
};

/* In the engine, with preemption off: all that may be done is to wake others. */
static void ksqlfs_changed(struct ksql_watch *watch, u64 version)
{
	struct ksqlfs_sb *fs = container_of(watch, struct ksqlfs_sb, watch);

	wake_up_poll(&fs->commits, EPOLLPRI | EPOLLIN | EPOLLRDNORM);
	if (ksqlfs_sb_is_watched(fs->sb))
		queue_work(system_unbound_wq, &fs->notify);
	else if (version > READ_ONCE(fs->notified))
		WRITE_ONCE(fs->notified, version);
}

/* On failure what was done is undone by ksqlfs_kill_sb(). */
static int ksqlfs_fill_super(struct super_block *sb)
{
	struct ksql_node *node;
	struct inode *inode;

	sb->s_magic = KSQLFS_MAGIC;
	sb->s_blocksize = KSQL_PAGE_SIZE;
	sb->s_blocksize_bits = ilog2(KSQL_PAGE_SIZE);
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_time_gran = 1;
	sb->s_flags |= SB_NOSUID | SB_NODEV | SB_NOEXEC | SB_NOATIME;
	sb->s_iflags |= SB_I_NODEV | SB_I_NOEXEC;
	sb->s_op = &ksqlfs_super_ops;
	ksqlfs_set_dentry_ops(sb, &ksqlfs_dentry_ops);

	ksqlfs_sb(sb)->sb = sb;
	node = ksql_root(ksqlfs_sb(sb)->db);
	if (!node)
		return -ENOMEM;
	inode = ksqlfs_inode_new(sb, node);
	if (!inode)
		return -ENOMEM;
	sb->s_root = d_make_root(inode);
	if (!sb->s_root)
		return -ENOMEM;
	ksql_db_watch(ksqlfs_sb(sb)->db, &ksqlfs_sb(sb)->watch);
	return 0;
}

static bool ksqlfs_other_rom(const struct ksqlfs_mount *mount,
			     struct ksql_db *db)
{
	return mount->rom && strcmp(mount->rom, ksqlfs_rom_name(db));
}

/* Options of a second mount of the same database: named ones must agree. */
static int ksqlfs_same_options(struct fs_context *fc, struct super_block *sb)
{
	const struct ksqlfs_mount *mount = fc->fs_private;
	const struct ksqlfs_sb *fs = ksqlfs_sb(sb);
	struct ksql_options now;
	unsigned int differ = 0, i;
	u64 wanted, in_force;

	ksql_db_options(fs->db, &now);
	differ |= !uid_eq(mount->uid, fs->uid) << OPT_UID;
	differ |= !gid_eq(mount->gid, fs->gid) << OPT_GID;
	differ |= (mount->mode != fs->mode) << OPT_MODE;
	differ |= (mount->metrics_mode != fs->metrics_mode) << OPT_METRICS_MODE;
	differ |= ksqlfs_other_rom(mount, fs->db) << OPT_ROM;
	for (i = 0; ksql_option_get(&now, i, &in_force); i++) {
		ksql_option_get(&mount->limits, i, &wanted);
		differ |= (wanted != in_force) << (OPT_LIMITS + i);
	}
	if (!(differ & mount->given) &&
	    !((fc->sb_flags ^ sb->s_flags) & SB_RDONLY))
		return 0;
	errorf(fc,
	       "ksqlfs: %s is mounted with other options; remount changes them",
	       fc->source);
	return -EBUSY;
}

static int ksqlfs_test_super(struct super_block *sb, struct fs_context *fc)
{
	const struct ksqlfs_sb *wanted = fc->s_fs_info;

	return ksqlfs_sb(sb)->db == wanted->db;
}

static int ksqlfs_set_super(struct super_block *sb, struct fs_context *fc)
{
	return set_anon_super(sb, NULL);
}

/* Takes the database's name from the source, and a count of the database. */
static struct ksqlfs_sb *ksqlfs_sb_new(struct fs_context *fc)
{
	const struct ksqlfs_mount *mount = fc->fs_private;
	struct ksql_rom *rom = NULL;
	struct ksqlfs_sb *fs;
	int err;

	if (!fc->source)
		fc->source = kstrdup(KSQLFS_DEFAULT_SOURCE, GFP_KERNEL);
	if (!fc->source)
		return ERR_PTR(-ENOMEM);
	fs = kzalloc(sizeof(*fs), GFP_KERNEL);
	if (!fs)
		return ERR_PTR(-ENOMEM);
	fs->uid = mount->uid;
	fs->gid = mount->gid;
	fs->mode = mount->mode;
	fs->metrics_mode = mount->metrics_mode;
	fs->watch.changed = ksqlfs_changed;
	init_waitqueue_head(&fs->commits);
	INIT_WORK(&fs->notify, ksqlfs_notify);
	if (mount->rom) {
		err = ksqlfs_rom_get(fc, mount->rom, &rom);
		if (err) {
			kfree(fs);
			return ERR_PTR(err);
		}
	}
	err = ksql_db_get(fc->source, &mount->limits, rom, &fs->db);
	if (err) {
		kfree(fs);
		if (err == -EINVAL)
			errorf(fc,
			       "ksqlfs: %s: no name for a database, or a limit is out of range",
			       fc->source);
		return ERR_PTR(err);
	}
	return fs;
}

static void ksqlfs_sb_free(struct ksqlfs_sb *fs)
{
	if (!fs)
		return;
	ksql_db_put(fs->db);
	kfree(fs);
}

/* A superblock that is new owns fc->s_fs_info; otherwise ksqlfs_free_fc() frees it. */
static int ksqlfs_get_tree(struct fs_context *fc)
{
	const struct ksqlfs_mount *mount = fc->fs_private;
	struct ksqlfs_sb *fs = ksqlfs_sb_new(fc);
	struct super_block *sb;
	int err;

	if (IS_ERR(fs))
		return PTR_ERR(fs);
	fc->s_fs_info = fs;
	sb = sget_fc(fc, ksqlfs_test_super, ksqlfs_set_super);
	if (IS_ERR(sb))
		return PTR_ERR(sb);
	if (sb->s_root) {
		err = ksqlfs_same_options(fc, sb);
	} else {
		err = ksqlfs_fill_super(sb);
		if (!err)
			err = ksql_db_configure(ksqlfs_sb(sb)->db,
						&mount->limits);
		if (!err)
			sb->s_flags |= SB_ACTIVE;
	}
	if (err) {
		deactivate_locked_super(sb);
		return err;
	}
	fc->root = dget(sb->s_root);
	return 0;
}

static int ksqlfs_reconfigure(struct fs_context *fc)
{
	const struct ksqlfs_mount *mount = fc->fs_private;
	const struct ksqlfs_sb *fs = ksqlfs_sb(fc->root->d_sb);

	if (!uid_eq(mount->uid, fs->uid) || !gid_eq(mount->gid, fs->gid) ||
	    mount->mode != fs->mode ||
	    mount->metrics_mode != fs->metrics_mode ||
	    ksqlfs_other_rom(mount, fs->db))
		return invalf(
			fc,
			"ksqlfs: remount cannot change uid, gid, mode, metrics_mode or rom");
	return ksql_db_configure(fs->db, &mount->limits);
}

static void ksqlfs_free_fc(struct fs_context *fc)
{
	struct ksqlfs_mount *mount = fc->fs_private;

	ksqlfs_sb_free(fc->s_fs_info);
	if (mount)
		kfree(mount->rom);
	kfree(mount);
}

static const struct fs_context_operations ksqlfs_context_ops = {
	.parse_param = ksqlfs_parse_param,
	.get_tree = ksqlfs_get_tree,
	.reconfigure = ksqlfs_reconfigure,
	.free = ksqlfs_free_fc,
};

static int ksqlfs_init_fs_context(struct fs_context *fc)
{
	struct ksqlfs_mount *mount = kzalloc(sizeof(*mount), GFP_KERNEL);

	if (!mount)
		return -ENOMEM;
	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE) {
		const struct ksqlfs_sb *fs = ksqlfs_sb(fc->root->d_sb);

		mount->uid = fs->uid;
		mount->gid = fs->gid;
		mount->mode = fs->mode;
		mount->metrics_mode = fs->metrics_mode;
		ksql_db_options(fs->db, &mount->limits);
	} else {
		mount->uid = GLOBAL_ROOT_UID;
		mount->gid = GLOBAL_ROOT_GID;
		mount->mode = KSQLFS_DEFAULT_MODE;
		mount->metrics_mode = KSQL_MODE_UNSET;
		ksql_options_default(&mount->limits);
	}
	fc->fs_private = mount;
	fc->ops = &ksqlfs_context_ops;
	return 0;
}

static void ksqlfs_kill_sb(struct super_block *sb)
{
	struct ksqlfs_sb *fs = ksqlfs_sb(sb);

	ksql_db_unwatch(fs->db, &fs->watch);
	cancel_work_sync(&fs->notify); /* it has inodes in its hands */
	kill_anon_super(sb);
	ksqlfs_sb_free(fs);
}

/* No FS_USERNS_MOUNT: only the machine's root may mount. */
struct file_system_type ksqlfs_type = {
	.owner = THIS_MODULE,
	.name = "ksqlfs",
	.init_fs_context = ksqlfs_init_fs_context,
	.parameters = ksqlfs_parameters,
	.kill_sb = ksqlfs_kill_sb,
};
