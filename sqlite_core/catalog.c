// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * catalog.c - which tables, views and indexes there are.
 */
#include "catalog.h"

#include "port/cstd.h"
#include "db.h"
#include "exec.h"
#include "mem.h"
#include "metrics.h"
#include "tracked.h"

struct names {
	struct buf text; /* each ended by NUL, in memcmp() order */
	char **name; /* owned: into @text */
	size_t count;
};

struct catalog {
	uint64_t commits; /* of the database, when last looked at */
	sqlite3_int64 schema; /* PRAGMA schema_version, likewise */
	struct names names[OBJECTS];
	bool have_metrics; /* names[OBJECT_METRIC] is there: when asked for */
};

void catalog_free(struct catalog *c)
{
	int kind;

	if (!c)
		return;
	for (kind = 0; kind < OBJECTS; kind++) {
		buf_free(&c->names[kind].text);
		ksql_free(c->names[kind].name);
	}
	ksql_free(c);
}

/* Step @sql on the anchor, giving each row's first column to the catalog. */
static int ask(struct ksql_db *db, const char *sql, sqlite3_int64 *number,
	       struct buf *names)
{
	struct fault f = { .offset = -1 };
	struct query q;
	struct run r;
	size_t used;
	int step;

	step = conn_prepare(db->anchor, sql, strlen(sql), &q, &used, &f);
	if (step)
		goto out;
	run_begin(&r, db->anchor, &q);
	run_resume(&r);
	while ((step = run_step(&r, &f)) > 0) {
		const struct value *v = &r.query.shape->values[0];

		if (number)
			*number = v->integer;
		else if (!memchr(v->bytes.data, 0, v->bytes.len))
			buf_add(names, v->bytes.data, v->bytes.len + 1);
	}
	run_pause(&r);
	run_end(&r);
out:
	fault_clear(&f);
	return step ? step : names && names->failed ? -ENOMEM : 0;
}

static int index_names(struct names *n)
{
	char *p = n->text.data, *end = p + n->text.len;

	if (n->text.failed)
		return -ENOMEM;
	for (; p < end; p += strlen(p) + 1)
		n->count++;
	n->name = ksql_alloc((n->count + 1) * sizeof(*n->name));
	if (!n->name)
		return -ENOMEM;
	n->count = 0;
	for (p = n->text.data; p < end; p += strlen(p) + 1)
		n->name[n->count++] = p;
	return 0;
}

static const char *const list_sql[] = {
	[OBJECT_TABLE] =
		"SELECT name FROM pragma_table_list WHERE schema = 'main'"
		" AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
		" ORDER BY name",
	[OBJECT_VIEW] = "SELECT name FROM main.sqlite_schema"
			" WHERE type = 'view' ORDER BY name",
	[OBJECT_INDEX] = "SELECT name FROM main.sqlite_schema"
			 " WHERE type = 'index' AND sql IS NOT NULL"
			 " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
			 " ORDER BY name",
	[OBJECT_VIRTUAL] = "SELECT name FROM pragma_table_list"
			   " WHERE schema = 'main' AND type = 'virtual'"
			   " ORDER BY name",
};

static bool search(const struct names *n, const char *name)
{
	size_t low = 0, high = n->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(n->name[middle], name);

		if (!order)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool is_table(const void *catalog, const char *name)
{
	const struct catalog *c = catalog;

	return search(&c->names[OBJECT_TABLE], name);
}

static int load(struct ksql_db *db, uint64_t commits, sqlite3_int64 schema)
{
	struct catalog *c = ksql_zalloc(sizeof(*c));
	int kind, err = 0;

	if (!c)
		return -ENOMEM;
	for (kind = 0; kind < OBJECT_METRIC && !err; kind++) {
		err = ask(db, list_sql[kind], NULL, &c->names[kind].text);
		if (!err)
			err = index_names(&c->names[kind]);
	}
	if (err) {
		catalog_free(c);
		return err;
	}
	c->commits = commits;
	c->schema = schema;
	db->schemas++;
	catalog_free(db->catalog);
	db->catalog = c;
	tracked_purge(db, c->names[OBJECT_TABLE].count, is_table, c);
	return 0;
}

/* Which views are metrics is known by preparing each: not before it is asked. */
static int load_metrics(struct ksql_db *db)
{
	struct names *views = &db->catalog->names[OBJECT_VIEW];
	struct names *n = &db->catalog->names[OBJECT_METRIC];
	size_t i;
	int err = 0;

	buf_free(&n->text);
	n->count = 0;
	for (i = 0; i < views->count && err >= 0; i++) {
		err = metric_is(db->anchor, views->name[i]);
		if (err > 0)
			buf_add(&n->text, views->name[i],
				strlen(views->name[i]) + 1);
	}
	if (err >= 0)
		err = index_names(n);
	db->catalog->have_metrics = !err;
	return err;
}

static int refresh_schema(struct ksql_db *db)
{
	uint64_t commits = __atomic_load_n(&db->commits, __ATOMIC_ACQUIRE);
	sqlite3_int64 schema = 0;
	int err;

	if (db->catalog && db->catalog->commits == commits)
		return 0;
	err = ask(db, "PRAGMA main.schema_version", &schema, NULL);
	if (err)
		return err;
	if (db->catalog && db->catalog->schema == schema) {
		db->catalog->commits = commits;
		return 0;
	}
	return load(db, commits, schema);
}

/* With db->catalog_lock held. */
static int refresh(struct ksql_db *db, enum object kind)
{
	int err = refresh_schema(db);

	if (!err && kind == OBJECT_METRIC && !db->catalog->have_metrics)
		err = load_metrics(db);
	return err;
}

int catalog_has(struct ksql_db *db, enum object kind, const char *name)
{
	int ret;

	port_mutex_lock(db->catalog_lock);
	ret = refresh(db, kind);
	if (!ret)
		ret = search(&db->catalog->names[kind], name);
	port_mutex_unlock(db->catalog_lock);
	return ret;
}

int catalog_version(struct ksql_db *db, uint64_t *version)
{
	int err;

	port_mutex_lock(db->catalog_lock);
	err = refresh_schema(db);
	if (!err)
		*version = db->schemas;
	port_mutex_unlock(db->catalog_lock);
	return err;
}

int catalog_used_pages(struct ksql_db *db, uint64_t *pages)
{
	sqlite3_int64 all = 0, unused = 0;
	int err;

	port_mutex_lock(db->catalog_lock);
	err = ask(db, "PRAGMA main.page_count", &all, NULL);
	if (!err)
		err = ask(db, "PRAGMA main.freelist_count", &unused, NULL);
	port_mutex_unlock(db->catalog_lock);
	*pages = all > unused ? (uint64_t)(all - unused) : 0;
	return err;
}

int catalog_all_pages(struct ksql_db *db, uint64_t *pages)
{
	sqlite3_int64 all = 0;
	int err;

	port_mutex_lock(db->catalog_lock);
	err = ask(db, "PRAGMA main.page_count", &all, NULL);
	port_mutex_unlock(db->catalog_lock);
	*pages = (uint64_t)all;
	return err;
}

int catalog_each(struct ksql_db *db, enum object kind,
		 void (*fn)(void *arg, const char *name), void *arg)
{
	const struct names *n;
	size_t i;
	int err;

	port_mutex_lock(db->catalog_lock);
	err = refresh(db, kind);
	if (!err) {
		n = &db->catalog->names[kind];
		for (i = 0; i < n->count; i++)
			fn(arg, n->name[i]);
	}
	port_mutex_unlock(db->catalog_lock);
	return err;
}
