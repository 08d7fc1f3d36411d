// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * mem.c - the engine's memory.
 *
 * Leaving and re-entering the FPU section for each of SQLite's allocations was
 * half of the cost of a point query, so blocks of up to SMALL_MAX bytes come
 * from spans of 32 KiB that are cut into blocks of one size size_class each, under
 * a short spinlock; only a new span leaves the section.  Larger blocks go to
 * the host.  Database pages are whole pages of the host's, taken and given
 * back some at a time.
 *
 * Each processor takes from a pool of its own, so that two do not wait for each
 * other, nor for the memory in which a lock and its counters lie.  A block goes
 * back to the pool that its span is of, a page to where it is given back.
 *
 * A block is preceded by eight bytes that say where its span begins and how
 * large it is.
 */
#include "mem.h"

#include "port/cstd.h"
#include "port/port.h"
#include "sqlite/config.h"
#include "sqlite3.h"
#include "work.h"

/* Sanitizers see each block only when it is an allocation of its own. */
#ifndef KSQL_POOL
#define KSQL_POOL 1
#endif

#define SPAN_SIZE (32u * 1024u)
#define SMALL_MAX 4608u /* largest block of a span, header included */
#define POOLS	  16u /* processors beyond share */
#define SPARE_SPANS \
	8u /* empty spans that a pool keeps for the next that asks */
#define PAGE_BATCH  32u /* pages taken from or given to the host at once */
#define SPARE_PAGES (2u * PAGE_BATCH)
#define FREES	    512u /* blocks given back between two pauses */
#define LARGE \
	0xffffffffu /* block.offset of a block that is its own allocation */

struct block {
	uint32_t offset; /* bytes from the span's beginning, or LARGE */
	uint32_t size; /* of the whole block, this header included */
};

struct pool;

