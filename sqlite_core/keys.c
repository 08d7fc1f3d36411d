// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * keys.c - column names as the keys of an object.
 *
 * 2000 columns may all be called the same, or be called as the keys made up for
 * them would be: looking through all of them for each would take seconds, and
 * nothing else could run meanwhile.
 */
#include "keys.h"

#include "port/cstd.h"
#include "mem.h"
#include "sqlite3.h"

struct key {
	const char *name; /* NULL: a free slot */
	char *made; /* owned: @name, where it was made up here */
	int next; /* number for the next column of this name; 0: none yet */
};

/* FNV-1a, by Fowler, Noll and Vo. */
static size_t hash_name(const char *p)
{
	uint32_t h = 2166136261u;

	for (; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return h;
}

/* The slot of a name, or the one where it belongs. */
static struct key *find(const struct keys *k, const char *name)
{
	size_t i = hash_name(name) & k->mask;

	while (k->slots[i].name && strcmp(k->slots[i].name, name) != 0)
		i = (i + 1) & k->mask;
	return &k->slots[i];
}

int keys_init(struct keys *k, const char *const *names, int columns)
{
	size_t room = 16;
	int i;

	while (room < (size_t)columns * 4)
		room *= 2;
	k->mask = room - 1;
	k->slots = ksql_zalloc(room * sizeof(*k->slots));
	if (!k->slots)
		return -ENOMEM;
	for (i = 0; i < columns; i++)
		find(k, names[i])->name = names[i];
	return 0;
}

const char *keys_next(struct keys *k, const char *name)
{
	struct key *key = find(k, name), *other;
	char *made;

	if (!key->next) {
		key->next = 2;
		return name;
	}
	for (;;) {
		made = sqlite3_mprintf("%s_%d", name, key->next++);
		if (!made)
			return NULL;
		other = find(k, made);
		if (!other->name)
			break;
		sqlite3_free(made);
	}
	other->name = made;
	other->made = made;
	return made;
}

void keys_fini(struct keys *k)
{
	size_t i;

	if (!k->slots)
		return;
	for (i = 0; i <= k->mask; i++)
		sqlite3_free(k->slots[i].made);
	ksql_free(k->slots);
	k->slots = NULL;
}
