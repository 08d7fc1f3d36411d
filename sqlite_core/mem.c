// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * mem.c - the engine's memory.
 *
 * Leaving and re-entering the FPU section for each of SQLite's allocations was
 * half of the cost of a point query, so blocks of up to SMALL_MAX bytes come
 * from spans of 32 KiB that are cut into blocks of one size size_class each, under
 * one short spinlock; only a new span leaves the section.  Larger blocks go to
 * the host.  Database pages are whole pages of the host's, taken and given
 * back some at a time.
 *
 * A block is preceded by eight bytes that say where its span begins and how
 * large it is.
 */
#include "mem.h"

#include "port/cstd.h"
#include "port/port.h"
#include "sqlite/config.h"
#include "sqlite3.h"

/* Sanitizers see each block only when it is an allocation of its own. */
#ifndef KSQL_POOL
#define KSQL_POOL 1
#endif

#define SPAN_SIZE   (32u * 1024u)
#define SMALL_MAX   4608u /* largest block of a span, header included */
#define SPARE_SPANS 8u /* empty spans kept for the next that asks */
#define PAGE_BATCH  32u /* pages taken from or given to the host at once */
#define SPARE_PAGES (2u * PAGE_BATCH)
#define LARGE \
	0xffffffffu /* block.offset of a block that is its own allocation */

struct block {
	uint32_t offset; /* bytes from the span's beginning, or LARGE */
	uint32_t size; /* of the whole block, this header included */
};

struct span {
	struct span *next,
		*prev; /* in pool.partial[size_class], when it has room */
	void *free; /* list of free blocks, linked by their first word */
	uint32_t used; /* blocks handed out */
	uint32_t fresh; /* offset of the part that was never cut */
	uint32_t size; /* of its blocks */
	uint32_t size_class;
};

/* Four classes to each doubling: at most a fifth of a block is waste. */
static const uint16_t class_size[] = {
	32,   48,   64,	  80,	96,   112,  128,  160,	192,  224,
	256,  320,  384,  448,	512,  640,  768,  896,	1024, 1280,
	1536, 1792, 2048, 2560, 3072, 3584, 4096, 4608,
};

#define CLASSES (sizeof(class_size) / sizeof(class_size[0]))

static struct {
	struct port_spin lock; /* protects everything below but the atomics */
	struct span *partial[CLASSES];
	struct span *spare[SPARE_SPANS];
	uint32_t spares;
	void *page[SPARE_PAGES];
	uint32_t pages;
	uint8_t class_of[SMALL_MAX / 16 +
			 1]; /* by size in units of 16; constant */

	struct mem_stats stats; /* atomics, but for the constant limit */
} pool;

static void count_add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void count_sub(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_sub(counter, n, __ATOMIC_RELAXED);
}

