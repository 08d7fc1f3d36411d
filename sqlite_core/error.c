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

static void put_statement(struct buf *out, const char *sql, size_t len,
			  int offset)
{
	size_t mark = offset >= 0 && (size_t)offset <= len ? (size_t)offset :
							     len + 1;
	size_t from = 0, line, end;

	while (len && (sql[len - 1] == '\n' || sql[len - 1] == ' '))
		len--;
	if (mark > len && offset >= 0)
		mark = len;
	if (offset >= 0 && mark > SHOWN_BEFORE) {
		for (from = mark - SHOWN_BEFORE; from < mark; from++)
			if (((unsigned char)sql[from] & 0xc0) != 0x80)
				break;
		buf_puts(out, "...\n");
	}
	end = (offset >= 0 ? mark : 0) + SHOWN_AFTER;
	if (end > len)
		end = len;
	while (end < len && ((unsigned char)sql[end] & 0xc0) == 0x80)
		end++;
	for (line = from; line <= end; line++) {
		size_t next = line;

		while (next < end && sql[next] != '\n')
			next++;
		render_text(out, sql + line, next - line);
		buf_putc(out, '\n');
		if (mark >= line && mark <= next)
			put_caret(out, sql + line, mark - line);
		line = next;
	}
	if (end < len)
		buf_puts(out, "...\n");
}

void fault_describe(const struct fault *f, const char *sql, size_t len,
		    struct buf *out)
{
	size_t c, e = errno_find(f->err);

	if (f->message)
		render_text(out, f->message, strlen(f->message));
	else
		buf_puts(out, errnos[e].words);
	buf_putc(out, '\n');
	if (!f->err)
		return;
	buf_printf(out, "errno %s (%d)", errnos[e].name, errnos[e].err);
	c = code_find(f->sqlite);
	if (f->sqlite && c < COUNT(codes))
		buf_printf(out, " sqlite %s (%d)", codes[c].name, f->sqlite);
	buf_putc(out, '\n');
	if (sql && len)
		put_statement(out, sql, len, f->offset);
}
