// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * func.c - like(), glob(), instr() and replace(), which replace SQLite's.
 *
 * SQLite's own run to their end inside one opcode, however long that takes
 * (seconds over megabytes), and in the kernel nothing else runs on the
 * processor meanwhile.  These give the same answers, but pause and can be
 * stopped.  They also do less: SQLite's search is quadratic where this one
 * skips by memchr(), and its LIKE goes back over every '%' where it is enough
 * to go back to the last.
 */
#include "policy.h"

#include "port/cstd.h"
#include "conn.h"
#include "mem.h"
#include "port/port.h"
#include "render.h"
#include "sqlite/unit.h"
#include "work.h"

static void result_stopped(sqlite3_context *ctx)
{
	sqlite3_result_error_code(ctx, SQLITE_INTERRUPT);
}

/* What takes as long as so many bytes of a search that finds nothing. */
#define FOUND	16u /* a place to compare, or to replace */
#define MATCHED 8u /* a byte of a pattern */

/* --- searching ----------------------------------------------------------- */

struct bytes {
	const char *p;
	size_t n;
};

/* Where @needle (not empty) begins in @hay from @from on; hay.n if nowhere. */
static size_t find(struct bytes hay, size_t from, struct bytes needle)
{
	while (hay.n - from >= needle.n) {
		size_t starts = hay.n - from - needle.n + 1;
		size_t look = starts < WORK_PAUSE ? starts : WORK_PAUSE;
		const char *at = memchr(hay.p + from, needle.p[0], look);
		size_t same = 1;

		if (!at) {
			from += look;
			if (!work_on(look))
				break;
			continue;
		}
		if (!work_on((size_t)(at - hay.p) - from + FOUND))
			break;
		from = (size_t)(at - hay.p);
		while (same < needle.n) {
			size_t step = needle.n - same < 4096 ? needle.n - same :
							       4096;

			if (memcmp(at + same, needle.p + same, step) != 0) {
				if (!work_on(step))
					return hay.n;
				break;
			}
			same += step;
			if (!work_on(step))
				return hay.n;
		}
		if (same >= needle.n)
			return from;
		from++;
	}
	return hay.n;
}

static struct bytes bytes_of_text(sqlite3_value *v)
{
	struct bytes b;

	b.p = (const char *)sqlite3_value_text(v);
	b.n = b.p ? (size_t)sqlite3_value_bytes(v) : 0;
	return b;
}

static struct bytes bytes_of_blob(sqlite3_value *v)
{
	struct bytes b;

