// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * request.c - what is the same for every FUSE request.
 *
 * Requests arrive on any of the host's threads.  Each answers its request once.
 * What may run SQL is done between request_begin() and request_end(), during
 * which an INTERRUPT of the kernel's raises the thread's cancel flag.
 */
#include "host.h"

#include <errno.h>
#include <unistd.h>

/*
 * The kernel says that the client got a signal: once, and of whichever.  Runs on
 * another thread, and keeps the worker from request_end() meanwhile.
 */
static void interrupted(fuse_req_t req, void *data)
{
	const pid_t thread = fuse_req_ctx(req)->pid;
	struct worker *worker = data;

	if (client_is_signalled(thread)) {
		file_cancel(host_of(req), worker);
		return;
	}
	__atomic_store_n(&worker->suspect, thread, __ATOMIC_RELEASE);
	host_suspect(host_of(req));
}

/** request_begin() - from now on an INTERRUPT ends what runs for it
 *
 * Return: the client, as the engine wants to know it.
 */
struct ksql_caller request_begin(fuse_req_t req)
{
	struct worker *self = worker_self;
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	const struct ksql_caller caller = { .uid = ctx->uid,
					    .gid = ctx->gid,
					    .pid = ctx->pid,
					    .cancel = &self->cancel };

	__atomic_store_n(&self->cancel,
			 __atomic_load_n(&host_of(req)->stopping,
					 __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	fuse_req_interrupt_func(req, interrupted, self);
	return caller;
}

/** request_end() - before the answer, which frees the request */
void request_end(fuse_req_t req)
{
	struct host *host = host_of(req);
	struct worker *self = worker_self;

	fuse_req_interrupt_func(req, NULL, NULL);
	if (!__atomic_load_n(&self->suspect, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&host->lock);
	self->suspect = 0;
	pthread_mutex_unlock(&host->lock);
}

/** request_reply() - the end, and its errno (0: it went well) as the answer */
void request_reply(fuse_req_t req, int err)
{
	request_end(req);
	fuse_reply_err(req, -err);
}

/**
 * request_may() - may this client use a node so
 * @req: its request
 * @node: what of
 * @want: R_OK, W_OK, X_OK
 *
 * The kernel does not check for us (default_permissions): it would ask for the
 * attributes, and so for the exact size, before each use.
 * Root may, as by CAP_DAC_OVERRIDE, all that files and directories here allow.
 */
bool request_may(fuse_req_t req, const struct ksql_node *node,
		 unsigned int want)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	const struct host *host = host_of(req);
	const uint32_t mode =
		ksql_node_mode(node, host->mode, host->metrics_mode);
	uid_t owner = host->uid;
	gid_t group = host->gid;

	ksql_node_owner(node, &owner, &group);
	if (ctx->uid == 0)
		return !(want & X_OK) || (mode & 0111);
	if (ctx->uid == owner)
		return !(want & ~(mode >> 6));
	if (((mode >> 3) & 7) != (mode & 7) &&
	    client_in_group(req, ctx->gid, group))
		return !(want & ~(mode >> 3));
	return !(want & ~mode);
}
