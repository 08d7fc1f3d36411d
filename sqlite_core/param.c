// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * param.c - the parameters that follow a statement.
 *
 * A parameter is text, unless its first byte is a code: SQLite's own for its
 * types, and one for text that holds what the other codes cannot carry, a NUL.
 */
#include "param.h"

#include "port/cstd.h"
#include "mem.h"
#include "render.h"
#include "sqlite/unit.h"
#include "work.h"

#define TEXT_AS_HEX 6 /* after SQLITE_NULL, the last of SQLite's codes */

/* All of the text, a decimal integer of 64 bits. */
static bool read_integer(const char *p, size_t n, sqlite3_int64 *out)
{
	bool negative = n && p[0] == '-';
	uint64_t v = 0, max = negative ? 1ull << 63 : (1ull << 63) - 1;
	size_t i = n && (p[0] == '-' || p[0] == '+') ? 1 : 0;

	if (i == n)
		return false;
	for (; i < n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)p[i] - '0';

		if (digit > 9 || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = (sqlite3_int64)(negative ? 0 - v : v);
	return true;
}

/* What the engine writes for a real, it reads: "Inf" and "-Inf" too. */
static bool read_real(const char *text, double *out)
{
	bool negative = text[0] == '-';

	if (sqlite3_stricmp(text + negative, "inf") == 0) {
		*out = negative ? -__builtin_inf() : __builtin_inf();
		return true;
	}
	return ksql_text_to_real(text, out) > 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_read(const char *hex, size_t n, char *out)
{
	size_t k;

	if (n % 2)
		return false;
	for (k = 0; k < n; k += 2) {
		int high = hex_value(hex[k]), low = hex_value(hex[k + 1]);

		if (k % WORK_STEP == 0)
			work_on(WORK_STEP);
		if (high < 0 || low < 0)
			return false;
		out[k / 2] = (char)(high << 4 | low);
	}
	return true;
}

/* Bytes written as digits; SQLITE_OK with *@out for the caller to free, or why not. */
static int read_hex(const char *hex, size_t n, char **out)
{
	char *bytes = ksql_alloc(n / 2 + 1);

	if (!bytes)
		return SQLITE_NOMEM;
	if (!hex_read(hex, n, bytes)) {
		ksql_free(bytes);
		return SQLITE_MISMATCH;
	}
	*out = bytes;
	return SQLITE_OK;
}

static int bind_hex(sqlite3_stmt *stmt, int i, bool text, const char *hex,
		    size_t n)
{
	char *bytes;
	int rc = read_hex(hex, n, &bytes);

	if (rc)
		return rc;
	n /= 2;
	if (!text)
		return sqlite3_bind_blob64(stmt, i, bytes, n, ksql_free);
	if (utf8_valid(bytes, n) == n)
		return sqlite3_bind_text64(stmt, i, bytes, n, ksql_free,
					   SQLITE_UTF8);
	ksql_free(bytes);
	return SQLITE_MISMATCH;
}

/* @p is NUL-terminated; @n without the NUL. */
static int bind_one(sqlite3_stmt *stmt, int i, const char *p, size_t n)
{
	sqlite3_int64 integer;
	double real;

	switch (n ? p[0] : 0) {
	case SQLITE_INTEGER:
		return read_integer(p + 1, n - 1, &integer) ?
			       sqlite3_bind_int64(stmt, i, integer) :
			       SQLITE_MISMATCH;
	case SQLITE_FLOAT:
		return read_real(p + 1, &real) ?
			       sqlite3_bind_double(stmt, i, real) :
			       SQLITE_MISMATCH;
	case SQLITE_BLOB:
	case TEXT_AS_HEX:
		return bind_hex(stmt, i, p[0] == TEXT_AS_HEX, p + 1, n - 1);
	case SQLITE_NULL:
		return n == 1 ? sqlite3_bind_null(stmt, i) : SQLITE_MISMATCH;
	case SQLITE_TEXT:
		p++;
		n--;
		break;
	}
	if (utf8_valid(p, n) != n)
		return SQLITE_MISMATCH;
	return sqlite3_bind_text64(stmt, i, p, n, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_fault(int rc, int i, struct fault *f)
{
	switch (rc) {
	case SQLITE_NOMEM:
		return fault_set(f, -ENOMEM, -1, "out of memory");
	case SQLITE_TOOBIG:
		return fault_set(f, -EFBIG, -1, "parameter %d is too long", i);
	default:
		return fault_set(f, -EINVAL, -1,
				 "parameter %d is not of the type it says", i);
	}
}

int param_bind(sqlite3_stmt *stmt, const char *p, size_t n, struct fault *f)
{
	int want = sqlite3_bind_parameter_count(stmt), have = 0, rc;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i % WORK_STEP == 0)
			work_on(WORK_STEP);
		have += !p[i];
	}
	if (n && p[n - 1])
		return fault_set(f, -EINVAL, -1,
				 "parameter %d is not ended by NUL", have + 1);
	if (have != want)
		return fault_set(f, -EINVAL, -1,
				 "the statement has %d parameter%s, %d given",
				 want, want == 1 ? "" : "s", have);
	for (i = 0; have; have--) {
		size_t len = work_length(p + i);

		rc = bind_one(stmt, want - have + 1, p + i, len);
		if (rc)
			return bind_fault(rc, want - have + 1, f);
		i += len + 1;
	}
	return 0;
}
