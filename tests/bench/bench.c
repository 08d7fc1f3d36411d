// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * bench.c - the inner loops of `make bench`: each figure beside its reference.
 *
 * Usage: bench QUERY_FILE NULL_FILE ROWS OPERATIONS ROUNDS
 *
 * NULL_FILE takes a write and answers a read without doing anything: what the
 * way to the file costs by itself.
 *
 * Prints "name value" lines, medians over ROUNDS; the rounds of all workloads
 * are interleaved, so that whatever else the machine does meets all alike.
 * In-process figures come from SQLite's amalgamation as anybody would build it,
 * with its database in memory; rendering in user space from libksqlcore.so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ksql_core.h"
#include "sqlite3.h"

#define MAX_ROUNDS 101

static int rows, operations, rounds;

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* --- the data ---------------------------------------------------------------- */

static const char create_sql[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER, ratio REAL);";

static const char fill_sql[] =
	"INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
	" SELECT i, printf('package-%%06d', i), i * 37 %% 100003, i / 7.0 FROM c;";

static sqlite3 *in_process(void)
{
	char sql[400];
	sqlite3 *db;

	snprintf(sql, sizeof(sql), fill_sql, rows);
	if (sqlite3_open(":memory:", &db) ||
	    sqlite3_exec(db, create_sql, NULL, NULL, NULL) ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL))
		die("in-process database");
	return db;
}

static int next_id(void)
{
	static unsigned int state = 12345;

	state = state * 1103515245u + 12345u;
	return (int)(state >> 8) % rows + 1;
}

/*
 * Workloads: @operations of each, microseconds an operation.  The answer of a
 * file is text, so in process the columns are read as text too.
 */

static sqlite3 *db;
static sqlite3_stmt *prepared;
static int query_fd, null_fd;

#define POINT_SQL "SELECT name, kib FROM t WHERE id = %d;"

static void null_pair(void)
{
	char buf[256] = { 0 };

	if (write(null_fd, buf, 48) != 48 ||
	    read(null_fd, buf, sizeof(buf)) < 0)
		die("the file that does nothing");
}

static void columns_of(sqlite3_stmt *stmt)
{
	if (sqlite3_step(stmt) != SQLITE_ROW || !sqlite3_column_text(stmt, 0) ||
	    !sqlite3_column_text(stmt, 1) || sqlite3_step(stmt) != SQLITE_DONE)
		die("in-process query");
}

static void prepared_query(void)
{
	columns_of(prepared);
	sqlite3_reset(prepared);
}

static void new_query(void)
{
	sqlite3_stmt *stmt;
	char sql[100];

	snprintf(sql, sizeof(sql), POINT_SQL, next_id());
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
		die("prepare");
	columns_of(stmt);
	sqlite3_finalize(stmt);
}

static void ask(const char *sql, size_t len)
{
	char buf[4096];

	if (write(query_fd, sql, len) != (ssize_t)len ||
	    read(query_fd, buf, sizeof(buf)) <= 0)
		die("query");
}

static void file_repeated(void)
{
	static char sql[100];
	static size_t len;

	if (!len)
		len = (size_t)snprintf(sql, sizeof(sql), POINT_SQL, rows / 2);
	ask(sql, len);
}

static void file_new(void)
{
	char sql[100];

	ask(sql, (size_t)snprintf(sql, sizeof(sql), POINT_SQL, next_id()));
}

static const struct {
	const char *name;
	void (*run)(void);
} workloads[] = {
	{ "null_pair", null_pair },    { "prepared", prepared_query },
	{ "prepare_step", new_query }, { "file_repeated", file_repeated },
	{ "file_new", file_new },
};

#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

static void point_queries(void)
{
	static double us[WORKLOADS][MAX_ROUNDS];
	size_t w;
	int r, i;

	for (r = -1; r < rounds; r++) { /* the first only warms up */
		for (w = 0; w < WORKLOADS; w++) {
			double start = now_us();

			for (i = 0; i < operations; i++)
				workloads[w].run();
			if (r >= 0)
				us[w][r] = (now_us() - start) / operations;
		}
	}
	for (w = 0; w < WORKLOADS; w++)
		printf("%s %.3f\n", workloads[w].name, median(us[w], rounds));
}

