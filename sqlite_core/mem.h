/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * mem.h - the engine's memory: SQLite's, the core's own, and database pages.
 *
 * All of it is counted and bounded together.  Engine side.
 */
#ifndef KSQL_MEM_H
#define KSQL_MEM_H

#include "port/types.h"

/*
 * An allocation is refused while more than this of the engine's stack is in
 * use: what bounds a statement's depth where none of SQLite's limits does (views
 * on views, generated columns).  What recurses without asking is bounded by
 * SQLITE_MAX_EXPR_DEPTH, at about 100 bytes a level.  docs/stack.md has the sum.
 */
#define KSQL_STACK_USE	   (88u * 1024u)
#define KSQL_STACK_RESERVE (PORT_STACK_SIZE - KSQL_STACK_USE)

/** struct mem_stats - bytes, but for the last three */
struct mem_stats {
	uint64_t limit; /* @held may not pass it */
	uint64_t held; /* taken from the host, pages included */
	uint64_t peak; /* highest @held */
	uint64_t live; /* in blocks handed out, headers included */
	uint64_t pages; /* in pages handed out */
	uint64_t denied; /* how often the limit refused something */
	uint64_t failed; /* how often the host had none */
	uint64_t too_deep; /* how often the stack refused something */
};

/** struct mem_refusals - of mem_stats, to see whether there were more since */
struct mem_refusals {
	uint64_t denied, too_deep;
};

/** mem_init() - @limit in bytes.  Registers the allocator with SQLite.  0 or -errno. */
int mem_init(uint64_t limit);
/** mem_exit() - after sqlite3_shutdown().  Returns bytes still live. */
uint64_t mem_exit(void);
void mem_stats(struct mem_stats *out);
struct mem_refusals mem_refusals(void);

/**
 * mem_too_deep() - is more than KSQL_STACK_USE of the stack in use?
 *
 * Asked at each allocation, and (a repair of fetch.py's) where SQLite generates
 * code for an expression, which recurses without allocating.
 */
bool mem_too_deep(void);

/** ksql_alloc() - @n bytes aligned to 8, NULL if none.  Safe point. */
void *ksql_alloc(size_t n);
/** ksql_zalloc() - the same, zeroed.  Safe point. */
void *ksql_zalloc(size_t n);
/** ksql_realloc() - as realloc(); on NULL @p is unchanged.  Safe point. */
void *ksql_realloc(void *p, size_t n);
/** ksql_free() - NULL is allowed.  Safe point. */
void ksql_free(void *p);
/** ksql_strndup() - @n bytes and a NUL.  Safe point. */
char *ksql_strndup(const char *s, size_t n);

/**
 * mem_zero_freed() - so many more (or fewer) want what is freed to be zeroed
 *
 * All of it is, whoever's it was, while anybody wants it: blocks and pages pass
 * from one database to another.
 */
void mem_zero_freed(int more);

/** mem_page_get() - a zeroed page of 4096 bytes, NULL if none.  Safe point. */
void *mem_page_get(void);
/** mem_page_put() - give it back.  Safe point. */
void mem_page_put(void *page);

#endif /* KSQL_MEM_H */
