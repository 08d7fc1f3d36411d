/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * size.h - how long a table's files are, for stat().  Engine side.
 */
#ifndef KSQL_SIZE_H
#define KSQL_SIZE_H

#include "gate.h"
#include "render.h"

/**
 * size_of_data() - of all rows in a format
 * @size: out; 0 for a virtual table, and for one of more than exact= bytes of pages
 *
 * Return: 0 or -errno.
 */
int size_of_data(struct ksql_db *db, const char *table, enum format format,
		 uint64_t *size);

#endif /* KSQL_SIZE_H */
