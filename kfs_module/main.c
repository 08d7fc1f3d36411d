// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * main.c - loading and unloading.
 */
#define pr_fmt(fmt) "ksqlfs: " fmt

#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "ksqlfs.h"

static unsigned long long mem_limit;
module_param(mem_limit, ullong, 0444);
MODULE_PARM_DESC(mem_limit,
		 "Bytes for all databases together (default: 0, half of RAM)");

/* Nothing may hold anything of the engine's any more: say so if something does. */
static void ksqlfs_stop_engine(void)
{
	u64 live = ksql_core_exit();

	if (live)
		pr_err("%llu bytes are still live\n", live);
}

static int __init ksqlfs_init(void)
{
	const struct ksql_core_config config = { .mem_limit = mem_limit,
						 .host = "kernel" };
	int err;

	err = ksql_core_init(&config);
	if (err)
		return err;
	err = sysfs_create_mount_point(kernel_kobj, "ksql");
	if (err)
		goto stop_engine;
	err = register_filesystem(&ksqlfs_type);
	if (err)
		goto remove_mount_point;
	return 0;

remove_mount_point:
	sysfs_remove_mount_point(kernel_kobj, "ksql");
stop_engine:
	ksqlfs_stop_engine();
	return err;
}

static void __exit ksqlfs_exit(void)
{
	unregister_filesystem(&ksqlfs_type);
	sysfs_remove_mount_point(kernel_kobj, "ksql");
	ksqlfs_stop_engine();
}

module_init(ksqlfs_init);
module_exit(ksqlfs_exit);

MODULE_DESCRIPTION("SQLite in the kernel, as a filesystem");
MODULE_AUTHOR("The ksqlfs developers");
MODULE_VERSION(KSQL_VERSION);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_ALIAS_FS("ksqlfs");
