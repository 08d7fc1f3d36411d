// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * error.c - SQLite's codes as errnos, and the text of the file "error".
 *
 * The table below is the only one; docs/errors.md is held against it by a test.
 */
#include "error.h"

#include "port/cstd.h"
#include "render.h"
#include "sqlite3.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CODE(name, err)                             \
	{                                           \
		SQLITE_##name, "SQLITE_" #name, err \
	}

static const struct {
	int code; /* primary or extended; the first that fits counts */
	const char *name;
	int err;
} codes[] = {
	CODE(CONSTRAINT_UNIQUE, EEXIST),
	CODE(CONSTRAINT_PRIMARYKEY, EEXIST),
	CODE(CONSTRAINT_ROWID, EEXIST),
	CODE(CONSTRAINT_CHECK, EDOM),
	CODE(CONSTRAINT_NOTNULL, EDOM),
	CODE(CONSTRAINT_FOREIGNKEY, EDOM),
	CODE(CONSTRAINT_TRIGGER, EDOM),
	CODE(CONSTRAINT_DATATYPE, EDOM),
	CODE(IOERR_NOMEM, ENOMEM),
	CODE(IOERR_SHMMAP, ENOMEM),
	CODE(BUSY_SNAPSHOT, EBUSY),
	CODE(ERROR, EINVAL),
	CODE(PERM, EPERM),
	CODE(ABORT, ECANCELED),
	CODE(BUSY, EBUSY),
	CODE(LOCKED, EBUSY),
	CODE(NOMEM, ENOMEM),
	CODE(READONLY, EROFS),
	CODE(INTERRUPT, EINTR),
	CODE(IOERR, EIO),
	CODE(CORRUPT, EUCLEAN),
	CODE(NOTFOUND, EINVAL),
	CODE(FULL, ENOSPC),
	CODE(CANTOPEN, EIO),
	CODE(PROTOCOL, EBUSY),
	CODE(SCHEMA, EBUSY),
	CODE(TOOBIG, EFBIG),
	CODE(CONSTRAINT, EDOM),
	CODE(MISMATCH, EDOM),
	CODE(MISUSE, EINVAL),
	CODE(AUTH, EPERM),
	CODE(RANGE, EINVAL),
	CODE(NOTADB, EUCLEAN),
};

/* SQLite says these with SQLITE_ERROR and words alone. */
static const struct {
	const char *begins, *ends;
	int err;
} messages[] = {
	{ "no such table: ", "", ENOENT },
	{ "no such view: ", "", ENOENT },
	{ "no such index: ", "", ENOENT },
	{ "table ", " already exists", EEXIST },
	{ "view ", " already exists", EEXIST },
	{ "index ", " already exists", EEXIST },
	{ "trigger ", " already exists", EEXIST },
	{ "there is already ", "", EEXIST },
};

static const struct {
	int err;
	const char *name, *words;
} errnos[] = {
	{ 0, "0", "ok" },
	{ EBUSY, "EBUSY", "the lock was not had in time" },
	{ ECANCELED, "ECANCELED", "the batch has failed before" },
	{ EDOM, "EDOM", "constraint failed" },
	{ EEXIST, "EEXIST", "exists already" },
	{ EFBIG, "EFBIG", "statement too long" },
	{ EINTR, "EINTR", "interrupted" },
	{ EINVAL, "EINVAL", "invalid" },
	{ EIO, "EIO", "disk I/O error" },
	{ ENOENT, "ENOENT", "no such thing" },
	{ ENOMEM, "ENOMEM", "out of memory" },
	{ ENOSPC, "ENOSPC", "the memory limit is reached" },
	{ EOVERFLOW, "EOVERFLOW", "result too large" },
	{ EPERM, "EPERM", "not authorized" },
	{ EROFS, "EROFS", "read-only" },
	{ ETIMEDOUT, "ETIMEDOUT", "the time limit is reached" },
	{ EUCLEAN, "EUCLEAN", "damaged database" },
};

int fault_set(struct fault *f, int err, int offset, const char *format, ...)
{
	va_list args;

	fault_clear(f);
	f->err = err;
	f->offset = offset;
	va_start(args, format);
	f->message = sqlite3_vmprintf(format, args);
	va_end(args);
	return err;
}

