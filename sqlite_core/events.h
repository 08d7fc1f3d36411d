/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * events.h - what changed: the file "events", and who is told of commits.
 * Engine side.
 */
#ifndef KSQL_EVENTS_H
#define KSQL_EVENTS_H

#include "buf.h"

struct conn;
struct ksql_db;

/**
 * db_changed() - a commit that changed something is done
 *
 * To be called once for each, when others can see what it did and before who
 * committed is told that it went well.
 * @c: the connection that did
 */
void db_changed(struct ksql_db *db, struct conn *c);

/**
 * events_text() - what the file "events" shows now
 * @version: out: the data_version in it
 *
 * Return: 0 or -errno.
 */
int events_text(struct ksql_db *db, uint64_t *version, struct buf *out);

#endif /* KSQL_EVENTS_H */
