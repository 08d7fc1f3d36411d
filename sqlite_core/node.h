/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * node.h - names and nodes of the tree.  Engine side.
 */
#ifndef KSQL_NODE_H
#define KSQL_NODE_H

#include "buf.h"
#include "catalog.h"
#include "error.h"
#include "gate.h"

/* What a file is when it is opened. */
enum kind {
	KIND_DIR, /* its names are entry.children */
	/* entry.each for each object of a kind (entry.arg: enum object), beside
	 * entry.children, if there are any.
	 */
	KIND_OBJECTS,
	KIND_SESSIONS, /* entry.each for each session that the user has */
	KIND_QUERY, /* entry.arg: enum format */
	KIND_RESULT, /* entry.arg: enum format */
	KIND_VALUE,
	KIND_ERROR,
	KIND_STATUS,
	KIND_EVENTS,
	KIND_LOG,
	KIND_DATA, /* entry.arg: enum format */
	KIND_IMAGE,
	KIND_CHANGES,
	KIND_INSERT, /* rows for a table; entry.arg: enum format */
	KIND_IMPORT, /* likewise, for one that they make */
	KIND_CONTENT, /* entry.content makes it */
	KIND_RUN, /* entry.run does, each time something else: no size is known */
};

/* A kind of name: constant. */
struct entry {
	const char *name;
	enum kind kind;
	int arg;
	/* Add what the file holds to @out.  0 or -errno. */
	int (*content)(struct ksql_db *db, const struct ksql_node *node,
		       struct buf *out);
	/* The same of KIND_RUN, which can say why it failed. */
	int (*run)(struct ksql_db *db, const struct ksql_node *node,
		   struct buf *out, struct fault *f);
	/* Make a name in it, or take one of those away; NULL: none can be. */
	int (*make)(struct ksql_db *db, struct ksql_node *dir, const char *name,
		    size_t len, const struct ksql_caller *caller, bool is_dir,
		    struct ksql_node **node);
	int (*remove)(struct ksql_db *db, struct ksql_node *node,
		      const struct ksql_caller *caller);
	bool sticky; /* what is made in it is its owner's alone to take away */
	const struct entry *children; /* ended by one without a name */
	const struct entry *also; /* likewise, after those; or NULL */
	const struct entry
		*each; /* its name is what follows the object's, or NULL */
};

struct ksql_node {
	struct node_head head;
	const struct entry *entry;
	enum object object_kind; /* of @object */
	struct session_dir *session; /* counted: that it is, or is in; or NULL */
	char *object; /* owned: SQL name of a table, view or index; NULL above it */
	uint32_t life; /* atomic, of KIND_IMPORT: 0 when the name is gone */
};

/* What the life of a name in import/ is made of. */
#define NODE_UNOPENED 1u /* made, and not opened yet */
#define NODE_OPEN     2u /* each open file */

/** name_escape() - an SQL name as it stands in the tree. */
void name_escape(const char *name, struct buf *out);
/**
 * name_unescape() - the SQL name behind a name of the tree
 * @err: out, where it returns NULL: -ENOENT if it is none, -ENOMEM
 *
 * Each SQL name has one name in the tree, so only that one is taken.
 * Return: the caller's to free, or NULL.
 */
char *name_unescape(const char *name, size_t len, int *err);
/** node_new() - takes over @object; NULL if no memory. */
struct ksql_node *node_new(const struct entry *entry, char *object);

/* import.c */
int import_make(struct ksql_db *db, struct ksql_node *dir, const char *name,
		size_t len, const struct ksql_caller *caller, bool is_dir,
		struct ksql_node **node);
int import_open(struct ksql_db *db, struct ksql_node *node,
		const struct ksql_caller *caller, unsigned int flags,
		struct ksql_file **out);

/* metrics.c */
int metrics_engine(struct ksql_db *db, const struct ksql_node *node,
		   struct buf *out, struct fault *f);
int metrics_view(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out, struct fault *f);

/* table.c */
int table_schema(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out);
int table_columns(struct ksql_db *db, const struct ksql_node *node,
		  struct buf *out);
int table_count(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out);
int index_schema(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out);
int view_count(struct ksql_db *db, const struct ksql_node *node,
	       struct buf *out, struct fault *f);
int view_value(struct ksql_db *db, const struct ksql_node *node,
	       struct buf *out, struct fault *f);
int index_table(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out);
int index_columns(struct ksql_db *db, const struct ksql_node *node,
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
int info_latency(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out, struct fault *f);

#endif /* KSQL_NODE_H */
