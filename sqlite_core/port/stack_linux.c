// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * stack_linux.c - the stacks that the engine runs on in the kernel.
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "port.h"
#include "stack_linux.h"

/* What a stack is filled with before a run, if its depth is to be measured. */
#define PORT_PAINT 0xa5c3e1f05a3c1e0fUL

static bool stack_paint;
module_param(stack_paint, bool, 0444);
MODULE_PARM_DESC(stack_paint,
		 "Measure the stack that SQL uses (slow; default: no)");

/*
 * struct port_stack - a stack that nobody runs on; lies at its lowest address
 * @link: in port_stacks.free
 * @put_at: jiffies when it was given back
 */
struct port_stack {
	struct list_head link;
	unsigned long put_at;
};

/*
 * The stack that was last used on each processor, or NULL: the next entry there
 * finds it in that processor's cache, and asks for no lock.  Changed by xchg()
 * and cmpxchg() alone: who finds no other looks at all processors'.
 */
static DEFINE_PER_CPU(struct port_stack *, port_stack_last);

/* Stacks beyond those that are kept for the next entry. */
#define PORT_STACKS_SPARE 2u

/*
 * port_stacks - every stack there is
 * @lock: guards @free, @nr_free and @nr_all; taken for a few instructions
 * @free: stacks in nobody's use nor any processor's, the last used first
 * @nr_free: how many those are
 * @nr_all: those and the ones in use
 * @wait: who found none, and no memory for another
 * @trim: frees what is more than needed, a while after its last use
 *
 * Why not at once: another task may just be walking the stack of one that
 * slept in the engine (/proc/PID/stack), and unlike a task's own stack nothing
 * pins ours.
 */
static struct {
	spinlock_t lock; /* see above */
	struct list_head free;
	unsigned int nr_free;
	unsigned int nr_all;
	wait_queue_head_t wait;
	struct delayed_work trim;
} port_stacks;

static unsigned long port_peak;

static struct port_stack *port_stack_pop(void)
{
	struct port_stack *stack;

	/* Whichever processor's it is by now. */
	stack = xchg(raw_cpu_ptr(&port_stack_last), NULL);
	if (stack)
		return stack;
	spin_lock(&port_stacks.lock);
	stack = list_first_entry_or_null(&port_stacks.free, struct port_stack,
					 link);
	if (stack) {
		list_del(&stack->link);
		port_stacks.nr_free--;
	}
	spin_unlock(&port_stacks.lock);
	return stack;
}

static unsigned int port_stacks_wanted(void)
{
	return num_online_cpus() + 2;
}

/*
 * vmalloc() leaves an unmapped page behind each of its areas, so also below
 * this one: to run over the end is a fault, not a silent overwrite.  Those that
 * are kept for whoever comes are nobody's; more of them are charged to the
 * cgroup of who is one too many in the engine, or a crowd that waits in there
 * would have memory for nothing.
 */
static struct port_stack *port_stack_make(void)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	struct port_stack *stack;

	if (READ_ONCE(port_stacks.nr_all) >= port_stacks_wanted())
		gfp |= __GFP_ACCOUNT;
	stack = __vmalloc(PORT_STACK_SIZE, gfp);
	if (!stack)
		return NULL;
	spin_lock(&port_stacks.lock);
	port_stacks.nr_all++;
	spin_unlock(&port_stacks.lock);
	return stack;
}

/* One that another processor keeps: there is no memory for a new one. */
static struct port_stack *port_stack_steal(void)
{
	struct port_stack *stack = port_stack_pop();
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (stack)
			break;
		stack = xchg(per_cpu_ptr(&port_stack_last, cpu), NULL);
	}
	return stack;
}

/*
 * Never fails once port_init() has made the first one: who finds neither a
 * stack nor memory waits for somebody to come out of the engine.  That ends,
 * for a waiter here holds no lock of the engine's that those inside could want.
 */
struct port_stack *port_stack_get(void)
{
	struct port_stack *stack = port_stack_pop();

	if (!stack)
		stack = port_stack_make();
	if (!stack)
		wait_event_idle(port_stacks.wait, (stack = port_stack_steal()));
	if (unlikely(stack_paint))
		memset64((u64 *)stack, PORT_PAINT,
			 PORT_STACK_SIZE / sizeof(u64));
	return stack;
}

static void port_stack_measure(struct port_stack *stack)
{
	const u64 *words = (const u64 *)stack;
	unsigned long clean = 0, used, peak;

	while (clean < PORT_STACK_SIZE / sizeof(u64) &&
	       words[clean] == PORT_PAINT)
		clean++;
	used = PORT_STACK_SIZE - clean * sizeof(u64);
	peak = READ_ONCE(port_peak);
	while (used > peak && !try_cmpxchg(&port_peak, &peak, used))
		;
}

void port_stack_put(struct port_stack *stack)
{
	bool surplus = false;

	if (unlikely(stack_paint))
		port_stack_measure(stack);
	if (cmpxchg(raw_cpu_ptr(&port_stack_last), NULL, stack)) {
		stack->put_at = jiffies;
		spin_lock(&port_stacks.lock);
		list_add(&stack->link, &port_stacks.free);
		surplus = ++port_stacks.nr_free > PORT_STACKS_SPARE;
		spin_unlock(&port_stacks.lock);
	}
	if (wq_has_sleeper(&port_stacks.wait))
		wake_up(&port_stacks.wait);
	if (unlikely(surplus))
		schedule_delayed_work(&port_stacks.trim, HZ);
}

static void port_stacks_free(struct list_head *stacks)
{
	struct port_stack *stack, *next;

	list_for_each_entry_safe(stack, next, stacks, link)
		vfree(stack);
}

static void port_stacks_trim(struct work_struct *work)
{
	struct port_stack *oldest;
	LIST_HEAD(old);
	bool more;

	spin_lock(&port_stacks.lock);
	while (port_stacks.nr_free > PORT_STACKS_SPARE) {
		oldest = list_last_entry(&port_stacks.free, struct port_stack,
					 link);
		if (time_before(jiffies, oldest->put_at + HZ))
			break;
		list_move(&oldest->link, &old);
		port_stacks.nr_free--;
		port_stacks.nr_all--;
	}
	more = port_stacks.nr_free > PORT_STACKS_SPARE;
	spin_unlock(&port_stacks.lock);
	port_stacks_free(&old);
	if (more)
		schedule_delayed_work(&port_stacks.trim, HZ);
}

size_t port_stack_peak(void)
{
	return READ_ONCE(port_peak);
}

int port_stacks_init(void)
{
	struct port_stack *first;

	spin_lock_init(&port_stacks.lock);
	INIT_LIST_HEAD(&port_stacks.free);
	init_waitqueue_head(&port_stacks.wait);
	INIT_DELAYED_WORK(&port_stacks.trim, port_stacks_trim);
	port_stacks.nr_free = 0;
	port_stacks.nr_all = 0;

	first = port_stack_make();
	if (!first)
		return -ENOMEM;
	port_stack_put(first);
	port_peak = 0;
	return 0;
}

void port_stacks_exit(void)
{
	struct port_stack *stack;
	unsigned int cpu;

	cancel_delayed_work_sync(&port_stacks.trim);
	for_each_possible_cpu(cpu) {
		stack = xchg(per_cpu_ptr(&port_stack_last, cpu), NULL);
		if (!stack)
			continue;
		list_add(&stack->link, &port_stacks.free);
		port_stacks.nr_free++;
	}
	WARN_ON_ONCE(port_stacks.nr_free != port_stacks.nr_all);
	port_stacks_free(&port_stacks.free);
}
