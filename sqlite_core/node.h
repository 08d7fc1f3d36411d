/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * node.h - names and nodes of the tree.  Engine side.
 */
#ifndef KSQL_NODE_H
#define KSQL_NODE_H

#include "buf.h"
#include "gate.h"

/* What a file is when it is opened. */
enum kind {
	KIND_DIR, /* its names are entry.children */
	KIND_TABLES, /* a directory for each table, whose names are entry.children */
	KIND_QUERY, /* entry.arg: enum format */
	KIND_RESULT, /* entry.arg: enum format */
	KIND_VALUE,
	KIND_ERROR,
	KIND_STATUS,
	KIND_EVENTS,
	KIND_DATA, /* entry.arg: enum format */
	KIND_IMAGE,
	KIND_CONTENT, /* entry.content makes it */
};

/* A kind of name: constant. */
struct entry {
	const char *name;
	enum kind kind;
	int arg;
	/* Add what the file holds to @out.  0 or -errno. */
	int (*content)(struct ksql_db *db, const struct ksql_node *node,
		       struct buf *out);
	const struct entry *children; /* ended by one without a name */
};

struct ksql_node {
	struct node_head head;
	const struct entry *entry;
	char *object; /* owned: the table's SQL name; NULL above tables/NAME */
};

/** name_escape() - an SQL name as it stands in the tree. */
void name_escape(const char *name, struct buf *out);

/* table.c */
int table_schema(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out);
int table_columns(struct ksql_db *db, const struct ksql_node *node,
		  struct buf *out);
int table_count(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out);

/* info.c */
int info_version(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out);
int info_sqlite_version(struct ksql_db *db, const struct ksql_node *node,
			struct buf *out);
int info_features(struct ksql_db *db, const struct ksql_node *node,
		  struct buf *out);
int info_compile_options(struct ksql_db *db, const struct ksql_node *node,
			 struct buf *out);
int info_limits(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out);
int info_memory(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out);

#endif /* KSQL_NODE_H */
