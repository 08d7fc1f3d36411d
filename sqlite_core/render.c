// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * render.c - rows as text.
 */
#include "render.h"

#include "port/cstd.h"
#include "keys.h"
#include "mem.h"
#include "sqlite/unit.h"
#include "work.h"

static const char hex_digits[] = "0123456789abcdef";

/* Where a loop over @n bytes that has come to @i pauses next; n: at its end. */
static size_t next_pause(size_t i, size_t n)
{
	if (i)
		work_on(WORK_STEP);
	return n - i < WORK_STEP ? n : i + WORK_STEP;
}

/* --- UTF-8 ------------------------------------------------------------------ */

/* Bytes of the well-formed sequence at @p, 0 if it is none (Unicode, table 3-7). */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

size_t utf8_valid(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0, stop = 0, len;
	uint64_t word;

	while (i < n) {
		if (i >= stop)
			stop = next_pause(i, n);
		while (stop - i >= sizeof(word)) {
			memcpy(&word, p + i, sizeof(word));
			if (word & 0x8080808080808080ull)
				break;
			i += sizeof(word);
		}
		if (i == stop)
			continue;
		len = utf8_sequence(p + i, n - i);
		if (!len)
			break;
		i += len;
	}
	return i;
}

/* U+FFFD for each byte that belongs to no character. */
static void put_replacement(struct buf *out)
{
	buf_add(out, "\xef\xbf\xbd", 3);
}

/*
 * Copy text, giving bytes that @special marks to @put, and what is not UTF-8 as
 * U+FFFD.  All formats are this with another table.
 */
static void put_text(struct buf *out, const char *text, size_t n,
		     bool (*special)(unsigned char),
		     void (*put)(struct buf *out, unsigned char c))
{
	size_t from = 0, i = 0, stop = 0;

	while (i < n) {
		unsigned char c = (unsigned char)text[i];
		size_t len;

		if (i >= stop)
			stop = next_pause(i, n);
		if (c >= 0x80) {
			len = utf8_sequence((const unsigned char *)text + i,
					    n - i);
			if (len) {
				i += len;
				continue;
			}
			buf_add(out, text + from, i - from);
			put_replacement(out);
			from = ++i;
		} else if (special(c)) {
			buf_add(out, text + from, i - from);
			put(out, c);
			from = ++i;
		} else {
			i++;
		}
	}
	buf_add(out, text + from, n - from);
}

/* --- numbers ------------------------------------------------------------- */

void render_integer(struct buf *out, sqlite3_int64 v)
{
	char digits[20];
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	int at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (v < 0)
		digits[--at] = '-';
	buf_add(out, digits + at, sizeof(digits) - (size_t)at);
}

static bool same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool is_power_of_two(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return !(bits & ((1ull << 52) - 1));
}

/* Of so many digits, the number after the nearest, if that is one digit's matter. */
static bool print_next(char *text, int size, int digits, double v)
{
	char *last;

	sqlite3_snprintf(size, text, "%.*e", digits - 1, v);
	last = strchr(text, 'e') - 1;
	if (*last < '0' || *last > '8')
		return false;
	++*last;
	return true;
}

/*
 * The fewest digits that read back as the same number: a number that has a
 * form of 15 digits or less is given it by %.15g; below 2^-1022 there is less
 * precision, and fewer may do.  Above a power of two the numbers are twice as
 * far apart as below it: the one just above it, of so many digits, may do where
 * the nearest does not.
 */
static void put_real(struct buf *out, double v, const char *infinity)
{
	const double small = DBL_MIN; /* below it: subnormal */
	int digits = v < small && -v < small ? 1 : 15;
	char text[40];
	double back;

	if (v > 1.7976931348623157e308 || v < -1.7976931348623157e308) {
		if (v < 0)
			buf_putc(out, '-');
		buf_puts(out, infinity);
		return;
	}
	if (v == 0 && __builtin_signbit(v))
		buf_putc(out, '-'); /* SQLite's printf() drops it */
	for (;; digits++) {
		sqlite3_snprintf(sizeof(text), text, "%!.*g", digits, v);
		if (digits == 17)
			break;
		if (ksql_text_to_real(text, &back) > 0 && same_bits(back, v))
			break;
		if (is_power_of_two(v) &&
		    print_next(text, sizeof(text), digits, v) &&
		    ksql_text_to_real(text, &back) > 0 && same_bits(back, v))
			break;
	}
	buf_puts(out, text);
}

static void put_hex(struct buf *out, const char *data, size_t n)
{
	char *to = buf_grow(out, 2 * n);
	size_t i, stop = 0;

	if (!to)
		return;
	for (i = 0; i < n; i++) {
		if (i == stop)
			stop = next_pause(i, n);
		to[2 * i] = hex_digits[(unsigned char)data[i] >> 4];
		to[2 * i + 1] = hex_digits[(unsigned char)data[i] & 15];
	}
	out->len += 2 * n;
}

