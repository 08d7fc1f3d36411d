/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * catalog.h - which tables, views and indexes there are, without asking SQL each
 * time.
 *
 * The list is made anew when the schema has changed, which is looked at only
 * when something has been committed.  Engine side.
 */
#ifndef KSQL_CATALOG_H
#define KSQL_CATALOG_H

#include "port/types.h"

struct catalog;
struct ksql_db;

/* What has a folder, or a file, of its own. */
enum object {
	OBJECT_TABLE,
	OBJECT_VIEW,
	OBJECT_INDEX,
	OBJECT_VIRTUAL, /* a virtual table, which is a table as well */
	OBJECT_METRIC, /* a view with a column "value" */
	OBJECTS
};

/** catalog_has() - is there one of this (SQL) name?  1, 0 or -errno. */
int catalog_has(struct ksql_db *db, enum object kind, const char *name);
/** catalog_version() - how often the schema was found to be another.  0 or -errno. */
int catalog_version(struct ksql_db *db, uint64_t *version);
/** catalog_used_pages() - pages that hold something, the log's included.  0 or -errno. */
int catalog_used_pages(struct ksql_db *db, uint64_t *pages);
/** catalog_all_pages() - pages that the database has, the log's included.  0 or -errno. */
int catalog_all_pages(struct ksql_db *db, uint64_t *pages);
/**
 * catalog_each() - call @fn with the name of every one of a kind, in order
 *
 * @fn runs under a mutex and must not touch the database.  0 or -errno.
 */
int catalog_each(struct ksql_db *db, enum object kind,
		 void (*fn)(void *arg, const char *name), void *arg);
void catalog_free(struct catalog *c);

#endif /* KSQL_CATALOG_H */
