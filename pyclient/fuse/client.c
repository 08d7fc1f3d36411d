// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * client.c - what /proc tells of the process that made a request.
 *
 * A request names the thread that made it.  The rules of closing need to know
 * its process, whether that has the file open by another descriptor, and
 * whether it is being killed.  What a server may not see of a process (another
 * user's, unless it is root) counts as: not killed, no other descriptor.
 */
#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of include/linux/sched.h: the process is on its way out. */
#define PF_EXITING 0x4ul

/* FUSE's kind of file handle, of include/linux/exportfs.h, and its parts. */
#define FILEID_INO64_GEN 0x81
struct fuse_handle {
	struct file_handle head;
	uint32_t words[3]; /* node id: high, low; generation */
};

/* A small file of /proc as text; false if it cannot be read. */
static bool read_proc(pid_t thread, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)thread, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/**
 * client_process() - the process of a thread
 * @thread: of a request; 0 for one in a PID namespace that we do not see
 *
 * Return: its process id, or @thread if that cannot be found out.
 */
pid_t client_process(pid_t thread)
{
	char text[4096];
	const char *line;
	int fd;

	if (!thread)
		return 0;
	/* Cheaper than reading: only the id of a process gives a descriptor. */
	fd = (int)syscall(SYS_pidfd_open, thread, 0);
	if (fd >= 0) {
		close(fd);
		return thread;
	}
	if (!read_proc(thread, "status", text, sizeof(text)))
		return thread;
	line = strstr(text, "\nTgid:");
	return line ? (pid_t)atoi(line + strlen("\nTgid:")) : thread;
}

/**
 * client_in_group() - is the client a member
 * @req: its request
 * @own: the group that it has there
 * @gid: the group
 */
bool client_in_group(fuse_req_t req, gid_t own, gid_t gid)
{
	gid_t some[64], *groups = some;
	int count, room = 64, i;
	bool found = own == gid;

	if (found)
		return true;
	count = fuse_req_getgroups(req, room, some);
	if (count > room) {
		room = count;
		groups = malloc((size_t)room * sizeof(*groups));
		count = groups ? fuse_req_getgroups(req, room, groups) : 0;
	}
	for (i = 0; i < count && i < room && !found; i++)
		found = groups[i] == gid;
	if (groups != some)
		free(groups);
	return found;
}

/* One line of /proc/PID/status that holds a set of signals; bit 0 is signal 1. */
static uint64_t signal_set(const char *status, const char *line)
{
	const char *at = strstr(status, line);

	return at ? strtoull(at + strlen(line), NULL, 16) : 0;
}

static uint64_t signal_bit(int number)
{
	return 1ull << (number - 1);
}

/**
 * client_is_signalled() - has the thread a signal that ends statements
 *
 * Not those that stop a job, nor those that are ignored by default, nor blocked
 * ones: the same as in the kernel, where the engine looks itself.  True if
 * nothing can be found out.
 */
bool client_is_signalled(pid_t thread)
{
	const uint64_t idle = signal_bit(SIGSTOP) | signal_bit(SIGTSTP) |
			      signal_bit(SIGTTIN) | signal_bit(SIGTTOU) |
			      signal_bit(SIGCHLD) | signal_bit(SIGCONT) |
			      signal_bit(SIGURG) | signal_bit(SIGWINCH);
	char text[16384];
	uint64_t pending;

	if (!thread || !read_proc(thread, "status", text, sizeof(text)) ||
	    !strstr(text, "\nSigBlk:")) /* some 1,000 groups come before it */
		return true;
	pending = signal_set(text, "\nSigPnd:") | signal_set(text, "\nShdPnd:");
	return pending & ~signal_set(text, "\nSigBlk:") & ~idle;
}

/** client_is_process() - is @thread one of this process's; true if unknown */
bool client_is_process(pid_t thread, pid_t process)
{
	return !thread || !process || thread == process ||
	       client_process(thread) == process;
}

/**
 * client_was_killed() - does the thread end by a signal
 * @thread: of a request
 * @uid: its user
 *
 * When its files are closed a process that was killed is past the signal: what
 * is left to see is that it exits, and with which code.  Only root sees the code
 * of another user's: for others that one counts as killed, as a statement that
 * does not run does less harm than half of one that does.
 */
bool client_was_killed(pid_t thread, uid_t uid)
{
	const uid_t self = geteuid();
	char text[2048], *at, *rest;
	unsigned long flags = 0, code = 0;
	int field;

	if (!thread || !read_proc(thread, "stat", text, sizeof(text)))
		return false;
	/* The name, field 2, may hold anything: count from its end. */
	at = strrchr(text, ')');
	if (!at)
		return false;
	at = strtok_r(at + 1, " ", &rest);
	for (field = 3; at; field++, at = strtok_r(NULL, " ", &rest)) {
		if (field == 9)
			flags = strtoul(at, NULL, 10);
		if (field == 52)
			code = strtoul(at, NULL, 10);
	}
	return (flags & PF_EXITING) &&
	       ((code & 0x7f) || (self != 0 && self != uid));
}

/* Is what this descriptor of /proc/PID/fd leads to the node? */
static bool leads_to(int dir, const char *name, uint64_t node_id,
		     uint32_t generation)
{
	struct fuse_handle handle = { .head.handle_bytes =
					      sizeof(handle.words) };
	int mount_id;

	/* Asks the kernel alone: this sends us no request. */
	if (name_to_handle_at(dir, name, &handle.head, &mount_id,
			      AT_SYMLINK_FOLLOW))
		return false;
	return handle.head.handle_type == FILEID_INO64_GEN &&
	       handle.words[0] == (uint32_t)(node_id >> 32) &&
	       handle.words[1] == (uint32_t)node_id &&
	       handle.words[2] == generation;
}

/**
 * client_has_open() - has the process a descriptor of this node
 * @process: its id
 * @node_id: FUSE's, of a file, so that it stands for one opening
 * @generation: of the node
 */
bool client_has_open(pid_t process, uint64_t node_id, uint32_t generation)
{
	struct dirent *entry;
	bool found = false;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)process);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' &&
			leads_to(dirfd(dir), entry->d_name, node_id,
				 generation);
	closedir(dir);
	return found;
}
