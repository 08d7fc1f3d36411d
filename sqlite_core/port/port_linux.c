// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * port_linux.c - the port in the Linux kernel.
 *
 * This file is compiled as the kernel is, without FPU.  What it calls through
 * port_enter() is not: that code uses SSE registers, so it runs between
 * kernel_fpu_begin() and kernel_fpu_end(), where preemption is off (and from
 * 6.15 on soft interrupts too) and nothing may sleep.
 *
 * Finding ourselves: a safe point must know which entry it belongs to, and gets
 * no argument that could tell.  While the FPU section is open the task cannot
 * leave its processor, so a per-CPU pointer, set right after the section begins
 * and read right before it ends, is the entry that runs here.
 *
 * PREEMPT_RT: mutex_trylock(), mutex_unlock(), wake_up_all(), the random pool
 * and printk() may sleep there, and are called inside the section.  The module
 * builds for such a kernel, but is neither meant for it nor tested on it.
 */
#ifndef __x86_64__
#error "ksqlfs builds on x86-64 only: its FPU sections and stack switch are written for that."
#endif

#define pr_fmt(fmt) "ksqlfs: " fmt

#include <linux/bottom_half.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>
#include <asm/fpu/api.h>
#include <asm/irq_stack.h>

/* Uses cpu_relax() and includes nothing that declares it: last. */
#include <linux/bit_spinlock.h>

#include "port.h"
#include "stack_linux.h"

/*
 * Memory of the engine's is charged to the caller's cgroup.  A failure is an
 * answer (ENOMEM), hence no warning in the log and no OOM killer.
 */
#define PORT_GFP (GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* Ends a wait now and then when a signal is pending that does not count. */
#define PORT_SIGNAL_SLICE_NS (50 * NSEC_PER_MSEC)

/* --- entering the engine -------------------------------------------------- */

/*
 * struct port_entry - one run of the engine; lives on the task's own stack
 * @fn, @arg, @cancel: of port_enter()
 * @stack: where it runs, owned until port_enter() returns
 * @local: of port_set_local()
 * @since: when its FPU section was opened
 */
struct port_entry {
	void (*fn)(void *arg);
	void *arg;
	const int *cancel;
	struct port_stack *stack;
	void *local;
	u64 since;
};

/* The entry whose FPU section is open on this processor. */
static DEFINE_PER_CPU(struct port_entry *, port_current);

/* Of the sections on each processor; written by it alone, with preemption off. */
static DEFINE_PER_CPU(struct port_latency, port_latencies);

static void port_section_begin(struct port_entry *entry)
{
	kernel_fpu_begin();
	this_cpu_write(port_current, entry);
	entry->since = local_clock();
}

static struct port_entry *port_section_end(void)
{
	struct port_entry *entry = this_cpu_read(port_current);
	s64 ns = local_clock() - entry->since; /* signed: clocks are set */

	this_cpu_inc(port_latencies.counts[port_section_class(ns)]);
	if (unlikely(ns > (s64)this_cpu_read(port_latencies.longest_ns)))
		this_cpu_write(port_latencies.longest_ns, ns);
	this_cpu_write(port_current, NULL);
	kernel_fpu_end();
	return entry;
}

void port_latency(struct port_latency *out)
{
	const struct port_latency *one;
	unsigned int cpu, i;

	memset(out, 0, sizeof(*out));
	for_each_possible_cpu(cpu) {
		one = per_cpu_ptr(&port_latencies, cpu);
		out->longest_ns =
			max(out->longest_ns, READ_ONCE(one->longest_ns));
		for (i = 0; i < PORT_SECTIONS; i++)
			out->counts[i] += READ_ONCE(one->counts[i]);
	}
}

/* call_on_stack() appends its last arguments to a list: a comma comes first. */
#define PORT_NO_MORE

/* Called by the assembly below, on the engine's stack. */
static noinline __used void port_run(struct port_entry *entry)
{
	port_section_begin(entry);
	entry->fn(entry->arg);
	port_section_end();
}

void port_enter(void (*fn)(void *arg), void *arg, const int *cancel)
{
	struct port_entry entry = { .fn = fn, .arg = arg, .cancel = cancel };
	void *top;

	might_sleep();
	entry.stack = port_stack_get();
	/*
	 * call_on_stack() stores the old stack pointer at the top and the call
	 * pushes one more word: with a multiple of 16 here the callee sees the
	 * alignment that the ABI promises and SSE code wants.
	 */
	top = (void *)entry.stack + PORT_STACK_SIZE - 16;
	call_on_stack(top, port_run, ASM_CALL_ARG1,
		      PORT_NO_MORE, [arg1] "r"(&entry));
	port_stack_put(entry.stack);
}

