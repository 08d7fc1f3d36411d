// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * option.c - the engine's mount options as text, the same for every host.
 *
 * Host side: no SQL, no floating point.
 */
#include "ksql_core.h"

#include "port/cstd.h"
#include "port/port.h"

/* Where a limit lies, and how its text is read. */
static const struct option {
	const char *key;
	size_t at; /* in struct ksql_options */
	bool wide; /* 64 bits rather than 32 */
	bool size; /* bytes, so with a suffix or a percentage */
} options[] = {
	{ "size", offsetof(struct ksql_options, size), true, true },
	{ "timeout", offsetof(struct ksql_options, timeout_ms), false, false },
	{ "busy", offsetof(struct ksql_options, busy_ms), false, false },
	{ "max_result", offsetof(struct ksql_options, max_result), true, true },
	{ "max_sql", offsetof(struct ksql_options, max_sql), false, true },
	{ "exact", offsetof(struct ksql_options, exact), true, true },
	{ "sessions", offsetof(struct ksql_options, sessions), false, false },
	{ "statements", offsetof(struct ksql_options, statements), false,
	  false },
	{ "zero", offsetof(struct ksql_options, zero), false, false },
};

#define NUMBER_MAX (~(uint64_t)0)
#define OPTIONS	   (sizeof(options) / sizeof(options[0]))

/* Decimal digits; where they end, or NULL if there are none or too many. */
static const char *read_number(const char *p, uint64_t *n)
{
	const char *from = p;

	for (*n = 0; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (*n > (NUMBER_MAX - digit) / 10)
			return NULL;
		*n = *n * 10 + digit;
	}
	return p == from ? NULL : p;
}

/* All of what follows the number of a size. */
static bool apply_suffix(const char *suffix, uint64_t *n)
{
	static const char letters[] = "kmgtpe";
	const char *found;
	unsigned int shift;

	if (!*suffix)
		return true;
	if (suffix[1])
		return false;
	if (*suffix == '%') {
		if (*n > 100)
			return false;
		*n = port_ram() / KSQL_PAGE_SIZE * *n / 100 * KSQL_PAGE_SIZE;
		return true;
	}
	found = strchr(letters, *suffix | 0x20);
	if (!found)
		return false;
	shift = 10 * (unsigned int)(found - letters + 1);
	if (*n > NUMBER_MAX >> shift)
		return false;
	*n <<= shift;
	return true;
}

int ksql_option_set(struct ksql_options *to, const char *key, const char *value)
{
	const struct option *o;
	const char *rest;
	uint32_t narrow;
	uint64_t n;
	void *field;

	for (o = options; o < options + OPTIONS; o++)
		if (strcmp(o->key, key) == 0)
			break;
	if (o == options + OPTIONS)
		return -ENOENT;
	rest = read_number(value, &n);
	if (!rest || (*rest && !o->size) || !apply_suffix(rest, &n))
		return -EINVAL;
	field = (char *)to + o->at;
	narrow = (uint32_t)n;
	if (o->wide)
		memcpy(field, &n, sizeof(n));
	else if (narrow == n)
		memcpy(field, &narrow, sizeof(narrow));
	else
		return -EINVAL;
	return 0;
}

const char *ksql_option_get(const struct ksql_options *from, unsigned int index,
			    uint64_t *value)
{
	const struct option *o;
	uint32_t narrow;

	if (index >= OPTIONS)
		return NULL;
	o = &options[index];
	if (o->wide) {
		memcpy(value, (const char *)from + o->at, sizeof(*value));
	} else {
		memcpy(&narrow, (const char *)from + o->at, sizeof(narrow));
		*value = narrow;
	}
	return o->key;
}
