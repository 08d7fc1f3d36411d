/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * memlog.h - a write-ahead log in memory.
 *
 * To SQLite it is a file: a header, and frames, each with a header of its own
 * and the new content of a page of the database.  Here those contents are whole
 * pages, apart from the headers, so that a checkpoint need not copy them: the
 * log lends them to the database, and leaves them there when it is cut.
 *
 * Locking: as for a memfile, and one that lends at a time.  memvfs.c says why
 * nobody cuts or begins anew while another one lends.
 * Engine side.
 */
#ifndef KSQL_MEMLOG_H
#define KSQL_MEMLOG_H

#include "memfile.h"

/* Of SQLite's wal.c */
#define MEMLOG_HEADER	    32u /* of the file */
#define MEMLOG_FRAME_HEADER 24u /* which begins with the page's number */
#define MEMLOG_FRAME	    (MEMLOG_FRAME_HEADER + 4096u)

struct memlog {
	struct memfile *db; /* constant */
	struct memfile headers; /* the file's, then those of the frames */
	struct memfile frames; /* the contents */
	uint64_t size; /* bytes, as SQLite sees it; atomic */
	uint64_t lent; /* no frame from this one on is lent; atomic */
};

/** memlog_read() - @n bytes at @off.  Returns how many there were. */
size_t memlog_read(const struct memlog *log, void *buf, size_t n, uint64_t off);

/**
 * memlog_write() - @n bytes at @off, the log grown as needed.  Safe point.
 *
 * Who writes the header begins the log anew.
 * Return: 0, -ENOSPC beyond frames.max_pages, -ENOMEM.
 */
int memlog_write(struct memlog *log, const void *buf, size_t n, uint64_t off);

/** memlog_truncate() - cut to @size (never grows).  Safe point. */
void memlog_truncate(struct memlog *log, uint64_t size);

uint64_t memlog_size(const struct memlog *log);

/** memlog_pages() - what it holds, with what it has lent. */
uint64_t memlog_pages(const struct memlog *log);

/** memlog_is_frame() - are @n bytes at @off the content of a frame?  Which? */
bool memlog_is_frame(size_t n, uint64_t off, uint64_t *frame);

/**
 * memlog_lend() - put a frame's content into the database instead of a copy
 * @frame: from 0
 * @buf: what is to be written, a page
 * @off: where, in the database
 *
 * Safe point.
 * Return: 1 if it was; 0 if it is to be copied: the frame has something else, or
 * is of another page, or of the first one; -ENOMEM, -ENOSPC.
 */
int memlog_lend(struct memlog *log, uint64_t frame, const void *buf,
		uint64_t off);

#endif /* KSQL_MEMLOG_H */
