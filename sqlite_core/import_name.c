// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * import_name.c - the names in import/: made by who opens one, gone when it is
 * closed.
 */
#include "load.h"

#include "port/cstd.h"
#include "db.h"
#include "mem.h"
#include "node.h"

static const struct {
	const char *end;
	struct entry entry;
} formats[] = {
	{ ".csv", { .name = ".csv", .kind = KIND_IMPORT, .arg = FORMAT_CSV } },
	{ ".ndjson",
	  { .name = ".ndjson", .kind = KIND_IMPORT, .arg = FORMAT_NDJSON } },
};

/* The format by the end of a file's name, which is cut off; NULL if it is none. */
static const struct entry *format_of(const char *name, size_t *len)
{
	size_t i, n;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		n = strlen(formats[i].end);
		if (*len > n &&
		    memcmp(name + *len - n, formats[i].end, n) == 0) {
			*len -= n;
			return &formats[i].entry;
		}
	}
	return NULL;
}

/* May a table have this name?  Whoever makes one meanwhile is met later. */
static int check_name(struct ksql_db *db, const char *table)
{
	sqlite3_stmt *stmt = NULL;
	struct fault f = { .offset = -1 };
	struct conn *c;
	int rc, err;

	if (sqlite3_strnicmp(table, "sqlite_", 7) == 0)
		return -EPERM;
	err = conn_get(db, &c);
	if (err)
		return err;
	conn_run_begin(c, db_timeout_ns(db));
	rc = sqlite3_prepare_v2(
		c->lite,
		"SELECT 1 FROM main.sqlite_schema WHERE type <> 'trigger' "
		"AND name = ?1 COLLATE NOCASE",
		-1, &stmt, NULL);
	if (!rc)
		rc = sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	if (!rc)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		err = -EEXIST;
	else if (rc != SQLITE_DONE)
		err = conn_fault(c, rc, &f);
	sqlite3_finalize(stmt);
	conn_run_end(c);
	conn_put(c);
	fault_clear(&f);
	return err;
}

int import_make(struct ksql_db *db, struct ksql_node *dir, const char *name,
		size_t len, const struct ksql_caller *caller, bool is_dir,
		struct ksql_node **node)
{
	const struct entry *entry = format_of(name, &len);
	char *table;
	int err;

	(void)dir;
	(void)caller;
	if (is_dir)
		return -EPERM;
	if (!entry)
		return -EINVAL;
	table = name_unescape(name, len, &err);
	if (!table)
		return err == -ENOENT ? -EINVAL : err;
	err = check_name(db, table);
	if (err) {
		ksql_free(table);
		return err;
	}
	*node = node_new(entry, table);
	if (!*node)
		return -ENOMEM;
	(*node)->object_kind = OBJECTS; /* it names none yet */
	(*node)->life = NODE_UNOPENED;
	return 0;
}

int import_open(struct ksql_db *db, struct ksql_node *node,
		const struct ksql_caller *caller, unsigned int flags,
		struct ksql_file **out)
{
	int err = flags & KSQL_OPEN_READ ? -EPERM :
					   load_open(db, node, caller, out);

	if (!err)
		__atomic_fetch_add(&node->life, NODE_OPEN, __ATOMIC_RELAXED);
	__atomic_fetch_and(&node->life, ~NODE_UNOPENED, __ATOMIC_RELAXED);
	return err;
}

void import_closed(struct ksql_node *node)
{
	__atomic_fetch_sub(&node->life, NODE_OPEN, __ATOMIC_RELAXED);
}