unsigned int port_processor(void)
{
	return raw_smp_processor_id();
}

void *port_local(void)
{
	return this_cpu_read(port_current)->local;
}

void port_set_local(void *p)
{
	this_cpu_read(port_current)->local = p;
}

size_t port_stack_left(void)
{
	struct port_entry *entry = this_cpu_read(port_current);

	return __builtin_frame_address(0) - (void *)entry->stack;
}

/*
 * Does a signal ask this task to end?  One whose default action is to be
 * ignored does not, handler or no handler: a shell must not lose its statement
 * because a background child of its ended.  Nor does one that stops a job: it
 * stops when the statement is done.  Nor does the mere flag that the
 * freezer, a debugger or task work sets.  Takes the signal lock: outside the
 * section.
 */
static bool port_signal_counts(void)
{
	struct sighand_struct *sighand;
	sigset_t pending;

	if (likely(!task_sigpending(current)))
		return false;
	if (fatal_signal_pending(current))
		return true;
	/* A task's own stays while it runs. */
	sighand = rcu_dereference_protected(current->sighand, true);
	spin_lock_irq(&sighand->siglock);
	sigorsets(&pending, &current->pending.signal,
		  &current->signal->shared_pending.signal);
	sigandnsets(&pending, &pending, &current->blocked);
	spin_unlock_irq(&sighand->siglock);
	sigdelsetmask(&pending, SIG_KERNEL_IGNORE_MASK | SIG_KERNEL_STOP_MASK);
	return !sigisemptyset(&pending);
}

static bool port_cancelled(const struct port_entry *entry)
{
	return unlikely(entry->cancel && READ_ONCE(*entry->cancel));
}

/* Who waits has a signal, which wakes it; a flag it looks at every so often. */
void port_wake(const int *cancel)
{
	(void)cancel;
}

/* Soft interrupts wait for us only where the section disables them. */
static bool port_softirq_waits(void)
{
	return in_softirq() && local_softirq_pending();
}

int port_pause(void)
{
	struct port_entry *entry = this_cpu_read(port_current);
	bool stop;

	if (port_cancelled(entry))
		return -EINTR;
	if (likely(!need_resched() && !task_sigpending(current) &&
		   !port_softirq_waits() &&
		   local_clock() - entry->since < PORT_SECTION_NS))
		return 0;
	port_section_end();
	stop = port_signal_counts();
	cond_resched();
	port_section_begin(entry);
	return stop ? -EINTR : 0;
}

/* --- memory --------------------------------------------------------------- */

void *port_alloc(size_t n)
{
	struct port_entry *entry;
	void *p;

	/* The caches of 8, 96 and 192 bytes may align to less than 16. */
	if (n <= 192)
		n = roundup_pow_of_two(max_t(size_t, n, 16));
	entry = port_section_end();
	p = kvmalloc(n, PORT_GFP);
	port_section_begin(entry);
	return p;
}

void port_free(void *p)
{
	struct port_entry *entry;

	if (!p)
		return;
	entry = port_section_end();
	kvfree(p);
	port_section_begin(entry);
}

size_t port_pages_alloc(void **pages, size_t n)
{
	struct port_entry *entry = port_section_end();
	size_t got;

	BUILD_BUG_ON(PAGE_SIZE != 4096);
	for (got = 0; got < n; got++) {
		pages[got] = (void *)get_zeroed_page(PORT_GFP);
		if (!pages[got])
			break;
		cond_resched();
	}
	port_section_begin(entry);
	return got;
}

void port_pages_free(void **pages, size_t n)
{
	struct port_entry *entry = port_section_end();

	while (n--) {
		free_page((unsigned long)pages[n]);
		cond_resched();
	}
	port_section_begin(entry);
}

uint64_t port_ram(void)
{
	return (uint64_t)totalram_pages() << PAGE_SHIFT;
}

/* --- locks ---------------------------------------------------------------- */

/*
 * A bit lock and not a raw_spinlock_t: zeroed memory must be an unlocked one,
 * which with CONFIG_DEBUG_SPINLOCK the latter is not.  It is held for a few
 * instructions, so fairness is no concern.
 */
void port_spin_lock(struct port_spin *s) __acquires(bitlock)
{
	BUILD_BUG_ON(sizeof(*s) < sizeof(unsigned long));
	BUILD_BUG_ON(__alignof__(*s) < __alignof__(unsigned long));
	bit_spin_lock(0, (unsigned long *)s->opaque);
}

