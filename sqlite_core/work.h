/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * work.h - pauses within what takes long by itself: a function of SQL over
 * megabytes, a copy of as much.  SQLite itself is among those who call it
 * (sqlite/fetch.py).  Engine side.
 */
#ifndef KSQL_WORK_H
#define KSQL_WORK_H

#include "port/cstd.h"

/* Bytes that are worked on between two pauses: some microseconds. */
#define WORK_PAUSE (64u * 1024u)

/* How often a loop of which a turn is a byte counts its work. */
#define WORK_STEP (16u * 1024u)

/**
 * work_on() - so much is done; let others run, now and then.  Safe point.
 * @n: bytes looked at or written; of what takes longer, as many more
 *
 * Return: go on?  If not, whatever the caller computes is not asked for any
 * more: the statement ends with SQLITE_INTERRUPT at SQLite's next look, and
 * the caller sees to it that there is one before its answer is used.
 */
bool work_on(size_t n);

/*
 * memcpy() and the like of what may be large.  Safe points if it is.  They do
 * all of their work also if the statement is to end.
 */
void *work_copy_large(void *to, const void *from, size_t n);
void *work_move_large(void *to, const void *from, size_t n);
void *work_set_large(void *to, int c, size_t n);
int work_compare_large(const void *a, const void *b, size_t n);
size_t work_length_large(const char *s);

/** work_find() - strchr(), likewise; @c is not 0. */
char *work_find(const char *s, int c);

static inline __attribute__((always_inline)) void *
work_copy(void *to, const void *from, size_t n)
{
	if (__builtin_constant_p(n) || n < WORK_PAUSE)
		return __builtin_memcpy(to, from, n);
	return work_copy_large(to, from, n);
}

static inline __attribute__((always_inline)) void *
work_move(void *to, const void *from, size_t n)
{
	if (__builtin_constant_p(n) || n < WORK_PAUSE)
		return __builtin_memmove(to, from, n);
	return work_move_large(to, from, n);
}

static inline __attribute__((always_inline)) void *work_set(void *to, int c,
							    size_t n)
{
	if (__builtin_constant_p(n) || n < WORK_PAUSE)
		return __builtin_memset(to, c, n);
	return work_set_large(to, c, n);
}

static inline __attribute__((always_inline)) int
work_compare(const void *a, const void *b, size_t n)
{
	if (__builtin_constant_p(n) || n < WORK_PAUSE)
		return __builtin_memcmp(a, b, n);
	return work_compare_large(a, b, n);
}

static inline __attribute__((always_inline)) size_t work_length(const char *s)
{
	size_t n;

	if (__builtin_constant_p(__builtin_strlen(s)))
		return __builtin_strlen(s);
	n = strnlen(s, WORK_PAUSE);
	return n < WORK_PAUSE ? n : work_length_large(s);
}

#endif /* KSQL_WORK_H */
