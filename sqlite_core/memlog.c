// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * memlog.c - a write-ahead log in memory.
 */
#include "memlog.h"

#include "port/cstd.h"
#include "ksql_core.h"
#include "port/port.h"

/* Frames looked through between two looks at who else wants the processor. */
#define STEP_FRAMES 1024u

/* A part of the log as SQLite sees it that lies in one of the two files. */
struct part {
	bool is_content;
	uint64_t off; /* in that file */
	size_t n;
};

static struct part part_at(uint64_t off, size_t n)
{
	struct part p = { .off = off };
	uint64_t frame, within, end;

	if (off < MEMLOG_HEADER) {
		end = MEMLOG_HEADER - off;
	} else {
		frame = (off - MEMLOG_HEADER) / MEMLOG_FRAME;
		within = (off - MEMLOG_HEADER) % MEMLOG_FRAME;
		p.is_content = within >= MEMLOG_FRAME_HEADER;
		if (p.is_content) {
			p.off = frame * KSQL_PAGE_SIZE + within -
				MEMLOG_FRAME_HEADER;
			end = MEMLOG_FRAME - within;
		} else {
			p.off = MEMLOG_HEADER + frame * MEMLOG_FRAME_HEADER +
				within;
			end = MEMLOG_FRAME_HEADER - within;
		}
	}
	p.n = n < end ? n : (size_t)end;
	return p;
}

uint64_t memlog_size(const struct memlog *log)
{
	return __atomic_load_n(&log->size, __ATOMIC_ACQUIRE);
}

uint64_t memlog_pages(const struct memlog *log)
{
	return __atomic_load_n(&log->headers.pages, __ATOMIC_RELAXED) +
	       __atomic_load_n(&log->frames.pages, __ATOMIC_RELAXED);
}

size_t memlog_read(const struct memlog *log, void *buf, size_t n, uint64_t off)
{
	uint64_t size = memlog_size(log);
	size_t got;

	if (off >= size)
		return 0;
	if (n > size - off)
		n = (size_t)(size - off);
	for (got = 0; got < n;) {
		struct part p = part_at(off + got, n - got);
		const struct memfile *f = p.is_content ? &log->frames :
							 &log->headers;

		if (memfile_read(f, (char *)buf + got, p.n, p.off) != p.n)
			break;
		got += p.n;
	}
	return got;
}

int memlog_write(struct memlog *log, const void *buf, size_t n, uint64_t off)
{
	size_t done;
	int err = 0;

	if (off == 0 && __atomic_load_n(&log->lent, __ATOMIC_RELAXED))
		memlog_truncate(log, 0);
	for (done = 0; done < n && !err;) {
		struct part p = part_at(off + done, n - done);
		struct memfile *f = p.is_content ? &log->frames : &log->headers;

		err = memfile_write(f, (const char *)buf + done, p.n, p.off);
		if (!err)
			done += p.n;
	}
	if (off + done > log->size)
		__atomic_store_n(&log->size, off + done, __ATOMIC_RELEASE);
	return err;
}

/* The number of the page that a frame is of, counted from 0. */
static uint64_t frame_page(const struct memlog *log, uint64_t frame)
{
	unsigned char no[4] = { 0 };

	memfile_read(&log->headers, no, sizeof(no),
		     MEMLOG_HEADER + frame * MEMLOG_FRAME_HEADER);
	return ((uint64_t)no[0] << 24 | (uint64_t)no[1] << 16 |
		(uint64_t)no[2] << 8 | no[3]) -
	       1;
}

/* Leave the database what it still has of frames from @first on. */
static void give(struct memlog *log, uint64_t first)
{
	uint64_t frame, lent = __atomic_load_n(&log->lent, __ATOMIC_RELAXED);

	if (lent <= first)
		return;
	for (frame = first; frame < lent; frame++) {
		memfile_give(&log->frames, frame, log->db,
			     frame_page(log, frame));
		if (frame % STEP_FRAMES == 0)
			port_pause();
	}
	__atomic_store_n(&log->lent, first, __ATOMIC_RELAXED);
}

void memlog_truncate(struct memlog *log, uint64_t size)
{
	uint64_t body = size > MEMLOG_HEADER ? size - MEMLOG_HEADER : 0;
	uint64_t frames = (body + MEMLOG_FRAME - 1) / MEMLOG_FRAME;

	if (size >= log->size && size)
		return;
	__atomic_store_n(&log->size, size, __ATOMIC_RELEASE);
	give(log, frames);
	memfile_truncate(&log->frames, frames * KSQL_PAGE_SIZE);
	memfile_truncate(&log->headers,
			 frames ? MEMLOG_HEADER + frames * MEMLOG_FRAME_HEADER :
				  size);
}

bool memlog_is_frame(size_t n, uint64_t off, uint64_t *frame)
{
	struct part p = part_at(off, n);

	*frame = p.off / KSQL_PAGE_SIZE;
	return p.is_content && p.n == KSQL_PAGE_SIZE && n == p.n;
}

int memlog_lend(struct memlog *log, uint64_t frame, const void *buf,
		uint64_t off)
{
	const void *content = memfile_fetch(
		&log->frames, frame * KSQL_PAGE_SIZE, KSQL_PAGE_SIZE);
	uint64_t page = off / KSQL_PAGE_SIZE;
	int err;

	if (!content || !page || off % KSQL_PAGE_SIZE ||
	    frame_page(log, frame) != page ||
	    memcmp(content, buf, KSQL_PAGE_SIZE) != 0)
		return 0;
	/* First, so that who cuts the log looks for it. */
	if (frame >= log->lent)
		__atomic_store_n(&log->lent, frame + 1, __ATOMIC_RELAXED);
	err = memfile_lend(&log->frames, frame, log->db, page);
	return err ? err : 1;
}
