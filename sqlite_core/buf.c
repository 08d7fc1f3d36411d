// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * buf.c - bytes that grow.
 */
#include "buf.h"

#include "port/cstd.h"
#include "mem.h"
#include "sqlite3.h"
#include "work.h"

char *buf_grow(struct buf *b, size_t n)
{
	size_t room;
	char *data;

	if (b->failed)
		return NULL;
	if (n <= b->room - b->len)
		return b->data + b->len;
	room = b->room + b->room / 2;
	if (room < b->len + n)
		room = b->len + n;
	if (room < 128)
		room = 128;
	data = ksql_realloc(b->data, room);
	if (!data) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->room = room;
	return data + b->len;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_grow(b, n);

	if (to && n) {
		work_copy(to, p, n);
		b->len += n;
	}
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	char *to = b->len < b->room ? b->data + b->len : buf_grow(b, 1);

	if (to) {
		*to = c;
		b->len++;
	}
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = sqlite3_vmprintf(format, args);
	va_end(args);
	if (text)
		buf_puts(b, text);
	else
		b->failed = true;
	sqlite3_free(text);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

/* What somebody who asks nothing for a while may go on holding. */
#define ORDINARY (16u * 1024u)

void buf_empty(struct buf *b)
{
	if (b->room > ORDINARY)
		buf_free(b);
	else
		buf_clear(b);
}

void buf_free(struct buf *b)
{
	ksql_free(b->data);
	memset(b, 0, sizeof(*b));
}
