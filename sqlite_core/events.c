// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * events.c - what changed: the file "events", and who is told of commits.
 */
#include "events.h"

#include "port/cstd.h"
#include "catalog.h"
#include "conn.h"
#include "db.h"
#include "gate.h"

/*
 * First the count, then those who wait: whoever is woken, or looks after it has
 * begun to wait, finds the count changed.
 */
void db_changed(struct ksql_db *db, struct conn *c)
{
	struct ksql_watch *w;
	uint64_t version;

	__atomic_store_n(&db->changed_ns, port_realtime_ns(), __ATOMIC_RELAXED);
	version = __atomic_add_fetch(&db->commits, 1, __ATOMIC_SEQ_CST);
	changes_committed(c, version);
	port_spin_lock(&db->watch_lock);
	for (w = db->watches; w; w = w->next)
		w->changed(w, version);
	port_spin_unlock(&db->watch_lock);
}

int engine_db_schema(struct ksql_db *db, uint64_t *version)
{
	return catalog_version(db, version);
}

void engine_db_watch(struct ksql_db *db, struct ksql_watch *watch)
{
	port_spin_lock(&db->watch_lock);
	watch->next = db->watches;
	db->watches = watch;
	port_spin_unlock(&db->watch_lock);
}

void engine_db_unwatch(struct ksql_db *db, struct ksql_watch *watch)
{
	struct ksql_watch **at;

	port_spin_lock(&db->watch_lock);
	for (at = &db->watches; *at && *at != watch; at = &(*at)->next)
		;
	if (*at)
		*at = watch->next;
	port_spin_unlock(&db->watch_lock);
}

int events_text(struct ksql_db *db, uint64_t *version, struct buf *out)
{
	uint64_t commits = __atomic_load_n(&db->commits, __ATOMIC_SEQ_CST);
	uint64_t schema;
	int err = catalog_version(db, &schema);

	if (err)
		return err;
	*version = commits;
	buf_printf(out, "data_version %llu\nschema_version %llu\n",
		   (unsigned long long)commits, (unsigned long long)schema);
	return out->failed ? -ENOMEM : 0;
}
