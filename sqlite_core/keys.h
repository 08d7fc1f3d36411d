/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * keys.h - column names as the keys of an object, where each must be its own.
 * Engine side.
 */
#ifndef KSQL_KEYS_H
#define KSQL_KEYS_H

#include "port/types.h"

struct key;

struct keys {
	struct key *slots; /* owned; open hash of the keys there are */
	size_t mask; /* their number, which is a power of two, less one */
};

/** keys_init() - with all names as they are; 0 or -ENOMEM, then keys_fini(). */
int keys_init(struct keys *k, const char *const *names, int columns);
/**
 * keys_next() - the key of the next column
 * @name: of it; columns are asked for in order
 *
 * "name" the first time, then "name_2", "name_3", passing over what there is.
 * Return: valid until keys_fini(); NULL if no memory.
 */
const char *keys_next(struct keys *k, const char *name);
void keys_fini(struct keys *k);

#endif /* KSQL_KEYS_H */
