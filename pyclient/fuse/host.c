// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * host.c - one mount: its session, its threads, its end.
 *
 * Every idle thread waits for a request.  One that gets one, and leaves nobody
 * waiting, starts another thread first: so an INTERRUPT is read while statements
 * run, however many.  libfuse's own loop does the same, but cannot be ended
 * while a statement runs.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ioctl.h"

/* So many statements at once; then even interrupts wait. */
/* So many threads stay when nothing is to be done. */
#define IDLE_MAX 4u
/* How often, in milliseconds, clients with a stop signal pending are looked at. */
#define SUSPECTS_MS 20
/* What ends a read() of a worker's. */
#define SIGNAL_WAKE SIGUSR1

__thread struct worker *worker_self;

/* --- what libfuse has to say ---------------------------------------------- */

/* While mounting it is kept for the caller, later it goes to stderr. */
static char *log_text;
static size_t log_size;

__attribute__((format(printf, 2, 0))) static void
log_func(enum fuse_log_level level, const char *format, va_list args)
{
	(void)level;
	if (!log_text) {
		vfprintf(stderr, format, args);
		return;
	}
	vsnprintf(log_text, log_size, format, args);
	log_text[strcspn(log_text, "\n")] = '\0';
}

static int explain(char *message, size_t size, int err, const char *what)
{
	snprintf(message, size, "%s: %s", what, strerror(-err));
	return err;
}

/* --- limits --------------------------------------------------------------- */

/**
 * host_limits() - the engine's options, from text as after -o
 * @options: some of them changed
 * @text: "key=value,key=value"; empty parts are passed over
 * @message: NULL, or filled when it fails
 * @size: bytes at @message
 *
 * Return: 0, -ENOMEM, -EINVAL for a bad value, -ENOENT for an unknown key.
 */
int host_limits(struct ksql_options *options, const char *text, char *message,
		size_t size)
{
	char *copy = strdup(text), *rest, *part, *value;
	int err = copy ? 0 : -ENOMEM;

	for (part = err ? NULL : strtok_r(copy, ",", &rest); part && !err;
	     part = strtok_r(NULL, ",", &rest)) {
		value = strchr(part, '=');
		if (value)
			*value++ = '\0';
		err = ksql_option_set(options, part, value ? value : "");
		if (err && message)
			snprintf(message, size,
				 err == -ENOENT ? "there is no option %s" :
						  "%s=%s is not a value for it",
				 part, value ? value : "");
	}
	free(copy);
	return err;
}

int ksqlfs_reconfigure(const char *directory, const char *text)
{
	struct ksqlfs_limits limits = { 0 };
	int err = 0, fd;

	if (strlen(text) >= sizeof(limits.text))
		return -E2BIG;
	memcpy(limits.text, text, strlen(text));
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, KSQLFS_IOC_LIMITS, &limits))
		err = -errno;
	close(fd);
	return err;
}

/* --- threads -------------------------------------------------------------- */

static void *worker_main(void *arg);

struct worker_start {
	struct host *host;
	struct worker *worker;
};

/* Called with the host's lock held. */
static int worker_start(struct host *host)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct worker_start *start = malloc(sizeof(*start));
	int err = -ENOMEM;

	if (!worker || !start)
		goto free_both;
	*start = (struct worker_start){ .host = host, .worker = worker };
	err = -pthread_create(&worker->thread, NULL, worker_main, start);
	if (err)
		goto free_both;
	pthread_detach(worker->thread);
	worker->next = host->workers;
	host->workers = worker;
	host->worker_count++;
	host->idle++;
	return 0;

free_both:
	free(start);
	free(worker);
	return err;
}

/* Called with the host's lock held. */
static void worker_remove(struct host *host, struct worker *worker)
{
	struct worker **at = &host->workers;

	while (*at != worker)
		at = &(*at)->next;
	*at = worker->next;
	host->worker_count--;
	pthread_cond_broadcast(&host->ended);
}

