// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * paint.c - call a function on a stack of its own, and tell how much of it was
 * used: the stack is filled with a pattern before.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_SIZE (4u << 20)
#define PATTERN	   0xa5

typedef long (*paint_fn)(void *, void *, void *, size_t, uint64_t);

static struct {
	paint_fn fn;
	void *args[3];
	size_t size;
	uint64_t pos;
	long ret;
	ucontext_t back, there;
} call;

static void enter(void)
{
	call.ret = call.fn(call.args[0], call.args[1], call.args[2], call.size,
			   call.pos);
}

/* Not to be called from two threads at once. */
long paint_call(paint_fn fn, void *a, void *b, void *c, size_t size,
		uint64_t pos, size_t *used)
{
	static unsigned char *stack;
	size_t low = 0;

	if (!stack) {
		stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (stack == MAP_FAILED)
			abort();
		memset(stack, PATTERN, STACK_SIZE);
	}
	call.fn = fn;
	call.args[0] = a;
	call.args[1] = b;
	call.args[2] = c;
	call.size = size;
	call.pos = pos;
	getcontext(&call.there);
	call.there.uc_stack.ss_sp = stack;
	call.there.uc_stack.ss_size = STACK_SIZE;
	call.there.uc_link = &call.back;
	makecontext(&call.there, enter, 0);
	swapcontext(&call.back, &call.there);

	while (low < STACK_SIZE && stack[low] == PATTERN)
		low++;
	*used = STACK_SIZE - low;
	memset(stack + low, PATTERN, *used);
	return call.ret;
}
