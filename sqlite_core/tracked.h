/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * tracked.h - what is known of each table: when it changed, how long its files
 * are, and, while somebody reads them, its last changes.
 *
 * Found by name, and kept while there is such a table.  All of it is protected
 * by the database's tracked_lock, under which nothing sleeps.  Engine side.
 */
#ifndef KSQL_TRACKED_H
#define KSQL_TRACKED_H

#include "gate.h"

/* For a reader who is further behind, the oldest are lost. */
#define TRACKED_RING 8192u

/* Files of a table whose sizes are kept. */
#define TRACKED_FILES 8u

enum change_op {
	CHANGE_INSERT,
	CHANGE_UPDATE,
	CHANGE_DELETE,
	CHANGE_RESET, /* nobody knows what: read the table anew */
	CHANGE_LOST, /* so many (rowid) that were not kept */
	CHANGE_NEVER, /* was rolled back after all */
};

struct tracked {
	struct tracked *next; /* in its bucket */
	uint64_t version; /* of the last commit that changed it */
	int64_t changed_ns; /* its time */
	uint64_t sized; /* @size[] holds while that is the version, */
	uint32_t sized_epoch; /* and that the database's sizes_epoch */
	bool have_size[TRACKED_FILES];
	uint64_t size[TRACKED_FILES];

	uint32_t readers; /* of the file "changes" */
	/* Known since there are readers. */
	bool numbered; /* its rows have rowids */
	bool opaque; /* a virtual table: SQLite tells of none of its rows */
	struct change *ring; /* owned; NULL without readers */
	uint64_t head; /* changes pushed so far */
	uint64_t ready; /* atomic: of them, from the first on, that can be seen */
	uint64_t total; /* rows that these changes changed */
	char name[]; /* constant */
};

/* What is known of a table for stat(). */
struct table_facts {
	uint64_t version; /* of the last commit that changed it */
	int64_t changed_ns; /* its time */
	bool have_size[TRACKED_FILES]; /* by the place among its files */
	uint64_t size[TRACKED_FILES];
};

/** tracked_facts() - 0 or -ENOMEM. */
int tracked_facts(struct ksql_db *db, const char *table,
		  struct table_facts *facts);
/** tracked_set_size() - how long one of its files is, as of @version. */
void tracked_set_size(struct ksql_db *db, const char *table, uint64_t version,
		      unsigned int file, uint64_t size);

/* Must who reads a table's changes be told that there are some unknown to him? */
enum reset {
	RESET_NOT,
	RESET,
	RESET_IF_OPAQUE, /* if SQLite tells of none of its rows */
};

/** tracked_forget_sizes() - of all tables. */
void tracked_forget_sizes(struct ksql_db *db);

/** tracked_touch() - a commit changed it. */
void tracked_touch(struct ksql_db *db, const char *table, uint64_t version,
		   enum reset reset);
/** tracked_touch_all() - or each of them. */
void tracked_touch_all(struct ksql_db *db, uint64_t version, bool reset);

/** tracked_read() - the table, if somebody reads its changes; else NULL. */
struct tracked *tracked_read(struct ksql_db *db, const char *table);
/**
 * tracked_push() - a change at the ring's end, not yet to be seen
 *
 * By who holds the database's write lock, so that the order is that of commits.
 * Return: its position.
 */
uint64_t tracked_push(struct ksql_db *db, struct tracked *t, enum change_op op,
		      int64_t rowid);
/** tracked_show() - it can be seen now; @op CHANGE_NEVER: it never will. */
void tracked_show(struct ksql_db *db, struct tracked *t, uint64_t position,
		  uint64_t version, bool never);

/** tracked_purge() - forget those of which @exists says no, if nobody uses any. */
void tracked_purge(struct ksql_db *db, uint64_t expected,
		   bool (*exists)(const void *arg, const char *table),
		   const void *arg);
/** tracked_free() - all, as the database goes. */
void tracked_free(struct ksql_db *db);

/* So many files "changes" of a database may a user have open. */
#define CHANGES_FILES 256u

/** changes_open() - the file tables/NAME/changes for @uid.  0 or -errno. */
int changes_open(struct ksql_db *db, struct ksql_node *node, uint32_t uid,
		 struct ksql_file **out);

#endif /* KSQL_TRACKED_H */
