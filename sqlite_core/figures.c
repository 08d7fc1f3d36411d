// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * figures.c - what a database counts of the statements of its users.
 */
#include "figures.h"

#include "port/cstd.h"

/* The last one ends any search. */
const struct figures_bound figures_bounds[FIGURES_BUCKETS] = {
	{ 10000, "0.00001" },  { 30000, "0.00003" },  { 100000, "0.0001" },
	{ 300000, "0.0003" },  { 1000000, "0.001" },  { 3000000, "0.003" },
	{ 10000000, "0.01" },  { 30000000, "0.03" },  { 100000000, "0.1" },
	{ 300000000, "0.3" },  { 1000000000, "1" },   { 3000000000, "3" },
	{ 10000000000, "10" }, { INT64_MAX, "+Inf" },
};

static void add(uint64_t *to, uint64_t n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

void figures_run(struct figures *f, int64_t ns, uint64_t rows)
{
	unsigned int i = 0;

	while (ns > figures_bounds[i].ns)
		i++;
	add(&f->took[i], 1);
	add(&f->took_ns, (uint64_t)ns);
	if (rows)
		add(&f->rows, rows);
}

void figures_prepared(struct figures *f)
{
	add(&f->prepared, 1);
}

void figures_outcome(struct figures *f, int err)
{
	add(&f->outcomes[errno_index(err)], 1);
}

void figures_checkpoint(struct figures *f, enum checkpoint outcome, bool waited)
{
	add(&f->checkpoints[outcome], 1);
	if (!waited)
		return;
	add(&f->checkpoint_waits, 1);
	if (outcome != CHECKPOINT_DONE)
		add(&f->checkpoint_waits_in_vain, 1);
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