/* Reserve @n bytes of the limit. */
static bool hold(uint64_t n)
{
	uint64_t held =
		__atomic_add_fetch(&pool.stats.held, n, __ATOMIC_RELAXED);
	uint64_t peak = __atomic_load_n(&pool.stats.peak, __ATOMIC_RELAXED);

	if (held > pool.stats.limit) {
		count_sub(&pool.stats.held, n);
		count_add(&pool.stats.denied, 1);
		return false;
	}
	while (held > peak &&
	       !__atomic_compare_exchange_n(&pool.stats.peak, &peak, held, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return true;
}

static void unhold(uint64_t n)
{
	count_sub(&pool.stats.held, n);
}

/* --- spans: all with pool.lock held -------------------------------------- */

static void span_link(struct span *s)
{
	struct span **head = &pool.partial[s->size_class];

	s->prev = NULL;
	s->next = *head;
	if (*head)
		(*head)->prev = s;
	*head = s;
}

static void span_unlink(struct span *s)
{
	if (s->next)
		s->next->prev = s->prev;
	if (s->prev)
		s->prev->next = s->next;
	else
		pool.partial[s->size_class] = s->next;
}

static bool span_is_full(const struct span *s)
{
	return !s->free && s->fresh + s->size > SPAN_SIZE;
}

static void span_init(struct span *s, uint32_t size_class)
{
	s->free = NULL;
	s->used = 0;
	s->size_class = size_class;
	s->size = class_size[size_class];
	/* 8 past a multiple of 16: what follows a block's header is aligned to 16. */
	s->fresh = ((uint32_t)sizeof(*s) + 15u) / 16u * 16u + 8u;
	span_link(s);
}

static struct block *span_take(struct span *s)
{
	struct block *b;

	if (s->free) {
		b = s->free;
		memcpy(&s->free, b + 1, sizeof(s->free));
	} else {
		b = (struct block *)((char *)s + s->fresh);
		s->fresh += s->size;
	}
	b->offset = (uint32_t)((char *)b - (char *)s);
	b->size = s->size;
	s->used++;
	if (span_is_full(s))
		span_unlink(s);
	return b;
}

/* Returns a span that the host should have back, or NULL. */
static struct span *span_return(struct span *s, struct block *b)
{
	bool was_full = span_is_full(s);

	memcpy(b + 1, &s->free, sizeof(s->free));
	s->free = b;
	s->used--;
	if (was_full)
		span_link(s);
	if (s->used)
		return NULL;
	span_unlink(s);
	if (pool.spares < SPARE_SPANS) {
		pool.spare[pool.spares++] = s;
		return NULL;
	}
	return s;
}

/* --- blocks -------------------------------------------------------------- */

static struct block *small_alloc(uint32_t size_class)
{
	struct span *s, *extra = NULL;
	struct block *b;

	port_spin_lock(&pool.lock);
	s = pool.partial[size_class];
	if (!s && pool.spares) {
		s = pool.spare[--pool.spares];
		span_init(s, size_class);
	}
	if (s) {
		b = span_take(s);
		port_spin_unlock(&pool.lock);
		return b;
	}
	port_spin_unlock(&pool.lock);

	if (!hold(SPAN_SIZE))
		return NULL;
	extra = port_alloc(SPAN_SIZE);
	if (!extra) {
		count_add(&pool.stats.failed, 1);
		unhold(SPAN_SIZE);
		return NULL;
	}
	port_spin_lock(&pool.lock);
	span_init(extra, size_class);
	b = span_take(extra);
	port_spin_unlock(&pool.lock);
	return b;
}

static struct block *large_alloc(size_t size)
{
	struct block *b;

	if (!hold(size))
		return NULL;
	b = port_alloc(size + 8);
	if (!b) {
		count_add(&pool.stats.failed, 1);
		unhold(size);
		return NULL;
	}
	b = (struct block *)((char *)b + 8); /* what follows is aligned to 16 */
	b->offset = LARGE;
	b->size = (uint32_t)size;
	return b;
}

bool mem_too_deep(void)
{
	bool is = port_stack_left() < KSQL_STACK_RESERVE;

	if (is)
		count_add(&pool.stats.too_deep, 1);
	return is;
}

void *ksql_alloc(size_t n)
{
	struct block *b;
	size_t size = n + sizeof(*b);

	if (n > SQLITE_MAX_ALLOCATION_SIZE)
		return NULL;
	if (mem_too_deep())
		return NULL;
	if (KSQL_POOL && size <= SMALL_MAX)
		b = small_alloc(pool.class_of[(size + 15) / 16]);
	else
		b = large_alloc((size + 15) / 16 * 16);
	if (!b)
		return NULL;
	count_add(&pool.stats.live, b->size);
	return b + 1;
}

void ksql_free(void *p)
{
	struct span *unused;
	struct block *b;

	if (!p)
		return;
	b = (struct block *)p - 1;
	count_sub(&pool.stats.live, b->size);
	if (b->offset == LARGE) {
		unhold(b->size);
		port_free((char *)b - 8);
		return;
	}
	port_spin_lock(&pool.lock);
	unused = span_return((struct span *)((char *)b - b->offset), b);
	port_spin_unlock(&pool.lock);
	if (unused) {
		unhold(SPAN_SIZE);
		port_free(unused);
	}
}

static size_t block_room(void *p)
{
	return ((struct block *)p - 1)->size - sizeof(struct block);
}

void *ksql_realloc(void *p, size_t n)
{
	size_t room;
	void *q;

	if (!p)
		return ksql_alloc(n);
	room = block_room(p);
	if (n <= room && n >= room / 2)
		return p;
	q = ksql_alloc(n);
	if (!q)
		return NULL;
	memcpy(q, p, n < room ? n : room);
	ksql_free(p);
	return q;
}

void *ksql_zalloc(size_t n)
{
	void *p = ksql_alloc(n);

	if (p)
		memset(p, 0, n);
	return p;
}

char *ksql_strndup(const char *s, size_t n)
{
	char *p = ksql_alloc(n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

/* --- pages --------------------------------------------------------------- */

void *mem_page_get(void)
{
	void *batch[PAGE_BATCH];
	void *page = NULL;
	size_t n;

	port_spin_lock(&pool.lock);
	if (pool.pages)
		page = pool.page[--pool.pages];
	port_spin_unlock(&pool.lock);
	if (page) {
		memset(page, 0,
		       4096); /* a page given back keeps its old bytes */
		count_add(&pool.stats.pages, 4096);
		return page;
	}

	if (!hold(PAGE_BATCH * 4096u))
		return NULL;
	n = port_pages_alloc(batch, PAGE_BATCH);
	unhold((PAGE_BATCH - n) * 4096u);
	if (!n) {
		count_add(&pool.stats.failed, 1);
		return NULL;
	}
	page = batch[--n];
	port_spin_lock(&pool.lock);
	while (n && pool.pages < SPARE_PAGES)
		pool.page[pool.pages++] = batch[--n];
	port_spin_unlock(&pool.lock);
	if (n) {
		unhold(n * 4096u);
		port_pages_free(batch, n);
	}
	count_add(&pool.stats.pages, 4096);
	return page;
}

void mem_page_put(void *page)
{
	void *batch[PAGE_BATCH];
	size_t n = 0;

	count_sub(&pool.stats.pages, 4096);
	port_spin_lock(&pool.lock);
	if (pool.pages == SPARE_PAGES)
		while (n < PAGE_BATCH)
			batch[n++] = pool.page[--pool.pages];
	pool.page[pool.pages++] = page;
	port_spin_unlock(&pool.lock);
	if (n) {
		unhold(n * 4096u);
		port_pages_free(batch, n);
	}
}

/* --- SQLite's side ------------------------------------------------------- */

static void *lite_malloc(int n)
{
	return ksql_alloc((size_t)n);
}

static void *lite_realloc(void *p, int n)
{
	return ksql_realloc(p, (size_t)n);
}

static int lite_size(void *p)
{
	return p ? (int)block_room(p) : 0;
}

static int lite_roundup(int n)
{
	size_t size = (size_t)n + sizeof(struct block);

	if (size <= SMALL_MAX)
		size = class_size[pool.class_of[(size + 15) / 16]];
	else
		size = (size + 15) / 16 * 16;
	return (int)(size - sizeof(struct block));
}

static int lite_init(void *unused)
{
	(void)unused;
	return SQLITE_OK;
}

static void lite_shutdown(void *unused)
{
	(void)unused;
}

int mem_init(uint64_t limit)
{
	static const sqlite3_mem_methods methods = {
		.xMalloc = lite_malloc,
		.xFree = ksql_free,
		.xRealloc = lite_realloc,
		.xSize = lite_size,
		.xRoundup = lite_roundup,
		.xInit = lite_init,
		.xShutdown = lite_shutdown,
	};
	size_t units, size_class = 0;

	memset(&pool, 0, sizeof(pool));
	pool.stats.limit = limit;
	for (units = 0; units <= SMALL_MAX / 16; units++) {
		while (class_size[size_class] < units * 16)
			size_class++;
		pool.class_of[units] = (uint8_t)size_class;
	}
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) ? -EINVAL : 0;
}

uint64_t mem_exit(void)
{
	while (pool.spares)
		port_free(pool.spare[--pool.spares]);
	port_pages_free(pool.page, pool.pages);
	pool.pages = 0;
	return pool.stats.live + pool.stats.pages;
}

void mem_stats(struct mem_stats *out)
{
	out->limit = pool.stats.limit;
	out->held = __atomic_load_n(&pool.stats.held, __ATOMIC_RELAXED);
	out->peak = __atomic_load_n(&pool.stats.peak, __ATOMIC_RELAXED);
	out->live = __atomic_load_n(&pool.stats.live, __ATOMIC_RELAXED);
	out->pages = __atomic_load_n(&pool.stats.pages, __ATOMIC_RELAXED);
	out->denied = __atomic_load_n(&pool.stats.denied, __ATOMIC_RELAXED);
	out->failed = __atomic_load_n(&pool.stats.failed, __ATOMIC_RELAXED);
	out->too_deep = __atomic_load_n(&pool.stats.too_deep, __ATOMIC_RELAXED);
}