static void put_base64(struct buf *out, const char *data, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)data;
	size_t i, k, stop = 0;

	for (i = 0; i < n; i += 3) {
		uint32_t left = n - i < 3 ? (uint32_t)(n - i) : 3;
		uint32_t bits = (uint32_t)p[i] << 16;
		char four[4];

		if (i >= stop)
			stop = next_pause(i, n);
		if (left > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			bits |= p[i + 2];
		for (k = 0; k < 4; k++)
			four[k] = k <= left ?
					  digits[bits >> (18 - 6 * k) & 63] :
					  '=';
		buf_add(out, four, 4);
	}
}

/* --- CSV: RFC 4180 ------------------------------------------------------- */

static bool csv_is_quote(unsigned char c)
{
	return c == '"';
}

static void csv_put_quote(struct buf *out, unsigned char c)
{
	(void)c;
	buf_add(out, "\"\"", 2);
}

/* What a character asks for. */
enum {
	CSV_QUOTES = 1,
	CSV_CHECK = 2
};

static const uint8_t csv_class[256] = {
	['"'] = CSV_QUOTES,  [','] = CSV_QUOTES,	  ['\n'] = CSV_QUOTES,
	['\r'] = CSV_QUOTES, [0x80 ... 0xff] = CSV_CHECK,
};

static void csv_text(struct buf *out, const char *text, size_t n)
{
	bool quotes = n == 0; /* the empty string is not NULL */
	unsigned int all = 0;
	size_t i = 0, stop;

	while (i < n) {
		stop = next_pause(i, n);
		for (; i < stop; i++)
			all |= csv_class[(unsigned char)text[i]];
	}
	if (!all && n) {
		buf_add(out, text, n);
		return;
	}
	quotes |= all & CSV_QUOTES;
	if (quotes)
		buf_putc(out, '"');
	put_text(out, text, n, csv_is_quote, csv_put_quote);
	if (quotes)
		buf_putc(out, '"');
}

/* --- TSV: the same with tabs, no quotes, and escapes --------------------- */

static bool tsv_is_special(unsigned char c)
{
	return c == '\t' || c == '\n' || c == '\\';
}

static void tsv_put_special(struct buf *out, unsigned char c)
{
	buf_putc(out, '\\');
	buf_putc(out, c == '\t' ? 't' : c == '\n' ? 'n' : '\\');
}

static void tsv_text(struct buf *out, const char *text, size_t n)
{
	if (n == 0)
		buf_add(out, "\"\"", 2);
	else
		put_text(out, text, n, tsv_is_special, tsv_put_special);
}

/* --- JSON: RFC 8259 ------------------------------------------------------ */

