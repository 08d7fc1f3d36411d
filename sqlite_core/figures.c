// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * figures.c - what a database counts of the statements of its users.
 */
#include "figures.h"

#include "port/cstd.h"
#include "port/port.h"

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

static struct figures_part *own_part(struct figures *f)
{
	return &f->part[port_processor() % FIGURES_PARTS];
}

static uint64_t counted(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The sum of times is read first: it is never more than what the counts explain. */
void figures_sum(const struct figures *f, struct figures_part *out)
{
	const struct figures_part *p;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	for (p = f->part; p < f->part + FIGURES_PARTS; p++) {
		out->took_ns += counted(&p->took_ns);
		for (i = 0; i < ERRNOS; i++)
			out->outcomes[i] += counted(&p->outcomes[i]);
		for (i = 0; i < FIGURES_BUCKETS; i++)
			out->took[i] += counted(&p->took[i]);
		out->rows += counted(&p->rows);
		out->prepared += counted(&p->prepared);
		out->cache_hits += counted(&p->cache_hits);
		out->cache_misses += counted(&p->cache_misses);
		for (i = 0; i < CHECKPOINTS; i++)
			out->checkpoints[i] += counted(&p->checkpoints[i]);
		out->checkpoint_waits += counted(&p->checkpoint_waits);
		out->checkpoint_waits_in_vain +=
			counted(&p->checkpoint_waits_in_vain);
	}
}

void figures_run(struct figures *f, int64_t ns, uint64_t rows)
{
	struct figures_part *p = own_part(f);
	unsigned int i = 0;

	while (ns > figures_bounds[i].ns)
		i++;
	add(&p->took[i], 1);
	add(&p->took_ns, (uint64_t)ns);
	if (rows)
		add(&p->rows, rows);
}

void figures_prepared(struct figures *f)
{
	add(&own_part(f)->prepared, 1);
}

void figures_outcome(struct figures *f, int err)
{
	add(&own_part(f)->outcomes[errno_index(err)], 1);
}

void figures_checkpoint(struct figures *f, enum checkpoint outcome, bool waited)
{
	struct figures_part *p = own_part(f);

	add(&p->checkpoints[outcome], 1);
	if (!waited)
		return;
	add(&p->checkpoint_waits, 1);
	if (outcome != CHECKPOINT_DONE)
		add(&p->checkpoint_waits_in_vain, 1);
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
		add(&own_part(f)->cache_hits, hits);
	if (misses)
		add(&own_part(f)->cache_misses, misses);
}