static void tell(int fd)
{
	const uint64_t one = 1;

	/* Fails only when what it tells has been told. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static bool is_stopping(struct host *host)
{
	return __atomic_load_n(&host->stopping, __ATOMIC_ACQUIRE);
}

/* Wait for a request: its bytes, 0 at the mount's end, or below 0. */
static int receive(struct host *host, struct fuse_buf *buf)
{
	int n;

	do {
		n = is_stopping(host) ?
			    0 :
			    fuse_session_receive_buf(host->session, buf);
		/* No memory for now is no end; others may read meanwhile. */
	} while (n == -EINTR || (n == -ENOMEM && poll(NULL, 0, 10) <= 0));
	return fuse_session_exited(host->session) ? 0 : n;
}

static void *worker_main(void *arg)
{
	struct worker_start start = *(struct worker_start *)arg;
	struct host *host = start.host;
	struct fuse_buf buf = { 0 };
	bool stays = true;

	free(arg);
	worker_self = start.worker;
	while (stays && receive(host, &buf) > 0) {
		pthread_mutex_lock(&host->lock);
		if (!--host->idle && host->worker_count < WORKERS_MAX)
			worker_start(host); /* if not, then later */
		pthread_mutex_unlock(&host->lock);

		fuse_session_process_buf(host->session, &buf);

		pthread_mutex_lock(&host->lock);
		stays = host->idle < IDLE_MAX;
		host->idle += stays;
		pthread_mutex_unlock(&host->lock);
	}
	if (stays)
		tell(host->ended_fd);
	free(buf.mem);
	free(worker_self->buf);
	pthread_mutex_lock(&host->lock);
	worker_remove(host, worker_self);
	pthread_mutex_unlock(&host->lock);
	free(worker_self);
	return NULL;
}

/* All of them end soon: what runs is interrupted, who waits is woken. */
static void workers_stop(struct host *host)
{
	struct timespec until;
	struct worker *worker;

	__atomic_store_n(&host->stopping, 1, __ATOMIC_RELEASE);
	pthread_mutex_lock(&host->lock);
	while (host->workers) {
		for (worker = host->workers; worker; worker = worker->next) {
			__atomic_store_n(&worker->cancel, 1, __ATOMIC_RELEASE);
			ksql_cancelled(&worker->cancel);
			pthread_kill(worker->thread, SIGNAL_WAKE);
		}
		file_wake_readers(host);
		/* One may have been about to read when it was woken: again. */
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 10 * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&host->ended, &host->lock, &until);
	}
	pthread_mutex_unlock(&host->lock);
}

static void on_wake(int number)
{
	(void)number;
}

/* --- the mount ------------------------------------------------------------ */