struct span {
	struct pool *pool; /* constant */
	struct span *next,
		*prev; /* in pool->partial[size_class], when it has room */
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

struct pool {
	struct port_spin lock; /* protects everything below, to change it */
	struct span *partial[CLASSES];
	struct span *spare[SPARE_SPANS];
	uint32_t spares;
	void *page[SPARE_PAGES];
	uint32_t pages;
	uint32_t frees; /* blocks ever given back to it */
	/* Atomic, as they are read without the lock: */
	uint64_t live; /* bytes in blocks handed out of its spans */
	uint64_t given; /* pages handed out here, less those given back: a difference */
	char apart[64]; /* from the next one */
};

static struct pool pools[POOLS];
static uint8_t
	class_of[SMALL_MAX / 16 + 1]; /* by size in units of 16; constant */

/* Atomics, but for the constant limit; @live is of large blocks alone. */
static struct mem_stats stats;
static int zeroing; /* atomic: so many want freed memory to be zeroed */

static void count_add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void count_sub(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_sub(counter, n, __ATOMIC_RELAXED);
}

/* A counter that only who has its lock changes. */
static void count_locked(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static struct pool *own_pool(void)
{
	return &pools[port_processor() % POOLS];
}

static bool try_hold(uint64_t n)
{
	uint64_t held = __atomic_add_fetch(&stats.held, n, __ATOMIC_RELAXED);
	uint64_t peak = __atomic_load_n(&stats.peak, __ATOMIC_RELAXED);

	if (held > stats.limit) {
		count_sub(&stats.held, n);
		return false;
	}
	while (held > peak &&
	       !__atomic_compare_exchange_n(&stats.peak, &peak, held, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return true;
}

static void unhold(uint64_t n)
{
	count_sub(&stats.held, n);
}

/* Give the host what a pool keeps for the next that asks. */
static __attribute__((noinline)) void drain(struct pool *p)
{
	struct span *spans[SPARE_SPANS];
	void *pages[SPARE_PAGES];
	uint32_t n_spans, n_pages, i;

	port_spin_lock(&p->lock);
	n_spans = p->spares;
	n_pages = p->pages;
	memcpy(spans, p->spare, n_spans * sizeof(spans[0]));
	memcpy(pages, p->page, n_pages * sizeof(pages[0]));
	p->spares = 0;
	p->pages = 0;
	port_spin_unlock(&p->lock);
	unhold((uint64_t)n_spans * SPAN_SIZE + (uint64_t)n_pages * 4096u);
	for (i = 0; i < n_spans; i++)
		port_free(spans[i]);
	port_pages_free(pages, n_pages);
}

/* Reserve @n bytes of the limit, for which other processors' spares give way. */
static bool hold(uint64_t n)
{
	unsigned int i;

	if (try_hold(n))
		return true;
	for (i = 0; i < POOLS; i++)
		drain(&pools[i]);
	if (try_hold(n))
		return true;
	count_add(&stats.denied, 1);
	return false;
}

/* --- spans: all with their pool's lock held ------------------------------ */

static void span_link(struct span *s)
{
	struct span **head = &s->pool->partial[s->size_class];

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
		s->pool->partial[s->size_class] = s->next;
}

static bool span_is_full(const struct span *s)
{
	return !s->free && s->fresh + s->size > SPAN_SIZE;
}

static void span_init(struct span *s, struct pool *p, uint32_t size_class)
{
	s->pool = p;
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
	count_locked(&s->pool->live, s->size);
	if (span_is_full(s))
		span_unlink(s);
	return b;
}

/* Returns a span that the host should have back, or NULL. */
static struct span *span_return(struct span *s, struct block *b)
{
	struct pool *p = s->pool;
	bool was_full = span_is_full(s);

	memcpy(b + 1, &s->free, sizeof(s->free));
	s->free = b;
	s->used--;
	count_locked(&p->live, -(uint64_t)s->size);
	if (was_full)
		span_link(s);
	if (s->used)
		return NULL;
	span_unlink(s);
	if (p->spares < SPARE_SPANS) {
		p->spare[p->spares++] = s;
		return NULL;
	}
	return s;
}

/* --- blocks -------------------------------------------------------------- */

static struct block *small_alloc(uint32_t size_class)
{
	struct pool *p = own_pool();
	struct span *s, *extra = NULL;
	struct block *b;

	port_spin_lock(&p->lock);
	s = p->partial[size_class];
	if (!s && p->spares) {
		s = p->spare[--p->spares];
		span_init(s, p, size_class);
	}
	if (s) {
		b = span_take(s);
		port_spin_unlock(&p->lock);
		return b;
	}
	port_spin_unlock(&p->lock);

	if (!hold(SPAN_SIZE))
		return NULL;
	extra = port_alloc(SPAN_SIZE);
	if (!extra) {
		count_add(&stats.failed, 1);
		unhold(SPAN_SIZE);
		return NULL;
	}
	port_spin_lock(&p->lock);
	span_init(extra, p, size_class);
	b = span_take(extra);
	port_spin_unlock(&p->lock);
	return b;
}

static struct block *large_alloc(size_t size)
{
	struct block *b;

	if (!hold(size))
		return NULL;
	b = port_alloc(size + 8);
	if (!b) {
		count_add(&stats.failed, 1);
		unhold(size);
		return NULL;
	}
	b = (struct block *)((char *)b + 8); /* what follows is aligned to 16 */
	b->offset = LARGE;
	b->size = (uint32_t)size;
	count_add(&stats.live, size);
	return b;
}

bool mem_too_deep(void)
{
	bool is = port_stack_left() < KSQL_STACK_RESERVE;

	if (is)
		count_add(&stats.too_deep, 1);
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
		b = small_alloc(class_of[(size + 15) / 16]);
	else
		b = large_alloc((size + 15) / 16 * 16);
	return b ? b + 1 : NULL;
}

void mem_zero_freed(int more)
{
	__atomic_fetch_add(&zeroing, more, __ATOMIC_RELAXED);
}

static void zero_if_wanted(void *p, size_t n)
{
	if (!__atomic_load_n(&zeroing, __ATOMIC_RELAXED))
		return;
	work_set(p, 0, n);
	/* Or the compiler leaves out what nobody reads. */
	__asm__ volatile("" : : "r"(p) : "memory");
}

void ksql_free(void *p)
{
	struct span *s, *unused;
	struct port_spin *lock;
	struct block *b;
	bool pause;

	if (!p)
		return;
	b = (struct block *)p - 1;
	zero_if_wanted(p, b->size - sizeof(*b));
	if (b->offset == LARGE) {
		count_sub(&stats.live, b->size);
		unhold(b->size);
		port_free((char *)b - 8);
		return;
	}
	s = (struct span *)((char *)b - b->offset);
	lock = &s->pool->lock;
	port_spin_lock(lock);
	unused = span_return(s, b);
	pause = ++s->pool->frees % FREES == 0;
	port_spin_unlock(lock);
	if (unused) {
		unhold(SPAN_SIZE);
		port_free(unused);
	}
	if (pause) /* a schema, or a statement of megabytes, goes as a whole */
		port_pause();
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
	work_copy(q, p, n < room ? n : room);
	ksql_free(p);
	return q;
}

void *ksql_zalloc(size_t n)
{
	void *p = ksql_alloc(n);

	if (p)
		work_set(p, 0, n);
	return p;
}

char *ksql_strndup(const char *s, size_t n)
{
	char *p = ksql_alloc(n + 1);

	if (p) {
		work_copy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

/* --- pages --------------------------------------------------------------- */

void *mem_page_get(void)
{
	struct pool *p = own_pool();
	void *batch[PAGE_BATCH];
	void *page = NULL;
	size_t n;

	port_spin_lock(&p->lock);
	if (p->pages) {
		page = p->page[--p->pages];
		count_locked(&p->given, 1);
	}
	port_spin_unlock(&p->lock);
	if (page) {
		memset(page, 0,
		       4096); /* a page given back keeps its old bytes */
		return page;
	}

	if (!hold(PAGE_BATCH * 4096u))
		return NULL;
	n = port_pages_alloc(batch, PAGE_BATCH);
	unhold((PAGE_BATCH - n) * 4096u);
	if (!n) {
		count_add(&stats.failed, 1);
		return NULL;
	}
	page = batch[--n];
	port_spin_lock(&p->lock);
	while (n && p->pages < SPARE_PAGES)
		p->page[p->pages++] = batch[--n];
	count_locked(&p->given, 1);
	port_spin_unlock(&p->lock);
	if (n) {
		unhold(n * 4096u);
		port_pages_free(batch, n);
	}
	return page;
}

void mem_page_put(void *page)
{
	struct pool *p = own_pool();
	void *batch[PAGE_BATCH];
	size_t n = 0;

	zero_if_wanted(page, 4096);
	port_spin_lock(&p->lock);
	if (p->pages == SPARE_PAGES)
		while (n < PAGE_BATCH)
			batch[n++] = p->page[--p->pages];
	p->page[p->pages++] = page;
	count_locked(&p->given, (uint64_t)-1);
	port_spin_unlock(&p->lock);
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
		size = class_size[class_of[(size + 15) / 16]];
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

	memset(pools, 0, sizeof(pools));
	zeroing = 0;
	memset(&stats, 0, sizeof(stats));
	stats.limit = limit;
	for (units = 0; units <= SMALL_MAX / 16; units++) {
		while (class_size[size_class] < units * 16)
			size_class++;
		class_of[units] = (uint8_t)size_class;
	}
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) ? -EINVAL : 0;
}

uint64_t mem_exit(void)
{
	struct mem_stats left;
	unsigned int i;

	for (i = 0; i < POOLS; i++)
		drain(&pools[i]);
	mem_stats(&left);
	return left.live + left.pages;
}

struct mem_refusals mem_refusals(void)
{
	return (struct mem_refusals){
		.denied = __atomic_load_n(&stats.denied, __ATOMIC_RELAXED),
		.too_deep = __atomic_load_n(&stats.too_deep, __ATOMIC_RELAXED),
	};
}

void mem_stats(struct mem_stats *out)
{
	uint64_t given = 0;
	unsigned int i;

	out->limit = stats.limit;
	out->held = __atomic_load_n(&stats.held, __ATOMIC_RELAXED);
	out->peak = __atomic_load_n(&stats.peak, __ATOMIC_RELAXED);
	out->live = __atomic_load_n(&stats.live, __ATOMIC_RELAXED);
	for (i = 0; i < POOLS; i++) {
		out->live += __atomic_load_n(&pools[i].live, __ATOMIC_RELAXED);
		given += __atomic_load_n(&pools[i].given, __ATOMIC_RELAXED);
	}
	out->pages = given * 4096u;
	out->denied = __atomic_load_n(&stats.denied, __ATOMIC_RELAXED);
	out->failed = __atomic_load_n(&stats.failed, __ATOMIC_RELAXED);
	out->too_deep = __atomic_load_n(&stats.too_deep, __ATOMIC_RELAXED);
}
