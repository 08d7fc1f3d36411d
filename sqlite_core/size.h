/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * size.h - how long a table's files are, for stat().  Engine side.
 */
#ifndef KSQL_SIZE_H
#define KSQL_SIZE_H

#include "gate.h"
#include "render.h"

/* Formats of the files data.*. */
#define DATA_FORMATS (FORMAT_NDJSON + 1)

struct data_sizes {
	bool known[DATA_FORMATS];
	uint64_t size[DATA_FORMATS];
};

/**
 * size_of_data() - of all rows in a format
 * @sizes: out; 0 for a virtual table, and for one of more than exact= bytes of
 *	pages; others than @format may be known as well
 *
 * Return: 0 or -errno.
 */
int size_of_data(struct ksql_db *db, const char *table, enum format format,
		 struct data_sizes *sizes);

#endif /* KSQL_SIZE_H */