/* A commit: called on the engine's side, so another thread does the rest. */
static void changed(struct ksql_watch *watch, uint64_t version)
{
	struct host *host =
		(struct host *)((char *)watch - offsetof(struct host, watch));

	uint64_t seen = __atomic_load_n(&host->commits, __ATOMIC_SEQ_CST);

	while (seen < version && !__atomic_compare_exchange_n(
					 &host->commits, &seen, version, true,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	tell(host->changed_fd);
}

void host_ready(struct host *host)
{
	const char *text = host->mount->ready_text;

	if (write(host->mount->ready_fd, text, strlen(text)) < 0)
		perror("ksqlfs: telling that the mount answers");
}

void host_suspect(struct host *host)
{
	tell(host->suspect_fd);
}

/*
 * Has a suspect a signal that counts by now?  Are there any left?  Its worker
 * needs the lock to be through with its request.
 */
static bool look_at_suspects(struct host *host)
{
	struct worker *worker;
	bool left = false;
	pid_t thread;

	pthread_mutex_lock(&host->lock);
	for (worker = host->workers; worker; worker = worker->next) {
		thread = __atomic_load_n(&worker->suspect, __ATOMIC_ACQUIRE);
		if (thread && client_is_signalled(thread))
			file_cancel(host, worker);
		left |= thread != 0;
	}
	pthread_mutex_unlock(&host->lock);
	return left;
}

static bool was_told(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) > 0;
}

/* Until a signal comes, or a worker sees the end. */
static void wait_for_end(struct host *host, int signals_fd)
{
	enum {
		SIGNALS,
		ENDED,
		CHANGED,
		SUSPECT
	};
	struct pollfd fds[] = {
		[SIGNALS] = { .fd = signals_fd, .events = POLLIN },
		[ENDED] = { .fd = host->ended_fd, .events = POLLIN },
		[CHANGED] = { .fd = host->changed_fd, .events = POLLIN },
		[SUSPECT] = { .fd = host->suspect_fd, .events = POLLIN },
	};
	bool suspects = false;

	for (;;) {
		if (poll(fds, 4, suspects ? SUSPECTS_MS : -1) < 0)
			continue;
		if (fds[SIGNALS].revents || fds[ENDED].revents)
			return;
		if (was_told(host->changed_fd))
			file_wake_pollers(host);
		if (was_told(host->suspect_fd) || suspects)
			suspects = look_at_suspects(host);
	}
}

/* Those that came are done with: else the process would die of them later. */
static void take_signals(int signals_fd)
{
	struct signalfd_siginfo taken;

	while (read(signals_fd, &taken, sizeof(taken)) > 0)
		;
}

static int run(struct host *host, const sigset_t *signals, char *message,
	       size_t size)
{
	int signals_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	int err;

	if (signals_fd < 0)
		return explain(message, size, -errno,
			       "no descriptors could be had");
	pthread_mutex_lock(&host->lock);
	err = worker_start(host);
	pthread_mutex_unlock(&host->lock);
	if (err)
		explain(message, size, err, "no thread could be started");
	else
		wait_for_end(host, signals_fd);
	workers_stop(host);
	take_signals(signals_fd);
	close(signals_fd);
	return err;
}

/* What fusermount3 says, it says on stderr: taken from there for the caller. */
static int mount_here(struct host *host, char *message, size_t size)
{
	int said = memfd_create("fusermount3", MFD_CLOEXEC);
	int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int err = said < 0 || before < 0 ? -errno : 0;
	ssize_t n;

	if (err) {
		explain(message, size, err, "no descriptors could be had");
		goto close_both;
	}
	dup2(said, STDERR_FILENO);
	if (fuse_session_mount(host->session, host->mount->directory))
		err = -EIO;
	dup2(before, STDERR_FILENO);
	n = err ? pread(said, message, size - 1, 0) : 0;
	if (n > 0) {
		message[n] = '\0';
		message[strcspn(message, "\n")] = '\0';
	}

close_both:
	if (before >= 0)
		close(before);
	if (said >= 0)
		close(said);
	return err;
}

/* Of what is mounted there; asks no server. */
static dev_t device_at(const char *directory)
{
	struct statx st;

	if (statx(AT_FDCWD, directory, AT_STATX_DONT_SYNC, 0, &st))
		return 0;
	return makedev(st.stx_dev_major, st.stx_dev_minor);
}

static int mount_and_run(struct host *host, const struct ksqlfs_mount *mount,
			 const sigset_t *signals, char *message, size_t size)
{
	const char *const argv[] = { "ksqlfs", "-o", mount->fuse_options,
				     NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, (char **)argv);
	dev_t device;
	int err;

	log_text = message;
	log_size = size;
	snprintf(message, size, "libfuse does not say why");
	host->session =
		fuse_session_new(&args, &host_ops, sizeof(host_ops), host);
	fuse_opt_free_args(&args);
	if (!host->session)
		return -EIO;
	err = mount_here(host, message, size);
	if (err)
		goto destroy_session;
	log_text = NULL;
	device = device_at(mount->directory);
	err = run(host, signals, message, size);
	/* Not what somebody else has mounted there since. */
	if (device_at(mount->directory) == device)
		fuse_session_unmount(host->session);

destroy_session:
	log_text = NULL;
	fuse_session_destroy(host->session);
	return err;
}

static int host_fds(struct host *host)
{
	int *const fds[] = { &host->changed_fd, &host->suspect_fd,
			     &host->ended_fd };
	size_t i;

	for (i = 0; i < 3; i++) {
		*fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (*fds[i] < 0)
			return -errno;
	}
	return 0;
}

static void host_close_fds(struct host *host)
{
	const int fds[] = { host->changed_fd, host->suspect_fd,
			    host->ended_fd };
	size_t i;

	for (i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void block_signals(sigset_t *signals, sigset_t *before)
{
	const struct sigaction wake = { .sa_handler = on_wake };
	sigset_t wakes;

	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, signals, before);
	sigemptyset(&wakes);
	sigaddset(&wakes, SIGNAL_WAKE);
	pthread_sigmask(SIG_UNBLOCK, &wakes, NULL);
	sigaction(SIGNAL_WAKE, &wake, NULL);
	/* A client that is gone is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
}

/* It belongs to who called, until the process ends. */
static void leave_rom(struct ksql_rom *rom)
{
	(void)rom;
}

/* 0 with @rom->data NULL if there shall be none. */
static int check_rom(const struct ksqlfs_mount *mount, struct ksql_rom *rom,
		     char *message, size_t size)
{
	char why[256];
	int err;

	if (!mount->rom_name)
		return 0;
	rom->name = mount->rom_name;
	rom->source = "file";
	rom->data = mount->rom_data;
	rom->size = mount->rom_size;
	rom->release = leave_rom;
	memcpy(rom->sha256, mount->rom_sha256, sizeof(rom->sha256));
	err = ksql_rom_check(rom, why, sizeof(why));
	if (err)
		snprintf(message, size, "rom=%s: %s", rom->name, why);
	return err;
}

static int with_database(struct host *host, const struct ksqlfs_mount *mount,
			 char *message, size_t size)
{
	struct ksql_rom rom = { 0 };
	struct ksql_options options;
	sigset_t signals, before;
	int err;

	ksql_options_default(&options);
	err = host_limits(&options, mount->limits, message, size);
	if (err)
		return err == -ENOENT ? -EINVAL : err;
	err = check_rom(mount, &rom, message, size);
	if (err)
		return err;
	err = ksql_db_get(mount->source, &options, rom.data ? &rom : NULL,
			  &host->db);
	if (err)
		return explain(message, size, err, "a limit is out of range");
	host->root.node = ksql_root(host->db);
	if (!host->root.node) {
		err = -ENOMEM;
		goto put_db;
	}
	host->watch.changed = changed;
	ksql_db_watch(host->db, &host->watch);
	block_signals(&signals, &before);
	err = mount_and_run(host, mount, &signals, message, size);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ksql_db_unwatch(host->db, &host->watch);
	ksql_node_put(host->root.node);

put_db:
	ksql_db_put(host->db);
	return err;
}

int ksqlfs_serve(const struct ksqlfs_mount *mount, char *message, size_t size)
{
	const struct ksql_core_config config = { .host = "fuse" };
	struct host host = { .mount = mount,
			     .uid = mount->uid,
			     .gid = mount->gid,
			     .mode = mount->mode,
			     .metrics_mode = mount->metrics_mode,
			     .changed_fd = -1,
			     .suspect_fd = -1,
			     .ended_fd = -1,
			     .lock = PTHREAD_MUTEX_INITIALIZER,
			     .ended = PTHREAD_COND_INITIALIZER,
			     .refresh_lock = PTHREAD_MUTEX_INITIALIZER,
			     .commit_lock = PTHREAD_MUTEX_INITIALIZER,
			     .commit = PTHREAD_COND_INITIALIZER };
	int err;

	*message = '\0';
	fuse_set_log_func(log_func);
	err = ksql_core_init(&config);
	if (err)
		return explain(message, size, err, "the engine did not start");
	err = nodes_init();
	if (!err)
		err = host_fds(&host);
	if (err)
		explain(message, size, err, "no descriptors could be had");
	else
		err = with_database(&host, mount, message, size);
	host_close_fds(&host);
	/* Files that clients had open then are not given back: the process ends. */
	return err;
}
