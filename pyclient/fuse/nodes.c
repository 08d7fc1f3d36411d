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
#include <sys/random.h>

#define BUCKETS 1024u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct node
	*buckets[BUCKETS]; /* directories, by the engine's number; under lock */
static uint32_t generation; /* the last one given; under lock */

static struct node **bucket_of(const struct ksql_node *node)
{
	return &buckets[ksql_node_ino(node) % BUCKETS];
}

static struct node *find(struct node *n, uint64_t ino)
{
	while (n && ksql_node_ino(n->node) != ino)
		n = n->next;
	return n;
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
 *
 * Return: a node with one lookup more, or NULL (no memory).
 */
struct node *nodes_enter(struct ksql_node *node)
{
	struct node **bucket = bucket_of(node), *n = NULL;
	bool is_dir = ksql_node_is_dir(node);

	pthread_mutex_lock(&lock);
	if (is_dir)
		n = find(*bucket, ksql_node_ino(node));
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
	if (is_dir) {
		n->next = *bucket;
		*bucket = n;
	}
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
	struct node **at = bucket_of(node->node);
	bool last;

	pthread_mutex_lock(&lock);
	node->lookups -= lookups;
	last = !node->lookups;
	if (last && ksql_node_is_dir(node->node)) {
		while (*at != node)
			at = &(*at)->next;
		*at = node->next;
	}
	pthread_mutex_unlock(&lock);
	if (!last)
		return;
	ksql_node_put(node->node);
	free(node);
}
