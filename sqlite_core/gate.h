/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * gate.h - what gate.c (host side) and the engine know of each other.
 *
 * Plain C types only: gate.c is compiled as the host's files are.
 */
#ifndef KSQL_GATE_H
#define KSQL_GATE_H

#include "ksql_core.h"

/*
 * An open file.  Its content is seen through a window, which the gate copies
 * from without entering the engine; only when the window does not hold what is
 * asked for does it call ops->fill().  The engine's kinds of files embed this.
 */
struct ksql_file {
	const struct file_ops *ops;
	struct ksql_db *db;
	struct ksql_node *node; /* counted */
	bool stream; /* no positions: reads go on from @cursor */
	bool reading; /* a stream: something of the answer was asked for */
	bool ready; /* the window below is valid */
	bool last; /* nothing comes after it */
	const char *window; /* owned by the kind of file */
	size_t window_len;
	uint64_t window_pos; /* where in the file it begins */
	uint64_t cursor;
	int error; /* to be told at the next read, then forgotten, unless */
	bool error_stays; /* it is told at each one until the next write */

	/* A file that can be waited on is made anew when read from its beginning. */
	const uint64_t *count; /* atomic: grows with each change; NULL: none */
	uint64_t seen; /* atomic: it, when the content was made */
	bool waits; /* nothing to read is not its end; @seen was read of @count */
	bool unread; /* atomic: and the window holds more */
};

struct file_ops {
	/* Make a window that holds @pos, or the last one.  0 or -errno. */
	int (*fill)(struct ksql_file *f, uint64_t pos);
	/*
	 * Past the window, for large reads: up to @n bytes at @pos.  How many, or
	 * -errno; 0: by the window.  May be NULL.
	 */
	long (*copy)(struct ksql_file *f, char *to, size_t n, uint64_t pos);
	/* 0 or -errno. */
	int (*write)(struct ksql_file *f, const char *p, size_t n);
	/* The opener closed it.  0 or -errno. */
	int (*finish)(struct ksql_file *f);
	/* Free what the kind of file owns, and the file. */
	void (*release)(struct ksql_file *f, bool abandon);
};

struct ksql_dir;

/* The engine's side of ksql_core.h: see there.  To be called inside port_enter(). */
int engine_init(const struct ksql_core_config *config);
uint64_t engine_exit(void);
int engine_db_get(const char *source, const struct ksql_options *options,
		  struct ksql_rom **rom, struct ksql_db **db);
void engine_db_put(struct ksql_db *db, struct ksql_rom **rom);
struct ksql_rom *engine_db_rom(struct ksql_db *db);
int engine_rom_check(const struct ksql_rom *rom, char *why, size_t size);
int engine_db_configure(struct ksql_db *db, const struct ksql_options *options);
void engine_db_options(struct ksql_db *db, struct ksql_options *options);
int engine_db_schema(struct ksql_db *db, uint64_t *version);
void engine_db_watch(struct ksql_db *db, struct ksql_watch *watch);
void engine_db_unwatch(struct ksql_db *db, struct ksql_watch *watch);
void engine_db_usage(struct ksql_db *db, uint64_t *pages, uint64_t *wal_pages);
struct ksql_node *engine_root(struct ksql_db *db);
int engine_lookup(struct ksql_db *db, struct ksql_node *dir, const char *name,
		  size_t len, struct ksql_node **node);
int engine_node_exists(struct ksql_db *db, struct ksql_node *node);
void engine_node_free(struct ksql_node *node);
uint64_t engine_node_version(struct ksql_db *db, struct ksql_node *node);
int engine_make(struct ksql_db *db, struct ksql_node *dir, const char *name,
		size_t len, const struct ksql_caller *caller, bool is_dir,
		struct ksql_node **node);
int engine_remove(struct ksql_db *db, struct ksql_node *node,
		  const struct ksql_caller *caller);
int engine_getattr(struct ksql_db *db, struct ksql_node *node,
		   const struct ksql_caller *caller, struct ksql_attr *attr);
int engine_opendir(struct ksql_db *db, struct ksql_node *node,
		   const struct ksql_caller *caller, struct ksql_dir **dir);
void engine_closedir(struct ksql_dir *dir);
int engine_open(struct ksql_db *db, struct ksql_node *node,
		const struct ksql_caller *caller, unsigned int flags,
		struct ksql_file **file);

/* A node's constant part: enough for what is asked without entering the engine. */
struct node_head {
	uint32_t users; /* atomic */
	uint64_t ino;
	const void *kind; /* the same for all nodes of a kind */
	const char *object; /* what it belongs to; NULL: there is but one */
	bool is_dir, is_stream, is_written;
	bool has_version; /* it is known when a commit changed it */
	bool is_metrics; /* metrics/ and the files in it */
	bool leads_to_metrics; /* metrics/ and the directory that it is in */
	bool is_made_in; /* a directory in which names can be made */
	bool is_sticky; /* likewise, and only their owners take them away */
	bool has_owner; /* @uid and @gid, whoever owns the mount */
	uint32_t uid, gid;
};

/* A directory as it was: entries one after another, each found by its offset. */
struct ksql_dir {
	uint64_t count;
	struct ksql_dirent *entries; /* owned, with the names behind them */
};

#endif /* KSQL_GATE_H */
