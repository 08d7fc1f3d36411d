/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ksql_core.h - the only header of the engine that a host includes.
 *
 * A host (the kernel module, the FUSE server, a test) turns its own calls into
 * these and the errors of these into its own.  Everything that decides what a
 * file contains or what a write does is behind them.
 *
 * Objects
 *	database	struct ksql_db, found by its source name and counted; it
 *			lives while someone holds it.
 *	node		struct ksql_node, a name in the tree (a file or a
 *			directory), counted; it may outlive what it names.
 *	file		struct ksql_file, a node opened by somebody.
 *	directory	struct ksql_dir, a directory's names as they were when it
 *			was opened.
 *
 * Context
 *	Unless said otherwise a call may sleep, must be made from process
 *	context with no spinlock held and no FPU section open, and may be made
 *	by any number of threads at once.  Calls on ONE struct ksql_file or
 *	struct ksql_dir must be serialised by the host.  Buffers are memory of
 *	the host's (never user pointers).
 *
 * Errors
 *	Calls that can fail return a negative errno of docs/errors.md.
 *	-ENOMEM (an allocation failed) and -EINTR (a signal came, or the
 *	host's cancel flag was raised, while SQL ran) can come from every call
 *	that may run SQL, and are not listed for each.
 */
#ifndef KSQL_CORE_H
#define KSQL_CORE_H

#include "port/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The library is built with all else hidden. */
#define KSQL_API __attribute__((visibility("default")))

#define KSQL_VERSION "0.1.0"

/* The database's page size and the unit in which memory is taken for it. */
#define KSQL_PAGE_SIZE 4096u

struct ksql_db;
struct ksql_node;
struct ksql_file;
struct ksql_dir;

/**
 * struct ksql_core_config - what the whole engine is started with
 * @mem_limit: bytes that all databases together may hold; 0: half of RAM
 * @host: name of the host for info/features ("kernel", "posix")
 * @measure: fill info/latency in user space, too, at the price of looking at a
 *	clock at each safe point; a kernel always does
 */
struct ksql_core_config {
	uint64_t mem_limit;
	const char *host;
	bool measure;
};

/**
 * struct ksql_options - the limits of one database
 * @size: bytes the database file may grow to
 * @timeout_ms: running time of one statement
 * @busy_ms: how long a statement waits for a lock
 * @max_result: bytes that the rows of one materialised result may take
 * @max_sql: bytes of one statement, its parameters included
 * @exact: bytes of pages that a table may have for stat() to know its rows' sizes
 * @sessions: how many of sessions/ one user may have
 * @statements: how many each connection keeps prepared, 64 at most
 * @zero: 1: memory is zeroed as it is freed, while there is such a database
 */
struct ksql_options {
	uint64_t size;
	uint64_t max_result;
	uint64_t exact;
	uint32_t timeout_ms;
	uint32_t busy_ms;
	uint32_t max_sql;
	uint32_t sessions;
	uint32_t statements;
	uint32_t zero;
};

/**
 * struct ksql_caller - on whose behalf a call is made
 * @uid: the user, in the host's own numbering
 * @gid: its group, likewise
 * @pid: the process, to be named in the log
 * @cancel: NULL, or a flag that the host raises (to non-zero, from any thread)
 *	to end what runs; it must stay valid for the length of the call.  Who
 *	raises it calls ksql_cancelled() then.  The kernel host leaves it NULL:
 *	there a signal pending does the same.
 */
struct ksql_caller {
	uint32_t uid;
	uint32_t gid;
	int32_t pid;
	const int *cancel;
};

/**
 * struct ksql_attr - what stat() shows of a node
 * @ino: a number that stays the same while the name does
 * @size: exact, or 0 where it is not known
 * @mtime_ns: the last change, nanoseconds since 1970
 */
struct ksql_attr {
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
};

/**
 * struct ksql_dirent - one name of a directory
 * @name: as it stands in the tree (escaped), NUL-terminated, owned by the dir
 * @name_len: its bytes
 * @is_dir: a directory rather than a file
 * @has_version: as ksql_node_has_version() of it
 * @ino: as in &struct ksql_attr
 */
struct ksql_dirent {
	const char *name;
	size_t name_len;
	bool is_dir;
	bool has_version;
	uint64_t ino;
};

/* How a file is opened: one or both. */
#define KSQL_OPEN_READ	1u
#define KSQL_OPEN_WRITE 2u

/**
 * ksql_core_init() - start the engine; once, before anything else
 * @config: copied
 *
 * Not to be called twice without ksql_core_exit() between.
 * Return: 0, or -ENOMEM.
 */
KSQL_API int ksql_core_init(const struct ksql_core_config *config);

/**
 * ksql_core_exit() - stop the engine
 *
 * Every database, node, file and directory must have been given back.  What is
 * still live is said in the log.
 *
 * Return: bytes still live (0 when all is well).
 */
KSQL_API uint64_t ksql_core_exit(void);

/**
 * ksql_options_default() - the limits where none are named
 * @options: filled
 *
 * Does not sleep.
 */
KSQL_API void ksql_options_default(struct ksql_options *options);

/**
 * ksql_option_set() - a limit by its name, as it stands among mount options
 * @options: one of them changed
 * @key: "size", "timeout", "busy", "max_result", "max_sql", "exact", "sessions",
 *	"statements", "zero"
 * @value: a decimal number: milliseconds, a count, or bytes with k, m, g, t, p,
 *	e behind them, or a percentage of RAM ("10%")
 *
 * Whether the limit is in range is looked at when it comes into force.  Does
 * not sleep.
 * Return: 0, -ENOENT for a key that is none of the engine's, -EINVAL for a
 * value that cannot be read.
 */
KSQL_API int ksql_option_set(struct ksql_options *options, const char *key,
			     const char *value);

/**
 * ksql_option_get() - the limits one by one, for who shows or compares them
 * @options: filled
 * @index: from 0
 * @value: out; ksql_option_set() takes it as it is, in decimal
 *
 * Does not sleep.
 * Return: its key, constant; NULL past the last one.
 */
KSQL_API const char *ksql_option_get(const struct ksql_options *options,
				     unsigned int index, uint64_t *value);

/**
 * struct ksql_rom - a database file in memory, to be read as schema "rom"
 * @name: of one line; what the host calls it
 * @source: one word, where the host has it from
 * @data: aligned to 8 bytes; nobody changes it, nor what else is here, before
 *	@release
 * @size: bytes at @data
 * @sha256: of them, which the host has compared, in hexadecimal
 * @release: called once, when nobody reads it any more; may sleep
 */
struct ksql_rom {
	const char *name;
	const char *source;
	const void *data;
	uint64_t size;
	char sha256[65];
	void (*release)(struct ksql_rom *rom);
};

/**
 * ksql_rom_check() - is it a database, and undamaged?
 * @rom: nobody's yet
 * @why: filled with a sentence when it is not
 * @size: bytes at @why, at least 1
 *
 * Looks at all of it; a signal ends that.
 * Return: 0, -EUCLEAN, -EINTR, -ENOSPC or -ENOMEM.
 */
KSQL_API int ksql_rom_check(const struct ksql_rom *rom, char *why, size_t size);

/**
 * ksql_db_get() - the database of a source name, made if there is none yet
 * @source: 1 to 255 bytes, copied
 * @options: limits, used when the database is made; ignored when it is there
 * @rom: NULL, or what it shall have, checked by ksql_rom_check(); released when
 *	the database goes, and now when it is there or cannot be made
 * @db: out; the caller owns one count of it
 *
 * Return: 0, -EINVAL for a bad source or limit.
 */
KSQL_API int ksql_db_get(const char *source, const struct ksql_options *options,
			 struct ksql_rom *rom, struct ksql_db **db);

/** ksql_db_put() - give a count back; the last one frees the database. */
KSQL_API void ksql_db_put(struct ksql_db *db);

/** ksql_db_rom() - what it has; it lives as long as the database; or NULL. */
KSQL_API const struct ksql_rom *ksql_db_rom(struct ksql_db *db);

/**
 * ksql_db_configure() - change the limits of a database
 * @db: held
 * @options: all of them; statements begun later keep to them
 *
 * Return: 0, -EINVAL for a bad limit.
 */
KSQL_API int ksql_db_configure(struct ksql_db *db,
			       const struct ksql_options *options);

/** ksql_db_options() - the limits in force. */
KSQL_API void ksql_db_options(struct ksql_db *db, struct ksql_options *options);

/**
 * ksql_db_usage() - how full a database is
 * @db: held
 * @pages: out: pages of %KSQL_PAGE_SIZE that hold something of the database
 * @wal_pages: out: pages of memory that its log takes for now
 */
KSQL_API void ksql_db_usage(struct ksql_db *db, uint64_t *pages,
			    uint64_t *wal_pages);

/**
 * struct ksql_watch - who wants to know of commits; the host's own memory
 * @changed: called once for each commit that changed something, with its
 *	data_version, when others can see it, and before the call that
 *	committed returns.  It may run on the engine's stack with the FPU
 *	section open, so with preemption off, and always runs under a
 *	spinlock: it must not sleep, nor call anything of this header but
 *	ksql_poll(), nor watch or unwatch.  Calls for different commits come
 *	one after another, but in no order.
 * @next: the engine's
 */
struct ksql_watch {
	void (*changed)(struct ksql_watch *watch, uint64_t version);
	struct ksql_watch *next;
};

/**
 * ksql_db_schema() - how often the schema was found to be another
 * @db: held
 * @version: out
 *
 * Names of tables, views and indexes come and go with another version alone.
 * Runs no SQL unless a commit has come since the last look.
 * Return: 0 or a negative errno.
 */
KSQL_API int ksql_db_schema(struct ksql_db *db, uint64_t *version);

/**
 * ksql_db_watch() - be told of commits
 * @db: held until ksql_db_unwatch()
 * @watch: with @changed set; not watching anything yet
 */
KSQL_API void ksql_db_watch(struct ksql_db *db, struct ksql_watch *watch);

/**
 * ksql_db_unwatch() - not any more
 * @db: held
 * @watch: harmless if it is not watching @db
 *
 * When it returns, @changed does not run and never will again.
 */
KSQL_API void ksql_db_unwatch(struct ksql_db *db, struct ksql_watch *watch);

/**
 * ksql_root() - the top directory
 *
 * Return: a node that the caller owns one count of, or NULL (no memory).
 */
KSQL_API struct ksql_node *ksql_root(struct ksql_db *db);

/**
 * ksql_lookup() - a name in a directory
 * @db: held
 * @dir: a directory's node
 * @name: not NUL-terminated
 * @len: its bytes
 * @node: out; the caller owns one count of it
 *
 * Return: 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG.
 */
KSQL_API int ksql_lookup(struct ksql_db *db, struct ksql_node *dir,
			 const char *name, size_t len, struct ksql_node **node);

/**
 * ksql_node_exists() - is what the node names still there
 *
 * Return: 1, 0, or a negative errno.  Runs no SQL unless a commit has come
 * since the last look at the schema.
 */
KSQL_API int ksql_node_exists(struct ksql_db *db, struct ksql_node *node);

/**
 * ksql_make() - a new name: mkdir(), or open() with O_CREAT
 * @db: held
 * @dir: a directory's node
 * @name: not NUL-terminated
 * @len: its bytes
 * @caller: who becomes its owner
 * @is_dir: a directory rather than a file
 * @node: out; the caller owns one count of it
 *
 * Return: 0, -EPERM where names come and go by SQL alone, -EEXIST,
 * -ENAMETOOLONG, -ENOTDIR.
 */
KSQL_API int ksql_make(struct ksql_db *db, struct ksql_node *dir,
		       const char *name, size_t len,
		       const struct ksql_caller *caller, bool is_dir,
		       struct ksql_node **node);

/**
 * ksql_remove() - take a directory away that ksql_make() made: rmdir()
 * @db: held
 * @node: of the name, which does not exist any more when this returns 0
 * @caller: its owner, or root
 *
 * Return: 0, -EPERM for all other names, -ENOENT.
 */
KSQL_API int ksql_remove(struct ksql_db *db, struct ksql_node *node,
			 const struct ksql_caller *caller);

/**
 * ksql_node_has_version() - is it known when a commit changed what this shows
 *
 * So of tables' folders and the files in them that show something, and of
 * "events".  Does not sleep.
 */
KSQL_API bool ksql_node_has_version(const struct ksql_node *node);

/**
 * ksql_node_version() - a number that grows when what a node shows has changed
 * @db: held
 * @node: whichever
 *
 * The number of the last commit that changed it, as "data_version" has it; of
 * the root: of the last one at all.
 * Return: 0 where that is not known.
 */
KSQL_API uint64_t ksql_node_version(struct ksql_db *db, struct ksql_node *node);

/**
 * ksql_node_same() - do two nodes name the same?  Does not sleep.
 */
KSQL_API bool ksql_node_same(const struct ksql_node *a,
			     const struct ksql_node *b);

/** ksql_node_get() - take another count of a node.  Does not sleep. */
KSQL_API struct ksql_node *ksql_node_get(struct ksql_node *node);

/** ksql_node_put() - give a count back. */
KSQL_API void ksql_node_put(struct ksql_node *node);

/** ksql_node_is_dir() - directory or file.  Does not sleep. */
KSQL_API bool ksql_node_is_dir(const struct ksql_node *node);

/** ksql_node_ino() - as in &struct ksql_attr.  Does not sleep. */
KSQL_API uint64_t ksql_node_ino(const struct ksql_node *node);

/** ksql_node_is_stream() - a file with no positions (query*).  Does not sleep. */
KSQL_API bool ksql_node_is_stream(const struct ksql_node *node);

/* No metrics_mode= was named. */
#define KSQL_MODE_UNSET 0xffffffffu

/**
 * ksql_node_mode() - permission bits of a node
 * @node: a node
 * @mount_mode: the mount's mode= (bits 0777)
 * @metrics_mode: the mount's metrics_mode= (bits 0444), or %KSQL_MODE_UNSET
 *
 * Directories have the mount's own.  A class that may read the directory may
 * read files; owner and group, where they may read, may also write those that
 * are written, and directories in which names can be made; others may only with
 * the mount's o+w.  Of a node with an owner of its own they are the owner's
 * alone, whatever the mount's.  A directory may have the sticky bit (01000).
 * With @metrics_mode these are the bits of the files in metrics/; who has one
 * may list that directory, and go through the one that it is in.
 * Does not sleep.
 */
KSQL_API uint32_t ksql_node_mode(const struct ksql_node *node,
				 uint32_t mount_mode, uint32_t metrics_mode);

/**
 * ksql_node_owner() - whose a node is, if not the mount's owner's
 * @node: a node
 * @uid, @gid: out, if it has an owner: as in the &struct ksql_caller that made it
 *
 * Never changes.  Does not sleep.
 * Return: has it one of its own?
 */
KSQL_API bool ksql_node_owner(const struct ksql_node *node, uint32_t *uid,
			      uint32_t *gid);

/**
 * ksql_getattr() - what stat() shows, for this caller
 *
 * May run SQL (to know the exact size of what would be read).
 * Return: 0, -ENOENT when it is gone.
 */
KSQL_API int ksql_getattr(struct ksql_db *db, struct ksql_node *node,
			  const struct ksql_caller *caller,
			  struct ksql_attr *attr);

/**
 * ksql_opendir() - the names of a directory, "." and ".." not among them
 * @dir: out; ended by ksql_closedir()
 */
KSQL_API int ksql_opendir(struct ksql_db *db, struct ksql_node *node,
			  const struct ksql_caller *caller,
			  struct ksql_dir **dir);

/**
 * ksql_readdir() - the name at a position.  Does not sleep.
 * @dir: open
 * @index: from 0
 * @entry: out; valid until ksql_closedir()
 *
 * Return: 1, or 0 past the last one.
 */
KSQL_API int ksql_readdir(struct ksql_dir *dir, uint64_t index,
			  struct ksql_dirent *entry);

/** ksql_closedir() - the end of a directory; NULL is allowed. */
KSQL_API void ksql_closedir(struct ksql_dir *dir);

/**
 * ksql_open() - open a file
 * @db: held until ksql_release()
 * @node: a file's node; the file takes its own count
 * @caller: whose result, whose session; copied but for the cancel flag
 * @flags: %KSQL_OPEN_READ, %KSQL_OPEN_WRITE
 * @file: out; ended by ksql_release()
 *
 * What the file shows to a reader is fixed now.  Permission bits are the
 * host's to check.  Opening a query file never runs anything.
 *
 * Return: 0; -EISDIR; -ENOENT; -EPERM for writing what is not written; for
 * result* and value the errno of the caller's last batch if that failed;
 * any errno of the SQL that makes the content.
 */
KSQL_API int ksql_open(struct ksql_db *db, struct ksql_node *node,
		       const struct ksql_caller *caller, unsigned int flags,
		       struct ksql_file **file);

/**
 * ksql_read() - bytes of a file
 * @file: open for reading
 * @caller: for its cancel flag
 * @buf: at least @len bytes
 * @len: how many to read at most
 * @pos: where from; without meaning for streams
 *
 * Return: bytes read, 0 at the end, or a negative errno.  Less than @len comes
 * only before an end or an error.
 */
KSQL_API long ksql_read(struct ksql_file *file,
			const struct ksql_caller *caller, void *buf, size_t len,
			uint64_t pos);

/**
 * ksql_end() - the position where an open file ends
 * @file: open for reading
 * @caller: for its cancel flag
 *
 * Of what this open file shows, which stat() cannot know: that tells of what
 * would be opened now.  May have to make all of it.
 * Return: bytes, or a negative errno: -ESPIPE for streams, or as ksql_read().
 */
KSQL_API int64_t ksql_end(struct ksql_file *file,
			  const struct ksql_caller *caller);

/* What ksql_poll() finds. */
#define KSQL_POLL_READ	  1u /* reading does not wait for anybody's commit */
#define KSQL_POLL_WRITE	  2u /* nor does writing */
#define KSQL_POLL_CHANGED 4u /* a commit came after what was read */

/**
 * ksql_poll() - what an open file is ready for.  Does not sleep.
 * @file: open; unlike other calls on it this one may be made beside them
 *
 * All files can always be read and written, as regular files can.  "events" has
 * %KSQL_POLL_CHANGED from the first commit after it was opened, or after it was
 * last read from its beginning, until it is read so again.  A host that lets
 * somebody wait must first take him among those whom its &struct ksql_watch
 * wakes, and look then: so no commit is missed.
 *
 * Return: %KSQL_POLL_READ and so on.
 */
KSQL_API unsigned int ksql_poll(const struct ksql_file *file);

/**
 * ksql_write() - bytes into a file
 * @file: open for writing
 * @caller: for its cancel flag
 * @buf: the bytes
 * @len: how many
 *
 * Bytes count in the order in which they come: there are no positions.
 * Runs every statement that these bytes complete.
 * Return: @len, or a negative errno; statements done before it stay done.
 */
KSQL_API long ksql_write(struct ksql_file *file,
			 const struct ksql_caller *caller, const void *buf,
			 size_t len);

/**
 * ksql_finish() - the opener closed a write-only file: run what is unterminated
 *
 * Publishes the batch's result for its user; of image: checks what was written
 * and puts it in the database's place.  Without effect on files opened for
 * reading and on batches to which nothing was written since the last call.
 * Return: 0, or the errno of what ran now (not of what write() has told).
 */
KSQL_API int ksql_finish(struct ksql_file *file,
			 const struct ksql_caller *caller);

/**
 * ksql_release() - the last descriptor is gone
 * @file: freed
 * @caller: for its cancel flag
 * @abandon: the writer was killed: what is unterminated must not run
 *
 * Finishes a batch that ksql_finish() has not; rolls a private connection back.
 */
KSQL_API void ksql_release(struct ksql_file *file,
			   const struct ksql_caller *caller, bool abandon);

/**
 * ksql_cancelled() - a caller's cancel flag has been raised.  Does not sleep.
 * @cancel: that flag; from any thread
 *
 * Wakes what waits on that caller's behalf: without it, it would not look.
 */
KSQL_API void ksql_cancelled(const int *cancel);

#ifdef __cplusplus
}
#endif

#endif /* KSQL_CORE_H */
