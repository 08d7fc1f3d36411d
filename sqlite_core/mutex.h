/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* mutex.h - SQLite's mutexes.  Engine side. */
#ifndef KSQL_MUTEX_H
#define KSQL_MUTEX_H

/** mutex_init() - register them with SQLite, before sqlite3_initialize().  0 or -errno. */
int mutex_init(void);

#endif /* KSQL_MUTEX_H */
