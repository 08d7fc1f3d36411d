// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * together.c - the inner loops of `make bench` for several clients at once, and
 * for commits.
 *
 * Usage: together TREE FOLDER ROWS OPERATIONS ROUNDS
 *
 * TREE is a mount; "-" is the engine in this process instead, from
 * libksqlcore.so.  In FOLDER, which is to be on tmpfs, lies the reference's database.
 *
 * Prints "name value" lines, medians over ROUNDS.  Within a round all workloads
 * take turns, and ratios are those of one round, so that whatever else the
 * machine does meets all alike.  Each client is a thread on a processor of its
 * own.  What two processors give at all is told by a loop that only computes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ksql_core.h"
#include "sqlite3.h"

#define MAX_ROUNDS 101

static int rows, operations, rounds;
static const char *tree;
static struct ksql_db *core;
static const struct ksql_caller me = { .uid = 0 };

static void die(const char *what)
{
	fprintf(stderr, "together: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts them. */
static double quantile(double *values, int n, double q)
{
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return values[(int)((n - 1) * q + 0.5)];
}

/* --- a client: an open query ---------------------------------------------------- */

struct client {
	int fd;
	struct ksql_file *file; /* NULL: it is the descriptor */
	unsigned int chance;
};

static struct client client_open(unsigned int number)
{
	struct client c = { .fd = -1, .chance = 12345 + number };
	struct ksql_node *root, *node;
	char path[4096];

	if (!core) {
		snprintf(path, sizeof(path), "%s/query", tree);
		c.fd = open(path, O_RDWR);
		if (c.fd < 0)
			die(path);
		return c;
	}
	root = ksql_root(core);
	if (!root || ksql_lookup(core, root, "query", 5, &node) ||
	    ksql_open(core, node, &me, KSQL_OPEN_READ | KSQL_OPEN_WRITE,
		      &c.file))
		die("libksqlcore");
	ksql_node_put(node);
	ksql_node_put(root);
	return c;
}

static void client_close(struct client *c)
{
	if (c->file)
		ksql_release(c->file, &me, false);
	else
		close(c->fd);
}

static void client_write(struct client *c, const char *sql)
{
	size_t len = strlen(sql);
	long n = c->file ? ksql_write(c->file, &me, sql, len) :
			   write(c->fd, sql, len);

	if (n != (long)len)
		die(sql);
}

static void client_ask(struct client *c, const char *sql)
{
	char buf[4096];
	long n;

	client_write(c, sql);
	n = c->file ? ksql_read(c->file, &me, buf, sizeof(buf), 0) :
		      read(c->fd, buf, sizeof(buf));
	if (n <= 0)
		die(sql);
}

/* --- what clients do -------------------------------------------------------------- */

static const char create_sql[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER, ratio REAL);";

static const char fill_sql[] =
	"INSERT INTO t WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
	" SELECT i, printf('package-%%06d', i), i * 37 %% 100003, i / 7.0 FROM c;";

static const char row_sql[] =
	"INSERT INTO u(name, kib) VALUES ('package-012345', 4711);";

static char same_sql[100], update_sql[200];

static int next_id(struct client *c)
{
	c->chance = c->chance * 1103515245u + 12345u;
	return (int)(c->chance >> 8) % rows + 1;
}

static void same_text(struct client *c)
{
	client_ask(c, same_sql);
}

static void new_text(struct client *c)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT name, kib FROM t WHERE id = %d;",
		 next_id(c));
	client_ask(c, sql);
}

static void commit_update(struct client *c)
{
	client_write(c, update_sql);
}

static void commit_row(struct client *c)
{
	client_write(c, row_sql);
}

/* Nothing that two of them could share. */
static void compute(struct client *c)
{
	unsigned int i;

	for (i = 0; i < 4000; i++)
		c->chance = c->chance * 1103515245u + 12345u;
}

/* --- several at once --------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	struct client *client;
	void (*run)(struct client *client);
	int processor;
	bool leads; /* the others go on until it has done its operations */
	double *took; /* µs of each of its operations; NULL: not wanted */
	double rate; /* out: operations a second */
	double cpu_us; /* out: processor time of one */
};

static pthread_barrier_t start;
static bool over;