void port_spin_unlock(struct port_spin *s) __releases(bitlock)
{
	bit_spin_unlock(0, (unsigned long *)s->opaque);
}

struct port_mutex {
	struct mutex mutex; /* the engine says what it guards */
};

struct port_mutex *port_mutex_new(void)
{
	struct port_mutex *m = port_alloc(sizeof(*m));

	if (m)
		mutex_init(&m->mutex);
	return m;
}

void port_mutex_free(struct port_mutex *m)
{
	if (!m)
		return;
	mutex_destroy(&m->mutex);
	port_free(m);
}

void port_mutex_lock(struct port_mutex *m)
{
	struct port_entry *entry;

	if (likely(mutex_trylock(&m->mutex)))
		return;
	entry = port_section_end();
	mutex_lock(&m->mutex);
	port_section_begin(entry);
}

bool port_mutex_trylock(struct port_mutex *m)
{
	return mutex_trylock(&m->mutex);
}

/* May wake a waiter, which needs no sleep. */
void port_mutex_unlock(struct port_mutex *m)
{
	mutex_unlock(&m->mutex);
}

struct port_event {
	atomic_long_t count;
	wait_queue_head_t waiters;
};

struct port_event *port_event_new(void)
{
	struct port_event *e = port_alloc(sizeof(*e));

	if (e) {
		atomic_long_set(&e->count, 0);
		init_waitqueue_head(&e->waiters);
	}
	return e;
}

void port_event_free(struct port_event *e)
{
	port_free(e);
}

unsigned long port_event_count(struct port_event *e)
{
	return atomic_long_read(&e->count);
}

void port_event_signal(struct port_event *e)
{
	atomic_long_inc(&e->count);
	/* wq_has_sleeper() has the barrier that pairs with prepare_to_wait(). */
	if (wq_has_sleeper(&e->waiters))
		wake_up_all(&e->waiters);
}

int port_event_wait(struct port_event *e, unsigned long seen,
		    uint64_t timeout_ns)
{
	struct port_entry *entry = port_section_end();
	ktime_t until = ktime_add_safe(ktime_get(),
				       min_t(uint64_t, timeout_ns, KTIME_MAX));
	ktime_t now, wake;
	DEFINE_WAIT(wait);
	bool deaf;
	int ret;

	for (;;) {
		/*
		 * A signal that is pending but does not count would end every
		 * interruptible sleep at once.  So sleep deaf to all but
		 * SIGKILL, and listen again from time to time.
		 */
		deaf = signal_pending(current);
		prepare_to_wait(&e->waiters, &wait,
				deaf ? TASK_KILLABLE : TASK_INTERRUPTIBLE);
		/* First, so that a caller whom each event wakes can be stopped. */
		ret = -EINTR;
		if (port_signal_counts() || port_cancelled(entry))
			break;
		ret = 0;
		if (port_event_count(e) != seen)
			break;
		ret = -ETIMEDOUT;
		now = ktime_get();
		if (ktime_compare(now, until) >= 0)
			break;
		wake = until;
		if (deaf || entry->cancel)
			wake = min_t(ktime_t, wake,
				     ktime_add_ns(now, PORT_SIGNAL_SLICE_NS));
		schedule_hrtimeout_range(&wake, current->timer_slack_ns,
					 HRTIMER_MODE_ABS);
	}
	finish_wait(&e->waiters, &wait);
	port_section_begin(entry);
	return ret;
}

/* --- time, chance, log ---------------------------------------------------- */

int64_t port_realtime_ns(void)
{
	return ktime_get_real_ns();
}

int64_t port_monotonic_ns(void)
{
	return ktime_get_ns();
}

int64_t port_coarse_ns(void)
{
	return ktime_get_coarse_ns();
}

void port_random(void *buf, size_t n)
{
	get_random_bytes(buf, n);
}

void port_log(enum port_log_level level, const char *line)
{
	switch (level) {
	case PORT_LOG_ERROR:
		pr_err("%s\n", line);
		break;
	case PORT_LOG_WARNING:
		pr_warn("%s\n", line);
		break;
	case PORT_LOG_INFO:
		pr_info("%s\n", line);
		break;
	}
}

/* --- the host's life ------------------------------------------------------ */

int port_init(bool measure)
{
	return port_stacks_init();
}

void port_exit(void)
{
	port_stacks_exit();
}
