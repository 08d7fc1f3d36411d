// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * policy.c - what a statement may do, and how much of it.
 *
 * The hardening follows SQLite's own page "Defense Against The Dark Arts".
 */
#include "policy.h"

#include "port/cstd.h"
#include "conn.h"
#include "db.h"
#include "locks.h"
#include "rom.h"

/*
 * Opcodes between two looks at the clock and at who else wants the processor:
 * some tens of microseconds.
 */
#define PROGRESS_OPCODES 500

/* --- PRAGMAs ------------------------------------------------------------- */

enum {
	PRAGMA_READ = 1, /* without an argument */
	PRAGMA_ARG = 2, /* with one */
	PRAGMA_STATE =
		4, /* the argument changes the connection: it is not shared after */
};

/* docs/pragmas.md says why each is here; what is not here is refused. */
static const struct {
	const char *name;
	unsigned int may;
} pragmas[] = {
	{ "analysis_limit", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "application_id", PRAGMA_READ | PRAGMA_ARG },
	{ "auto_vacuum", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "automatic_index", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "busy_timeout", PRAGMA_READ },
	{ "cache_size", PRAGMA_READ },
	{ "cell_size_check", PRAGMA_READ },
	{ "collation_list", PRAGMA_READ },
	{ "compile_options", PRAGMA_READ },
	{ "data_version", PRAGMA_READ },
	{ "database_list", PRAGMA_READ },
	{ "defer_foreign_keys", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "encoding", PRAGMA_READ },
	{ "foreign_key_check", PRAGMA_READ | PRAGMA_ARG },
	{ "foreign_key_list", PRAGMA_ARG },
	{ "foreign_keys", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "freelist_count", PRAGMA_READ },
	{ "function_list", PRAGMA_READ },
	{ "ignore_check_constraints", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "incremental_vacuum", PRAGMA_READ | PRAGMA_ARG },
	{ "index_info", PRAGMA_ARG },
	{ "index_list", PRAGMA_ARG },
	{ "index_xinfo", PRAGMA_ARG },
	{ "integrity_check", PRAGMA_READ | PRAGMA_ARG },
	{ "journal_mode", PRAGMA_READ },
	{ "legacy_alter_table", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "locking_mode", PRAGMA_READ },
	{ "max_page_count", PRAGMA_READ },
	{ "mmap_size", PRAGMA_READ },
	{ "module_list", PRAGMA_READ },
	{ "optimize", PRAGMA_READ | PRAGMA_ARG },
	{ "page_count", PRAGMA_READ },
	{ "page_size", PRAGMA_READ },
	{ "pragma_list", PRAGMA_READ },
	{ "query_only", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "quick_check", PRAGMA_READ | PRAGMA_ARG },
	{ "recursive_triggers", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "reverse_unordered_selects",
	  PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "schema_version", PRAGMA_READ },
	{ "secure_delete", PRAGMA_READ | PRAGMA_ARG | PRAGMA_STATE },
	{ "synchronous", PRAGMA_READ },
	{ "table_info", PRAGMA_ARG },
	{ "table_list", PRAGMA_READ | PRAGMA_ARG },
	{ "table_xinfo", PRAGMA_ARG },
	{ "temp_store", PRAGMA_READ },
	{ "trusted_schema", PRAGMA_READ },
	{ "user_version", PRAGMA_READ | PRAGMA_ARG },
	{ "wal_checkpoint", PRAGMA_READ | PRAGMA_ARG },
};

static int may_pragma(struct conn *c, const char *name, const char *arg)
{
	size_t i;

	for (i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
		if (sqlite3_stricmp(pragmas[i].name, name) != 0)
			continue;
		if (!(pragmas[i].may & (arg ? PRAGMA_ARG : PRAGMA_READ)))
			break;
		if (arg && (pragmas[i].may & PRAGMA_STATE))
			c->tainted = true;
		return SQLITE_OK;
	}
	return SQLITE_DENY;
}

/* --- the authorizer ------------------------------------------------------ */

/* What it may do to which table, for changes.c. */
static void note_target(struct conn *c, int action, const char *first,
			const char *second, const char *schema)
{
	bool elsewhere = schema && sqlite3_stricmp(schema, "main") != 0;

	switch (action) {
	case SQLITE_INSERT:
	case SQLITE_UPDATE:
	case SQLITE_DELETE:
		changes_target(c, elsewhere ? TOUCH_NOTHING : TOUCH_ROWS,
			       first);
		break;
	case SQLITE_CREATE_TABLE:
	case SQLITE_DROP_TABLE:
	case SQLITE_CREATE_VTABLE:
	case SQLITE_DROP_VTABLE:
		if (!elsewhere)
			changes_target(c, TOUCH_WHOLE, first);
		break;
	case SQLITE_CREATE_INDEX:
	case SQLITE_DROP_INDEX:
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_DROP_TRIGGER:
		if (!elsewhere)
			changes_target(c, TOUCH_SCHEMA, second);
		break;
	case SQLITE_ALTER_TABLE: /* it does not say the new name */
	case SQLITE_ATTACH: /* VACUUM's */
		changes_target(c, TOUCH_ALL, NULL);
		break;
	case SQLITE_SAVEPOINT:
		changes_target(c,
			       first[0] == 'B' ? TOUCH_SAVEPOINT :
			       first[0] == 'R' && first[1] == 'E' ?
						 TOUCH_RELEASE :
						 TOUCH_ROLLBACK,
			       second);
		break;
	}
}

/* There are no files: VACUUM attaches "", and a user may have a scratch database. */
static int may_attach(struct conn *c, const char *name)
{
	if (!name || (name[0] && strcmp(name, ":memory:") != 0))
		return SQLITE_DENY;
	c->tainted = true;
	return SQLITE_OK;
}

