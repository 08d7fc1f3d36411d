// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * csv.c - a row of CSV (RFC 4180) as its fields.
 */
#include "csv.h"

#include "port/cstd.h"
#include "conn.h"
#include "mem.h"
#include "port/port.h"
#include "render.h"
#include "work.h"

/* A row may be long: so many bytes are looked at between two pauses. */
#define STRETCH (64u * 1024u)

void csv_free(struct csv *c)
{
	ksql_free(c->fields);
	buf_free(&c->plain);
	memset(c, 0, sizeof(*c));
}

bool csv_is_blank(const struct csv *c)
{
	return c->count == 1 && !c->fields[0].len && !c->fields[0].quoted;
}

/* The row while it is split. */
struct row {
	const char *begin, *end;
	uint64_t *line;
	struct fault *f;
};

static int no_memory(struct fault *f)
{
	return fault_set(f, -ENOMEM, -1, "out of memory");
}

static int pause(struct fault *f)
{
	struct conn *c = port_local();

	return c && conn_poll(c) ? conn_fault(c, SQLITE_INTERRUPT, f) : 0;
}

static const char *stretch_end(const char *p, const char *end)
{
	return (size_t)(end - p) > STRETCH ? p + STRETCH : end;
}

/* What is wrong is at @p: count the lines until there. */
static int wrong(const struct row *r, const char *p, const char *what)
{
	const char *at = r->begin;

	while ((at = memchr(at, '\n', (size_t)(p - at))) != NULL) {
		++*r->line;
		at++;
	}
	return fault_set(r->f, -EINVAL, -1, "%s", what);
}

/* UTF-8 without a NUL, all of it. */
static int check_text(const struct row *r)
{
	const char *p = r->begin, *stop, *nul;
	int err = 0;

	while (p < r->end && !err) {
		size_t valid;

		stop = stretch_end(p, r->end);
		nul = memchr(p, 0, (size_t)(stop - p));
		if (nul)
			return wrong(r, nul, "a NUL byte");
		valid = utf8_valid(p, (size_t)(stop - p));
		p += valid;
		/* Cut within a character: look again from its beginning. */
		if (p < stop && (stop == r->end || stop - p > 3))
			return wrong(r, p, "text that is not UTF-8");
		if (p < r->end)
			err = pause(r->f);
	}
	return err;
}

static int add_field(struct csv *c, const char *p, size_t len, bool quoted,
		     struct fault *f)
{
	struct csv_field *more;
	int room;

	if (c->count++ >= c->most)
		return 0;
	if (c->count > c->room) {
		room = c->room ? 2 * c->room : 32;
		more = ksql_realloc(c->fields, (size_t)room * sizeof(*more));
		if (!more)
			return no_memory(f);
		c->fields = more;
		c->room = room;
	}
	more = &c->fields[c->count - 1];
	more->p = p;
	more->len = len;
	more->quoted = quoted;
	return 0;
}

/* The next comma or carriage return; a row has no other end of a bare field. */
static const char *bare_end(const char *p, const char *end)
{
	while (p < end &&
	       ((unsigned char)*p > ',' || (*p != ',' && *p != '\r')))
		p++;
	return p;
}

static int take_bare(struct csv *c, const struct row *r, const char **at)
{
	const char *begin = *at, *p = begin, *stop;
	int err = 0;

	for (;;) {
		stop = stretch_end(p, r->end);
		p = bare_end(p, stop);
		if (p < stop || p == r->end)
			break;
		err = pause(r->f);
		if (err)
			return err;
	}
	if (p < r->end && *p == '\r')
		return wrong(r, p, "a carriage return outside of quotes");
	*at = p;
	return add_field(c, begin, (size_t)(p - begin), false, r->f);
}

/* The next quote, or the row's end; NULL if it must stop. */
static const char *find_quote(const struct row *r, const char *p)
{
	const char *stop, *quote;

	while (p < r->end) {
		stop = stretch_end(p, r->end);
		quote = memchr(p, '"', (size_t)(stop - p));
		if (quote)
			return quote;
		p = stop;
		if (p < r->end && pause(r->f))
			return NULL;
	}
	return p;
}

/*
 * A field from behind its first quote on.  Where quotes are doubled it is copied
 * without them; @plain has room for all that is left of the row from the first
 * such field on, so that it does not move.
 */
static int take_quoted(struct csv *c, const struct row *r, const char **at)
{
	const char *begin = *at + 1, *p = begin, *quote;
	size_t from = c->plain.len;
	bool copied = false;

	for (;;) {
		quote = find_quote(r, p);
		if (!quote)
			return r->f->err;
		if (quote == r->end)
			return wrong(r, begin, "a quote that is not closed");
		if (quote + 1 == r->end || quote[1] != '"')
			break;
		if (!buf_grow(&c->plain, (size_t)(r->end - p)))
			return no_memory(r->f);
		buf_add(&c->plain, p, (size_t)(quote + 1 - p));
		copied = true;
		p = quote + 2;
		work_on(32);
	}
	*at = quote + 1;
	if (*at < r->end && **at != ',')
		return wrong(r, quote, "text behind a closing quote");
	if (!copied)
		return add_field(c, begin, (size_t)(quote - begin), true, r->f);
	buf_add(&c->plain, p, (size_t)(quote - p));
	return add_field(c, c->plain.data + from, c->plain.len - from, true,
			 r->f);
}

int csv_split(struct csv *c, const char *p, size_t n, uint64_t *line,
	      struct fault *f)
{
	struct row r = { .begin = p, .end = p + n, .line = line, .f = f };
	int err = check_text(&r);

	c->count = 0;
	buf_empty(&c->plain);
	while (!err) {
		err = p < r.end && *p == '"' ? take_quoted(c, &r, &p) :
					       take_bare(c, &r, &p);
		if (p == r.end)
			break;
		p++; /* the comma */
	}
	return err;
}
