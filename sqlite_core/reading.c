// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * reading.c - what a field of CSV says it is: a number, a blob or text.
 */
#include "reading.h"

#include "port/cstd.h"

/* A real of so many digits comes out of SQLite as it went in. */
#define EXACT_DIGITS 15

/* What is nearer to 0 SQLite prints with an exponent. */
#define SMALLEST 0.0001

/* A number as JSON writes it, taken apart. */
struct number {
	bool negative;
	const char *digits; /* of the integer, and of the fraction */
	const char *fraction; /* behind the point; NULL: there is none */
	size_t whole, decimals; /* how many */
	bool exponent;
};

static size_t count_digits(const char *p, const char *end)
{
	const char *begin = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - begin);
}

static bool split_number(const char *p, const char *end, struct number *n)
{
	memset(n, 0, sizeof(*n));
	n->negative = *p == '-';
	p += n->negative;
	n->digits = p;
	n->whole = count_digits(p, end);
	if (!n->whole || (n->whole > 1 && *p == '0'))
		return false;
	p += n->whole;
	if (p < end && *p == '.') {
		n->fraction = ++p;
		n->decimals = count_digits(p, end);
		if (!n->decimals)
			return false;
		p += n->decimals;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		n->exponent = true;
		p++;
		p += p < end && (*p == '+' || *p == '-');
		if (p == end)
			return false;
		p += count_digits(p, end);
	}
	return p == end && (end[-1] >= '0' && end[-1] <= '9');
}

static uint64_t read_digits(uint64_t v, const char *p, size_t n)
{
	for (; n; n--)
		v = v * 10 + (uint64_t)(*p++ - '0');
	return v;
}

/* An integer of 64 bits; what has more digits is an identifier, and stays text. */
static void read_integer(const struct number *n, struct reading *r)
{
	uint64_t limit = (1ull << 63) - !n->negative, v;

	r->type = TYPE_TEXT;
	if (n->whole > 19)
		return;
	v = read_digits(0, n->digits, n->whole); /* 19 digits fit */
	if (v > limit)
		return;
	if (n->negative && !v) { /* "-0" */
		r->type = TYPE_REAL;
		return;
	}
	r->type = TYPE_INTEGER;
	r->exact = true;
	r->value.type = SQLITE_INTEGER;
	r->value.integer = (sqlite3_int64)(n->negative ? 0 - v : v);
}

/*
 * Is it what SQLite prints?  By its characters alone: few enough digits, none to
 * spare, no exponent there or here.  Then the digits and the power of ten are
 * exact as doubles, and so is their quotient, rounded once.
 */
static void read_real(const struct number *n, struct reading *r)
{
	static const double powers[] = {
		1e0, 1e1, 1e2,	1e3,  1e4,  1e5,  1e6,	1e7,
		1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
	};
	uint64_t v;
	double real;

	r->type = TYPE_REAL;
	if (n->exponent || n->whole + n->decimals > EXACT_DIGITS)
		return;
	if (n->decimals > 1 && n->fraction[n->decimals - 1] == '0')
		return;
	v = read_digits(0, n->digits, n->whole);
	v = read_digits(v, n->fraction, n->decimals);
	real = (double)v / powers[n->decimals];
	if (real < SMALLEST && (v || n->negative))
		return;
	r->exact = true;
	r->value.type = SQLITE_FLOAT;
	r->value.real = n->negative ? -real : real;
}

static bool is_lower_hex(const char *p, size_t n)
{
	for (; n; n--, p++)
		if (*p >= 'A' && *p <= 'F')
			return false;
	return true;
}

static bool is_infinity(const struct csv_field *field)
{
	return (field->len == 3 && memcmp(field->p, "Inf", 3) == 0) ||
	       (field->len == 4 && memcmp(field->p, "-Inf", 4) == 0);
}

void reading_of(struct load *l, const struct csv_field *field,
		struct reading *r)
{
	struct number n;
	char first = field->len ? field->p[0] : 0;

	r->type = TYPE_TEXT;
	r->exact = false;
	if (first == '\\') {
		if (load_blob(l, field, &r->value)) {
			r->type = TYPE_BLOB;
			r->exact = is_lower_hex(field->p + 2, field->len - 2);
		}
	} else if (is_infinity(field)) {
		r->type = TYPE_REAL;
	} else if ((first == '-' || (first >= '0' && first <= '9')) &&
		   split_number(field->p, field->p + field->len, &n)) {
		if (n.fraction || n.exponent)
			read_real(&n, r);
		else
			read_integer(&n, r);
	}
}