/*
 * Neither by its name nor by an expression, which SQLite does not show: that
 * would be missing in a connection that others use after.
 */
static int may_detach(const struct conn *c, const char *name)
{
	if (c->db->rom && (!name || sqlite3_stricmp(name, ROM_SCHEMA) == 0))
		return SQLITE_DENY;
	return SQLITE_OK;
}

static int authorize(void *arg, int action, const char *first,
		     const char *second, const char *schema,
		     const char *trigger)
{
	struct conn *c = arg;

	(void)trigger;
	note_target(c, action, first, second, schema);
	switch (action) {
	case SQLITE_PRAGMA:
		return may_pragma(c, first, second);
	case SQLITE_ATTACH:
		return may_attach(c, first);
	case SQLITE_DETACH:
		return may_detach(c, first);
	case SQLITE_CREATE_TEMP_INDEX:
	case SQLITE_CREATE_TEMP_TABLE:
	case SQLITE_CREATE_TEMP_TRIGGER:
	case SQLITE_CREATE_TEMP_VIEW:
		c->tainted = true;
		return SQLITE_OK;
	case SQLITE_INSERT: /* into temp's schema: CREATE TABLE temp.x */
		if (schema && sqlite3_stricmp(schema, "temp") == 0)
			c->tainted = true;
		return SQLITE_OK;
	default:
		return SQLITE_OK;
	}
}

/* --- waiting and stopping ------------------------------------------------ */

static int progress(void *arg)
{
	return conn_poll(arg) != 0;
}

/* How long whoever asks for a lock waits for it. */
static int64_t patience_ns(const struct conn *c)
{
	return c->checkpoints ? c->checkpoint_wait_ns :
				(int64_t)db_options(c->db).busy_ms * 1000000;
}

/* Somebody holds a lock: wait for it (locks.h), killably; 0 gives up. */
static int busy(void *arg, int calls)
{
	struct conn *c = arg;
	int64_t now = port_coarse_ns(), left;
	bool over;
	int ret;

	if (c->checkpoints && !c->checkpoint_wait_ns)
		return 0;
	if (calls == 0)
		c->busy_end_ns = now + patience_ns(c);
	left = c->busy_end_ns - now;
	over = c->deadline_ns && c->deadline_ns <= c->busy_end_ns;
	if (over)
		left = c->deadline_ns - now;
	ret = conn_poll(c);
	if (!ret)
		ret = hold_wait(c->hold, left > 0 ? (uint64_t)left : 0);
	if (ret == -ETIMEDOUT && over)
		c->stopped = ret; /* whatever the coarse clock says yet */
	if (!conn_poll(c) && !ret)
		return 1;
	hold_leave(c->hold);
	return 0;
}

/* --- limits -------------------------------------------------------------- */

/* docs/stack.md: so much of the engine's stack does each of these take at most. */
static const struct {
	int limit, value;
} limits[] = {
	{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50000 },
	{ SQLITE_LIMIT_VDBE_OP, 1000000 },
	{ SQLITE_LIMIT_COLUMN, 2000 },
	{ SQLITE_LIMIT_VARIABLE_NUMBER, 32766 },
	{ SQLITE_LIMIT_WORKER_THREADS, 0 },
};

/*
 * Not the length of a statement: who takes it from a user knows max_sql=.  SQLite
 * would hold the statements in the schema to that as well, and a database whose
 * max_sql= becomes less could not be read.
 */
static void set_limits(struct conn *c)
{
	sqlite3 *lite = c->lite;
	size_t i;

	/* Two are the user's, of which VACUUM needs one. */
	sqlite3_limit(lite, SQLITE_LIMIT_ATTACHED, c->db->rom ? 3 : 2);
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		sqlite3_limit(lite, limits[i].limit, limits[i].value);
}

/* --- hardening ----------------------------------------------------------- */

static const struct {
	int option, on;
} config[] = {
	{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
	{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
	{ SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0 },
	{ SQLITE_DBCONFIG_DQS_DDL, 0 },
	{ SQLITE_DBCONFIG_DQS_DML, 0 },
	{ SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
	{ SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, 1 }, /* VACUUM's own */
	{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
	  1 }, /* the log outlives connections */
};

static int install(struct conn *c)
{
	size_t i;
	int rc;

	set_limits(c);
	for (i = 0; i < sizeof(config) / sizeof(config[0]); i++)
		sqlite3_db_config(c->lite, config[i].option, config[i].on,
				  NULL);
	sqlite3_busy_handler(c->lite, busy, c);
	sqlite3_progress_handler(c->lite, PROGRESS_OPCODES, progress, c);
	rc = func_install(c);
	return rc ? errno_of_sqlite(rc, NULL) : 0;
}

int policy_install(struct conn *c)
{
	int err = install(c);

	/* Before the authorizer is there, which does not allow it. */
	if (!err)
		err = conn_exec(c, "PRAGMA journal_mode = WAL");
	if (!err)
		err = rom_attach(c);
	if (!err)
		sqlite3_set_authorizer(c->lite, authorize, c);
	return err;
}

/* What a CHECK forbids may be stored (PRAGMA ignore_check_constraints): no damage. */
int policy_install_scratch(struct conn *c)
{
	int err = install(c);

	return err ? err :
		     conn_exec(c, "PRAGMA mmap_size = 0;"
				  "PRAGMA cell_size_check = ON;"
				  "PRAGMA ignore_check_constraints = ON;"
				  "PRAGMA foreign_keys = OFF");
}