void fault_clear(struct fault *f)
{
	sqlite3_free(f->message);
	memset(f, 0, sizeof(*f));
	f->offset = -1;
}

static bool fits(const char *message, const char *begins, const char *ends)
{
	size_t len = strlen(message), head = strlen(begins),
	       tail = strlen(ends);

	return len >= head + tail && memcmp(message, begins, head) == 0 &&
	       strcmp(message + len - tail, ends) == 0;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

void fault_locate(struct fault *f, const char *sql, size_t len)
{
	const char *name;
	size_t n, i;

	if (f->offset >= 0 || f->err != -ENOENT || !f->message)
		return;
	name = strchr(f->message, ':');
	if (!name || name[1] != ' ' || !name[2])
		return;
	name += 2;
	n = strlen(name);
	for (i = 0; i + n <= len; i++) {
		if (sqlite3_strnicmp(sql + i, name, (int)n) == 0 &&
		    (!i || !is_word(sql[i - 1])) &&
		    (i + n == len || !is_word(sql[i + n]))) {
			f->offset = (int)i;
			return;
		}
	}
}

static size_t code_find(int code)
{
	size_t i;

	for (i = 0; i < COUNT(codes); i++)
		if (codes[i].code == code || codes[i].code == (code & 0xff))
			break;
	return i;
}

int errno_of_sqlite(int code, const char *message)
{
	size_t i;

	if ((code & 0xff) == SQLITE_ERROR && message)
		for (i = 0; i < COUNT(messages); i++)
			if (fits(message, messages[i].begins, messages[i].ends))
				return -messages[i].err;
	i = code_find(code);
	return i < COUNT(codes) ? -codes[i].err : -EIO;
}

static size_t errno_find(int err)
{
	size_t i;

	for (i = 0; i < COUNT(errnos); i++)
		if (errnos[i].err == -err)
			return i;
	return errno_find(-EIO);
}

unsigned int errno_index(int err)
{
	return (unsigned int)errno_find(err);
}

const char *errno_at(unsigned int index)
{
	_Static_assert(COUNT(errnos) == ERRNOS, "error.h counts them too");
	return errnos[index].name;
}

const char *errno_name(int err)
{
	return errnos[errno_find(err)].name;
}

/* A statement may be 16 MiB long: show no more of it than this. */
#define SHOWN_BEFORE 2000u
#define SHOWN_AFTER  500u

/* The line under @line, just added to @out, that points at byte @at of it. */
static void put_caret(struct buf *out, const char *line, size_t at)
{
	struct buf above = { 0 };
	size_t i;

	render_text(&above, line, at);
	for (i = 0; i < above.len; i++) {
		if (above.data[i] == '\t')
			buf_putc(out, '\t');
		else if (((unsigned char)above.data[i] & 0xc0) !=
			 0x80) /* one column a character */
			buf_putc(out, ' ');
	}
	buf_free(&above);
	buf_puts(out, "^\n");
}

/* What is shown of a statement. */
struct excerpt {
	size_t from, end; /* bytes of it; what is outside is left out */
	size_t len; /* of it, without blanks at its end */
	size_t mark; /* where the fault is; SIZE_MAX: not known */
};

static struct excerpt excerpt_of(const char *sql, size_t len, int offset)
{
	struct excerpt e = { .mark = SIZE_MAX };

	while (len && (sql[len - 1] == '\n' || sql[len - 1] == ' '))
		len--;
	e.len = len;
	if (offset >= 0)
		e.mark = (size_t)offset < len ? (size_t)offset : len;
	if (offset >= 0 && e.mark > SHOWN_BEFORE)
		for (e.from = e.mark - SHOWN_BEFORE; e.from < e.mark; e.from++)
			if (((unsigned char)sql[e.from] & 0xc0) != 0x80)
				break;
	e.end = (offset >= 0 ? e.mark : 0) + SHOWN_AFTER;
	if (e.end > len)
		e.end = len;
	while (e.end < len && ((unsigned char)sql[e.end] & 0xc0) == 0x80)
		e.end++;
	return e;
}

static void put_statement(struct buf *out, const char *sql, size_t len,
			  int offset)
{
	struct excerpt e = excerpt_of(sql, len, offset);
	size_t line;

	if (e.from)
		buf_puts(out, "...\n");
	for (line = e.from; line <= e.end; line++) {
		size_t next = line;

		while (next < e.end && sql[next] != '\n')
			next++;
		render_text(out, sql + line, next - line);
		buf_putc(out, '\n');
		if (e.mark >= line && e.mark <= next)
			put_caret(out, sql + line, e.mark - line);
		line = next;
	}
	if (e.end < e.len)
		buf_puts(out, "...\n");
}

static const char *fault_words(const struct fault *f)
{
	return f->message ? f->message : errnos[errno_find(f->err)].words;
}

/* NULL: none, or none that is known. */
static const char *code_name(int sqlite)
{
	size_t c = code_find(sqlite);

	return sqlite && c < COUNT(codes) ? codes[c].name : NULL;
}

void fault_describe(const struct fault *f, const char *sql, size_t len,
		    struct buf *out)
{
	size_t e = errno_find(f->err);
	const char *code = code_name(f->sqlite), *words = fault_words(f);

	render_text(out, words, strlen(words));
	buf_putc(out, '\n');
	if (!f->err)
		return;
	buf_printf(out, "errno %s (%d)", errnos[e].name, errnos[e].err);
	if (code)
		buf_printf(out, " sqlite %s (%d)", code, f->sqlite);
	buf_putc(out, '\n');
	if (sql && len)
		put_statement(out, sql, len, f->offset);
}

/* A message may quote what a user wrote, of any length: one line of it. */
static void put_one_line(struct buf *out, const char *words)
{
	size_t len = strlen(words), from = out->len, i;

	if (len > SHOWN_AFTER) {
		len = SHOWN_AFTER;
		while (len && ((unsigned char)words[len] & 0xc0) == 0x80)
			len--;
	}
	render_text(out, words, len);
	for (i = from; i < out->len; i++)
		if (out->data[i] == '\n')
			out->data[i] = ' ';
	buf_puts(out, words[len] ? "...\n" : "\n");
}

void fault_as_lines(const struct fault *f, const char *sql, size_t len,
		    struct buf *out)
{
	struct buf text = { 0 };
	size_t i, next;

	buf_puts(out, errno_name(f->err));
	buf_putc(out, ' ');
	put_one_line(out, fault_words(f));
	if (sql && len)
		put_statement(&text, sql, len, f->offset);
	/* Without memory it may end in the middle of a line. */
	for (i = 0; i < text.len; i = next) {
		for (next = i; next < text.len && text.data[next++] != '\n';)
			;
		buf_putc(out, '\t');
		buf_add(out, text.data + i, next - i);
	}
	out->failed |= text.failed;
	buf_free(&text);
}

static void put_json_name(struct buf *out, const char *name)
{
	if (name)
		buf_printf(out, "\"%s\"", name);
	else
		buf_puts(out, "null");
}

static void put_json_statement(struct buf *out, const char *sql, size_t len,
			       int offset)
{
	struct excerpt e = excerpt_of(sql, len, offset);
	bool marked = e.mark != SIZE_MAX;
	size_t mark = marked ? e.mark : e.from, at;
	struct buf text = { 0 };

	if (e.from)
		buf_puts(&text, "...\n");
	render_text(&text, sql + e.from, mark - e.from);
	at = text.len;
	render_text(&text, sql + mark, e.end - mark);
	if (e.end < e.len)
		buf_puts(&text, "\n...");
	render_json_text(out, text.data, text.len);
	out->failed |= text.failed;
	if (marked)
		buf_printf(out, ",\"offset\":%llu", (unsigned long long)at);
	else
		buf_puts(out, ",\"offset\":null");
	buf_free(&text);
}

void fault_as_json(const struct fault *f, const char *sql, size_t len,
		   struct buf *out)
{
	const char *words = fault_words(f);

	buf_puts(out, "\"error\":");
	render_json_text(out, words, strlen(words));
	buf_puts(out, ",\"errno\":");
	put_json_name(out, errno_name(f->err));
	buf_puts(out, ",\"sqlite\":");
	put_json_name(out, code_name(f->sqlite));
	buf_puts(out, ",\"statement\":");
	if (sql && len)
		put_json_statement(out, sql, len, f->offset);
	else
		buf_puts(out, "null,\"offset\":null");
}
