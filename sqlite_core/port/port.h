/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * port.h - all that the engine asks of the world outside it.
 *
 * port_linux.c answers in the kernel, port_posix.c in user space.
 *
 * Two sides meet here.  The HOST side runs on the caller's stack, without FPU.
 * The ENGINE side runs between port_enter()'s call of its function and that
 * function's return: in the kernel on a stack of its own, inside an FPU
 * section, where preemption is off and nothing may sleep.  A function marked
 * "safe point" may leave the FPU section and sleep, and has entered it again
 * when it returns: all SSE registers are caller-saved, so a C caller loses
 * nothing by the call, but it must hold no port_spin.  Functions not so marked
 * stay inside the section and do not sleep.
 *
 * All functions are of the engine side unless marked "host side".
 */
#ifndef KSQL_PORT_H
#define KSQL_PORT_H

#include "types.h"

/* --- entering the engine ------------------------------------------------ */

/**
 * port_enter() - run a function in the engine.  Host side; may sleep.
 * @fn: runs on the engine's stack, inside an FPU section
 * @arg: for @fn
 * @cancel: NULL, or a flag that ends the run when it becomes non-zero
 *
 * Never from within the engine.  It always runs: what gives back must not fail
 * for want of a stack, so who finds none waits until another comes out.
 */
void port_enter(void (*fn)(void *arg), void *arg, const int *cancel);

/**
 * port_wake() - who waits in an entry with this flag looks at it.  Host side.
 * @cancel: a flag that has been raised
 *
 * Return at once.  Harmless when nobody does.
 */
void port_wake(const int *cancel);

/** port_stack_left() - bytes of the engine's stack below this call's frame. */
size_t port_stack_left(void);

/** PORT_STACK_SIZE - what an entry has in all, in every host. */
#define PORT_STACK_SIZE (256u * 1024u)

/**
 * port_stack_peak() - deepest use of the engine's stack seen so far, in bytes
 *
 * 0 where it is not measured (measuring is switched on by the host, because it
 * paints every stack before use).
 */
size_t port_stack_peak(void);

/**
 * port_pause() - let others run.  Safe point.
 *
 * Gives the processor up if somebody wants it, and tells whether the caller
 * wants to stop.  Cheap when neither is so: call it often.
 *
 * Return: 0 to go on, -EINTR when a signal came or the cancel flag was raised.
 */
int port_pause(void);

/*
 * PORT_SECTION_NS - so long the engine keeps a processor, whether or not
 * somebody waits for it: the first safe point after it is one that is taken
 */
#define PORT_SECTION_NS 50000u

#define PORT_SECTIONS 5u

/**
 * struct port_latency - how long the engine kept a processor at a stretch
 * @longest_ns: the longest time from one safe point that was taken to the next
 * @counts: how many such sections took at most 50 us, 200 us, 1 ms, 10 ms, more
 */
struct port_latency {
	uint64_t longest_ns;
	uint64_t counts[PORT_SECTIONS];
};

/** port_latency() - since port_init(), all processors together; 0s where not measured. */
void port_latency(struct port_latency *out);

/** port_section_class() - which of port_latency.counts a section belongs to. */
static inline unsigned int port_section_class(int64_t ns)
{
	return ns <= 50000    ? 0 :
	       ns <= 200000   ? 1 :
	       ns <= 1000000  ? 2 :
	       ns <= 10000000 ? 3 :
				4;
}

/**
 * port_processor() - the number of the processor that runs this
 *
 * A hint, to keep what processors do apart: behind a safe point (in user space
 * at any time) it is another.
 */
unsigned int port_processor(void);

/** port_local() - what the entry's port_set_local() left; NULL at first. */
void *port_local(void);
/** port_set_local() - a pointer of this entry's own, until it ends. */
void port_set_local(void *p);

/* --- memory ------------------------------------------------------------- */

/** port_alloc() - @n bytes, aligned to 16, not zeroed; NULL if none.  Safe point. */
void *port_alloc(size_t n);

/** port_free() - give it back; NULL is allowed.  Safe point. */
void port_free(void *p);

/**
 * port_pages_alloc() - fill an array with zeroed pages of 4096 bytes.  Safe point.
 *
 * Return: how many it got, from 0 to @n; the first entries are filled.
 */
size_t port_pages_alloc(void **pages, size_t n);

/** port_pages_free() - give @n pages back.  Safe point. */
void port_pages_free(void **pages, size_t n);

/** port_ram() - bytes of memory that the machine has. */
uint64_t port_ram(void);

/* --- locks -------------------------------------------------------------- */

/*
 * struct port_spin - held for a few instructions; never across a safe point
 *
 * Zeroed memory is an unlocked one in every host.
 */
struct port_spin {
	_Alignas(8) unsigned char opaque[64];
};

void port_spin_lock(struct port_spin *s);
void port_spin_unlock(struct port_spin *s);

/* struct port_mutex - may be held across safe points; not recursive */
struct port_mutex;

/** port_mutex_new() - NULL if no memory.  Safe point. */
struct port_mutex *port_mutex_new(void);
/** port_mutex_free() - unlocked; NULL is allowed.  Safe point. */
void port_mutex_free(struct port_mutex *m);
/** port_mutex_lock() - uninterruptible: hold it only shortly.  Safe point. */
void port_mutex_lock(struct port_mutex *m);
/** port_mutex_trylock() - true if it is ours now. */
bool port_mutex_trylock(struct port_mutex *m);
void port_mutex_unlock(struct port_mutex *m);

/* struct port_event - a count that can be waited on */
struct port_event;

/** port_event_new() - NULL if no memory.  Safe point. */
struct port_event *port_event_new(void);
/** port_event_free() - with no waiter; NULL is allowed.  Safe point. */
void port_event_free(struct port_event *e);
/** port_event_count() - the count now. */
unsigned long port_event_count(struct port_event *e);
/** port_event_signal() - add one to the count and wake every waiter. */
void port_event_signal(struct port_event *e);
/**
 * port_event_wait() - until the count is not @seen any more.  Safe point.
 * @timeout_ns: at most so long
 *
 * Return: 0 when it changed, -ETIMEDOUT, or -EINTR (see port_pause()).
 */
int port_event_wait(struct port_event *e, unsigned long seen,
		    uint64_t timeout_ns);

/* --- time, chance, log -------------------------------------------------- */

/** port_realtime_ns() - since 1970, UTC. */
int64_t port_realtime_ns(void);
/** port_monotonic_ns() - since some moment; never goes back.  May read hardware. */
int64_t port_monotonic_ns(void);
/** port_coarse_ns() - the same clock as of the last timer tick: costs next to nothing. */
int64_t port_coarse_ns(void);
/** port_random() - @n bytes fit for a seed. */
void port_random(void *buf, size_t n);

enum port_log_level {
	PORT_LOG_ERROR,
	PORT_LOG_WARNING,
	PORT_LOG_INFO
};

/** port_log() - one line into the host's log; no newline. */
void port_log(enum port_log_level level, const char *line);

/* --- the host's life ---------------------------------------------------- */

/**
 * port_init() - before the first port_enter().  Host side.
 * @measure: measure sections in user space, too; a kernel always does
 *
 * Return: 0 or -ENOMEM.
 */
int port_init(bool measure);
/** port_exit() - after the last one.  Host side. */
void port_exit(void);

#endif /* KSQL_PORT_H */
