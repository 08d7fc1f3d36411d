// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * lines.c - bytes as they come, cut into whole lines of NDJSON or rows of CSV.
 */
#include "lines.h"

#include "port/cstd.h"

/* Where in a row of CSV. */
enum {
	AT_FIELD, /* a quote here opens a quoted field */
	IN_PLAIN,
	IN_QUOTED,
	AFTER_QUOTE, /* in a quoted field: its end, or the first of two */
};

static const char mark[3] = { '\xef', '\xbb', '\xbf' };

void lines_init(struct lines *l, bool csv, size_t max)
{
	memset(l, 0, sizeof(*l));
	l->csv = csv;
	l->max = max;
}

void lines_free(struct lines *l)
{
	buf_free(&l->part);
}

void lines_put(struct lines *l, const char *p, size_t n)
{
	l->next = p;
	l->end = p + n;
}

void lines_end(struct lines *l)
{
	l->at_end = true;
}

/* Pass the mark over; what looked like one and is none belongs to the first line. */
static void skip_mark(struct lines *l)
{
	while (l->mark < sizeof(mark)) {
		if (l->next < l->end && *l->next == mark[l->mark]) {
			l->next++;
			l->mark++;
			continue;
		}
		if (l->next == l->end && !l->at_end)
			return;
		buf_add(&l->part, mark, l->mark);
		if (l->mark)
			l->state = IN_PLAIN;
		l->mark = sizeof(mark);
	}
}

static unsigned char csv_state(unsigned char state, char c)
{
	if (state == IN_QUOTED)
		return c == '"' ? AFTER_QUOTE : IN_QUOTED;
	if (c == ',')
		return AT_FIELD;
	if (c == '"' && state != IN_PLAIN)
		return IN_QUOTED;
	return IN_PLAIN; /* after a quote that is an error, found by who splits */
}

/*
 * The newline that ends the row, NULL if there is none.  Most rows have no quote:
 * then it is the first one.
 */
static const char *row_end(struct lines *l)
{
	const char *p = l->next, *lf, *stop;

	for (;;) {
		lf = memchr(p, '\n', (size_t)(l->end - p));
		stop = lf ? lf : l->end;
		if (l->state != AT_FIELD && l->state != IN_PLAIN)
			goto look;
		if (memchr(p, '"', (size_t)(stop - p)))
			goto look;
		if (stop > p)
			l->state = stop[-1] == ',' ? AT_FIELD : IN_PLAIN;
		return lf;
look:
		for (; p < stop; p++)
			l->state = csv_state(l->state, *p);
		if (!lf || l->state != IN_QUOTED)
			return lf;
		l->within++;
		p = lf + 1;
	}
}

static const char *line_end(struct lines *l)
{
	return l->csv ? row_end(l) :
			memchr(l->next, '\n', (size_t)(l->end - l->next));
}

static int too_long(struct lines *l, struct fault *f)
{
	return fault_set(f, -EFBIG, -1,
			 "a row may have max_sql= (%llu) bytes at most",
			 (unsigned long long)l->max);
}

/* What is there of it, for when the rest comes. */
static int keep(struct lines *l, const char *end, struct fault *f)
{
	size_t n = (size_t)(end - l->next);

	if (l->part.len + n > l->max)
		return too_long(l, f);
	buf_add(&l->part, l->next, n);
	l->next = end;
	return l->part.failed ? fault_set(f, -ENOMEM, -1, "out of memory") : 0;
}

static void forget_shown(struct lines *l)
{
	if (!l->shown)
		return;
	buf_empty(&l->part);
	l->shown = false;
}

/* [@p, @end) is a whole one, after which @newlines more have passed. */
static int show(struct lines *l, const char **p, size_t *n, const char *end,
		bool ended)
{
	if (ended && end > *p && end[-1] == '\r')
		end--;
	*n = (size_t)(end - *p);
	l->passed += l->within + ended;
	l->within = 0;
	l->state = AT_FIELD;
	return 1;
}

int lines_next(struct lines *l, const char **p, size_t *n, struct fault *f)
{
	const char *lf;
	int err;

	forget_shown(l);
	skip_mark(l);
	l->line = l->passed + 1;
	if (l->part.failed)
		return fault_set(f, -ENOMEM, -1, "out of memory");
	lf = l->next < l->end ? line_end(l) : NULL;
	if (lf && !l->part.len) {
		*p = l->next;
		l->next = lf + 1;
		if ((size_t)(lf - *p) > l->max)
			return too_long(l, f);
		return show(l, p, n, lf, true);
	}
	err = keep(l, lf ? lf : l->end, f);
	if (err || (!lf && (!l->at_end || !l->part.len)))
		return err;
	if (lf)
		l->next++;
	l->shown = true;
	*p = l->part.data;
	return show(l, p, n, *p + l->part.len, !!lf);
}