static void *work(void *arg)
{
	struct worker *w = arg;
	double began, cpu, now, last;
	cpu_set_t set;
	int n = 0;

	CPU_ZERO(&set);
	CPU_SET(w->processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(&start);
	began = clock_us(CLOCK_MONOTONIC);
	last = began;
	cpu = clock_us(CLOCK_THREAD_CPUTIME_ID);
	while (w->leads ? n < operations :
			  !__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		w->run(w->client);
		if (w->took) {
			now = clock_us(CLOCK_MONOTONIC);
			w->took[n] = now - last;
			last = now;
		}
		n++;
	}
	if (w->leads)
		__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	n = n ? n : 1;
	w->cpu_us = (clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu) / n;
	w->rate = n / (clock_us(CLOCK_MONOTONIC) - began) * 1e6;
	return NULL;
}

/* The first one leads.  Returns the rates of all. */
static double together(struct worker *workers, int n)
{
	double rate = 0;
	int i;

	over = false;
	pthread_barrier_init(&start, NULL, (unsigned int)n);
	for (i = 0; i < n; i++) {
		workers[i].leads = i == 0;
		workers[i].processor = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("thread");
	}
	for (i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		rate += workers[i].rate;
	}
	pthread_barrier_destroy(&start);
	return rate;
}

/* --- two readers ------------------------------------------------------------------- */

static struct client clients[2];

static const struct {
	const char *name;
	void (*run)(struct client *client);
} readings[] = {
	{ "same", same_text },
	{ "new", new_text },
	{ "compute", compute },
};

#define READINGS (sizeof(readings) / sizeof(readings[0]))

static void two_readers(void)
{
	static double ratio[READINGS][MAX_ROUNDS], one_us[READINGS][MAX_ROUNDS];
	static double one_cpu[READINGS][MAX_ROUNDS];
	static double two_cpu[READINGS][MAX_ROUNDS];
	double one, two;
	size_t i;
	int r;

	for (r = -1; r < rounds; r++) { /* the first only warms up */
		for (i = 0; i < READINGS; i++) {
			struct worker w[2] = {
				{ .client = &clients[0],
				  .run = readings[i].run },
				{ .client = &clients[1],
				  .run = readings[i].run },
			};

			one = together(w, 1);
			if (r >= 0)
				one_cpu[i][r] = w[0].cpu_us;
			two = together(w, 2);
			if (r < 0)
				continue;
			two_cpu[i][r] = (w[0].cpu_us + w[1].cpu_us) / 2;
			one_us[i][r] = 1e6 / one;
			ratio[i][r] = two / one;
		}
	}
	for (i = 0; i < READINGS; i++)
		printf("readers_%s %.3f\nus_%s %.3f\ncpu_one_%s %.3f\ncpu_two_%s %.3f\n",
		       readings[i].name, quantile(ratio[i], rounds, 0.5),
		       readings[i].name, quantile(one_us[i], rounds, 0.5),
		       readings[i].name, quantile(one_cpu[i], rounds, 0.5),
		       readings[i].name, quantile(two_cpu[i], rounds, 0.5));
}

/* --- a reader beside a writer ------------------------------------------------------- */

static void beside_writer(void)
{
	static double ratio[MAX_ROUNDS], alone[MAX_ROUNDS], beside[MAX_ROUNDS];
	static double commits[MAX_ROUNDS], mid[2][MAX_ROUNDS];
	double *took = calloc((size_t)operations, sizeof(*took));
	int r;

	if (!took)
		die("memory");
	for (r = -1; r < rounds; r++) {
		struct worker w[2] = {
			{ .client = &clients[0],
			  .run = same_text,
			  .took = took },
			{ .client = &clients[1], .run = commit_update },
		};
		int at = r < 0 ? 0 : r;

		together(w, 1);
		mid[0][at] = quantile(took, operations, 0.5);
		alone[at] = quantile(took, operations, 0.99);
		together(w, 2);
		mid[1][at] = quantile(took, operations, 0.5);
		beside[at] = quantile(took, operations, 0.99);
		ratio[at] = beside[at] / alone[at];
		commits[at] = w[1].rate;
	}
	printf("p99_ratio %.3f\np99_alone %.2f\np99_beside %.2f\n",
	       quantile(ratio, rounds, 0.5), quantile(alone, rounds, 0.5),
	       quantile(beside, rounds, 0.5));
	printf("p50_alone %.2f\np50_beside %.2f\ncommits_beside %.0f\n",
	       quantile(mid[0], rounds, 0.5), quantile(mid[1], rounds, 0.5),
	       quantile(commits, rounds, 0.5));
	free(took);
}

/* --- commits ------------------------------------------------------------------------ */

static sqlite3_stmt *reference(const char *path, const char *setting)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;

	if (sqlite3_open(path, &db) ||
	    sqlite3_exec(db, setting, NULL, NULL, NULL) ||
	    sqlite3_exec(
		    db,
		    "CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER)",
		    NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(db, row_sql, -1, &stmt, NULL))
		die(path);
	return stmt;
}

static void commits(const char *folder)
{
	static double us[3][MAX_ROUNDS], ratio[2][MAX_ROUNDS];
	static const char *const names[] = { "ours", "wal", "memory" };
	sqlite3_stmt *refs[2];
	char path[4096];
	int r, i, k;

	snprintf(path, sizeof(path), "%s/together.db", folder);
	refs[0] = reference(
		path, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
	refs[1] = reference(":memory:", "");
	for (r = -1; r < rounds; r++) {
		for (k = 0; k < 3; k++) {
			double began = clock_us(CLOCK_MONOTONIC);

			for (i = 0; i < operations; i++) {
				if (k == 0) {
					commit_row(&clients[0]);
				} else if (sqlite3_step(refs[k - 1]) !=
					   SQLITE_DONE) {
					die("in-process INSERT");
				} else {
					sqlite3_reset(refs[k - 1]);
				}
			}
			us[k][r < 0 ? 0 : r] =
				(clock_us(CLOCK_MONOTONIC) - began) /
				operations;
		}
		for (k = 0; r >= 0 && k < 2; k++)
			ratio[k][r] = us[k + 1][r] / us[0][r];
	}
	for (k = 0; k < 3; k++)
		printf("commit_%s %.3f\n", names[k],
		       quantile(us[k], rounds, 0.5));
	printf("commit_ratio_wal %.3f\ncommit_ratio_memory %.3f\n",
	       quantile(ratio[0], rounds, 0.5),
	       quantile(ratio[1], rounds, 0.5));
	for (k = 0; k < 2; k++) {
		sqlite3 *db = sqlite3_db_handle(refs[k]);

		sqlite3_finalize(refs[k]);
		sqlite3_close(db);
	}
	unlink(path);
}

static void fill(void)
{
	char sql[400];

	client_write(&clients[0], create_sql);
	snprintf(sql, sizeof(sql), fill_sql, rows);
	client_write(&clients[0], sql);
	client_write(
		&clients[0],
		"CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT, kib INTEGER);");
	snprintf(same_sql, sizeof(same_sql),
		 "SELECT name, kib FROM t WHERE id = %d;", rows / 2);
	snprintf(
		update_sql, sizeof(update_sql),
		"UPDATE t SET kib = kib + 1 WHERE id = abs(random() %% %d) + 1;",
		rows);
}

int main(int argc, char **argv)
{
	const struct ksql_core_config config = { .host = "bench" };
	struct ksql_options options;

	if (argc != 6) {
		fprintf(stderr,
			"usage: together TREE FOLDER ROWS OPERATIONS ROUNDS\n");
		return 2;
	}
	tree = argv[1];
	rows = atoi(argv[3]);
	operations = atoi(argv[4]);
	rounds = atoi(argv[5]);
	if (rows < 2 || operations < 1 || rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	if (strcmp(tree, "-") == 0) {
		ksql_options_default(&options);
		if (ksql_core_init(&config) ||
		    ksql_db_get("bench", &options, NULL, &core))
			die("libksqlcore");
	}
	clients[0] = client_open(0);
	clients[1] = client_open(1);
	fill();
	two_readers();
	beside_writer();
	commits(argv[2]);
	client_close(&clients[1]);
	client_close(&clients[0]);
	if (core) {
		ksql_db_put(core);
		ksql_core_exit();
	}
	return 0;
}
