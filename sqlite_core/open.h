/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * open.h - open files, by kind.  Engine side.
 */
#ifndef KSQL_OPEN_H
#define KSQL_OPEN_H

#include "buf.h"
#include "gate.h"

/** file_show() - @b, which is from @pos on, becomes an open file's window. */
void file_show(struct ksql_file *f, const struct buf *b, uint64_t pos,
	       bool last);

/** open_size() - bytes that @uid would read of a file, 0 where it is not known. */
int open_size(struct ksql_db *db, struct ksql_node *node, uint32_t uid,
	      uint64_t *size);

#endif /* KSQL_OPEN_H */