	b.p = sqlite3_value_blob(v);
	b.n = (size_t)sqlite3_value_bytes(v);
	return b;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static sqlite3_int64 count_characters(struct bytes b)
{
	sqlite3_int64 count = 0;
	size_t i, end;

	for (i = 0; i < b.n; i = end) {
		end = b.n - i < WORK_PAUSE ? b.n : i + WORK_PAUSE;
		if (!work_on(end - i))
			break;
		while (i < end)
			count += !is_continuation(b.p[i++]);
	}
	return count;
}

/* instr(X, Y): from 1, in characters, or in bytes where both are blobs. */
static void instr_func(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	int hay_type = sqlite3_value_type(argv[0]),
	    needle_type = sqlite3_value_type(argv[1]);
	bool blobs = hay_type == SQLITE_BLOB && needle_type == SQLITE_BLOB;
	struct bytes hay, needle;
	size_t at = 0;
	int strays;

	(void)argc;
	if (hay_type == SQLITE_NULL || needle_type == SQLITE_NULL)
		return;
	hay = blobs ? bytes_of_blob(argv[0]) : bytes_of_text(argv[0]);
	needle = blobs ? bytes_of_blob(argv[1]) : bytes_of_text(argv[1]);
	if ((!hay.p && (hay.n || !blobs)) ||
	    (!needle.p && (needle.n || !blobs))) {
		sqlite3_result_error_nomem(ctx);
		return;
	}
	if (needle.n) {
		do { /* a character begins where the text says so, not in its middle */
			at = find(hay, at, needle);
		} while (!blobs && work_on(0) && at && at < hay.n &&
			 is_continuation(hay.p[at]) && ++at);
		if (at == hay.n) {
			if (!work_on(0))
				result_stopped(ctx);
			else
				sqlite3_result_int(ctx, 0);
			return;
		}
	}
	if (blobs) {
		sqlite3_result_int64(ctx, (sqlite3_int64)at + 1);
		return;
	}
	/* The first byte begins a character whatever it is. */
	strays = at && is_continuation(hay.p[0]);
	hay.n = at;
	sqlite3_result_int64(ctx, count_characters(hay) + strays + 1);
	if (!work_on(0))
		result_stopped(ctx);
}

/* replace(X, Y, Z): X with every Y made Z; X itself where Y is empty. */
static void replace_func(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	sqlite3 *lite = sqlite3_context_db_handle(ctx);
	size_t max = (size_t)sqlite3_limit(lite, SQLITE_LIMIT_LENGTH, -1);
	struct bytes text, from, to;
	struct buf out = { 0 };
	size_t done = 0, at;

	(void)argc;
	text = bytes_of_text(argv[0]);
	from = bytes_of_text(argv[1]);
	if (!text.p || !from.p)
		return; /* NULL */
	if (!from.n || !from.p[0]) {
		sqlite3_result_text64(ctx, text.p, text.n, SQLITE_TRANSIENT,
				      SQLITE_UTF8);
		return;
	}
	to = bytes_of_text(argv[2]);
	if (!to.p)
		return;
	while (!out.failed && out.len <= max) {
		at = find(text, done, from);
		buf_add(&out, text.p + done, at - done);
		done = at;
		if (at == text.n)
			break;
		buf_add(&out, to.p, to.n);
		done += from.n;
	}
	if (!work_on(0)) {
		result_stopped(ctx);
	} else if (out.failed) {
		sqlite3_result_error_nomem(ctx);
	} else if (out.len > max) {
		sqlite3_result_error_toobig(ctx);
	} else {
		sqlite3_result_text64(ctx, out.data ? out.data : "", out.len,
				      out.data ? ksql_free : SQLITE_STATIC,
				      SQLITE_UTF8);
		return;
	}
	buf_free(&out);
}

/* --- matching ------------------------------------------------------------ */

static const struct like_info glob_info = { '*', '?', '[', 0 };
static const struct like_info like_info = { '%', '_', 0, 1 };

/*
 * The next character, read as leniently as SQLite does; 0 at the end.  What
 * stands for a character that has a shorter form in ASCII, or for none, is
 * U+FFFD.
 */
static uint32_t next_char(const unsigned char **p)
{
	uint32_t c = *(*p)++;

	if (c < 0xc0)
		return c;
	c &= c < 0xe0 ? 0x1f :
	     c < 0xf0 ? 0x0f :
	     c < 0xf8 ? 0x07 :
	     c < 0xfc ? 0x03 :
	     c < 0xfe ? 0x01 :
			0;
	while (is_continuation((char)**p))
		c = c << 6 | (*(*p)++ & 0x3f);
	if (c < 0x80 || (c & 0xfffff800) == 0xd800 ||
	    (c & 0xfffffffe) == 0xfffe)
		return 0xfffd;
	return c;
}

static uint32_t fold(const struct like_info *info, uint32_t c)
{
	return info->no_case && c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/*
 * [...] of GLOB, @p behind the bracket: does it hold @c?  Leaves @p behind it.
 * An unclosed one matches nothing.
 */
static bool match_set(const unsigned char **p, uint32_t c)
{
	bool invert = false, seen = false;
	uint32_t prior = 0, k = next_char(p);

	if (k == '^') {
		invert = true;
		k = next_char(p);
	}
	if (k == ']') {
		seen = c == ']';
		k = next_char(p);
	}
	while (k && k != ']') {
		if (k == '-' && **p != ']' && **p && prior) {
			k = next_char(p);
			seen |= c >= prior && c <= k;
			prior = 0;
		} else {
			seen |= c == k;
			prior = k;
		}
		k = next_char(p);
	}
	if (!k)
		(*p)--; /* stay on the NUL */
	return k && seen != invert;
}

/* One element of the pattern against one character; leaves both behind them. */
static bool match_one(const struct like_info *info, uint32_t escape,
		      const unsigned char **pattern, const unsigned char **text)
{
	uint32_t want = next_char(pattern);
	uint32_t have = next_char(text);

	if (!want || !have)
		return false;
	if (want == escape) {
		want = next_char(pattern);
		if (!want) {
			(*pattern)--;
			return false;
		}
	} else if (want == info->match_one) {
		return true;
	} else if (want == info->match_set && info->match_set) {
		return match_set(pattern, have);
	}
	return fold(info, want) == fold(info, have);
}

/*
 * Does the whole text match?  Where it does not, go back to the last match-all
 * and let it take one character more: the ones before it need not be tried
 * again, as what lies between them and it was found at its earliest.
 */
static bool match(const struct like_info *info, uint32_t escape,
		  const unsigned char *pattern, const unsigned char *text)
{
	const unsigned char *star = NULL, *resume = NULL;
	size_t looked_at = 1;

	while (work_on(looked_at * MATCHED)) {
		const unsigned char *p = pattern, *t = text;

		looked_at = 1;
		if (*p == info->match_all && *p != escape) {
			star = ++pattern;
			resume = text;
			continue;
		}
		if (*t && match_one(info, escape, &p, &t)) {
			looked_at = (size_t)(p - pattern);
			pattern = p;
			text = t;
			continue;
		}
		looked_at += (size_t)(p - pattern); /* a set may be long */
		if (!*text && !*pattern)
			return true;
		if (!star || !*resume)
			return false;
		next_char(&resume);
		pattern = star;
		text = resume;
	}
	return false;
}

/* like(P, X), like(P, X, E), glob(P, X): note the pattern comes first. */
static void match_func(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct like_info *info = sqlite3_user_data(ctx);
	sqlite3 *lite = sqlite3_context_db_handle(ctx);
	const unsigned char *pattern, *text, *escapes;
	struct like_info used = *info;
	uint32_t escape = info->match_set;
	bool matches;

	if (sqlite3_value_type(argv[0]) == SQLITE_BLOB ||
	    sqlite3_value_type(argv[1]) ==
		    SQLITE_BLOB) { /* LIKE_DOESNT_MATCH_BLOBS */
		sqlite3_result_int(ctx, 0);
		return;
	}
	if (sqlite3_value_bytes(argv[0]) >
	    sqlite3_limit(lite, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1)) {
		sqlite3_result_error(ctx, "LIKE or GLOB pattern too complex",
				     -1);
		return;
	}
	if (argc == 3) {
		escapes = sqlite3_value_text(argv[2]);
		if (!escapes)
			return;
		escape = next_char(&escapes);
		if (!escape || *escapes) {
			sqlite3_result_error(
				ctx,
				"ESCAPE expression must be a single character",
				-1);
			return;
		}
		if (escape == used.match_one)
			used.match_one = 0;
	} else {
		escape = 0;
	}
	pattern = sqlite3_value_text(argv[0]);
	text = sqlite3_value_text(argv[1]);
	if (!pattern || !text)
		return;
	matches = match(&used, escape, pattern, text);
	if (!work_on(0))
		result_stopped(ctx);
	else
		sqlite3_result_int(ctx, matches);
}

/* --- registration -------------------------------------------------------- */

int func_install(struct conn *c)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	static const struct {
		const char *name;
		int argc;
		const struct like_info *info;
		void (*func)(sqlite3_context *ctx, int argc,
			     sqlite3_value **argv);
	} functions[] = {
		{ "instr", 2, NULL, instr_func },
		{ "replace", 3, NULL, replace_func },
		{ "like", 2, &like_info, match_func },
		{ "like", 3, &like_info, match_func },
		{ "glob", 2, &glob_info, match_func },
	};
	int rc = SQLITE_OK;
	size_t i;

	for (i = 0; !rc && i < sizeof(functions) / sizeof(functions[0]); i++) {
		rc = sqlite3_create_function(c->lite, functions[i].name,
					     functions[i].argc, flags,
					     (void *)functions[i].info,
					     functions[i].func, NULL, NULL);
		if (!rc && functions[i].info)
			rc = ksql_mark_like(c->lite, functions[i].name,
					    functions[i].argc,
					    functions[i].info->match_set != 0);
	}
	return rc;
}
