/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * image.h - the whole database as one file in SQLite's format.  Engine side.
 */
#ifndef KSQL_IMAGE_H
#define KSQL_IMAGE_H

#include "gate.h"

/** image_open() - to be read, or to be written.  0 or -errno. */
int image_open(struct ksql_db *db, const struct ksql_caller *caller,
	       unsigned int flags, struct ksql_file **out);
/** image_size() - bytes that who opens it now would read.  0 or -errno. */
int image_size(struct ksql_db *db, uint64_t *size);

#endif /* KSQL_IMAGE_H */
