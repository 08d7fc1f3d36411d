/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * log.h - the last failures, for the file "log".  Engine side.
 */
#ifndef KSQL_LOG_H
#define KSQL_LOG_H

#include "buf.h"
#include "error.h"

struct ksql_caller;
struct ksql_db;

/**
 * log_add() - a failure; forgotten at once if there is no memory.  Safe point.
 * @uid: whose failure it is: of a session its owner's, whoever used it
 * @who: whose call failed
 * @f, @sql, @len: as for fault_describe()
 */
void log_add(struct ksql_db *db, uint32_t uid, const struct ksql_caller *who,
	     const struct fault *f, const char *sql, size_t len);
/** log_text() - what @uid finds in the file: its own; root finds all.  0 or -ENOMEM. */
int log_text(struct ksql_db *db, uint32_t uid, struct buf *out);
/** log_forget() - everything, when nobody uses the database any more. */
void log_forget(struct ksql_db *db);

#endif /* KSQL_LOG_H */