/* --- streaming ------------------------------------------------------------------------ */

static const struct ksql_caller me = { .uid = 0 };

static struct ksql_file *core_query(struct ksql_db *core)
{
	struct ksql_node *root = ksql_root(core), *node;
	struct ksql_file *file;

	if (!root || ksql_lookup(core, root, "query", 5, &node) ||
	    ksql_open(core, node, &me, KSQL_OPEN_READ | KSQL_OPEN_WRITE, &file))
		die("libksqlcore");
	ksql_node_put(node);
	ksql_node_put(root);
	return file;
}

static const char all_sql[] = "SELECT * FROM t;";

static size_t stream_core(struct ksql_file *file, char *buf, size_t size)
{
	size_t total = 0;
	long n;

	if (ksql_write(file, &me, all_sql, sizeof(all_sql) - 1) < 0)
		die("libksqlcore");
	while ((n = ksql_read(file, &me, buf, size, 0)) > 0)
		total += (size_t)n;
	return total;
}

static size_t stream_file(char *buf, size_t size)
{
	size_t total = 0;
	ssize_t n;

	if (write(query_fd, all_sql, sizeof(all_sql) - 1) < 0)
		die("query");
	while ((n = read(query_fd, buf, size)) > 0)
		total += (size_t)n;
	return total;
}

static void streams(void)
{
	static double core_us[MAX_ROUNDS], file_us[MAX_ROUNDS];
	static char buf[64 * 1024];
	const struct ksql_core_config config = { .host = "bench" };
	size_t core_bytes = 0, file_bytes = 0;
	struct ksql_options options;
	struct ksql_file *file;
	struct ksql_db *core;
	char sql[400];
	int r, n = rounds < 15 ? rounds : 15;

	ksql_options_default(&options);
	snprintf(sql, sizeof(sql), fill_sql, rows);
	if (ksql_core_init(&config) ||
	    ksql_db_get("bench", &options, NULL, &core))
		die("libksqlcore");
	file = core_query(core);
	if (ksql_write(file, &me, create_sql, sizeof(create_sql) - 1) < 0 ||
	    ksql_write(file, &me, sql, strlen(sql)) < 0)
		die("libksqlcore");
	for (r = -1; r < n; r++) {
		double start = now_us();

		core_bytes = stream_core(file, buf, sizeof(buf));
		if (r >= 0)
			core_us[r] = now_us() - start;
		start = now_us();
		file_bytes = stream_file(buf, sizeof(buf));
		if (r >= 0)
			file_us[r] = now_us() - start;
	}
	if (core_bytes != file_bytes)
		die("the answers differ");
	printf("stream_bytes %zu\nstream_core %.1f\nstream_file %.1f\n",
	       file_bytes, median(core_us, n), median(file_us, n));
	ksql_release(file, &me, false);
	ksql_db_put(core);
	ksql_core_exit();
}

int main(int argc, char **argv)
{
	char sql[400];

	if (argc != 6) {
		fprintf(stderr,
			"usage: bench QUERY_FILE NULL_FILE ROWS OPERATIONS ROUNDS\n");
		return 2;
	}
	rows = atoi(argv[3]);
	operations = atoi(argv[4]);
	rounds = atoi(argv[5]);
	if (rows < 1 || operations < 1 || rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	query_fd = open(argv[1], O_RDWR);
	null_fd = open(argv[2], O_RDWR);
	if (query_fd < 0)
		die(argv[1]);
	if (null_fd < 0)
		die(argv[2]);
	snprintf(sql, sizeof(sql), fill_sql, rows);
	if (write(query_fd, create_sql, sizeof(create_sql) - 1) < 0 ||
	    write(query_fd, sql, strlen(sql)) < 0)
		die("filling the table");
	db = in_process();
	snprintf(sql, sizeof(sql), POINT_SQL, rows / 2);
	if (sqlite3_prepare_v2(db, sql, -1, &prepared, NULL))
		die("prepare");
	point_queries();
	streams();
	return 0;
}
