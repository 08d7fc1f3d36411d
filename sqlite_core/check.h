/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * check.h - is what somebody brings a database, and an undamaged one?
 * Engine side.
 */
#ifndef KSQL_CHECK_H
#define KSQL_CHECK_H

#include "error.h"
#include "mem.h"

struct conn;

/*
 * The header of a database file, by SQLite's documentation of its format;
 * numbers in it have their highest byte first.
 */
#define HEADER		 100u
#define AT_PAGE_SIZE	 16u /* two bytes; 1 stands for 65536 */
#define AT_VERSIONS	 18u /* to write and to read: 1 journal, 2 log */
#define AT_COUNTER	 24u /* changes with each transaction */
#define AT_PAGES	 28u
#define AT_ENCODING	 56u /* 0 in a database without tables */
#define AT_COUNTER_PAGES 92u /* the counter for which AT_PAGES holds */

static inline uint32_t header_number(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

/** header_page_size() - of the first bytes of a file, %HEADER of them. */
uint32_t header_page_size(const unsigned char *header);

/** check_header() - what these bytes say.  0 or f->err (-EUCLEAN). */
int check_header(const unsigned char *header, struct fault *f);

/** check_length() - has the file as many as they say?  0 or f->err (-EUCLEAN). */
int check_length(const unsigned char *header, uint64_t bytes, struct fault *f);

/**
 * check_content() - the whole of it, so that nobody meets damage later
 * @c: from conn_open_scratch(), between conn_run_begin() and conn_run_end()
 * @before: mem_stats() of when it was begun
 *
 * Return: 0 or f->err: -EUCLEAN, or what is none of the file's fault.
 */
int check_content(struct conn *c, const struct mem_stats *before,
		  struct fault *f);

/**
 * check_refuse() - what SQLite said of such a file
 * @rc: its code
 *
 * What is none of the file's fault has its errno; all else means that the file
 * cannot be used.  Return: f->err.
 */
int check_refuse(struct conn *c, int rc, const struct mem_stats *before,
		 struct fault *f);

/** check_no_memory() - whose limit that was.  Return: f->err. */
int check_no_memory(const struct mem_stats *before, struct fault *f);

#endif /* KSQL_CHECK_H */
