// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * memfile.c - a file in memory.
 */
#include "memfile.h"

#include "port/cstd.h"
#include "ksql_core.h"
#include "mem.h"

/* Three levels of 512: 512 GiB. */
#define MAX_PAGES ((uint64_t)MEMFILE_FANOUT * MEMFILE_FANOUT * MEMFILE_FANOUT)

static void *slot_get(void *const *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static void slot_set(void **slot, void *page)
{
	__atomic_store_n(slot, page, __ATOMIC_RELEASE);
}

/*
 * What a data page's slot says of it.  Who reads sees no difference, but a page
 * that is borrowed is the lender's to free.
 */
#define BORROWED ((uintptr_t)1)

static void *borrowed(void *page)
{
	return (void *)((uintptr_t)page | BORROWED);
}

static bool is_borrowed(const void *entry)
{
	return (uintptr_t)entry & BORROWED;
}

static void *page_of(void *entry)
{
	return (void *)((uintptr_t)entry & ~BORROWED);
}

/* Only who writes changes it, so one more or less needs no more than this. */
static void count_pages(struct memfile *f, uint64_t n)
{
	__atomic_store_n(&f->pages, f->pages + n, __ATOMIC_RELAXED);
}

/* A slot had @entry and has not any more. */
static void entry_put(struct memfile *f, void *entry)
{
	if (!entry || is_borrowed(entry))
		return;
	mem_page_put(entry);
	count_pages(f, (uint64_t)-1);
}

uint64_t memfile_size(const struct memfile *f)
{
	return __atomic_load_n(&f->size, __ATOMIC_ACQUIRE);
}

/* Where the page's address stands; NULL if there is no table for it. */
static void **slot_find(const struct memfile *f, uint64_t no)
{
	void **table = slot_get((void *const *)&f->top);
	int level;

	if (no >= MAX_PAGES)
		return NULL;
	for (level = 2; table && level > 0; level--)
		table = slot_get(&table[(no >> (9 * level)) % MEMFILE_FANOUT]);
	return table ? &table[no % MEMFILE_FANOUT] : NULL;
}

static void *page_find(const struct memfile *f, uint64_t no)
{
	void **slot = slot_find(f, no);

	return slot ? page_of(slot_get(slot)) : NULL;
}

/* The table behind a slot, taken now if there is none. */
static void *slot_fill(void **slot)
{
	void *page = *slot;

	if (!page) {
		page = mem_page_get();
		if (page)
			slot_set(slot, page);
	}
	return page;
}

/* The same as slot_find(), with the tables taken that there are not yet. */
static int slot_make(struct memfile *f, uint64_t no, void ***slot)
{
	void **table;
	int level;

	if (no >= MAX_PAGES)
		return -ENOSPC;
	table = slot_fill((void **)&f->top);
	for (level = 2; table && level > 0; level--)
		table = slot_fill(&table[(no >> (9 * level)) % MEMFILE_FANOUT]);
	if (!table)
		return -ENOMEM;
	*slot = &table[no % MEMFILE_FANOUT];
	return 0;
}

/* A page to write to: one that is borrowed must stay as it is. */
static int page_make(struct memfile *f, uint64_t no, void **page)
{
	uint64_t bound = __atomic_load_n(&f->max_pages, __ATOMIC_RELAXED);
	void **slot = slot_find(f, no);
	int err;

	*page = slot ? *slot : NULL;
	if (*page && !is_borrowed(*page))
		return 0;
	if (bound && f->pages >= bound)
		return -ENOSPC;
	err = slot_make(f, no, &slot);
	if (err)
		return err;
	*page = mem_page_get();
	if (!*page)
		return -ENOMEM;
	if (*slot)
		memcpy(*page, page_of(*slot), KSQL_PAGE_SIZE);
	slot_set(slot, *page);
	count_pages(f, 1);
	return 0;
}

/* How much of @n bytes at @off lies in @off's page. */
static size_t in_page(uint64_t off, size_t n)
{
	size_t room = KSQL_PAGE_SIZE - (size_t)(off % KSQL_PAGE_SIZE);

	return n < room ? n : room;
}

size_t memfile_read(const struct memfile *f, void *buf, size_t n, uint64_t off)
{
	uint64_t size = memfile_size(f);
	char *to = buf;
	size_t got, part;

	if (off >= size)
		return 0;
	if (n > size - off)
		n = (size_t)(size - off);
	for (got = 0; got < n; got += part) {
		const char *page = page_find(f, (off + got) / KSQL_PAGE_SIZE);

		part = in_page(off + got, n - got);
		if (page)
			memcpy(to + got, page + (off + got) % KSQL_PAGE_SIZE,
			       part);
		else
			memset(to + got, 0, part);
	}
	return got;
}

static void grow(struct memfile *f, uint64_t size)
{
	if (size > f->size)
		__atomic_store_n(&f->size, size, __ATOMIC_RELEASE);
}

int memfile_write(struct memfile *f, const void *buf, size_t n, uint64_t off)
{
	const char *from = buf;
	size_t done, part;
	void *page;
	int err = 0;

	for (done = 0; done < n; done += part) {
		err = page_make(f, (off + done) / KSQL_PAGE_SIZE, &page);
		if (err)
			break;
		part = in_page(off + done, n - done);
		memcpy((char *)page + (off + done) % KSQL_PAGE_SIZE,
		       from + done, part);
	}
	if (done)
		grow(f, off + done);
	return err;
}

void *memfile_fetch(const struct memfile *f, uint64_t off, size_t n)
{
	char *page;

	if (off + n > memfile_size(f) || in_page(off, n) < n)
		return NULL;
	page = page_find(f, off / KSQL_PAGE_SIZE);
	return page ? page + off % KSQL_PAGE_SIZE : NULL;
}

/*
 * Free the data pages numbered @from and up below @table, whose first page is
 * number @base, and the tables that become empty.  Returns whether it is empty.
 */
static bool cut(struct memfile *f, void **table, int level, uint64_t base,
		uint64_t from)
{
	uint64_t span = 1ull << (9 * level);
	bool empty = true;
	uint32_t i;

	for (i = 0; i < MEMFILE_FANOUT; i++) {
		uint64_t first = base + i * span;
		void *below = table[i];

		if (!below)
			continue;
		if (first + span <= from ||
		    (level > 0 && !cut(f, below, level - 1, first, from))) {
			empty = false;
			continue;
		}
		slot_set(&table[i], NULL);
		if (level == 0)
			entry_put(f, below);
		else
			mem_page_put(below);
	}
	return empty;
}

void memfile_truncate(struct memfile *f, uint64_t size)
{
	uint64_t keep = (size + KSQL_PAGE_SIZE - 1) / KSQL_PAGE_SIZE;
	void **top = f->top;

	if (size >= f->size && size)
		return;
	__atomic_store_n(&f->size, size, __ATOMIC_RELEASE);
	if (!top || !cut(f, top, 2, 0, keep))
		return;
	slot_set((void **)&f->top, NULL);
	mem_page_put(top);
}

void memfile_drop(struct memfile *f, uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		void **slot = slot_find(f, from);
		void *entry = slot ? slot_get(slot) : NULL;

		if (!entry)
			continue;
		slot_set(slot, NULL);
		entry_put(f, entry);
	}
}

int memfile_lend(const struct memfile *from, uint64_t no, struct memfile *to,
		 uint64_t at)
{
	void *page = page_find(from, no);
	void **slot, *old;
	int err = slot_make(to, at, &slot);

	if (err)
		return err;
	old = *slot;
	if (old != borrowed(page)) {
		slot_set(slot, borrowed(page));
		entry_put(to, old);
	}
	grow(to, (at + 1) * KSQL_PAGE_SIZE);
	return 0;
}

bool memfile_give(struct memfile *from, uint64_t no, struct memfile *to,
		  uint64_t at)
{
	void **mine = slot_find(from, no);
	void **theirs = slot_find(to, at);
	void *page = mine ? *mine : NULL;

	if (!page || !theirs || *theirs != borrowed(page))
		return false;
	slot_set(theirs, page);
	count_pages(to, 1);
	slot_set(mine, NULL);
	count_pages(from, (uint64_t)-1);
	return true;
}
