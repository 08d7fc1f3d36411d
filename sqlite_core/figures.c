// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * figures.c - what a database counts of the statements of its users.
 */
#include "figures.h"

#include "port/cstd.h"

static void add(uint64_t *to, uint64_t n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

void figures_run(struct figures *f, int64_t ns, uint64_t rows)
{
#define BOUND(bound, text) bound,
	static const int64_t bounds[FIGURES_BUCKETS] = { FIGURES_BOUNDS };
#undef BOUND
	unsigned int i = 0;

	while (ns > bounds[i])
		i++;
	add(&f->took[i], 1);
	add(&f->took_ns, (uint64_t)ns);
	if (rows)
		add(&f->rows, rows);
}

void figures_outcome(struct figures *f, int err)
{
	add(&f->outcomes[errno_index(err)], 1);
}

static uint64_t status_of(sqlite3 *lite, int what)
{
	int now = 0, most = 0;

	sqlite3_db_status(lite, what, &now, &most, 1);
	return (uint64_t)(unsigned int)now;
}

void figures_cache(struct figures *f, sqlite3 *lite)
{
	uint64_t hits = status_of(lite, SQLITE_DBSTATUS_CACHE_HIT);
	uint64_t misses = status_of(lite, SQLITE_DBSTATUS_CACHE_MISS);

	if (hits)
		add(&f->cache_hits, hits);
	if (misses)
		add(&f->cache_misses, misses);
}
