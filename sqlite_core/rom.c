// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * rom.c - a database that is only read, beside the one that is written.
 *
 * The host has it in memory, from wherever, and has compared its checksum.  Its
 * pages are read where they lie (memvfs.c).
 */
#include "rom.h"

#include "port/cstd.h"
#include "buf.h"
#include "check.h"
#include "conn.h"
#include "db.h"
#include "gate.h"
#include "mem.h"
#include "memvfs.h"

/*
 * With a connection that trusts nothing, as an image that is written is checked.
 * There is no database yet that it could belong to.
 */
static int check_store(struct store *store, struct fault *f)
{
	struct ksql_db *db = ksql_zalloc(sizeof(*db));
	struct mem_stats before;
	struct conn *c;
	int err;

	if (!db)
		return fault_set(f, -ENOMEM, -1, "out of memory");
	mem_stats(&before);
	err = conn_open_scratch(db, store, &c);
	if (err) {
		fault_set(f, err, -1, "no connection to the file could be had");
		goto free_db;
	}
	conn_run_begin(c, 0);
	err = check_content(c, &before, f);
	conn_run_end(c);
	conn_close(c);

free_db:
	ksql_free(db);
	return err;
}

int engine_rom_check(const struct ksql_rom *rom, char *why, size_t size)
{
	const unsigned char *header = rom->data;
	struct fault f = { .offset = -1 };
	struct store *store;
	int err;

	if (rom->size < HEADER)
		err = fault_set(&f, -EUCLEAN, -1, "not a database file");
	else
		err = check_header(header, &f);
	if (!err)
		err = check_length(header, rom->size, &f);
	if (!err) {
		store = store_new_rom(rom->data, rom->size);
		err = store ? check_store(store, &f) :
			      fault_set(&f, -ENOMEM, -1, "out of memory");
		store_free(store);
	}
	sqlite3_snprintf((int)size, why, "%s", f.message ? f.message : "");
	fault_clear(&f);
	return err;
}

int rom_attach(struct conn *c)
{
	char sql[64];

	if (!c->db->rom_store)
		return 0;
	sqlite3_snprintf(sizeof(sql), sql, "ATTACH '%s' AS " ROM_SCHEMA,
			 store_name(c->db->rom_store));
	return conn_exec(c, sql);
}

int info_rom(struct ksql_db *db, const struct ksql_node *node, struct buf *out)
{
	const struct ksql_rom *rom = db->rom;

	(void)node;
	if (rom)
		buf_printf(out, "name %s\nsource %s\nsize %llu\nsha256 %s\n",
			   rom->name, rom->source,
			   (unsigned long long)rom->size, rom->sha256);
	return out->failed ? -ENOMEM : 0;
}
