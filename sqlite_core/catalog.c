// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * catalog.c - which tables there are.
 */
#include "catalog.h"

#include "port/cstd.h"
#include "db.h"
#include "exec.h"
#include "mem.h"

struct catalog {
	uint64_t commits; /* of the database, when last looked at */
	sqlite3_int64 schema; /* PRAGMA schema_version, likewise */
	struct buf names; /* each ended by NUL, in memcmp() order */
	char **name; /* owned: into @names */
	size_t count;
};

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	buf_free(&c->names);
	ksql_free(c->name);
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

static int index_names(struct catalog *c)
{
	char *p = c->names.data, *end = p + c->names.len;

	for (; p < end; p += strlen(p) + 1)
		c->count++;
	c->name = ksql_alloc((c->count + 1) * sizeof(*c->name));
	if (!c->name)
		return -ENOMEM;
	c->count = 0;
	for (p = c->names.data; p < end; p += strlen(p) + 1)
		c->name[c->count++] = p;
	return 0;
}

static int load(struct ksql_db *db, uint64_t commits, sqlite3_int64 schema)
{
	struct catalog *c = ksql_zalloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	err = ask(
		db,
		"SELECT name FROM pragma_table_list WHERE schema = 'main'"
		" AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
		" ORDER BY name",
		NULL, &c->names);
	if (!err)
		err = index_names(c);
	if (err) {
		catalog_free(c);
		return err;
	}
	c->commits = commits;
	c->schema = schema;
	db->schemas++;
	catalog_free(db->catalog);
	db->catalog = c;
	return 0;
}

/* With db->catalog_lock held. */
static int refresh(struct ksql_db *db)
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

static bool search(const struct catalog *c, const char *name)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(c->name[middle], name);

		if (!order)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

int catalog_has(struct ksql_db *db, const char *name)
{
	int ret;

	port_mutex_lock(db->catalog_lock);
	ret = refresh(db);
	if (!ret)
		ret = search(db->catalog, name);
	port_mutex_unlock(db->catalog_lock);
	return ret;
}

int catalog_version(struct ksql_db *db, uint64_t *version)
{
	int err;

	port_mutex_lock(db->catalog_lock);
	err = refresh(db);
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

int catalog_each(struct ksql_db *db, void (*fn)(void *arg, const char *name),
		 void *arg)
{
	size_t i;
	int err;

	port_mutex_lock(db->catalog_lock);
	err = refresh(db);
	for (i = 0; !err && i < db->catalog->count; i++)
		fn(arg, db->catalog->name[i]);
	port_mutex_unlock(db->catalog_lock);
	return err;
}
