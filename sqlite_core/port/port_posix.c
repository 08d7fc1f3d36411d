// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * port_posix.c - port.h in user space: threads of POSIX, no FPU sections.
 *
 * An entry runs on the caller's own stack, of which it may use as much as the
 * kernel's stack would give it, so that a statement too deep for the kernel is
 * too deep here.  Sanitizers make frames several times larger; their build
 * gives the engine as many times more.
 */
#define _GNU_SOURCE
#include "port.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define STACK_BUDGET (PORT_STACK_SIZE * 12u)
#else
#define STACK_BUDGET PORT_STACK_SIZE
#endif

#define PAGE  ((size_t)4096)
#define CHUNK ((size_t)2 << 20)

struct context {
	const char *stack_low; /* the engine must not go below */
	const int *cancel;
	void *local;
	int64_t since; /* its section began; where they are measured */
};

/* By its offset, as in a program: asked for all the time. */
static _Thread_local struct context context
	__attribute__((tls_model("initial-exec")));
static size_t stack_peak; /* atomic; of all threads */

/* --- sections ------------------------------------------------------------- */

/*
 * Nobody waits for a thread's next safe point here: sections are measured, when
 * asked for, to know how long they would be in a kernel.  By the processor time
 * that the thread took: a thread is preempted, a kernel's section is not.
 */
