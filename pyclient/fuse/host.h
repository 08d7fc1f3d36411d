/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * host.h - the FUSE host: the engine's tree as libfuse's low-level calls.
 *
 *	host.c	   one mount: the session, its threads, its end (the call for Python)
 *	request.c  what is the same for every FUSE request; permission bits
 *	ops.c	   requests about names, directories and the mount, each as a
 *		   call of ksql_core.h
 *	file.c	   likewise about open files
 *	nodes.c	   which node a FUSE node id stands for
 *	client.c   what /proc tells of the process that made a request
 */
#ifndef KSQLFS_HOST_H
#define KSQLFS_HOST_H

#define FUSE_USE_VERSION 35

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ksql_core.h"
#include "serve.h"

/* Bytes that one READ or WRITE carries at most. */
#define HOST_IO_MAX (1024u * 1024u)

struct open_file;

/**
 * struct node - what a FUSE node id, its address, stands for
 * @node: the engine's, one count of it owned; never changes
 * @lookups: how often the kernel has been told of it and has not forgotten it;
 *	under nodes.c's lock
 * @openings: how many open files it has; atomic
 * @parent: of a directory: the id of that which it is in
 * @name: of a directory: by which it was looked up there; owned; or NULL
 * @generation: never the same for two nodes of this machine's mounts, as far as
 *	chance can tell; never changes
 * @thread: of a file: who looked it up; never changes
 * @listed: it is in its bucket; under nodes.c's lock
 * @next: in its bucket; likewise
 */
struct node {
	struct ksql_node *node;
	uint64_t lookups;
	uint32_t openings;
	uint32_t generation;
	fuse_ino_t parent;
	char *name;
	pid_t thread;
	bool listed;
	struct node *next;
};

/**
 * struct worker - a thread that serves requests
 * @cancel: what the engine looks at: not 0 ends what runs; atomic
 * @suspect: 0, or the thread asked for something and then got a signal that does
 *	not count: others may follow, of which the kernel does not tell; atomic,
 *	and changed to 0 under the host's lock
 * @waits: NULL, or the file whose lock the thread waits for; under its mutex
 * @buf: for what is read; owned, used by the thread alone
 * @buf_size: bytes at @buf
 * @thread, @next: under the host's lock
 */
struct worker {
	int cancel;
	pid_t suspect;
	struct open_file *waits;
	char *buf;
	size_t buf_size;
	pthread_t thread;
	struct worker *next;
};

/**
 * struct host - a mount
 * @mount: what was asked for
 * @db: the database, counted
 * @uid, @gid, @mode: of all files; never change
 * @metrics_mode: of those in metrics/, or %KSQL_MODE_UNSET; likewise
 * @root: the top directory's node; never changes
 * @session: libfuse's
 * @stopping: no request shall run on; atomic
 * @watch: tells of commits
 * @commits: the last commit that it told of; atomic
 * @refreshed: the last one since which names were looked at: nodes_refresh();
 *	atomic, changed under @refresh_lock
 * @refreshing: threads in nodes_refresh(); atomic
 * @schema: the schema's version then; under @refresh_lock
 * @refresh_lock: of @refreshed and @schema; taken alone
 * @changed_fd: an eventfd that @watch writes to
 * @suspect_fd: an eventfd that is written to when a worker has a suspect
 * @ended_fd: an eventfd that the first worker to see the mount's end writes to
 * @lock: of what follows
 * @ended: signalled when a worker ends
 * @workers: all threads, @worker_count of them; @idle wait for a request
 * @polled: files whose pollers want to be woken
 * @commit_lock: of what follows; taken under @lock, or alone
 * @commit: signalled at each commit, and when a worker is to give up
 * @readers: workers that wait for it
 */
struct host {
	const struct ksqlfs_mount *mount;
	struct ksql_db *db;
	uid_t uid;
	gid_t gid;
	uint32_t mode;
	uint32_t metrics_mode;
	struct node root;
	struct fuse_session *session;
	int stopping;
	struct ksql_watch watch;
	uint64_t commits;
	uint64_t refreshed;
	unsigned int refreshing;
	uint64_t schema;
	pthread_mutex_t refresh_lock;
	int changed_fd;
	int suspect_fd;
	int ended_fd;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct worker *workers;
	unsigned int worker_count;
	unsigned int idle;
	struct open_file *polled;
	pthread_mutex_t commit_lock;
	pthread_cond_t commit;
	unsigned int readers;
};

/* Threads that a host has at most. */
#define WORKERS_MAX 512u

extern const struct fuse_lowlevel_ops host_ops;

/* host.c: the thread that runs, as a worker of its host. */
extern __thread struct worker *worker_self;
void host_ready(struct host *host);
void host_suspect(struct host *host);

int host_limits(struct ksql_options *options, const char *text, char *message,
		size_t size);

/* request.c */
struct ksql_caller request_begin(fuse_req_t req);
void request_end(fuse_req_t req);
void request_reply(fuse_req_t req, int err);
bool request_may(fuse_req_t req, const struct ksql_node *node,
		 unsigned int want);

static inline struct host *host_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &host_of(req)->root :
				     (struct node *)(uintptr_t)ino;
}

static inline fuse_ino_t id_of(const struct node *node)
{
	return (fuse_ino_t)(uintptr_t)node;
}

/* ops.c */
struct fuse_entry_param ops_entry(struct host *host, const struct node *node);

/* file.c */
void file_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		 mode_t mode, struct fuse_file_info *fi);
void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	       struct fuse_file_info *fi);
void file_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		off_t off, struct fuse_file_info *fi);
void file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	       struct fuse_pollhandle *ph);
int file_end(const struct fuse_file_info *fi, const struct ksql_caller *caller,
	     off_t *end);
bool file_is_readable(const struct fuse_file_info *fi);
void file_cancel(struct host *host, struct worker *worker);
void file_wake_readers(struct host *host);
void file_wake_pollers(struct host *host);

/* nodes.c */
int nodes_init(void);
struct node *nodes_enter(struct ksql_node *node, fuse_ino_t parent,
			 const char *name, pid_t thread);
void nodes_open(struct node *node);
double nodes_timeout(const struct node *node);
void nodes_refresh(struct host *host);
void nodes_forget(struct node *node, uint64_t lookups);

/* client.c */
pid_t client_process(pid_t thread);
bool client_is_process(pid_t thread, pid_t process);
bool client_in_group(fuse_req_t req, gid_t own, gid_t gid);
bool client_is_signalled(pid_t thread);
bool client_was_killed(pid_t thread, uid_t uid);
bool client_has_open(pid_t process, uint64_t node_id, uint32_t generation);

#endif /* KSQLFS_HOST_H */
