// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * null_fuse.c - the least that a FUSE server in C can be: the reference of the
 * FUSE host's round trip.
 *
 * Usage: null_fuse DIRECTORY, to be ended by unmounting it.
 *
 * DIRECTORY/null takes every write and answers every read with the same bytes,
 * about as many as a point query's answer has.  One thread, libfuse's own loop.
 */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fuse_lowlevel.h>
#include <string.h>
#include <sys/stat.h>

#define NULL_ID 2

static void stat_of(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == NULL_ID ? S_IFREG | 0600 : S_IFDIR | 0700;
	st->st_nlink = 1;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = NULL_ID };

	(void)parent;
	if (strcmp(name, "null") != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	stat_of(NULL_ID, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	stat_of(ino, &st);
	fuse_reply_attr(req, &st, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fi->nonseekable = 1;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	static const char answer[] = "name,kib\npackage-050000,49945\n";

	(void)ino;
	(void)off;
	(void)fi;
	fuse_reply_buf(req, answer,
		       size < sizeof(answer) - 1 ? size : sizeof(answer) - 1);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)off;
	(void)fi;
	fuse_reply_write(req, size);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
};

int main(int argc, char **argv)
{
	static const char *const words[] = { "null_fuse", "-o",
					     "fsname=null_fuse", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, (char **)words);
	struct fuse_session *session;
	int status = 1;

	if (argc != 2)
		return 2;
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session)
		return 1;
	if (!fuse_session_mount(session, argv[1])) {
		fuse_daemonize(0); /* the caller goes on when it is mounted */
		status = fuse_session_loop(session) < 0;
		fuse_session_unmount(session);
	}
	fuse_session_destroy(session);
	return status;
}
