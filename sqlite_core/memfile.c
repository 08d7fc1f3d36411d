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

	return slot ? slot_get(slot) : NULL;
}

/* The page behind a slot, taken now if there is none. */
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

static int page_make(struct memfile *f, uint64_t no, void **page)
{
	uint64_t bound = __atomic_load_n(&f->max_pages, __ATOMIC_RELAXED);
	void **table;
	int level;

	*page = page_find(f, no);
	if (*page)
		return 0;
	if (no >= MAX_PAGES || (bound && f->pages >= bound))
		return -ENOSPC;
	table = slot_fill((void **)&f->top);
	for (level = 2; table && level > 0; level--)
		table = slot_fill(&table[(no >> (9 * level)) % MEMFILE_FANOUT]);
	if (!table)
		return -ENOMEM;
	*page = slot_fill(&table[no % MEMFILE_FANOUT]);
	if (!*page)
		return -ENOMEM;
	__atomic_store_n(&f->pages, f->pages + 1, __ATOMIC_RELAXED);
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
	if (done && off + done > f->size)
		__atomic_store_n(&f->size, off + done, __ATOMIC_RELEASE);
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
		mem_page_put(below);
		if (level == 0)
			__atomic_store_n(&f->pages, f->pages - 1,
					 __ATOMIC_RELAXED);
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
		void *page = slot ? slot_get(slot) : NULL;

		if (!page)
			continue;
		slot_set(slot, NULL);
		mem_page_put(page);
		__atomic_store_n(&f->pages, f->pages - 1, __ATOMIC_RELAXED);
	}
}
