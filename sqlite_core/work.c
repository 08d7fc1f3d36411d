// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * work.c - pauses within what takes long by itself.
 */
#include "work.h"

#include "conn.h"
#include "port/port.h"

bool work_on(size_t n)
{
	struct conn *c = port_local();

	if (!c) { /* no statement of a user's: nothing to stop */
		port_pause();
		return true;
	}
	c->work += n;
	if (c->work >= WORK_PAUSE) {
		c->work = 0;
		if (conn_poll(c))
			sqlite3_interrupt(c->lite);
	}
	return !c->stopped;
}

static size_t part(size_t n)
{
	return n < WORK_PAUSE ? n : WORK_PAUSE;
}

void *work_copy_large(void *to, const void *from, size_t n)
{
	size_t done = 0, now;

	for (; done < n; done += now) {
		now = part(n - done);
		memcpy((char *)to + done, (const char *)from + done, now);
		work_on(now);
	}
	return to;
}

void *work_move_large(void *to, const void *from, size_t n)
{
	size_t done = 0, now, at;
	bool backwards = (uintptr_t)to - (uintptr_t)from < n;

	for (; done < n; done += now) {
		now = part(n - done);
		at = backwards ? n - done - now : done;
		memmove((char *)to + at, (const char *)from + at, now);
		work_on(now);
	}
	return to;
}

void *work_set_large(void *to, int c, size_t n)
{
	size_t done = 0, now;

	for (; done < n; done += now) {
		now = part(n - done);
		memset((char *)to + done, c, now);
		work_on(now);
	}
	return to;
}

int work_compare_large(const void *a, const void *b, size_t n)
{
	size_t done = 0, now;
	int order = 0;

	for (; done < n && !order; done += now) {
		now = part(n - done);
		order = memcmp((const char *)a + done, (const char *)b + done,
			       now);
		work_on(now);
	}
	return order;
}

size_t work_length_large(const char *s)
{
	size_t n = 0, now;

	do {
		now = strnlen(s + n, WORK_PAUSE);
		n += now;
		work_on(now);
	} while (now == WORK_PAUSE);
	return n;
}

char *work_find(const char *s, int c)
{
	size_t now;
	char *at;

	for (;; s += now) {
		now = strnlen(s, WORK_PAUSE);
		at = memchr(s, c, now);
		if (at || now < WORK_PAUSE)
			return at;
		work_on(now);
	}
}
