/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * stack_linux.h - what port_linux.c asks of stack_linux.c.
 */
#ifndef KSQL_STACK_LINUX_H
#define KSQL_STACK_LINUX_H

/* A stack of PORT_STACK_SIZE bytes; the pointer is its lowest address. */
struct port_stack;

/** port_stacks_init() - make the first stack.  0 or -ENOMEM. */
int port_stacks_init(void);

/** port_stacks_exit() - free them all; each must have been given back. */
void port_stacks_exit(void);

/** port_stack_get() - a stack for the caller alone.  May sleep; never fails. */
struct port_stack *port_stack_get(void);

/** port_stack_put() - the end of its use. */
void port_stack_put(struct port_stack *stack);

#endif /* KSQL_STACK_LINUX_H */