static bool json_is_special(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

static void json_put_special(struct buf *out, unsigned char c)
{
	static const char named[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	const char *name;

	buf_putc(out, '\\');
	for (name = named; *name; name += 2) {
		if ((unsigned char)*name == c) {
			buf_putc(out, name[1]);
			return;
		}
	}
	buf_puts(out, "u00");
	buf_putc(out, hex_digits[c >> 4]);
	buf_putc(out, hex_digits[c & 15]);
}

void render_json_text(struct buf *out, const char *text, size_t n)
{
	buf_putc(out, '"');
	put_text(out, text, n, json_is_special, json_put_special);
	buf_putc(out, '"');
}

/* --- values -------------------------------------------------------------- */

/* Is a row an object, whose keys are the columns' names? */
static bool has_keys(const struct render *r)
{
	return r->format == FORMAT_JSON || r->format == FORMAT_NDJSON;
}

/* Are values written as JSON has them? */
static bool is_json(const struct render *r)
{
	return has_keys(r) || r->format == FORMAT_ROWS;
}

static void put_value(const struct render *r, struct buf *out,
		      const struct value *v)
{
	bool json = is_json(r);

	switch (v->type) {
	case SQLITE_INTEGER:
		render_integer(out, v->integer);
		break;
	case SQLITE_FLOAT:
		put_real(out, v->real, json ? "9e999" : "Inf");
		break;
	case SQLITE_TEXT:
		if (json)
			render_json_text(out, v->bytes.data, v->bytes.len);
		else if (r->format == FORMAT_CSV)
			csv_text(out, v->bytes.data, v->bytes.len);
		else
			tsv_text(out, v->bytes.data, v->bytes.len);
		break;
	case SQLITE_BLOB:
		if (json) {
			buf_puts(out, "{\"$base64\":\"");
			put_base64(out, v->bytes.data, v->bytes.len);
			buf_puts(out, "\"}");
		} else {
			buf_puts(out, "\\x");
			put_hex(out, v->bytes.data, v->bytes.len);
		}
		break;
	default:
		if (json)
			buf_puts(out, "null");
		break;
	}
}

static bool nothing_is_special(unsigned char c)
{
	(void)c;
	return false;
}

void render_text(struct buf *out, const char *text, size_t n)
{
	put_text(out, text, n, nothing_is_special, NULL);
}

void render_bare(struct buf *out, const struct value *v)
{
	struct render plain = { .format = FORMAT_CSV };

	if (v->type == SQLITE_TEXT)
		render_text(out, v->bytes.data, v->bytes.len);
	else
		put_value(&plain, out, v);
}

/*
 * By way of the sqlite3_value: the sqlite3_column_...() functions look the column
 * up each time.  SQLite allows that where nobody else uses the connection.
 */
int value_of_column(struct value *v, sqlite3_stmt *stmt, int i)
{
	sqlite3_value *from = sqlite3_column_value(stmt, i);

	v->type = sqlite3_value_type(from);
	switch (v->type) {
	case SQLITE_INTEGER:
		v->integer = sqlite3_value_int64(from);
		break;
	case SQLITE_FLOAT:
		v->real = sqlite3_value_double(from);
		break;
	case SQLITE_TEXT:
		v->bytes.data = (const char *)sqlite3_value_text(from);
		v->bytes.len = (size_t)sqlite3_value_bytes(from);
		return v->bytes.data ? 0 : -ENOMEM;
	case SQLITE_BLOB:
		v->bytes.data = sqlite3_value_blob(from);
		v->bytes.len = (size_t)sqlite3_value_bytes(from);
		return v->bytes.data || !v->bytes.len ? 0 : -ENOMEM;
	}
	return 0;
}

/* --- rows ---------------------------------------------------------------- */

/* A row that is a line of cells: all formats but those with keys. */

static void line_begin(const struct render *r, struct buf *out)
{
	if (r->format == FORMAT_ROWS)
		buf_putc(out, '[');
}

static void line_cell(const struct render *r, struct buf *out, int i,
		      const struct value *v)
{
	if (i)
		buf_putc(out, r->format == FORMAT_TSV ? '\t' : ',');
	put_value(r, out, v);
}

static void line_end(const struct render *r, struct buf *out)
{
	if (r->format == FORMAT_ROWS)
		buf_putc(out, ']');
	buf_putc(out, '\n');
}

/* "name":  - and where a name came before, "name_2":, "name_3": */
static int json_head(struct render *r, const char *const *names)
{
	struct keys keys;
	const char *key;
	int i, err;

	r->key_end = ksql_alloc((size_t)(r->columns ? r->columns : 1) *
				sizeof(*r->key_end));
	if (!r->key_end)
		return -ENOMEM;
	err = keys_init(&keys, names, r->columns);
	for (i = 0; !err && i < r->columns; i++) {
		key = keys_next(&keys, names[i]);
		if (!key) {
			err = -ENOMEM;
			break;
		}
		buf_putc(&r->head, i ? ',' : '{');
		render_json_text(&r->head, key, strlen(key));
		buf_putc(&r->head, ':');
		r->key_end[i] = r->head.len;
	}
	keys_fini(&keys);
	return err;
}

/* The names in a line of their own. */
static void line_head(struct render *r, const char *const *names)
{
	struct value name = { .type = SQLITE_TEXT };
	int i;

	line_begin(r, &r->head);
	for (i = 0; i < r->columns; i++) {
		name.bytes.data = names[i];
		name.bytes.len = strlen(names[i]);
		line_cell(r, &r->head, i, &name);
	}
	line_end(r, &r->head);
}

int render_init(struct render *r, enum format format, const char *const *names,
		int columns)
{
	int err = 0;

	memset(r, 0, sizeof(*r));
	r->format = format;
	r->columns = columns;
	if (has_keys(r))
		err = json_head(r, names);
	else if (columns)
		line_head(r, names);
	return r->head.failed ? -ENOMEM : err;
}

void render_fini(struct render *r)
{
	buf_free(&r->head);
	ksql_free(r->key_end);
	r->key_end = NULL;
}

void render_restart(struct render *r)
{
	r->rows = 0;
}

void render_begin(struct render *r, struct buf *out)
{
	if (r->format == FORMAT_JSON)
		buf_putc(out, '[');
	else if (r->format != FORMAT_NDJSON)
		buf_add(out, r->head.data, r->head.len);
}

static void json_row(struct render *r, struct buf *out,
		     const struct value *values)
{
	size_t from = 0;
	int i;

	if (r->format == FORMAT_JSON && r->rows)
		buf_add(out, ",\n", 2);
	for (i = 0; i < r->columns; i++) {
		buf_add(out, r->head.data + from, r->key_end[i] - from);
		from = r->key_end[i];
		put_value(r, out, &values[i]);
	}
	buf_putc(out, '}');
	if (r->format == FORMAT_NDJSON)
		buf_putc(out, '\n');
}

void render_row(struct render *r, struct buf *out, const struct value *values)
{
	int i;

	if (has_keys(r)) {
		json_row(r, out, values);
	} else {
		line_begin(r, out);
		for (i = 0; i < r->columns; i++)
			line_cell(r, out, i, &values[i]);
		line_end(r, out);
	}
	r->rows++;
}

void render_end(struct render *r, struct buf *out)
{
	if (r->format == FORMAT_JSON)
		buf_add(out, "]\n", 2);
}
