/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * rom.h - a database that is only read, beside the one that is written: the
 * schema "rom" of each connection.  Engine side.
 */
#ifndef KSQL_ROM_H
#define KSQL_ROM_H

struct buf;
struct conn;
struct ksql_db;
struct ksql_node;

#define ROM_SCHEMA "rom"

/** rom_attach() - to a connection that has no authorizer yet.  0 or -errno. */
int rom_attach(struct conn *c);

/** info_rom() - the file info/rom: "" without one. */
int info_rom(struct ksql_db *db, const struct ksql_node *node, struct buf *out);

#endif /* KSQL_ROM_H */
