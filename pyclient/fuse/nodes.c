// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * nodes.c - which of the engine's nodes a FUSE node id stands for.
 *
 * A directory keeps its id as long as the kernel knows it, or else a process's
 * working directory would be taken for removed.  A file gets another with each
 * lookup, so that each opening by a name has its own: the kernel holds a lock of the id
 * during a write, and keeps pages by the id for sendfile() and mmap(), while
 * each opening has its own content.
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS 1024u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Those that may be found again, by the engine's number; under lock. */
static struct node *buckets[BUCKETS];
static uint32_t generation; /* the last one given; under lock */

/* Names of directories are the kernel's to keep: so long that it is for ever. */
#define KEPT_SECONDS 1e6

static struct node **bucket_of(const struct ksql_node *node)
{
	return &buckets[ksql_node_ino(node) % BUCKETS];
}

/*
 * Not by the number alone, which a table has in common with a view of its name,
 * nor by the name alone, which a directory that is made has in common with the
 * one that was removed.
 */
static bool is_same(const struct ksql_node *a, const struct ksql_node *b)
{
	return ksql_node_ino(a) == ksql_node_ino(b) && ksql_node_same(a, b);
}

/*
 * Each open file is to have an inode of its own, but the kernel asks twice for a
 * name whose node is another one than it knows.  So a file's node is found again
 * as long as it was never opened, by the thread that had it before: that one is
 * not about to open it elsewhere.  (0: a thread that we cannot tell.)
 */
static struct node *find(struct node *n, const struct ksql_node *node,
			 pid_t thread)
{
	bool is_dir = ksql_node_is_dir(node);

	while (n && !(is_same(n->node, node) &&
		      (is_dir || (thread && n->thread == thread))))
		n = n->next;
	return n;
}

static void list(struct node *n)
{
	struct node **bucket = bucket_of(n->node);

	n->next = *bucket;
	*bucket = n;
	n->listed = true;
}

static void unlist(struct node *n)
{
	struct node **at = bucket_of(n->node);

	if (!n->listed)
		return;
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->listed = false;
}

/* Where to begin must differ between the mounts of a machine: see client.c. */
int nodes_init(void)
{
	ssize_t n = getrandom(&generation, sizeof(generation), 0);

	return n == sizeof(generation) ? 0 : -EIO;
}

/**
 * nodes_enter() - the node to tell the kernel of
 * @node: of ksql_lookup(); the caller's count of it is taken over
 * @parent: the directory's id
 * @name: by which it was looked up
 * @thread: who did
 *
 * Return: a node with one lookup more, or NULL (no memory).
 */
struct node *nodes_enter(struct ksql_node *node, fuse_ino_t parent,
			 const char *name, pid_t thread)
{
	struct node *n;

	pthread_mutex_lock(&lock);
	n = find(*bucket_of(node), node, thread);
	if (n) {
		n->lookups++;
		goto put_node;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		goto put_node;
	n->node = node;
	n->lookups = 1;
	n->generation = ++generation;
	n->thread = thread;
	if (ksql_node_is_dir(node)) {
		n->parent = parent;
		n->name = strdup(name); /* without it the name is not kept */
	}
	list(n);
	pthread_mutex_unlock(&lock);
	return n;

put_node:
	pthread_mutex_unlock(&lock);
	ksql_node_put(node);
	return n;
}

/** nodes_forget() - the kernel forgets so many lookups; the last frees the node. */
void nodes_forget(struct node *node, uint64_t lookups)
{
	bool last;

	pthread_mutex_lock(&lock);
	node->lookups -= lookups;
	last = !node->lookups;
	if (last)
		unlist(node);
	pthread_mutex_unlock(&lock);
	if (!last)
		return;
	ksql_node_put(node->node);
	free(node->name);
	free(node);
}

/** nodes_open() - a file is opened: its node is not found again */
void nodes_open(struct node *node)
{
	pthread_mutex_lock(&lock);
	unlist(node);
	pthread_mutex_unlock(&lock);
}

/**
 * nodes_timeout() - how long the kernel may keep a node's name, in seconds
 *
 * A directory's until nodes_refresh() takes it back.  One that has an owner goes
 * by rmdir(), and comes back as another's.
 */
double nodes_timeout(const struct node *node)
{
	uid_t uid;
	gid_t gid;

	return node->name && !ksql_node_owner(node->node, &uid, &gid) ?
		       KEPT_SECONDS :
		       0;
}

/* A name that the kernel shall not keep any more. */
struct gone {
	struct gone *next;
	fuse_ino_t parent;
	char name[];
};

/* Those of the directories that name nothing now, each once. */
static struct gone *find_gone(struct ksql_db *db, bool *complete)
{
	struct gone *first = NULL, *g;
	struct node *n;
	size_t i, len;

	*complete = true;
	pthread_mutex_lock(&lock);
	for (i = 0; i < BUCKETS; i++) {
		for (n = buckets[i]; n; n = n->next) {
			if (!n->name || ksql_node_exists(db, n->node))
				continue;
			len = strlen(n->name) + 1;
			g = malloc(sizeof(*g) + len);
			if (!g) {
				*complete = false;
				continue;
			}
			g->parent = n->parent;
			memcpy(g->name, n->name, len);
			g->next = first;
			first = g;
		}
	}
	pthread_mutex_unlock(&lock);
	return first;
}

/* With refresh_lock held. */
static void refresh(struct host *host)
{
	uint64_t commits = __atomic_load_n(&host->commits, __ATOMIC_SEQ_CST);
	uint64_t schema;
	bool complete;
	struct gone *g, *next;

	if (!ksql_db_schema(host->db, &schema) && schema != host->schema) {
		for (g = find_gone(host->db, &complete); g; g = next) {
			next = g->next;
			fuse_lowlevel_notify_inval_entry(host->session,
							 g->parent, g->name,
							 strlen(g->name));
			free(g);
		}
		if (complete) /* else they are looked for again */
			host->schema = schema;
	}
	__atomic_store_n(&host->refreshed, commits, __ATOMIC_SEQ_CST);
}

/*
 * So many threads of the host may be here at once.  The first may have to wait
 * until a lookup is answered, and if all others waited for it nobody would.
 */
#define REFRESHING_MAX (WORKERS_MAX / 4)

/**
 * nodes_refresh() - make the kernel forget names of what is gone
 *
 * To be called after all that may have committed, before who asked for it is
 * told that it is done: so whoever looks then finds nothing.  (But for crowds:
 * who finds too many here does not wait for them.)  The kernel takes a
 * directory's lock for it, which may be held by who waits for an answer of ours
 * to a lookup there: so without the lock that answering needs.
 */
void nodes_refresh(struct host *host)
{
	if (__atomic_load_n(&host->refreshed, __ATOMIC_SEQ_CST) >=
	    __atomic_load_n(&host->commits, __ATOMIC_SEQ_CST))
		return;
	if (__atomic_fetch_add(&host->refreshing, 1, __ATOMIC_SEQ_CST) <
	    REFRESHING_MAX) {
		pthread_mutex_lock(&host->refresh_lock);
		refresh(host);
		pthread_mutex_unlock(&host->refresh_lock);
	}
	__atomic_fetch_sub(&host->refreshing, 1, __ATOMIC_SEQ_CST);
}
