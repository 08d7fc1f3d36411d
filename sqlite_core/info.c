// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * info.c - what the files of info/ hold: one "key value" a line.
 */
#include "node.h"

#include "port/cstd.h"
#include "db.h"
#include "mem.h"
#include "memvfs.h"
#include "sqlite3.h"

static int done(const struct buf *out)
{
	return out->failed ? -ENOMEM : 0;
}

int info_version(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out)
{
	(void)db;
	(void)node;
	buf_puts(out, KSQL_VERSION "\n");
	return done(out);
}

int info_sqlite_version(struct ksql_db *db, const struct ksql_node *node,
			struct buf *out)
{
	(void)db;
	(void)node;
	buf_printf(out, "%s\n%s\n", sqlite3_libversion(), sqlite3_sourceid());
	return done(out);
}

/* What of docs/interface.md this build has: a program asks here, not by trying. */
int info_features(struct ksql_db *db, const struct ksql_node *node,
		  struct buf *out)
{
	(void)db;
	(void)node;
	buf_printf(out, "host %s\n", engine_host());
	buf_puts(
		out,
		"query csv json ndjson tsv rows\n"
		"result csv json ndjson tsv\n"
		"tables csv json ndjson tsv schema columns count changes\n"
		"views csv json ndjson tsv schema columns count value\n"
		"indexes schema table columns\n"
		"metrics 1\n"
		"image 1\n"
		"sessions 1\n"
		"log 1\n"
		"insert csv ndjson\n"
		"import csv ndjson\n"
		"parameters 2\n"
		"events poll\n"
		"rom 1\n"
		"sql fts5 rtree geopoly json math dbstat session window strict returning\n"
		"localtime utc\n");
	return done(out);
}

int info_compile_options(struct ksql_db *db, const struct ksql_node *node,
			 struct buf *out)
{
	const char *option;
	int i;

	(void)db;
	(void)node;
	for (i = 0; (option = sqlite3_compileoption_get(i)) != NULL; i++) {
		buf_puts(out, option);
		buf_putc(out, '\n');
	}
	return done(out);
}

static void put_count(struct buf *out, const char *key, uint64_t n)
{
	buf_printf(out, "%s %llu\n", key, (unsigned long long)n);
}

int info_limits(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out)
{
	struct ksql_options o = db_options(db);

	(void)node;
	put_count(out, "size", o.size);
	put_count(out, "max_result", o.max_result);
	put_count(out, "max_sql", o.max_sql);
	put_count(out, "exact", o.exact);
	put_count(out, "timeout", o.timeout_ms);
	put_count(out, "busy", o.busy_ms);
	put_count(out, "sessions", o.sessions);
	put_count(out, "statements", o.statements);
	put_count(out, "zero", o.zero);
	return done(out);
}

/* Bytes, all of them. */
int info_memory(struct ksql_db *db, const struct ksql_node *node,
		struct buf *out)
{
	struct mem_stats stats;
	uint64_t pages, wal;

	(void)node;
	mem_stats(&stats);
	store_pages(db->store, &pages, &wal);
	put_count(out, "limit", stats.limit);
	put_count(out, "held", stats.held);
	put_count(out, "peak", stats.peak);
	put_count(out, "blocks", stats.live);
	put_count(out, "pages", stats.pages);
	put_count(out, "database", pages * KSQL_PAGE_SIZE);
	put_count(out, "wal", wal * KSQL_PAGE_SIZE);
	put_count(out, "stack_size", PORT_STACK_SIZE);
	put_count(out, "stack_peak", port_stack_peak());
	return done(out);
}

/* Nanoseconds, and how many sections took at most so long. */
int info_latency(struct ksql_db *db, const struct ksql_node *node,
		 struct buf *out, struct fault *f)
{
	static const char *const counts[PORT_SECTIONS] = {
		"to_50us", "to_200us", "to_1ms", "to_10ms", "over_10ms",
	};
	struct port_latency latency;
	size_t i;

	(void)db;
	(void)node;
	(void)f;
	port_latency(&latency);
	put_count(out, "longest", latency.longest_ns);
	for (i = 0; i < PORT_SECTIONS; i++)
		put_count(out, counts[i], latency.counts[i]);
	return done(out);
}
