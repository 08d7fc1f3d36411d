/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * policy.h - what a statement may do, and how much of it.  Engine side.
 */
#ifndef KSQL_POLICY_H
#define KSQL_POLICY_H

struct conn;

/**
 * policy_install() - limits, authorizer, time limit and hardening on a new connection
 *
 * Return: 0 or -errno.
 */
int policy_install(struct conn *c);

/** policy_install_scratch() - the same for conn_open_scratch().  0 or -errno. */
int policy_install_scratch(struct conn *c);

/** func_install() - the functions that replace SQLite's (func.c).  An SQLite code. */
int func_install(struct conn *c);

#endif /* KSQL_POLICY_H */
