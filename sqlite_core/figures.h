/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * figures.h - what a database counts of the statements of its users, for
 * metrics.c to show.
 *
 * Counters alone, each atomic and never going back: no lock, and a reader may
 * see one statement in some of them and not yet in others.  Engine side.
 */
#ifndef KSQL_FIGURES_H
#define KSQL_FIGURES_H

#include "error.h"
#include "sqlite3.h"

#define FIGURES_BUCKETS 14u

/* How long a statement of a bucket takes at most. */
struct figures_bound {
	int64_t ns;
	const char *seconds; /* the same, as Prometheus has it */
};

extern const struct figures_bound figures_bounds[FIGURES_BUCKETS];

/* How a checkpoint went that the engine made. */
enum checkpoint {
	CHECKPOINT_DONE, /* all is in the database, and the log is empty */
	CHECKPOINT_PARTIAL, /* some is not, or a reader needs the log still */
	CHECKPOINT_FAILED, /* another was at it; no memory; a signal */
	CHECKPOINTS
};

struct figures_part {
	uint64_t outcomes[ERRNOS]; /* by errno_index() */
	uint64_t took[FIGURES_BUCKETS]; /* statements that ran, by their time */
	uint64_t took_ns; /* of all of them */
	uint64_t rows; /* that they gave */
	uint64_t prepared; /* statements that were compiled */
	uint64_t cache_hits, cache_misses; /* of pages, by connections */
	uint64_t checkpoints[CHECKPOINTS];
	uint64_t checkpoint_waits; /* of them waited for readers */
	uint64_t checkpoint_waits_in_vain;
	char apart[64]; /* from the next one */
};

#define FIGURES_PARTS 16u /* processors beyond share */

/* Each processor counts in a part of its own, so that two do not wait for each other. */
struct figures {
	struct figures_part part[FIGURES_PARTS];
};

/** figures_sum() - of all parts. */
void figures_sum(const struct figures *f, struct figures_part *out);

/**
 * figures_run() - a statement has run to its end, well or not
 * @ns: it took, its compilation with it
 * @rows: it gave
 */
void figures_run(struct figures *f, int64_t ns, uint64_t rows);

/** figures_prepared() - one was compiled, as none of its text was kept. */
void figures_prepared(struct figures *f);

/** figures_outcome() - what became of one: 0 or -errno. */
void figures_outcome(struct figures *f, int err);

/** figures_checkpoint() - one has ended, and may have waited for readers. */
void figures_checkpoint(struct figures *f, enum checkpoint outcome,
			bool waited);

/** figures_cache() - take over what a connection has counted. */
void figures_cache(struct figures *f, sqlite3 *lite);

#endif /* KSQL_FIGURES_H */
