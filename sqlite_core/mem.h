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
 * An allocation is refused when less than this is left of the engine's stack:
 * a statement too deep for the limits in policy.c becomes SQLITE_NOMEM long
 * before it reaches the guard page.
 */
#define KSQL_STACK_RESERVE (48u * 1024u)

/** struct mem_stats - bytes, but for the last */
struct mem_stats {
	uint64_t limit; /* @held may not pass it */
	uint64_t held; /* taken from the host, pages included */
	uint64_t peak; /* highest @held */
	uint64_t live; /* in blocks handed out, headers included */
	uint64_t pages; /* in pages handed out */
	uint64_t denied; /* how often the limit refused something */
};

/** mem_init() - @limit in bytes.  Registers the allocator with SQLite.  0 or -errno. */
int mem_init(uint64_t limit);
/** mem_exit() - after sqlite3_shutdown().  Returns bytes still live. */
uint64_t mem_exit(void);
void mem_stats(struct mem_stats *out);

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

/** mem_page_get() - a zeroed page of 4096 bytes, NULL if none.  Safe point. */
void *mem_page_get(void);
/** mem_page_put() - give it back.  Safe point. */
void mem_page_put(void *page);

#endif /* KSQL_MEM_H */
