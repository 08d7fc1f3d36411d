/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * memfile.h - a file in memory: pages found through a tree of fixed depth.
 *
 * Locking: one writer at a time, any number of readers beside it.  A page, once
 * in the tree, does not move until it is cut off or another one is lent in its
 * place, and who does that must know that nobody reads there (SQLite's locks on
 * the log see to all of it).
 *
 * A page may be in two files: one has it, and lent it to the other.
 * Engine side.
 */
#ifndef KSQL_MEMFILE_H
#define KSQL_MEMFILE_H

#include "port/types.h"

#define MEMFILE_FANOUT 512u /* pointers in a page */

struct memfile {
	void **top; /* three levels of pointers, data pages at the end; NULL if empty */
	uint64_t size; /* bytes; atomic */
	uint64_t pages; /* data pages that it has, none borrowed; atomic */
	uint64_t max_pages; /* may not pass; 0: no bound; atomic */
};

/** memfile_read() - @n bytes at @off.  Returns how many there were. */
size_t memfile_read(const struct memfile *f, void *buf, size_t n, uint64_t off);

/**
 * memfile_write() - @n bytes at @off, the file grown as needed.  Safe point.
 *
 * Return: 0, -ENOSPC beyond max_pages, -ENOMEM; what was written before stays.
 */
int memfile_write(struct memfile *f, const void *buf, size_t n, uint64_t off);

/**
 * memfile_fetch() - where @n bytes at @off lie in one piece
 *
 * Return: the address, or NULL when they are beyond the end or cross a page.
 */
void *memfile_fetch(const struct memfile *f, uint64_t off, size_t n);

/** memfile_truncate() - cut to @size (never grows).  0 frees everything.  Safe point. */
void memfile_truncate(struct memfile *f, uint64_t size);

/**
 * memfile_drop() - give back the pages numbered @from up to, not with, @to
 *
 * They read as zeros; the size stays.  Safe point.
 */
void memfile_drop(struct memfile *f, uint64_t from, uint64_t to);

/**
 * memfile_lend() - put a page into another file, in place of what is there
 * @from: has the page, and keeps it
 * @no: its number there; it must exist
 * @to: grown as needed
 * @at: its number there; what page was there is freed
 *
 * As long as it is lent nobody may write to it: @to takes one of its own should
 * it be written there.  @from must not free it without asking memfile_give().
 * Safe point.
 * Return: 0, -ENOMEM, -ENOSPC; then nothing has changed.
 */
int memfile_lend(const struct memfile *from, uint64_t no, struct memfile *to,
		 uint64_t at);

/**
 * memfile_give() - leave a page that was lent to the borrower, if it still has it
 *
 * With memfile_lend()'s arguments.
 * Return: true if it is @to's now, and gone from @from.
 */
bool memfile_give(struct memfile *from, uint64_t no, struct memfile *to,
		  uint64_t at);

uint64_t memfile_size(const struct memfile *f);

#endif /* KSQL_MEMFILE_H */