static bool measuring; /* constant from port_init() on */
static struct port_latency latency; /* atomics */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void section_begin(void)
{
	if (measuring)
		context.since = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void section_note(int64_t ns)
{
	uint64_t longest =
		__atomic_load_n(&latency.longest_ns, __ATOMIC_RELAXED);

	__atomic_fetch_add(&latency.counts[port_section_class(ns)], 1,
			   __ATOMIC_RELAXED);
	while ((uint64_t)ns > longest &&
	       !__atomic_compare_exchange_n(&latency.longest_ns, &longest,
					    (uint64_t)ns, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void section_end(void)
{
	if (measuring)
		section_note(clock_ns(CLOCK_THREAD_CPUTIME_ID) - context.since);
}

static void section_pause(void)
{
	int64_t now;

	if (!measuring)
		return;
	now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	if (now - context.since < PORT_SECTION_NS)
		return;
	section_note(now - context.since);
	section_begin();
}

void port_latency(struct port_latency *out)
{
	unsigned int i;

	out->longest_ns =
		__atomic_load_n(&latency.longest_ns, __ATOMIC_RELAXED);
	for (i = 0; i < PORT_SECTIONS; i++)
		out->counts[i] =
			__atomic_load_n(&latency.counts[i], __ATOMIC_RELAXED);
}

/* Tests and benchmarks measure one thing after another. */
__attribute__((visibility("default"))) void ksql_latency_reset(void)
{
	unsigned int i;

	__atomic_store_n(&latency.longest_ns, 0, __ATOMIC_RELAXED);
	for (i = 0; i < PORT_SECTIONS; i++)
		__atomic_store_n(&latency.counts[i], 0, __ATOMIC_RELAXED);
}

/* --- entering the engine -------------------------------------------------- */

void port_enter(void (*fn)(void *arg), void *arg, const int *cancel)
{
	const struct context outer = context;

	context.stack_low =
		(const char *)__builtin_frame_address(0) - STACK_BUDGET;
	context.cancel = cancel;
	context.local = NULL;
	section_begin();
	fn(arg);
	section_end();
	context = outer;
}

size_t port_stack_left(void)
{
	const char *here = __builtin_frame_address(0);
	size_t left = here > context.stack_low ?
			      (size_t)(here - context.stack_low) :
			      0;
	size_t used = STACK_BUDGET - left;
	size_t peak = __atomic_load_n(&stack_peak, __ATOMIC_RELAXED);

	while (used > peak &&
	       !__atomic_compare_exchange_n(&stack_peak, &peak, used, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return left;
}

size_t port_stack_peak(void)
{
	return __atomic_load_n(&stack_peak, __ATOMIC_RELAXED);
}

/*
 * Tests count the pauses, and have those after so many more say that the caller
 * is to stop; below zero none.  Only in the builds for tests.
 */
#ifdef KSQL_FAULTS
static long pauses; /* atomic */
static long stop_in = -1; /* atomic */

__attribute__((visibility("default"))) long ksql_pauses(void)
{
	return __atomic_load_n(&pauses, __ATOMIC_SEQ_CST);
}

__attribute__((visibility("default"))) void ksql_stop_in(long n)
{
	__atomic_store_n(&stop_in, n, __ATOMIC_SEQ_CST);
}

static bool told_to_stop(void)
{
	long left = __atomic_load_n(&stop_in, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&pauses, 1, __ATOMIC_SEQ_CST);
	if (left > 0)
		__atomic_store_n(&stop_in, left - 1, __ATOMIC_SEQ_CST);
	return !left;
}
#else
static bool told_to_stop(void)
{
	return false;
}
#endif

int port_pause(void)
{
	section_pause();
	if (context.cancel && __atomic_load_n(context.cancel, __ATOMIC_ACQUIRE))
		return -EINTR;
	return told_to_stop() ? -EINTR : 0;
}

unsigned int port_processor(void)
{
	int number = sched_getcpu();

	return number > 0 ? (unsigned int)number : 0;
}

void *port_local(void)
{
	return context.local;
}

void port_set_local(void *p)
{
	context.local = p;
}

/*
 * Tests make allocations fail: the one after so many more, and with @all every
 * later one; below zero none.  Only in the builds for tests.
 */
#ifdef KSQL_FAULTS
static long faults_in = -1; /* atomic */
static bool faults_all;

__attribute__((visibility("default"))) void ksql_fault_in(long n, bool all)
{
	faults_all = all;
	__atomic_store_n(&faults_in, n, __ATOMIC_SEQ_CST);
}

/* Below zero: it was reached. */
__attribute__((visibility("default"))) long ksql_fault_left(void)
{
	return __atomic_load_n(&faults_in, __ATOMIC_SEQ_CST);
}

static bool fault(void)
{
	long left = __atomic_load_n(&faults_in, __ATOMIC_SEQ_CST);

	if (left < 0)
		return left == -2 && faults_all;
	__atomic_store_n(&faults_in, left ? left - 1 : -2, __ATOMIC_SEQ_CST);
	return !left;
}
#else
static bool fault(void)
{
	return false;
}
#endif

/*
 * A kernel gives memory that is there; here its pages come when they are first
 * touched, which would be within a section.
 */
static void touch(char *p, size_t n)
{
	size_t i;

	for (i = 0; p && i < n; i += PAGE)
		*(volatile char *)(p + i) = 0;
}

void *port_alloc(size_t n)
{
	void *p;

	if (fault())
		return NULL;
	if (!measuring)
		return malloc(n);
	section_end();
	p = malloc(n);
	touch(p, n);
	section_begin();
	return p;
}

void port_free(void *p)
{
	if (!p)
		return;
	section_end();
	free(p);
	section_begin();
}

/*
 * Pages are cut from chunks: malloc() takes two pages' room for each that begins
 * at a multiple of its size.  Not in the builds for tests, where each page is an
 * allocation of its own, so that a sanitizer sees who uses one that was freed.
 */
#ifdef KSQL_FAULTS
static void *page_get(void)
{
	void *page = fault() ? NULL : aligned_alloc(PAGE, PAGE);

	if (page)
		memset(page, 0, PAGE);
	return page;
}

static void page_put(void *page)
{
	free(page);
}

static void chunks_exit(void)
{
}
#else
/* At the beginning of its own memory, which begins at a multiple of CHUNK. */
struct chunk {
	struct chunk *next, *prev; /* in chunks.first, while there is room */
	void *free; /* pages given back, linked by their first word */
	uint32_t used; /* pages handed out */
	uint32_t fresh; /* from this one on none was ever handed out */
};

static struct {
	pthread_mutex_t lock; /* protects all of it */
	struct chunk *first;
	struct chunk *spare; /* an empty one, for the next that asks */
} chunks = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct chunk *chunk_new(void)
{
	char *p = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)p % CHUNK;
	if (before)
		munmap(p, before);
	munmap(p + before + CHUNK, CHUNK - before);
	p += before;
	((struct chunk *)p)->fresh = 1; /* the first has this */
	return (struct chunk *)p;
}

static bool chunk_is_full(const struct chunk *c)
{
	return !c->free && c->fresh == CHUNK / PAGE;
}

static void chunk_link(struct chunk *c)
{
	c->prev = NULL;
	c->next = chunks.first;
	if (c->next)
		c->next->prev = c;
	chunks.first = c;
}

static void chunk_unlink(struct chunk *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		chunks.first = c->next;
}

static void *page_get(void)
{
	struct chunk *c;
	void *page = NULL, *old = NULL;

	pthread_mutex_lock(&chunks.lock);
	c = chunks.first;
	if (!c) {
		c = chunks.spare ? chunks.spare : chunk_new();
		chunks.spare = NULL;
		if (!c)
			goto unlock;
		chunk_link(c);
	}
	old = c->free;
	if (old)
		memcpy(&c->free, old, sizeof(c->free));
	else
		page = (char *)c + PAGE * c->fresh++;
	c->used++;
	if (chunk_is_full(c))
		chunk_unlink(c);
unlock:
	pthread_mutex_unlock(&chunks.lock);
	return old ? memset(old, 0, PAGE) : page;
}

static void page_put(void *page)
{
	struct chunk *c = (void *)((uintptr_t)page & ~(uintptr_t)(CHUNK - 1));
	struct chunk *empty = NULL;

	pthread_mutex_lock(&chunks.lock);
	if (chunk_is_full(c))
		chunk_link(c);
	memcpy(page, &c->free, sizeof(c->free));
	c->free = page;
	if (!--c->used) {
		chunk_unlink(c);
		empty = chunks.spare;
		chunks.spare = c;
	}
	pthread_mutex_unlock(&chunks.lock);
	if (empty)
		munmap(empty, CHUNK);
}

static void chunks_exit(void)
{
	if (chunks.spare)
		munmap(chunks.spare, CHUNK);
	chunks.spare = NULL;
}
#endif

size_t port_pages_alloc(void **pages, size_t n)
{
	size_t i;

	section_end();
	for (i = 0; i < n; i++) {
		pages[i] = page_get();
		if (!pages[i])
			break;
		if (measuring)
			touch(pages[i], PAGE);
	}
	section_begin();
	return i;
}

void port_pages_free(void **pages, size_t n)
{
	size_t i;

	section_end();
	for (i = 0; i < n; i++)
		page_put(pages[i]);
	section_begin();
}

uint64_t port_ram(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) *
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * Zeroed memory is an unlocked pthread_mutex_t with glibc and musl; a spinning
 * lock would be wrong where its holder can be preempted.
 */
_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct port_spin),
	       "port_spin is too small");

void port_spin_lock(struct port_spin *s)
{
	pthread_mutex_lock((pthread_mutex_t *)s->opaque);
}

void port_spin_unlock(struct port_spin *s)
{
	pthread_mutex_unlock((pthread_mutex_t *)s->opaque);
}

struct port_mutex {
	pthread_mutex_t m;
};

struct port_mutex *port_mutex_new(void)
{
	struct port_mutex *m = port_alloc(sizeof(*m));

	if (m)
		pthread_mutex_init(&m->m, NULL);
	return m;
}

void port_mutex_free(struct port_mutex *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->m);
	free(m);
}

void port_mutex_lock(struct port_mutex *m)
{
	if (!pthread_mutex_trylock(&m->m))
		return;
	section_end();
	pthread_mutex_lock(&m->m);
	section_begin();
}

bool port_mutex_trylock(struct port_mutex *m)
{
	return pthread_mutex_trylock(&m->m) == 0;
}

void port_mutex_unlock(struct port_mutex *m)
{
	pthread_mutex_unlock(&m->m);
}

struct port_event {
	pthread_mutex_t lock; /* protects count */
	pthread_cond_t changed;
	unsigned long count;
};

struct port_event *port_event_new(void)
{
	struct port_event *e = port_alloc(sizeof(*e));
	pthread_condattr_t attr;

	if (!e)
		return NULL;
	e->count = 0;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->changed, &attr);
	pthread_condattr_destroy(&attr);
	return e;
}

void port_event_free(struct port_event *e)
{
	if (!e)
		return;
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

unsigned long port_event_count(struct port_event *e)
{
	unsigned long count;

	pthread_mutex_lock(&e->lock);
	count = e->count;
	pthread_mutex_unlock(&e->lock);
	return count;
}

void port_event_signal(struct port_event *e)
{
	pthread_mutex_lock(&e->lock);
	e->count++;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

/* One that waits with a cancel flag, for port_wake(); on its stack. */
struct sleeper {
	struct sleeper *next, **at;
	const int *cancel;
	struct port_event *event;
};

static struct {
	pthread_mutex_t lock; /* protects the list; taken before an event's */
	struct sleeper *first;
} sleepers = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void sleeper_add(struct sleeper *s)
{
	pthread_mutex_lock(&sleepers.lock);
	s->next = sleepers.first;
	s->at = &sleepers.first;
	if (s->next)
		s->next->at = &s->next;
	sleepers.first = s;
	pthread_mutex_unlock(&sleepers.lock);
}

static void sleeper_remove(struct sleeper *s)
{
	pthread_mutex_lock(&sleepers.lock);
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	pthread_mutex_unlock(&sleepers.lock);
}

/* Who waits looks at its flag under the event's lock, and then sleeps. */
void port_wake(const int *cancel)
{
	struct sleeper *s;

	pthread_mutex_lock(&sleepers.lock);
	for (s = sleepers.first; s; s = s->next) {
		if (s->cancel != cancel)
			continue;
		pthread_mutex_lock(&s->event->lock);
		pthread_cond_broadcast(&s->event->changed);
		pthread_mutex_unlock(&s->event->lock);
	}
	pthread_mutex_unlock(&sleepers.lock);
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
				  .tv_nsec = (long)(ns % 1000000000) };
}

int port_event_wait(struct port_event *e, unsigned long seen,
		    uint64_t timeout_ns)
{
	int64_t end = port_monotonic_ns() + (int64_t)timeout_ns;
	struct sleeper self = { .cancel = context.cancel, .event = e };
	const struct timespec until = timespec_of(end);
	int err = 0;

	section_end();
	section_begin(); /* what it takes from here on is next to nothing */
	sleeper_add(&self);
	pthread_mutex_lock(&e->lock);
	while (e->count == seen) {
		err = port_monotonic_ns() < end ? port_pause() : -ETIMEDOUT;
		if (err)
			break;
		pthread_cond_timedwait(&e->changed, &e->lock, &until);
	}
	pthread_mutex_unlock(&e->lock);
	sleeper_remove(&self);
	return err;
}

int64_t port_realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int64_t port_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t port_coarse_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC_COARSE);
}

void port_random(void *buf, size_t n)
{
	if (getrandom(buf, n, 0) != (ssize_t)n)
		abort(); /* up to 256 bytes cannot fail once the pool is up */
}

void port_log(enum port_log_level level, const char *line)
{
	static const char *const names[] = { "error", "warning", "info" };

	fprintf(stderr, "ksqlfs: %s: %s\n", names[level], line);
}

int port_init(bool measure)
{
	measuring = measure;
	memset(&latency, 0, sizeof(latency));
	return 0;
}

void port_exit(void)
{
	chunks_exit();
}
