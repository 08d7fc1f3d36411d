/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * serve.h - the call that Python makes: serve a mount until it ends.
 */
#ifndef KSQLFS_SERVE_H
#define KSQLFS_SERVE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct ksqlfs_mount - what to mount
 * @source: the database's name
 * @directory: where; it must exist
 * @fuse_options: libfuse's and the kernel's own, as after -o
 * @limits: the engine's, as after -o; "" for the defaults
 * @uid: owner of all files
 * @gid: their group
 * @mode: permission bits of directories
 * @metrics_mode: of the files in metrics/; all bits set: as @mode says
 * @ready_text: told when the mount answers
 * @ready_fd: where that is written to
 * @rom_name: NULL, or what the database file at @rom_data is called
 * @rom_data: aligned to 8 bytes; nobody changes it
 * @rom_size: bytes there
 * @rom_sha256: of them, in hexadecimal
 *
 * Strings belong to the caller, and are used during the call only.
 */
struct ksqlfs_mount {
	const char *source;
	const char *directory;
	const char *fuse_options;
	const char *limits;
	const char *ready_text;
	uint32_t uid;
	uint32_t gid;
	uint32_t mode;
	uint32_t metrics_mode;
	int ready_fd;
	const char *rom_name;
	const void *rom_data;
	uint64_t rom_size;
	char rom_sha256[65];
};

/**
 * ksqlfs_serve() - mount, serve, and unmount at SIGTERM, SIGINT, SIGHUP
 * @mount: what
 * @message: filled with a sentence when it fails
 * @size: bytes at @message, at least 1
 *
 * To be called once in a process, by a process that has no other thread: the
 * signals are blocked during the call.  Returns too when somebody unmounts.
 * Statements that run then are interrupted.
 *
 * Return: 0, or a negative errno with @message set: -EINVAL for @limits that are
 * none.
 */
int ksqlfs_serve(const struct ksqlfs_mount *mount, char *message, size_t size);

/**
 * ksqlfs_reconfigure() - change the limits of a mount, as remount does
 * @directory: the mount's top
 * @limits: the engine's, as after -o
 *
 * Return: 0, or a negative errno.
 */
int ksqlfs_reconfigure(const char *directory, const char *limits);

#endif /* KSQLFS_SERVE_H */
